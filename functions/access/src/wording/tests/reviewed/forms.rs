//! Forms, and what is answered to them.

use super::samples::*;
use super::*;
use crate::enabled::{Field, NotEnabled};

fn asking_forms(album: &mut Album) {
    let (policy, strict) = (policy(), strict());
    let seen = machine("VM3", &json!({}));
    let other = machine("VM4", &json!({"system": "windows"}));
    album.form("`/jit`: which machine", &choose_form(&[&seen, &other]));
    album.form("`/jit`, where there are very many", &choose_form(&[]));
    album.form("`/jit VM3`", &ask_form(&seen, rule(&policy), &[22, 3389]));
    album.form(
        "`/jit VM4`, where a reason is wanted and two must approve",
        &ask_form(&other, rule(&strict), &[3389, 5986]),
    );
    let many: Vec<u16> = (8_000..8_015).collect();
    album.form("a machine with many ports", &ask_form(&seen, rule(&policy), &many));
    album.form("the next form", &next_form(&ask_form(&seen, rule(&policy), &[22])));
    let fields = every!(AskField {
        AskField::Machine => [AskField::Machine],
        AskField::Ports => [AskField::Ports],
        AskField::Source => [AskField::Source],
        AskField::Duration => [AskField::Duration],
        AskField::Reason => [AskField::Reason],
    });
    for field in fields {
        let why = match field {
            AskField::Machine => no_such_machine(&query("VM33"), &["VM3".to_owned()], false),
            AskField::Ports => no_port(),
            AskField::Duration => no_duration(),
            AskField::Source => malformed(&"office".parse::<Source>().unwrap_err()),
            AskField::Reason => {
                malformed(&"x".repeat(301).parse::<crate::request::Justification>().unwrap_err())
            }
        };
        album.form(&format!("a field is wrong: {}", field.id()), &ask_problem(field, &why));
    }
    let pending = record(&json!({"status": "PENDING"}));
    album.form("asked for", &form_answered(&asked(pending.ask().unwrap(), rule(&policy))));
    album.form("refused", &form_above(&nothing_enabled_here(&seen)));
}

pub(super) fn fill(album: &mut Album) {
    asking_forms(album);
    let pending = record(&json!({"status": "PENDING"}));
    album.form("denying", &deny_form(pending.ask().unwrap()));
    for why in super::errors::malformed_all() {
        use crate::request::Malformed;
        if matches!(why, Malformed::JustificationEmpty | Malformed::JustificationLength(_)) {
            album.form(&format!("denying, and the reason is wrong: {why:?}"), &reason_problem(&why));
        }
    }
    let (fresh, ready) = (machine("VM1", &json!({})), machine("VM3", &json!({"enabled": enabled()})));
    album.form(
        "enabling several machines",
        &enable_form(&[&fresh, &machine("VM2", &json!({"system": "windows"}))]).unwrap(),
    );
    album.form("changing what is enabled", &enable_form(&[&ready]).unwrap());
    let all = every!(NotEnabled {
        NotEnabled::NoPort => [NotEnabled::NoPort],
        NotEnabled::TooMany(_) => [NotEnabled::TooMany(11)],
        NotEnabled::Twice(_) => [NotEnabled::Twice("22".to_owned())],
        NotEnabled::Line { .. } => [NotEnabled::Line { line: 2, text: "dns".to_owned(), why: "it does not begin with a port".to_owned() }],
        NotEnabled::Source(_) => [NotEnabled::Source("`office` is not an address; write one like 203.0.113.7 or 203.0.113.0/28".to_owned())],
        NotEnabled::Longest(_) => [NotEnabled::Longest("ever".to_owned())],
        NotEnabled::BeyondPolicy { .. } => [NotEnabled::BeyondPolicy { machine: "VM3".to_owned(), why: "the longest is 3 hours".to_owned() }],
    });
    for why in all {
        let field = match why {
            NotEnabled::NoPort | NotEnabled::TooMany(_) | NotEnabled::Twice(_) => Field::Ports,
            NotEnabled::Line { .. } => Field::Lines,
            NotEnabled::Source(_) => Field::Sources,
            NotEnabled::Longest(_) | NotEnabled::BeyondPolicy { .. } => Field::Longest,
        };
        let kind = format!("{why:?}");
        album.form(
            &format!("enabling, a field is wrong: {}", kind.split([' ', '(']).next().unwrap()),
            &form_problem(field, &why),
        );
    }
    album.form("enabling changes nothing", &form_refused(&admins_unknown()));
    album.form("disabling", &disable_form(&[&ready], &[]).unwrap());
    let open = record(&json!({"status": "OPEN"}));
    album.form("disabling what is open", &disable_form(&[&ready], &[&open]).unwrap());
}
