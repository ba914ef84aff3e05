//! The people, machines and moments of the samples.

use super::*;

/// 2026-03-12 19:00:00 UTC.
pub(super) const ASKED: u64 = 1_773_342_000;
/// Five minutes later.
pub(super) const APPROVED: u64 = ASKED + 300;
/// Half an hour later.
pub(super) const EXPIRES: u64 = APPROVED + 1_800;
pub(super) const CLOSED: u64 = EXPIRES + 4;

pub(super) fn at(unix: u64) -> Timestamp {
    Timestamp::from_unix(unix)
}

pub(super) fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

pub(super) fn ana() -> UserId {
    user("U0ANA")
}

pub(super) fn bea() -> UserId {
    user("U0BEA")
}

pub(super) fn installation() -> Installation {
    "lab".parse().unwrap()
}

pub(super) fn nsg_id(name: &str) -> String {
    format!(
        "/subscriptions/8f3a6f52-90c4-4c5a-8d0e-1b7a2c9d4e60/resourceGroups/Contoso-IaaS/providers/Microsoft.Network/networkSecurityGroups/{name}"
    )
}

pub(super) fn vm_id(name: &str) -> String {
    format!(
        "/subscriptions/8f3a6f52-90c4-4c5a-8d0e-1b7a2c9d4e60/resourceGroups/Contoso-IaaS/providers/Microsoft.Compute/virtualMachines/{name}"
    )
}

/// A request of Ana's for VM3 22, approved by Bea where it was, with these parts.
pub(super) fn record(set: &Value) -> Record {
    let click = json!({"body": "", "timestamp": "", "signature": ""});
    let is_decided = !["DRAFT", "PENDING"].contains(&set["status"].as_str().unwrap());
    let mut parts = json!({
        "id": "7F3K9-QXM2P", "hash": "0".repeat(64), "version": 3, "changed_at": APPROVED + 20,
        "requester": "U0ANA", "protocol": "tcp", "ttl_minutes": 30, "ports": [22], "asked_at": ASKED,
        "lapses_at": ASKED + 3_600, "needed": 1, "justification": "Patching for the audit", "source": "203.0.113.7",
        "vm": {
            "name": "VM3", "private_address": "10.0.0.6", "public_address": "20.1.2.3", "resource_id": vm_id("VM3"),
        },
    });
    if is_decided {
        let alone = set["break_glass"] == true || set["own_move"] == true;
        let by = if alone { "U0ANA" } else { "U0BEA" };
        parts["approvals"] = json!([{"by": by, "at": APPROVED, "click": click}]);
        parts["approved_at"] = json!(APPROVED);
        parts["expires_at"] = json!(EXPIRES);
        if set["status"] != "APPROVED" {
            parts["plan"] = json!([
                {"nsg": nsg_id("Contoso-NSG"), "priority": 499}, {"nsg": nsg_id("VM3-nsg"), "priority": 498},
            ]);
        }
        parts["opened_at"] = json!(APPROVED + 20);
        parts["open_proof"] =
            json!({"decided_by": ["jit-lab-7F3K9-QXM2P", "jit-lab-7F3K9-QXM2P"], "confirmed": true});
    }
    for (field, value) in set.as_object().unwrap() {
        parts[field] = value.clone();
    }
    Record::from_parts(serde_json::from_value::<Parts>(parts).unwrap()).unwrap()
}

/// The same as a break-glass.
pub(super) fn glass(set: &Value) -> Record {
    let mut set = set.clone();
    set["break_glass"] = json!(true);
    set["justification"] = json!("The database is down");
    record(&set)
}

/// These parts of a request that moves a grant to another address.
pub(super) fn moving(set: &Value) -> Value {
    let mut set = set.clone();
    set["moves"] = json!({"grant": "7F3K9-QXM2Q", "from": "203.0.113.99", "until": EXPIRES});
    set
}

/// The same, opened by its requester's own click.
pub(super) fn own_move(set: &Value) -> Value {
    let mut set = moving(set);
    set["own_move"] = json!(true);
    set
}

pub(super) fn closing(cause: &Cause, set: &Value) -> Value {
    let mut all = json!({
        "status": "CLOSING", "cause": cause, "closing_at": EXPIRES, "retry_at": EXPIRES + 60, "changed_at": EXPIRES,
        "ends": [RuleEnd::Standing, RuleEnd::Standing],
    });
    for (field, value) in set.as_object().unwrap() {
        all[field] = value.clone();
    }
    all
}

pub(super) fn closed(closure: &Closure, proof: &Value) -> Value {
    json!({"status": "CLOSED", "closure": closure, "closed_at": CLOSED, "changed_at": CLOSED, "proof": proof})
}

/// A request that was never granted.
pub(super) fn never(closure: &Closure) -> Value {
    let mut all = closed(closure, &Value::Null);
    all["approvals"] = json!([]);
    all["plan"] = Value::Null;
    all
}

/// Bea or Chris can approve; Ana can go past that; admins are the ops team.
pub(super) fn policy() -> Policy {
    Policy::parse(
        r#"
channel = "C0JIT"
admins = ["S0OPS"]

[[rules]]
name = "contoso"
machines = ["VM*"]
requesters = ["U0ANA"]
approvers = ["U0BEA", "U0CHRIS"]
break_glass = ["U0ANA"]
source = "203.0.113.7"
sources = ["203.0.113.0/24"]
ports = [22, 3389]
duration = "1h"
longest = "3h"
"#,
    )
    .unwrap()
}

/// Two of Bea, Chris and the ops team must approve, and a reason is wanted.
pub(super) fn strict() -> Policy {
    Policy::parse(
        r#"
channel = "C0JIT"

[[rules]]
name = "databases"
machines = ["VM*"]
requesters = ["*"]
approvers = ["U0BEA", "U0CHRIS", "S0OPS"]
approvals = 2
ports = [22, 3389]
justification_required = true
"#,
    )
    .unwrap()
}

/// The rule of a policy for VM3.
pub(super) fn rule(policy: &Policy) -> &Rule {
    let record = record(&json!({"status": "PENDING"}));
    policy.rule_for(&Subject::of(&record.wish().machine, None)).unwrap()
}

pub(super) fn query(text: &str) -> MachineQuery {
    text.parse().unwrap()
}

pub(super) fn ports(all: &[u16]) -> Ports {
    Ports::new(all.to_vec()).unwrap()
}

/// A machine as it was seen a quarter of an hour before.
pub(super) fn machine(name: &str, set: &Value) -> SeenMachine {
    let address =
        json!({"private": "10.0.0.6", "public": "20.1.2.3", "on_subnet": {"group": nsg_id("Contoso-NSG")}});
    let mut machine = json!({
        "name": name, "seen_at": ASKED - 900, "power": "running", "resource_id": vm_id(name), "system": "linux",
        "administrator": "labuser", "nics": [{"id": nsg_id("nic"), "nsg": nsg_id("VM3-nsg"), "addresses": [address]}],
        "behind": [{"nsg": nsg_id("Contoso-NSG"), "machines": 4}, {"nsg": nsg_id("VM3-nsg"), "machines": 1}],
    });
    for (field, value) in set.as_object().unwrap() {
        machine[field] = value.clone();
    }
    serde_json::from_value(machine).unwrap()
}

/// What an admin has enabled: SSH, and DNS from the office.
pub(super) fn enabled() -> Value {
    json!({
        "by": "U0CHRIS", "at": ASKED - 9_000,
        "ports": [
            {"port": 22, "protocol": "tcp", "longest": 180},
            {"port": 53, "protocol": "udp", "longest": 60, "sources": ["203.0.113.0/24"]},
        ],
    })
}

/// A door that a rule of others leaves open.
pub(super) fn door(port: u16, to_everybody: bool) -> Value {
    json!({"address": "10.0.0.6", "protocol": "tcp", "port": port, "by": "allow-ssh", "nsg": "Contoso-NSG", "to_everybody": to_everybody})
}
