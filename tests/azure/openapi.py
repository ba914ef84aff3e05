#!/usr/bin/env python3
"""openapi.py RECORDING BUNDLE...: judges recorded exchanges with the management API by Azure's own OpenAPI.

RECORDING is the directory that the sandbox wrote with AJAR_RECORD_ARM. Prints how many exchanges there are, how many
of each operation were judged, and which were not, and why. Ends with 1 on any violation, and when too little was seen.

Judged are: the request's path, query and body; the answer's status, content type and body, members that the
contract does not know included; the addresses of a long-running operation. A request that breaks the contract is
fine only where the sandbox refused it, and never when it is the product's.

Over the same exchanges: whatever the product wrote is a rule of its own name, `grant` never deletes and `revoke` never writes.
"""
import json
import re
import sys
from collections import Counter
from pathlib import Path

from jsonschema import Draft4Validator

# azure_core's user agent with the name that `edge` gives it.
PRODUCT = re.compile(r"\bazsdk-rust-ajar/")
OWN_RULE = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Network/networkSecurityGroups/[^/]+"
    r"/securityRules/jit-[a-z0-9]+-(?P<shuts>shut-)?[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}", re.IGNORECASE)
# What a function may POST: questions that only look like writes.
QUESTIONS = re.compile(r"/(providers/Microsoft\.ResourceGraph/resources|ipFlowVerify|effectiveNetworkSecurityGroups)$", re.IGNORECASE)

# What no bundle has, and why it is still called. The first that matches counts.
UNJUDGED = [
    ("poll address", r"/providers/Microsoft\.Network/locations/[^/]+/operation(s|Results)/[^/]+$"),
    ("lock: Microsoft.Authorization", r"/providers/Microsoft\.Authorization/locks/[^/]+$"),
    ("resource group: Microsoft.Resources", r"^/subscriptions/[^/]+(/resourceGroups(/[^/]+)?)?$"),
    ("roles and identities, which the operator's tool reads",
     r"/providers/Microsoft\.(Authorization/role(Assignments|Definitions/[^/]+)"
     r"|ManagedIdentity/userAssignedIdentities(/[^/]+/federatedIdentityCredentials)?)$"),
    ("Network Watcher", r"/networkWatchers(/[^/]+/ipFlowVerify)?$"),
    ("list or parent that the product does not read",
     r"/(networkInterfaces|publicIPAddresses|virtualNetworks|subnets|networkWatchers|virtualNetworks/[^/]+/subnets)$"),
    ("machine, interface, subnet or address written or moved by the owner", r"/(virtualMachines|networkInterfaces|publicIPAddresses|subnets|virtualNetworks)/[^/]+(/(start|powerOff|deallocate|restart))?$"),
    ("group's tags alone", r"/networkSecurityGroups/[^/]+$"),
    ("address of nothing, to be refused", r""),
]

# Members that the bundle's older models lack and today's contract has: the operations whose answers may carry them,
# and the member. The models of azure-mgmt-network 33.1.0 have all but the last, which is what the front door adds when a
# policy forbids (ARMErrorFormat of azure-mgmt-core reads it).
NEWER = re.compile(
    r"^(NetworkInterfaces_\w+ \d+: \S*\.ipConfigurations\[\]\.type"
    r"|Subnets_\w+ \d+: \S*\.type"
    r"|VirtualNetworks_\w+ \d+: \S*\.subnets\[\]\.type"
    r"|PublicIPAddresses_\w+ \d+: \S*\.sku\.tier"
    r"|\w+ 403: \.error\.additionalInfo): the contract does not know it$")

# At least so many judged exchanges of each of these, or the recording is not that of the whole suite.
FEWEST = {
    "SecurityRules_CreateOrUpdate": 100,
    "SecurityRules_Delete": 50,
    "SecurityRules_Get": 50,
    "NetworkSecurityGroups_Get": 100,
    "NetworkInterfaces_Get": 20,
    "Subnets_Get": 20,
    "VirtualMachines_Get": 20,
}
FEWEST_WRITES_OF_OURS = 100


def load(bundle):
    text = json.loads(Path(bundle).read_text())
    relax(text)
    return text


def relax(node):
    """Enumerations that Azure itself does not hold to: the protocol comes back in whatever case it was written."""
    if isinstance(node, dict):
        if node.get("x-ms-enum", {}).get("name") == "SecurityRuleProtocol":
            node.pop("enum", None)
        for child in node.values():
            relax(child)
    elif isinstance(node, list):
        for child in node:
            relax(child)


class Operation:
    def __init__(self, bundle, template, method, spec):
        self.bundle, self.method, self.spec = bundle, method.upper(), spec
        self.name = spec["operationId"]
        self.template = template
        self.path = re.compile("^" + re.sub(r"\\\{\w+\\\}", "([^/]+)", re.escape(template)) + "/?$", re.IGNORECASE)
        self.parameters = [self.follow(p) for p in spec.get("parameters", [])]
        self.validators = {}

    def follow(self, node):
        while "$ref" in node:
            found = self.bundle
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def validate(self, schema, value):
        key = json.dumps(schema, sort_keys=True)
        if key not in self.validators:
            self.validators[key] = Draft4Validator({"allOf": [schema], "definitions": self.bundle["definitions"]})
        for error in self.validators[key].iter_errors(value):
            yield f"{'.'.join(map(str, error.absolute_path)) or 'body'}: {error.message[:200]}"
        yield from self.unknown(schema, value, "")

    def members(self, schema):
        """The members that a schema knows, or None where anything may be in it."""
        schema = self.follow(schema)
        known = dict(schema.get("properties", {}))
        for part in schema.get("allOf", []):
            inherited = self.members(part)
            if inherited is None:
                return None
            known |= inherited
        if not known or schema.get("additionalProperties") or "discriminator" in schema:
            return None
        return known

    def unknown(self, schema, value, where):
        schema = self.follow(schema)
        if isinstance(value, list) and "items" in schema:
            for item in value:
                yield from self.unknown(schema["items"], item, where + "[]")
        elif isinstance(value, dict):
            known = self.members(schema)
            for name, inner in value.items():
                if known is None:
                    return
                if name not in known:
                    yield f"{where}.{name}: the contract does not know it"
                else:
                    yield from self.unknown(known[name], inner, f"{where}.{name}")

    def request(self, exchange):
        """What is wrong with a request."""
        groups = self.path.match(exchange["path"]).groups()
        names = re.findall(r"\{(\w+)\}", self.template)
        given = {"path": dict(zip(names, groups)), "query": {k.lower(): v for k, v in exchange["query"].items()}}
        for parameter in self.parameters:
            place, name = parameter["in"], parameter["name"]
            if place == "body":
                if exchange["request"] is None:
                    if parameter.get("required"):
                        yield "body: missing"
                else:
                    yield from self.validate(parameter["schema"], exchange["request"])
            elif place in given:
                value = given[place].get(name.lower() if place == "query" else name)
                if value is None or value == "":
                    if parameter.get("required"):
                        yield f"{name}: missing"
                    continue
                rules = {k: v for k, v in parameter.items() if k in ("pattern", "minLength", "maxLength", "enum")}
                for error in Draft4Validator(rules).iter_errors(value):
                    yield f"{name}: {error.message[:200]}"
        known = {p["name"].lower() for p in self.parameters if p["in"] == "query"} | {"$skiptoken"}
        for name in given["query"]:
            if name not in known:
                yield f"{name}: a query parameter that the contract does not know"

    def response(self, exchange):
        """What is wrong with an answer."""
        responses = self.spec["responses"]
        status, headers, body = exchange["status"], exchange["headers"], exchange["response"]
        refused = status >= 400
        said = responses.get(str(status)) or responses.get("default") or (
            {"schema": {"$ref": "#/definitions/CloudError"}} if refused else None)
        if said is None or (not refused and str(status) not in responses):
            yield f"status {status} is not in the contract"
            return
        if "schema" in said and body is not None:
            if not headers.get("content-type", "").startswith("application/json"):
                yield "JSON under another content type"
            yield from self.validate(said["schema"], body)
        elif "schema" in said and not (self.method == "DELETE" or status == 202):
            yield "no body"
        elif "schema" not in said and body is not None:
            yield "a body that the contract does not have"
        if refused and not (isinstance(body, dict) and body.get("error", {}).get("code") and body["error"].get("message")):
            yield "an error without code and message"
        if self.spec.get("x-ms-long-running-operation") and status in (200, 201, 202):
            needed = {"PUT": ["azure-asyncoperation"], "DELETE": ["location"], "POST": ["location"] if status == 202 else []}
            for header in needed.get(self.method, []):
                if header not in headers and not (self.method == "DELETE" and status == 200):
                    yield f"a long-running operation without {header}"


def operations(bundles):
    seen = set()
    for bundle in bundles:
        for template, methods in bundle["paths"].items():
            for method, spec in methods.items():
                if isinstance(spec, dict) and "operationId" in spec and (template, method) not in seen:
                    seen.add((template, method))
                    yield Operation(bundle, template, method, spec)


def ours(exchange):
    """What is wrong with a write of the product."""
    method, path, who = exchange["method"], exchange["path"], exchange["who"]
    if method == "GET" or (method == "POST" and QUESTIONS.search(path)):
        return
    if method not in ("PUT", "DELETE"):
        yield f"the product sends {method}"
    own = OWN_RULE.fullmatch(path)
    if not own:
        yield "a write to something that does not bear our name"
    elif own["shuts"] and method == "PUT":
        properties = exchange["request"]["properties"]
        if (properties["access"], properties["sourceAddressPrefix"]) != ("Deny", "*") or not 100 <= properties["priority"] <= 999:
            yield "a closing rule that does not deny everybody"
    if (who == "grant" and method == "DELETE") or (who == "revoke" and method == "PUT"):
        yield f"{who} sends {method}"


def main(recording, bundles):
    known = list(operations([load(bundle) for bundle in bundles]))
    lines, counted, shapes = [], 0, Counter()
    for file in sorted(Path(recording).glob("*.jsonl")):
        for text in file.read_text().splitlines():
            line = json.loads(text)
            if "method" in line:
                lines.append(line)
            else:
                counted += 1
    judged, refused, unjudged, lost, writes = Counter(), Counter(), Counter(), Counter(), Counter()
    violations, newer = Counter(), Counter()
    for exchange in lines:
        product = bool(PRODUCT.search(exchange["client"] or ""))
        label = f"{exchange['method']} {exchange['path']}"
        if product:
            for wrong in ours(exchange):
                violations[f"OURS: {wrong}: {label}"] += 1
            if exchange["method"] != "GET":
                writes[f"{exchange['method']} by {exchange['who'] or 'a lost call'}"] += 1
        fits = [one for one in known if one.method == exchange["method"] and one.path.match(exchange["path"])]
        if not fits:
            why = next(why for why, pattern in UNJUDGED if re.search(pattern, exchange["path"], re.IGNORECASE))
            if product and not why.startswith(("poll address", "Network Watcher", "roles and identities")):
                # Whatever the product calls must be in a contract. Network Watcher's is in none of the bundles; the
                # sandbox reads its questions as strictly as networkWatcher.json of azure-rest-api-specs describes them.
                # Nor are those of roles and identities, which are only read.
                violations[f"{label}: the product calls what no bundle has"] += 1
            unjudged[why] += 1
            continue
        operation = fits[0]
        wrong = list(operation.request(exchange))
        if "lost" in exchange:
            lost[operation.name] += 1
            answered = 0
        else:
            judged[operation.name] += 1
            answered = exchange["status"]
            for why in operation.response(exchange):
                text = f"{operation.name} {answered}: {why}"
                (newer if NEWER.match(text) else violations)[text] += 1
        if wrong and (product or 0 < answered < 400):
            for why in wrong:
                violations[f"{operation.name}, request of {'ours' if product else 'another'} answered {answered}: {why}"] += 1
        elif wrong:
            refused[operation.name] += 1

    print(f"{len(lines) + counted} exchanges recorded; {counted} reads of a shape seen often are not judged again")
    print("judged:")
    for name, count in sorted(judged.items()):
        also = f", {refused[name]} of them requests that break the contract and were refused" if refused[name] else ""
        also += f"; {lost[name]} more requests whose answer a fault took" if lost[name] else ""
        print(f"  {count:6} {name}{also}")
    never = sorted({one.name for one in known} - set(judged))
    print("in the bundles and never called:", ", ".join(never) or "none")
    print("not in a bundle:")
    for why, count in unjudged.most_common():
        print(f"  {count:6} {why}")
    print("members newer than the bundle's models:", ", ".join(sorted({text.split(": ")[1] for text in newer})) or "none")
    print("written by the product:", ", ".join(f"{count} {what}" for what, count in sorted(writes.items())) or "nothing")

    failed = False
    for name, fewest in FEWEST.items():
        if judged[name] < fewest:
            print(f"TOO FEW: {judged[name]} of {name}, at least {fewest} are expected of the whole suite")
            failed = True
    if sum(writes.values()) < FEWEST_WRITES_OF_OURS:
        print(f"TOO FEW: {sum(writes.values())} writes of the product, at least {FEWEST_WRITES_OF_OURS} are expected")
        failed = True
    for text, count in violations.most_common():
        print(f"VIOLATION ({count} times) {text}")
    return failed or bool(violations)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
