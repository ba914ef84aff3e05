//! Each error of Slack's that is known has a decision, and nothing else has one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use access::unsaid::{Unsaid, decided, known, outcome};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
struct Errors {
    shared: BTreeMap<String, Vec<String>>,
    methods: BTreeMap<String, Vec<String>>,
}

fn errors() -> BTreeMap<String, Vec<String>> {
    let Errors { shared, methods } = toml::from_str(include_str!("slack_errors.toml")).unwrap();
    shared.into_iter().chain(methods).collect()
}

#[test]
fn no_known_error_is_without_a_decision() {
    let errors = errors();
    let all: BTreeSet<&str> = errors.values().flatten().map(String::as_str).collect();
    for (method, codes) in &errors {
        for code in codes {
            assert!(decided(code).is_some(), "{method}: {code} is not decided");
        }
    }
    assert!(all.len() >= 55, "only {} errors", all.len());
    let rows: BTreeSet<&str> = known().collect();
    assert_eq!(rows.difference(&all).collect::<Vec<_>>(), Vec::<&&str>::new(), "decided and not known");
}

#[test]
fn what_the_decisions_are() {
    use Unsaid::{Later, Lost, MaybeSaid, Nobody, Ours, Setup, TooLate};
    for (code, expected) in [
        ("ratelimited", Later),
        ("rate_limited", Later),
        ("service_unavailable", Later),
        ("internal_error", Later),
        ("request_timeout", Later),
        ("fatal_error", MaybeSaid),
        ("message_not_found", Lost),
        ("cant_update_message", Lost),
        ("edit_window_closed", Lost),
        ("channel_not_found", Nobody),
        ("is_archived", Nobody),
        ("user_disabled", Nobody),
        ("messages_tab_disabled", Nobody),
        ("restricted_action_read_only_channel", Nobody),
        ("invalid_blocks", Ours),
        ("msg_too_long", Ours),
        ("invalid_auth", Setup),
        ("missing_scope", Setup),
        ("trigger_expired", TooLate),
        ("expired_trigger_id", TooLate),
        // What nobody has heard of is never taken for said, nor for a message that is gone.
        ("an_error_of_tomorrow", Setup),
        ("", Setup),
    ] {
        assert_eq!(outcome(code), expected, "{code}");
    }
    assert_eq!(decided("an_error_of_tomorrow"), None);
}
