//! `/jit list`, `/jit show`, `/jit why` and `/jit vms`.

use super::samples::*;
use super::*;
use crate::drive::Verdict;
use crate::machine::{Power, Standing, Unsupported};

fn requests(album: &mut Album) {
    let installation = installation();
    let shut = closed(&Closure::Ended(Cause::Expired), &json!({"shut": {"by": "DenyAllInBound"}}));
    let all = [
        record(&json!({"status": "DRAFT", "source": null})),
        record(&json!({"status": "PENDING"})),
        record(&json!({"status": "APPROVED"})),
        record(&json!({"status": "OPEN", "ports": [22, 3389]})),
        record(&closing(&Cause::Expired, &json!({}))),
        record(&shut),
        record(&never(&Closure::Lapsed)),
    ];
    let all: Vec<&Record> = all.iter().collect();
    album.message("`/jit list`", &list(&all, &installation, at(APPROVED + 60)));
    album.message("`/jit list`, of nothing", &list(&[], &installation, at(APPROVED)));
    album
        .message("`/jit list all`, of an approver", &list_all(&all, false, &installation, at(APPROVED + 60)));
    album.message(
        "`/jit list all`, of an admin",
        &list_all(&all[1..2], true, &installation, at(APPROVED + 60)),
    );
    album.message("`/jit list all`, of nothing", &list_all(&[], false, &installation, at(APPROVED)));
    album.message("`/jit list all`, of somebody who approves nothing", &approves_nothing());
    album.message("`/jit list all`, and Slack does not say who decides", &who_decides_unknown());
    let steps: Vec<Event> = (0..)
        .zip([
            EventKind::Asked { by: ana() },
            EventKind::Approved { by: bea(), approvals: 1, needed: 1 },
            EventKind::Opened,
        ])
        .map(|(minute, kind)| Event { at: at(ASKED + 60 * minute), kind })
        .collect();
    let policy = policy();
    let open = record(&json!({"status": "OPEN"}));
    album
        .message("`/jit show`", &shown(&open, &steps, Some(rule(&policy)), &installation, at(APPROVED + 60)));
    let draft = record(&json!({"status": "DRAFT", "source": null}));
    album
        .message("`/jit show`, of a draft", &shown(&draft, &steps[..1], None, &installation, at(ASKED + 60)));
    album.message(
        "`/jit show`, of what is not there or not for them",
        &not_to_be_shown("7F3K9-QXM2P".parse().unwrap()),
    );
}

fn why(album: &mut Album) {
    let name = "VM3".parse().unwrap();
    let (machine, ports) = (query("VM3"), ports(&[22]));
    let from: Source = "203.0.113.7".parse().unwrap();
    let said = |source, requests: Vec<&Record>, azure| {
        why_not(&WhyNot {
            name: &name,
            machine: &machine,
            ports: &ports,
            source,
            requests,
            azure,
            at: at(APPROVED + 60),
        })
    };
    let by = |rule: &str| rule.to_owned();
    let group = |verdict: Verdict| ("Contoso-NSG".to_owned(), verdict);
    let verdicts = every!(Verdict {
        Verdict::Allowed { .. } => [Verdict::Allowed { by: by("jit-lab-7F3K9-QXM2P") }],
        Verdict::Denied { .. } => [Verdict::Denied { by: by("DenyAllInBound") }],
        Verdict::Unclear { .. } => [Verdict::Unclear { by: by("allow-web") }],
    });
    let runs = |verdict| InAzure::Seen { power: Power::Running, groups: vec![group(verdict)] };
    let open = record(&json!({"status": "OPEN"}));
    for verdict in verdicts {
        let kind = format!("{verdict:?}");
        album.sentence(
            &format!("`/jit why`, with a grant: {}", kind.split(' ').next().unwrap()),
            &said(Some(from), vec![&open], runs(verdict)),
        );
    }
    let denied = || runs(Verdict::Denied { by: by("DenyAllInBound") });
    album.sentence("`/jit why`, without a grant", &said(Some(from), vec![], denied()));
    album.sentence(
        "`/jit why`, from another address",
        &said(Some("198.51.100.9".parse().unwrap()), vec![&open], denied()),
    );
    album.sentence("`/jit why`, from nowhere", &said(None, vec![], denied()));
    let states = [
        ("waiting", record(&json!({"status": "PENDING"}))),
        ("without an address", record(&json!({"status": "DRAFT", "source": null}))),
        ("being opened", record(&json!({"status": "OPENING"}))),
        ("being shut", record(&closing(&Cause::Expired, &json!({})))),
    ];
    for (title, record) in &states {
        let source = record.ask().map(|ask| ask.source);
        album.sentence(&format!("`/jit why`, {title}"), &said(source, vec![record], InAzure::Silent));
    }
    let azure = every!(InAzure {
        InAzure::Silent => [InAzure::Silent],
        InAzure::Unfit(_) => [InAzure::Unfit(no_address())],
        InAzure::Fault(_) => [InAzure::Fault(NetworkFault::MachineGone), InAzure::Fault(NetworkFault::AddressChanged)],
        InAzure::Seen { .. } => [
            InAzure::Seen { power: Power::Unknown, groups: vec![] },
            InAzure::Seen { power: Power::Deallocated, groups: vec![group(Verdict::Denied { by: by("DenyAllInBound") })] },
        ],
    });
    for azure in azure {
        let title = match &azure {
            InAzure::Silent => "Azure is silent",
            InAzure::Unfit(_) => "no network address",
            InAzure::Fault(NetworkFault::MachineGone) => "the machine is gone",
            InAzure::Fault(_) => "its address has changed",
            InAzure::Seen { power: Power::Unknown, .. } => "no group is on the way",
            InAzure::Seen { .. } => "the machine is off",
        };
        album.sentence(&format!("`/jit why`, {title}"), &said(Some(from), vec![], azure));
    }
}

fn all_machines(album: &mut Album) {
    let policy = policy();
    let nobody = Policy::parse("channel = \"C0JIT\"\n[[rules]]\nname = \"none\"\nmachines = [\"db*\"]\nrequesters = [\"U0ANA\"]\napprovers = [\"U0BEA\"]\nports = [22]\n").unwrap();
    let bare = json!({"nics": [{"id": nsg_id("nic"), "addresses": [{"private": "10.0.0.6", "on_subnet": "nothing"}]}]});
    let all = [
        machine(
            "VM1",
            &json!({"enabled": enabled(), "used": {"in_seven_days": 2, "last_at": ASKED - 9_000}, "open": [door(22, false)]}),
        ),
        machine(
            "VM2",
            &json!({"enabled": enabled(), "used": {"in_seven_days": 1, "last_at": ASKED - 9_000}, "unread": true}),
        ),
        machine("VM3", &json!({"enabled": enabled()})),
        machine("VM4", &json!({"open": [door(22, true), door(3389, true)]})),
        machine("VM5", &json!({})),
        machine("VM6", &json!({"unread": true})),
        machine("VM7", &bare),
        machine("VM8", &json!({"nics": []})),
        machine("VM9", &json!({"power": "deallocated"})),
    ];
    let open = record(&json!({"status": "OPEN"}));
    album.message("`/jit vms`", &super::super::machines(&all, None, &[&open], &policy, false));
    album.message("`/jit vms`, of an admin", &super::super::machines(&all[3..6], None, &[], &policy, true));
    album.message(
        "`/jit vms`, no rule is about them",
        &super::super::machines(&all[2..3], None, &[], &nobody, false),
    );
    album.message("`/jit vms`, none", &super::super::machines(&[], None, &[], &policy, false));
    album.message(
        "`/jit vms web`, none",
        &super::super::machines(&all, Some(&"web".parse().unwrap()), &[], &policy, false),
    );
    let why = every!(Unsupported {
        Unsupported::Bare => [Unsupported::Bare],
        Unsupported::NoAddress => [Unsupported::NoAddress],
        Unsupported::Deallocated => [Unsupported::Deallocated],
    });
    let told = |standing: Standing<'_>| match standing {
        Standing::Configured(_) => "configured",
        Standing::Recommended => "recommended",
        Standing::Unsupported(_) => "unsupported",
    };
    let unsupported = all.iter().filter(|machine| matches!(machine.standing(), Standing::Unsupported(_)));
    assert_eq!(unsupported.count(), why.len(), "each way is in the list");
    let badges: Vec<String> = all
        .iter()
        .map(|machine| format!("{} ({}): {}", machine.name, told(machine.standing()), badge(machine)))
        .collect();
    album.words("beside a machine's picture", &badges.join("\n"));
}

pub(super) fn fill(album: &mut Album) {
    requests(album);
    why(album);
    all_machines(album);
}
