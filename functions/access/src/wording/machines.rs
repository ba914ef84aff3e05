//! The list of machines, and the forms by which admins enable and disable them.

use super::boxes::boxes;
use super::lines::titled;
use super::*;
use crate::command::MOST_MACHINES;
use crate::enabled::{Enabled, EnabledPort, Field, Filled, NotEnabled, SUGGESTED, preselected};
use crate::lifecycle::{Record, State};
use crate::machine::{OpenDoor, Standing, Unsupported};
use crate::order::{Found, Shut};
use crate::policy::{Policy, Subject};
use crate::request::{Protocol, ResourceId};

/// The most machines of one sort that a list names.
const MOST_OF_A_SORT: usize = 15;

/// The form to enable machines.
pub const ENABLE_FORM: &str = "enable";
/// The form to disable machines.
pub const DISABLE_FORM: &str = "disable";

/// `22, 3389 up to 3 hours and 53 (UDP) up to 1 hour from 203.0.113.0/24`: ports that may be asked for alike, together.
pub(super) fn enabled_ports(ports: &[EnabledPort]) -> String {
    let alike = |one: &EnabledPort, other: &EnabledPort| {
        (one.protocol, one.longest, &one.sources) == (other.protocol, other.longest, &other.sources)
    };
    let mut groups: Vec<Vec<&EnabledPort>> = vec![];
    for one in ports {
        match groups.iter_mut().find(|group| alike(group[0], one)) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    listed(&groups.iter().map(|group| of_group(group)).collect::<Vec<_>>(), "and")
}

fn of_group(group: &[&EnabledPort]) -> String {
    let Some(first) = group.first() else { return String::new() };
    let numbers: Vec<String> = group.iter().map(|one| one.port.to_string()).collect();
    let protocol = if first.protocol == Protocol::Udp { " (UDP)" } else { "" };
    let sources: Vec<String> = first.sources.iter().map(|source| format!("`{source}`")).collect();
    let from = if sources.is_empty() { String::new() } else { format!(" from {}", listed(&sources, "and")) };
    format!("{}{protocol} up to {}{from}", numbers.join(", "), first.longest)
}

/// The rules that open doors, each once, with their ports.
fn by_rule(doors: &[OpenDoor]) -> Vec<(&OpenDoor, Vec<String>)> {
    let mut rules: Vec<(&OpenDoor, Vec<String>)> = vec![];
    for door in doors {
        let port = door.port.to_string();
        let same = |other: &&mut (&OpenDoor, Vec<String>)| {
            let other = other.0;
            (&other.by, &other.nsg, other.to_everybody) == (&door.by, &door.nsg, door.to_everybody)
        };
        match rules.iter_mut().find(same) {
            Some((_, ports)) if ports.contains(&port) => {}
            Some((_, ports)) => ports.push(port),
            None => rules.push((door, vec![port])),
        }
    }
    rules
}

/// `22 is open to everybody by the rule allow-ssh in Contoso-NSG`, for each rule once.
pub(super) fn open_doors(doors: &[OpenDoor]) -> String {
    let each = |(door, ports): &(&OpenDoor, Vec<String>)| {
        let is = if ports.len() == 1 { "is" } else { "are" };
        let to = if door.to_everybody { "to everybody on the Internet" } else { "to somebody" };
        format!(
            "{} {is} open {to} by the rule `{}` in `{}`",
            listed(ports, "and"),
            word(&door.by),
            word(&door.nsg)
        )
    };
    listed(&by_rule(doors).iter().map(each).collect::<Vec<_>>(), "and")
}

/// Whether what is enabled on a machine is shut.
pub(super) fn shut(found: &Found) -> String {
    match &found.state {
        Shut::Yes => {
            "shut: no rule but Azure's own for the virtual network lets anybody in without a grant".to_owned()
        }
        Shut::No { doors } => format!("{}: *not shut*", open_doors(doors)),
        Shut::Unread => {
            "Ajar may not read a security group on its way, so whether it is shut is not known".to_owned()
        }
        Shut::Missing => "a closing rule is missing or was changed, so it may be open".to_owned(),
        Shut::Bare => "nothing shields it: no security group is on its way, so it is open".to_owned(),
        Shut::Gone => "it does not exist any more in Azure".to_owned(),
    }
}

const fn why_unsupported(why: Unsupported) -> &'static str {
    match why {
        Unsupported::Bare => "no network security group is on its way",
        Unsupported::NoAddress => "it has no network address",
        Unsupported::Deallocated => "it is deallocated; start it in Azure first",
    }
}

/// What `/jit vms` says of a machine, in a few words beside its picture: `Recommended: 22 is open to everybody by
/// allow-ssh`.
pub fn badge(machine: &SeenMachine) -> String {
    match machine.standing() {
        Standing::Configured(enabled) => {
            let port = |one: &EnabledPort| match one.protocol {
                Protocol::Udp => format!("{} (UDP)", one.port),
                Protocol::Tcp => one.port.to_string(),
            };
            format!("Configured: {}", enabled.ports().iter().map(port).collect::<Vec<_>>().join(", "))
        }
        Standing::Recommended => {
            let door = |(door, ports): &(&OpenDoor, Vec<String>)| {
                let is = if ports.len() == 1 { "is" } else { "are" };
                let to = if door.to_everybody { "everybody" } else { "somebody" };
                format!("{} {is} open to {to} by {}", listed(ports, "and"), door.by)
            };
            let doors: Vec<String> = by_rule(&machine.open).iter().map(door).collect();
            format!(
                "Recommended: {}",
                if doors.is_empty() { unopened(machine).to_owned() } else { doors.join("; ") }
            )
        }
        Standing::Unsupported(why) => format!("Unsupported: {}", why_unsupported(why)),
    }
}

/// What is said of a machine that is not enabled and of which no open door is known.
const fn unopened(machine: &SeenMachine) -> &'static str {
    if machine.unread { "a group on its way cannot be read, not enabled" } else { "shielded, not enabled" }
}

/// `/jit vms`: the machines as they were seen last, whose name has this part. `open`: what is open now. `for_admin`:
/// whether it is for somebody who may enable machines, and gets check boxes.
pub fn machines(
    all: &[SeenMachine],
    part: Option<&MachineName>,
    open: &[&Record],
    policy: &Policy,
    for_admin: bool,
) -> Message {
    let has_part = |machine: &&SeenMachine| {
        let name = machine.name.as_str().to_ascii_lowercase();
        part.is_none_or(|part| name.contains(&part.as_str().to_ascii_lowercase()))
    };
    let mut there: Vec<&SeenMachine> =
        all.iter().filter(|machine| machine.gone_at.is_none()).filter(has_part).collect();
    there.sort_by_key(|machine| machine.name.as_str().to_ascii_lowercase());
    let Some(seen_at) = there.iter().map(|machine| machine.seen_at).min() else {
        return Message::sentence(part.map_or_else(
            || "Ajar knows no machine. Ask whoever installed it which subscriptions it looks at.".to_owned(),
            |part| format!("Ajar knows no machine with `{part}` in its name. Type `/jit vms` for all."),
        ));
    };
    let (mut configured, mut recommended, mut unsupported) = (vec![], vec![], vec![]);
    for machine in &there {
        match machine.standing() {
            Standing::Configured(enabled) => configured.push(configured_line(machine, enabled, open, policy)),
            Standing::Recommended if machine.open.is_empty() => {
                recommended.push(format!("{}: {}", named(machine), unopened(machine)));
            }
            Standing::Recommended => {
                recommended.push(format!("{}: {}", named(machine), open_doors(&machine.open)));
            }
            Standing::Unsupported(why) => {
                unsupported.push(format!("{}: {}", named(machine), why_unsupported(why)));
            }
        }
    }
    let sorts = [
        ("Configured", "nothing is enabled yet", configured),
        ("Recommended", "none", recommended),
        ("Unsupported", "none", unsupported),
    ];
    let mut parts: Vec<String> =
        sorts.iter().map(|(title, none, lines)| section_of(title, none, lines)).collect();
    parts.push(format!(
        "As Ajar saw them at {}. Admins enable a machine with `/jit enable VM1`, change what is enabled with `/jit edit VM1`, and take it back with `/jit disable VM1`.",
        moment(seen_at)
    ));
    let mut blocks: Vec<Value> = parts.iter().map(|part| section(part)).collect();
    if let Some((said, ticks)) = boxes(&there, policy).filter(|_| for_admin) {
        parts.push(said);
        blocks.extend(ticks);
    }
    Message { text: parts.join("\n"), blocks }
}

fn named(machine: &SeenMachine) -> String {
    let group = machine.resource_id.resource_group().unwrap_or_default();
    format!("`{}` in `{}`", machine.name, word(group))
}

fn section_of(title: &str, none: &str, lines: &[String]) -> String {
    /// Room for more of them than are told, and less than Slack takes of a section.
    const LONGEST: usize = 2_900;
    let told = &lines[..lines.len().min(MOST_OF_A_SORT)];
    titled(title, none, told, lines.len(), LONGEST, |rest| {
        format!("… and {rest} more; `/jit vms web` shows those with `web` in their name")
    })
}

fn configured_line(machine: &SeenMachine, enabled: &Enabled, open: &[&Record], policy: &Policy) -> String {
    let found = Found::of(machine);
    let mut parts = vec![format!("{}: {}", named(machine), enabled_ports(enabled.ports()))];
    match policy.rule_for(&Subject::seen(machine)) {
        Ok(rule) => {
            let how_many =
                if rule.approvals() > 1 { format!("{} of ", rule.approvals()) } else { String::new() };
            parts.push(format!("approved by {how_many}{}", people(rule.approvers())));
        }
        Err(_) => parts.push("no rule of the policy is about it, so nobody can ask".to_owned()),
    }
    if !matches!(found.state, Shut::Yes) {
        parts.push(shut(&found));
    }
    if machine.power.is_off() {
        parts.push(off(machine.power).to_owned());
    }
    let inside: Vec<String> = open
        .iter()
        .filter(|record| record.wish().machine.resource_id == machine.resource_id)
        .filter(|record| matches!(record.state(), State::Open(_)))
        .filter_map(|record| {
            let until = moment(record.granted()?.expires_at());
            Some(format!("{} ({} until {until})", mention(&record.wish().requester), record.wish().ports))
        })
        .collect();
    if !inside.is_empty() {
        parts.push(format!("open now for {}", listed(&inside, "and")));
    }
    parts.push(match (machine.used.in_seven_days, machine.used.last_at) {
        (_, None) => "never asked for".to_owned(),
        (1, Some(last)) => format!("1 request in 7 days, at {}", moment(last)),
        (count, Some(last)) => format!("{count} requests in 7 days, the last at {}", moment(last)),
    });
    parts.join("; ")
}

/// Somebody who is no admin.
pub fn not_admin(policy: &Policy) -> Message {
    Message::sentence(if policy.admins().is_empty() {
        "The policy names no admins, so nobody can do this from Slack. Ask whoever installed Ajar.".to_owned()
    } else {
        let said = format!("Only admins can do this: {}.", people(policy.admins()));
        if policy.admin_groups().is_empty() {
            said
        } else {
            format!("{said} Somebody who has just been added to a group counts within a quarter of an hour.")
        }
    })
}

/// Slack did not say who is an admin.
pub fn admins_unknown() -> Message {
    Message::sentence(
        "Slack did not say who is an admin, which Ajar asks it every 15 minutes. Nothing was changed; try again in a quarter of an hour.",
    )
}

/// Slack did not open the form.
pub fn no_form() -> Message {
    Message::sentence("Slack did not open the form. Nothing was changed; try again.")
}

/// Of several machines that an admin named, one cannot be meant.
pub fn not_found(query: &MachineQuery, near: &[String]) -> Message {
    no_such_machine(query, near, false)
}

/// Several machines of a name that an admin typed.
pub fn named_by_several(query: &MachineQuery, spelled: &[MachineQuery]) -> Message {
    let spelled: Vec<String> = spelled.iter().map(|one| format!("`{one}`")).collect();
    Message::sentence(format!(
        "There are several machines `{query}`. Write {} instead.",
        listed(&spelled, "or")
    ))
}

/// A machine that cannot be enabled.
pub fn cannot_enable(machine: &SeenMachine) -> Option<Message> {
    let why = match machine {
        SeenMachine { gone_at: Some(at), .. } => {
            format!("{} does not exist any more in Azure; that was seen at {}.", machine.name, moment(*at))
        }
        _ if machine.is_bare() => format!(
            "{} cannot be enabled: no network security group is on its way, so nothing can shut it. Put one on its interface or subnet in Azure.",
            machine.name
        ),
        _ => return None,
    };
    Some(Message::sentence(why))
}

/// A machine that is not enabled.
pub fn nothing_enabled(machine: &SeenMachine) -> Message {
    Message::sentence(format!("Nothing is enabled on {}, so there is nothing to take back.", machine.name))
}

/// To somebody who wants to ask for a machine on which nothing can be asked for.
pub fn nothing_enabled_here(machine: &SeenMachine) -> Message {
    Message::sentence(format!(
        "Nothing is enabled on {}. Ask an admin to type `/jit enable {}`.",
        machine.name, machine.name
    ))
}

fn names(machines: &[&SeenMachine]) -> String {
    listed(&machines.iter().map(|machine| format!("`{}`", machine.name)).collect::<Vec<_>>(), "and")
}

pub(super) fn label_of(port: u16) -> String {
    match port {
        22 => "22 (SSH)".to_owned(),
        3389 => "3389 (RDP)".to_owned(),
        5985 => "5985 (WinRM)".to_owned(),
        5986 => "5986 (WinRM by HTTPS)".to_owned(),
        other => other.to_string(),
    }
}

/// What a form is about, for ourselves.
fn metadata(machines: &[&SeenMachine]) -> String {
    json!(machines.iter().map(|machine| machine.resource_id.as_str()).collect::<Vec<_>>()).to_string()
}

/// The machines that a form is about; `None` where it is not one of ours.
pub fn machines_of(metadata: &str) -> Option<Vec<ResourceId>> {
    let machines: Vec<ResourceId> = serde_json::from_str(metadata).ok()?;
    (1..=MOST_MACHINES).contains(&machines.len()).then_some(machines)
}

/// The form by which ports are enabled on these machines. It shows what is enabled, where it is one machine; else the
/// suggested ports. `None` where the machines' ids are more than a form can hold.
pub fn enable_form(machines: &[&SeenMachine]) -> Option<Value> {
    let filled = match machines {
        [SeenMachine { enabled: Some(enabled), .. }] => Filled::of(enabled),
        _ => {
            let mut ticked: Vec<u16> =
                machines.iter().flat_map(|machine| preselected(machine.system)).copied().collect();
            ticked.sort_unstable();
            ticked.dedup();
            let longest = format!("{}h", crate::enabled::SUGGESTED_LONGEST_MINUTES / 60);
            Filled { ticked, longest, ..Filled::default() }
        }
    };
    let option = |port: &u16| json!({"text": plain(&label_of(*port)), "value": port.to_string()});
    let mut boxes = json!({
        "type": "checkboxes",
        "action_id": Field::Ports.id(),
        "options": SUGGESTED.iter().map(option).collect::<Vec<_>>(),
    });
    if !filled.ticked.is_empty() {
        boxes["initial_options"] = filled.ticked.iter().map(option).collect();
    }
    let blocks = vec![
        section(&format!(
            "From now on these ports of {} can be asked for with `/jit`. Afterwards Ajar says whether they are shut, and offers closing rules where they are not.",
            names(machines)
        )),
        input(Field::Ports, "Ports", "TCP", &boxes),
        line_input(
            Field::Sources,
            "From where",
            &filled.sources,
            "203.0.113.0/24, 198.51.100.7",
            "People may come from these addresses only. Empty: as the policy file says.",
            true,
        ),
        line_input(
            Field::Longest,
            "For how long at most",
            &filled.longest,
            "3h",
            "1 minute to 24 hours, like 30m or 3h.",
            false,
        ),
        lines_input(&filled.lines),
    ];
    form(ENABLE_FORM, "Enable JIT", "Enable", machines, &blocks)
}

fn line_input(
    field: Field,
    label: &str,
    initial: &str,
    placeholder: &str,
    hint: &str,
    optional: bool,
) -> Value {
    let mut element = json!({
        "type": "plain_text_input",
        "action_id": field.id(),
        "placeholder": plain(placeholder),
        "max_length": 500,
    });
    if !initial.is_empty() {
        element["initial_value"] = json!(initial);
    }
    let mut block = input(field, label, hint, &element);
    block["optional"] = json!(optional);
    block
}

fn lines_input(initial: &str) -> Value {
    let mut block = line_input(
        Field::Lines,
        "More ports, and ports with limits of their own",
        initial,
        "53/udp from 203.0.113.0/24 for 1h",
        "A line for each: port, /udp where it is not TCP, from and for where they differ from the above.",
        true,
    );
    block["element"]["multiline"] = json!(true);
    block["element"]["max_length"] = json!(2000);
    block
}

fn input(field: Field, label: &str, hint: &str, element: &Value) -> Value {
    json!({
        "type": "input",
        "block_id": field.id(),
        "label": plain(label),
        "hint": plain(hint),
        "optional": field == Field::Ports,
        "element": element,
    })
}

/// `None` where the machines' ids are more than Slack keeps with a form (docs.slack.dev, `private_metadata`: 3000
/// characters).
fn form(id: &str, title: &str, submit: &str, machines: &[&SeenMachine], blocks: &[Value]) -> Option<Value> {
    let metadata = metadata(machines);
    (metadata.len() <= 3_000).then(|| {
        json!({
            "type": "modal",
            "callback_id": id,
            "private_metadata": metadata,
            "title": plain(title),
            "submit": plain(submit),
            "close": plain("Cancel"),
            "blocks": blocks,
        })
    })
}

/// The question before machines are disabled. `open`: what is open now.
pub fn disable_form(machines: &[&SeenMachine], open: &[&Record]) -> Option<Value> {
    let is_meant = |record: &&&Record| {
        let id = &record.wish().machine.resource_id;
        machines.iter().any(|machine| machine.resource_id == *id)
    };
    let ends: Vec<String> = open
        .iter()
        .filter(is_meant)
        .map(|record| format!("{} for {}", place(record.wish()), mention(&record.wish().requester)))
        .collect();
    let closes = if ends.is_empty() {
        "Nothing is open there now.".to_owned()
    } else {
        format!("*This ends at once*: {}.", listed(&ends, "and"))
    };
    let text = format!(
        "What was enabled on {} is taken back. {closes} Closing rules stay until an admin orders in the channel that they are removed.",
        names(machines)
    );
    form(DISABLE_FORM, "Disable JIT", "Disable", machines, &[section(&text)])
}

/// More machines than one form can hold.
pub fn too_many_for_a_form() -> Message {
    Message::sentence("The ids of these machines are too long for one form. Name fewer of them at once.")
}

/// What is wrong in a form, for Slack to show beside the field.
pub fn form_problem(field: Field, why: &NotEnabled) -> Value {
    json!({"response_action": "errors", "errors": {field.id(): why.to_string()}})
}

/// A form that changes nothing, said in the form's place.
pub fn form_refused(sentence: &Message) -> Value {
    json!({"response_action": "update", "view": {
        "type": "modal",
        "title": plain("Nothing was changed"),
        "close": plain("Close"),
        "blocks": sentence.blocks,
    }})
}
