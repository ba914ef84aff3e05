//! The workspace that the simulated Slack starts with: people, channels, the user group, the app.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The workspace.
pub const TEAM_ID: &str = "T0CONTOSO";
/// The workspace's domain, as payloads carry it.
pub const TEAM_DOMAIN: &str = "contoso";
/// The app.
pub const APP_ID: &str = "A0AJAR";
/// The app's bot, as messages carry it.
pub const BOT_ID: &str = "B0AJAR";
/// The app's bot user: the author of its messages.
pub const BOT_USER_ID: &str = "U0AJAR";
/// Slack's own bot, which tells a person that a command failed.
pub const SLACKBOT_ID: &str = "USLACKBOT";
/// `#jit-access`, where requests are decided. The app and everybody is in it.
pub const CHANNEL_ID: &str = "C0JIT";
/// The approvers' user group.
pub const GROUP_ID: &str = "S0ONCALL";
/// Members of [`GROUP_ID`].
pub const GROUP_MEMBERS: [&str; 2] = ["U0BEA", "U0CHRIS"];
/// The one slash command of the app.
pub const COMMAND: &str = "/jit";
/// What the app is installed with: the bot scopes that `/jit` needs.
pub const SCOPES: [&str; 5] = ["commands", "chat:write", "usergroups:read", "users:read", "im:write"];

/// Somebody in the workspace.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    /// Slack user id.
    pub id: &'static str,
    /// The handle (`user_name` of a slash command).
    pub handle: &'static str,
    /// The name that people see.
    pub name: &'static str,
    /// What the person is in the sandbox's story, for the page.
    pub role: &'static str,
}

/// Everybody. Eve is a member of the workspace without any right.
pub const PEOPLE: [Person; 4] = [
    Person { id: "U0ANA", handle: "ana", name: "Ana", role: "asks" },
    Person { id: "U0BEA", handle: "bea", name: "Bea", role: "approves" },
    Person { id: "U0CHRIS", handle: "chris", name: "Chris", role: "approves" },
    Person { id: "U0EVE", handle: "eve", name: "Eve", role: "has no rights" },
];

/// The person with this id.
pub fn person(id: &str) -> Option<&'static Person> {
    PEOPLE.iter().find(|person| person.id == id)
}

/// A person as `users.info` shows one; the address only with `users:read.email`.
pub(super) fn user_object(person: &Person, with_email: bool) -> Value {
    let mut profile = json!({
        "real_name": person.name,
        "real_name_normalized": person.name,
        "display_name": person.handle,
        "display_name_normalized": person.handle,
        "team": TEAM_ID,
    });
    if with_email {
        profile["email"] = json!(format!("{}@contoso.example", person.handle));
    }
    json!({
        "id": person.id, "team_id": TEAM_ID, "name": person.handle, "real_name": person.name,
        "deleted": false, "is_bot": false, "is_app_user": false, "is_admin": false, "is_owner": false,
        "is_restricted": false, "is_ultra_restricted": false,
        "tz": "Europe/Amsterdam", "tz_label": "Central European Time", "tz_offset": 3600,
        "profile": profile,
    })
}

/// A channel or a direct message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Conversation {
    /// Without `#`; for direct messages as payloads name them.
    pub name: String,
    pub kind: Kind,
    pub members: Vec<String>,
    pub archived: bool,
    /// Whether the app is in it.
    pub has_app: bool,
}

/// What sort of conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Public,
    /// The app and one person.
    Dm,
    /// The app and several people.
    Group,
}

/// The channels of a new workspace: two that the app is in, one that it is not in, one archived.
pub(super) fn conversations() -> BTreeMap<String, Conversation> {
    let everybody: Vec<String> = PEOPLE.iter().map(|person| person.id.to_owned()).collect();
    let channel = |name: &str, archived, has_app| Conversation {
        name: name.to_owned(),
        kind: Kind::Public,
        members: everybody.clone(),
        archived,
        has_app,
    };
    BTreeMap::from([
        (CHANNEL_ID.to_owned(), channel("jit-access", false, true)),
        ("C0DATABASES".to_owned(), channel("databases", false, true)),
        ("C0GENERAL".to_owned(), channel("general", false, false)),
        ("C0ARCHIVE".to_owned(), channel("old-access", true, true)),
    ])
}
