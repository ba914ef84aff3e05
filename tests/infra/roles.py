#!/usr/bin/env python3
"""The Azure module gives each function exactly the actions that the simulated Azure lets it have, and makes nothing
that could hold a secret. Reads both as text, and fails on whatever it does not understand."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "infra/terraform/modules/azure"
SIMULATOR = ROOT / "sandbox/src/azure/roles.rs"
RULES = "Microsoft.Network/networkSecurityGroups/securityRules/"

# Whatever else the module made would have to be thought about: an application or its password above all.
RESOURCES = {
    "azurerm_federated_identity_credential",
    "azurerm_monitor_action_group",
    "azurerm_monitor_activity_log_alert",
    "azurerm_monitor_scheduled_query_rules_alert_v2",
    "azurerm_resource_group",
    "azurerm_role_assignment",
    "azurerm_role_definition",
    "azurerm_user_assigned_identity",
}


def one(pattern, text, what):
    """The only place where a pattern matches."""
    found = re.findall(pattern, text, re.S | re.M)
    if len(found) != 1:
        sys.exit(f"{what}: found {len(found)} times, and this check knows only how to read one")
    return found[0]


def texts(body, what):
    """A list of texts, and nothing else."""
    rest = re.sub(r'"[^"\\]*"|//[^\n]*|#[^\n]*|[\s,]', "", body)
    if rest:
        sys.exit(f"{what}: more than a list of texts: {rest}")
    return re.findall(r'"([^"\\]*)"', body)


def simulated():
    """What each function may do in the simulated Azure, and which of them may ask Network Watcher."""
    source = re.sub(r"^\s*///?.*$", "", SIMULATOR.read_text(), flags=re.M)
    lists = {}
    for name, length, body in re.findall(r"const (\w+): \[&str; (\d+)\] =\s*\[(.*?)\];", source, re.S):
        lists[name] = texts(body, name)
        if len(lists[name]) != int(length):
            sys.exit(f"{name}: {len(lists[name])} read, {length} declared")

    watches = one(r"fn watches\(.*?match who \{(.*?)\n    \}", source, "watches")
    arms = re.findall(r'((?:"\w+"(?: \| )?)+) => (.*?),\n', watches)
    if len(arms) != 1 or not re.fullmatch(r"WATCH\.iter\(\)\.any\(.*\)", arms[0][1]):
        sys.exit(f"watches: not as expected: {arms}")
    asking = set(re.findall(r'"(\w+)"', arms[0][0]))

    body = one(r"fn allows\(.*?match who \{(.*?)\n    \}", source, "allows")
    may, rest = {}, body
    for arm in re.finditer(r'"(\w+)" => (?:\{(.*?)\}|(.*?)),?\n', body, re.S):
        function, allowed = arm[1], arm[2] or arm[3]
        rest = rest.replace(arm[0], "")
        verbs = re.findall(r'rule\("(\w+)"\)', allowed)
        named = re.findall(r"has\(&(\w+)\)", allowed)
        unread = re.sub(r'rule\("\w+"\)|has\(&\w+\)|\(operations && |[\s()|]', "", allowed)
        if unread:
            sys.exit(f"allows: {function}: not understood: {unread}")
        may[function] = {action for name in named for action in lists[name]} | {RULES + verb for verb in verbs}
    rest = re.sub(r"\s+", " ", rest).strip()
    if rest != "OWNER => true, _ => false,":
        sys.exit(f"allows: not understood: {rest}")
    return may, asking, set(lists["WATCH"])


def planned():
    """The same of the module."""
    source = (MODULE / "roles.tf").read_text()
    body = one(r"^  actions = \{\n(.*?)^  \}", source, "actions")
    body = re.sub(r"^\s*#.*\n", "", body, flags=re.M)
    lists = {name: texts(actions, name) for name, actions in re.findall(r"(\w+) *= \[(.*?)\]", body, re.S)}
    rest = re.sub(r"\w+ *= \[.*?\]|\s", "", body, flags=re.S)
    if rest:
        sys.exit(f"actions: not understood: {rest}")
    for name, actions in lists.items():
        if len(set(actions)) != len(actions):
            sys.exit(f"{name}: an action is listed twice")
    asking = set(texts(one(r"^  watching = \[(.*?)\]", source, "watching"), "watching"))
    watch = set(lists.pop("watch", []))
    return {name: set(actions) for name, actions in lists.items()}, asking, watch


def resources():
    """The types of all that the module makes or reads."""
    source = "\n".join(path.read_text() for path in sorted(MODULE.glob("*.tf")))
    return set(re.findall(r'^\s*(?:resource|ephemeral) "(\w+)"', source, re.M))


wrong = []


def compare(what, ours, theirs):
    for extra in sorted(ours - theirs):
        wrong.append(f"{what}: only in the module: {extra}")
    for missing in sorted(theirs - ours):
        wrong.append(f"{what}: only in the simulator: {missing}")


(ours, our_asking, our_watch), (theirs, their_asking, their_watch) = planned(), simulated()
compare("functions", set(ours), set(theirs))
for function in sorted(set(ours) & set(theirs)):
    compare(function, ours[function], theirs[function])
compare("may ask Network Watcher", our_asking, their_asking)
compare("Network Watcher", our_watch, their_watch)
for extra in sorted(resources() - RESOURCES):
    wrong.append(f"the module makes {extra}, which this check does not know")

for line in wrong:
    print(line)
counts = ", ".join(f"{name} {len(actions)}" for name, actions in ours.items())
print(f"actions: {counts}, Network Watcher {len(our_watch)}: {'differ' if wrong else 'equal'}")
sys.exit(bool(wrong))
