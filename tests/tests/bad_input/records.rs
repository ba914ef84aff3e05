//! Records that cannot be ours, decisions that come at the wrong time, and what the card says of
//! each reason for which a grant was not opened or has ended.

use crate::{Walk, comparable};
use access::lease::Timestamp;
use access::lifecycle::{Cause, Failure, Parts, Record, SignedClick};
use access::policy::Subject;
use access::wording;
use sandbox::host::wiring::INSTALLATION;
use serde::Deserialize;
use serde_json::{Value, json};

/// Changes to a stored record; the text `null` takes a field away.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stored {
    set: serde_json::Map<String, Value>,
    says: String,
}

/// Somebody approves a request that waits, or that was changed so.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decision {
    #[serde(default)]
    set: serde_json::Map<String, Value>,
    by: String,
    at: u64,
    says: String,
}

/// Why a grant ended, as it is stored, and the card.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Failed {
    cause: Cause,
    /// What the rules said at the end, where it was ever planned.
    proof: Option<Value>,
    says: String,
}

/// Asked at 1000, approved at 1100, to end at 2900.
fn parts(set: &serde_json::Map<String, Value>) -> Parts {
    let nsg = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkSecurityGroups/n";
    let mut item = json!({
        "id": "7F3K9-QXM2P", "hash": "0".repeat(64), "version": 3, "status": "OPEN", "changed_at": 1200,
        "requester": "U0ANA", "protocol": "tcp", "ports": [22], "ttl_minutes": 30, "asked_at": 1000,
        "lapses_at": 4600, "needed": 1, "source": "203.0.113.7", "approved_at": 1100, "expires_at": 2900,
        "vm": {
            "name": "VM3", "private_address": "10.0.0.6",
            "resource_id": "/subscriptions/s/resourceGroups/Contoso-IaaS/providers/Microsoft.Compute/virtualMachines/VM3",
        },
        "plan": [{"nsg": nsg, "priority": 499}],
        "approvals": [{"by": "U0BEA", "at": 1100, "click": {"body": "", "timestamp": "", "signature": ""}}],
    });
    let item = item.as_object_mut().unwrap();
    for (name, value) in set {
        if value == "null" {
            item.remove(name);
        } else {
            item.insert(name.clone(), value.clone());
        }
    }
    serde_json::from_value(Value::Object(item.clone())).unwrap()
}

pub(crate) fn stored(walk: &mut Walk, rows: &[Stored]) {
    for row in rows {
        let said = match Record::from_parts(parts(&row.set)) {
            Ok(_) => String::new(),
            Err(why) => {
                walk.see(&why);
                why.to_string()
            }
        };
        walk.expect(&format!("record with {:?}", row.set), &row.says, &said);
    }
}

pub(crate) fn decisions(walk: &mut Walk, rows: &[Decision]) {
    for row in rows {
        let mut set = json!({"status": "PENDING", "approvals": [], "plan": "null"});
        let set = set.as_object_mut().unwrap();
        set.extend(row.set.clone());
        let record = Record::from_parts(parts(set)).unwrap();
        let policy = walk.policy.clone();
        let rule = policy.rule_for(&Subject::of(&record.wish().machine, None)).unwrap();
        let approver = rule.approver(&row.by.parse().unwrap(), &Default::default()).unwrap();
        let click = SignedClick {
            body: String::new(),
            timestamp: String::new(),
            signature: String::new(),
            key: None,
        };
        let now = Timestamp::from_unix(row.at);
        let said = match record.approve(&approver, click, now, now) {
            Ok(_) => String::new(),
            Err(why) => {
                walk.see(&why);
                why.to_string()
            }
        };
        walk.expect(&format!("{} approves at {} {:?}", row.by, row.at, row.set), &row.says, &said);
    }
}

pub(crate) fn failures(walk: &mut Walk, rows: &[Failed]) {
    for row in rows {
        walk.see(&row.cause);
        if let Cause::Failed(failure) = &row.cause {
            walk.see(failure);
            match failure {
                Failure::Evidence(unproven) => walk.see(unproven),
                Failure::Network(fault) => walk.see(fault),
                Failure::Refused { .. }
                | Failure::NoAnswer
                | Failure::Throttled
                | Failure::LockedDown { .. }
                | Failure::Overruled { .. }
                | Failure::Contradicted { .. } => {}
            }
        }
        let mut set = json!({
            "status": "CLOSED", "closure": {"ended": row.cause}, "closed_at": 1300,
            "proof": row.proof.clone().unwrap_or("null".into()),
        });
        let record = Record::from_parts(parts(set.as_object_mut().unwrap())).unwrap();
        let now = Timestamp::from_unix(1300);
        let card = wording::card(&record, None, None, &INSTALLATION.parse().unwrap(), now).unwrap();
        // The title and the sentence; below them stands what every card says of its request.
        let shown = |block: usize| card.blocks[block]["text"]["text"].as_str().unwrap_or_default();
        let said = format!("{}. {}", shown(0), shown(1));
        assert!(card.text.starts_with(&said), "who hears the card is told the same: {}", card.text);
        walk.expect(&format!("card {:?}", row.cause), &row.says, &comparable(&said));
    }
}
