//! What is answered to a command, and to a click that does what was wanted.

use super::samples::*;
use super::*;
use crate::frozen::Frozen;
use crate::lease::Ttl;
use crate::lifecycle::SignedClick;
use crate::lockdown::{Lockdown, NamePattern};
use crate::machine::{Power, Unfit};

fn not_allowed_all(album: &mut Album) {
    let policy = policy();
    let rule = Some(super::samples::rule(&policy));
    let name = || "contoso".to_owned();
    let all = every!(NotAllowed {
        NotAllowed::Machine { .. } => [NotAllowed::Machine { machine: "VM9".to_owned() }],
        NotAllowed::Requester { .. } => [NotAllowed::Requester { rule: name(), requester: user("U0EVE") }],
        NotAllowed::Port { .. } => [NotAllowed::Port { rule: name(), port: 80, offered: vec![22, 3389] }],
        NotAllowed::Duration { .. } => [NotAllowed::Duration { rule: name(), longest: Ttl::from_minutes(180).unwrap() }],
        NotAllowed::Source { .. } => [NotAllowed::Source {
            rule: name(),
            source_prefix: "198.51.100.9".parse().unwrap(),
            allowed: vec!["203.0.113.0/24".parse().unwrap()],
        }],
        NotAllowed::Justification { .. } => [NotAllowed::Justification { rule: name() }],
        NotAllowed::NotEnabled { .. } => [NotAllowed::NotEnabled { rule: name() }],
        NotAllowed::BreakGlass { .. } => [NotAllowed::BreakGlass { rule: name(), requester: user("U0EVE") }],
        NotAllowed::NobodyCouldApprove { .. } => [NotAllowed::NobodyCouldApprove { rule: name(), needed: 2, available: 1 }],
    });
    for why in all {
        let title = format!("{why:?}");
        album.message(
            &format!("the policy does not let it: {}", title.split(' ').next().unwrap()),
            &not_allowed(&why, rule),
        );
    }
    let strict = strict();
    let nobody = NotAllowed::BreakGlass { rule: name(), requester: ana() };
    album.message("nobody may go past approval", &not_allowed(&nobody, Some(super::samples::rule(&strict))));
}

fn machines_as_seen(album: &mut Album) {
    let seen = machine("VM3", &json!({}));
    let source = "2001:db8::7".parse().unwrap();
    let all = every!(Unfit {
        Unfit::Gone { .. } => [Unfit::Gone { at: at(ASKED - 900) }],
        Unfit::Off { .. } => [Unfit::Off { power: Power::Deallocated }, Unfit::Off { power: Power::Stopped }],
        Unfit::Unshielded => [Unfit::Unshielded],
        Unfit::OtherFamily { .. } => [Unfit::OtherFamily { has_ipv4: true }, Unfit::OtherFamily { has_ipv4: false }],
        Unfit::NoAddress => [Unfit::NoAddress],
    });
    for why in all {
        let kind = format!("{why:?}");
        let said = unfit(&seen, &why, Some(&source), true);
        album.message(
            &format!("the machine cannot be opened: {}", kind.split([' ', '{']).next().unwrap()),
            &said,
        );
    }
    album.message("the same, where nobody looks again", &unfit(&seen, &Unfit::NoAddress, None, false));
    album.message(
        "no such machine",
        &no_such_machine(&query("VM33"), &["VM3".to_owned(), "VM2".to_owned()], true),
    );
    album.message("no such machine, and nothing like it", &no_such_machine(&query("db"), &[], true));
    album.message("no such machine, where nobody looks again", &no_such_machine(&query("db"), &[], false));
    let twins = [query("Contoso-IaaS/VM3"), query("Contoso-Test/VM3")];
    album.message("several machines of that name", &ambiguous(&query("VM3"), &twins, &ports(&[22])));
    let found = every!(LookedAgain {
        LookedAgain::Fit => [LookedAgain::Fit],
        LookedAgain::Unfit(_) => [LookedAgain::Unfit(no_such_machine(&query("VM33"), &["VM3".to_owned()], false).text)],
        LookedAgain::NoAnswer => [LookedAgain::NoAnswer],
    });
    for found in found {
        let kind = format!("{found:?}");
        let said = looked_again(&query("VM33"), &ports(&[22]), &found);
        album.sentence(&format!("a few seconds later: {}", kind.split('(').next().unwrap()), &said);
    }
}

fn asking_for_access(album: &mut Album) {
    let (policy, strict) = (policy(), strict());
    let pending = record(&json!({"status": "PENDING"}));
    let (ask, wish) = (pending.ask().unwrap(), pending.wish());
    album.message("asked for", &asked(ask, rule(&policy)));
    album.message("asked for, two must approve", &asked(ask, rule(&strict)));
    let went_past = glass(&json!({"status": "PENDING"}));
    album.message("a break-glass is asked for", &asked(went_past.ask().unwrap(), rule(&policy)));
    let moved = record(&moving(&json!({"status": "PENDING"})));
    album.message("a move is asked for", &asked(moved.ask().unwrap(), rule(&policy)));
    let moved_alone = record(&own_move(&json!({"status": "PENDING"})));
    album.message("a move that needs no approval", &asked(moved_alone.ask().unwrap(), rule(&policy)));
    let no = not_allowed(
        &NotAllowed::NobodyCouldApprove { rule: "databases".to_owned(), needed: 2, available: 1 },
        Some(rule(&strict)),
    );
    album.message("no, by what Slack said of a group a while ago", &doubted(&no, true));
    album.message("the same where nothing can be told later", &doubted(&no, false));
    album.message("it is not known who is in the groups", &groups_unread());
    album.sentence("who is in a group has changed", &groups_changed());
    for status in ["PENDING", "APPROVED", "OPENING", "OPEN"] {
        album.message(&format!("the same is asked for again: {status}"), &asked_before(wish, status));
    }
    album.message("asked for again without an address", &asked_before_from(ask, "PENDING"));
    album.message("asked for without an address", &draft(wish, "https://jit.example/address?link=…"));
    album.message(
        "a break-glass without an address",
        &draft(went_past.wish(), "https://jit.example/address?link=…"),
    );
    let name = "VM3".parse().unwrap();
    album.message(
        "without an address, and no link can be given",
        &no_source(&name, &query("VM3"), &ports(&[22, 3389])),
    );
    album.message("asked again already", &asked_again_before(wish));
    album.sentence("somebody else wants to ask again", &not_yours_to_ask(ask));
}

fn ending_early(album: &mut Album) {
    album.sentence("taken back", &super::super::ending(&record(&json!({"status": "PENDING"}))));
    album.sentence("ended early", &super::super::ending(&record(&json!({"status": "OPEN"}))));
}

fn to_admins(album: &mut Album) {
    let pattern = |text: &str| text.parse::<NamePattern>().unwrap();
    album.message("everything is locked down", &locked_down(&NamePattern::everything()));
    album.message("some machines are locked down", &locked_down(&pattern("vm*")));
    album.message("every lockdown is lifted", &lifted(None));
    album.message("one lockdown is lifted", &lifted(Some(&pattern("vm*"))));
    album.message("nothing is locked down", &not_in_force(&[]));
    album.message(
        "something else is locked down",
        &not_in_force(&[&pattern("vm*"), &NamePattern::everything()]),
    );
    let click =
        SignedClick { body: String::new(), timestamp: String::new(), signature: String::new(), key: None };
    let id = "7F3K9-QXM2P".parse().unwrap();
    let locked =
        Lockdown { id, pattern: pattern("vm*"), by: bea(), at: at(ASKED), command: click, lifted: None };
    album.message("asked for while it is locked down", &nothing_opens(&locked));
    album.message("why, before it was looked", &looking(None));
    album.message("why, while it is locked down", &looking(Some(&locked)));
    album.message("why, and Slack gives no address for an answer", &cannot_answer_later());
    album.message("clicks count again", &thawed(&bea()));
    album.message("clicks count already", &not_frozen(&bea()));
    let since = Frozen {
        user: bea(),
        at: at(APPROVED),
        request: id,
        requester: ana(),
        machine: "VM3".parse().unwrap(),
        lifted: None,
    };
    album.sentence("to somebody whose clicks do not count", &you_are_frozen(&since.user, since.at));
    album.message("to somebody who is no admin", &not_admin(&policy()));
    album.message("to somebody, where the policy names no admins", &not_admin(&strict()));
    album.message("Slack does not say who is an admin", &admins_unknown());
    let seen = machine("VM3", &json!({}));
    album.message(
        "one of the machines that were named is not there",
        &not_found(&query("VM33"), &["VM3".to_owned()]),
    );
    album.message(
        "one of them is there several times",
        &named_by_several(&query("VM3"), &[query("Contoso-IaaS/VM3"), query("Contoso-Test/VM3")]),
    );
    album.maybe(
        "a machine that is gone is to be enabled",
        cannot_enable(&machine("VM3", &json!({"gone_at": ASKED}))),
    );
    let bare = json!({"nics": [{"id": nsg_id("nic"), "addresses": [{"private": "10.0.0.6", "on_subnet": "nothing"}]}]});
    album.maybe("one that nothing shields", cannot_enable(&machine("VM3", &bare)));
    album.maybe("one that can be enabled", cannot_enable(&seen));
    album.message("nothing is enabled on what is to be disabled", &nothing_enabled(&seen));
    album.message("nothing is enabled on what is asked for", &nothing_enabled_here(&seen));
    album.message("too many machines for one form", &too_many_for_a_form());
}

pub(super) fn fill(album: &mut Album) {
    album.message("`/jit help`", &help(&Build { version: "0.1.0", commit: Some("8fe8b70a1b2c") }));
    asking_for_access(album);
    not_allowed_all(album);
    machines_as_seen(album);
    ending_early(album);
    to_admins(album);
}
