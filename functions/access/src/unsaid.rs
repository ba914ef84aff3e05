//! What an error of Slack's means for what was to be said: one table. `edge::slack` reads the answers,
//! `notify` acts on what they mean.
//!
//! The codes are those that Slack's pages name for the methods that are called (docs.slack.dev,
//! reference/methods). Slack answers with HTTP 200 and a code; a 429 and a missing answer are told apart in
//! `edge::slack`.

/// What is to be done about what Slack did not take.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Unsaid {
    /// The same again later: at the moment that Slack names, or when the tick comes by.
    Later,
    /// It may have been said; Slack asks not to post it again blindly. A message without buttons is taken as
    /// said. A card is posted again under its next number, so that only the newest one's buttons count.
    MaybeSaid,
    /// The message that was to be changed or answered is gone, or cannot be changed any more: a new one is posted.
    Lost,
    /// Nobody can be told anything there. What was for a channel is said in the policy's default channel, what was
    /// for a person is dropped; it is logged once.
    Nobody,
    /// A mistake of ours: an error in the log, and a plain, shorter text instead, so that people still hear.
    Ours,
    /// For whoever has set it up: an error in the log; the tick tries again, so that nothing is missing once it is
    /// set right.
    Setup,
    /// What opens a form has been used or is too old: whoever clicked or typed has to do it again.
    TooLate,
}

use Unsaid::{Later, Lost, MaybeSaid, Nobody, Ours, Setup, TooLate};

/// The table.
const TABLE: &[(&str, Unsaid)] = &[
    // Slack has too much to do, or is down.
    ("ratelimited", Later),
    ("rate_limited", Later),
    ("request_timeout", Later),
    ("service_unavailable", Later),
    ("internal_error", Later),
    // "It's possible some aspect of the operation succeeded before the error was raised."
    ("fatal_error", MaybeSaid),
    // The message.
    ("message_not_found", Lost),
    ("cant_update_message", Lost),
    ("cannot_reply_to_message", Lost),
    ("edit_window_closed", Lost),
    ("is_inactive", Lost),
    ("restricted_action_thread_locked", Lost),
    ("restricted_action_non_threadable_channel", Lost),
    // The place. `channel_not_found` is also what Slack says where the app may not write to a person.
    ("channel_not_found", Nobody),
    ("not_in_channel", Nobody),
    ("is_archived", Nobody),
    ("restricted_action", Nobody),
    ("restricted_action_read_only_channel", Nobody),
    ("restricted_action_thread_only_channel", Nobody),
    ("messages_tab_disabled", Nobody),
    ("user_not_found", Nobody),
    ("user_disabled", Nobody),
    ("user_not_visible", Nobody),
    ("user_not_in_channel", Nobody),
    ("cannot_dm_bot", Nobody),
    // What we have sent.
    ("invalid_blocks", Ours),
    ("invalid_blocks_format", Ours),
    ("msg_blocks_too_long", Ours),
    ("msg_too_long", Ours),
    ("block_mismatch", Ours),
    ("no_text", Ours),
    ("markdown_text_conflict", Ours),
    ("invalid_arguments", Ours),
    ("invalid_arg_name", Ours),
    ("invalid_form_data", Ours),
    ("invalid_post_type", Ours),
    ("duplicate_external_id", Ours),
    ("view_too_large", Ours),
    ("too_many_users", Ours),
    ("not_enough_users", Ours),
    // The token, its scopes, the workspace, the policy's groups.
    ("not_authed", Setup),
    ("invalid_auth", Setup),
    ("account_inactive", Setup),
    ("token_revoked", Setup),
    ("token_expired", Setup),
    ("missing_scope", Setup),
    ("not_allowed_token_type", Setup),
    ("no_permission", Setup),
    ("team_access_not_granted", Setup),
    ("org_login_required", Setup),
    ("team_added_to_org", Setup),
    ("ekm_access_denied", Setup),
    ("access_denied", Setup),
    ("accesslimited", Setup),
    ("enterprise_is_restricted", Setup),
    ("no_such_subteam", Setup),
    ("plan_upgrade_required", Setup),
    // Slack's guide and the method's own page spell these differently.
    ("trigger_expired", TooLate),
    ("trigger_exchanged", TooLate),
    ("expired_trigger_id", TooLate),
    ("exchanged_trigger_id", TooLate),
    ("invalid_trigger_id", TooLate),
];

/// The codes of the table.
pub fn known() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(code, _)| *code)
}

/// What the table says; `None` where the code is not in it.
pub fn decided(code: &str) -> Option<Unsaid> {
    TABLE.iter().find(|(known, _)| *known == code).map(|(_, outcome)| *outcome)
}

/// What is to be done about an error. What is not in the table is for whoever runs this: nothing unknown is ever
/// taken for said, or for a message that is gone.
pub fn outcome(code: &str) -> Unsaid {
    decided(code).unwrap_or(Setup)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_there_once() {
        for code in known() {
            assert_eq!(known().filter(|other| *other == code).count(), 1, "{code}");
        }
    }
}
