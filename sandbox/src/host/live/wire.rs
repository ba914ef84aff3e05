//! The parts of a sandbox whose Azure is the real one.

use super::view::View;
use super::{INSTALLATION, Live};
use crate::azure;
use crate::host::wiring::{self, POLICY_FILE};
use crate::host::{Ground, Options, Parts, Sandbox, StartError, TABLE};
use crate::page::{self, PageState};
use crate::slack::{self, world};
use edge::config::Environment;
use serde_json::{Value, json};
use std::sync::Arc;

/// Who may ask for what. Nobody's address is known beforehand, so each request says where it comes from.
const POLICY: &str = include_str!("../../../live-policy.toml");

/// Starts a sandbox on the real Azure.
///
/// # Errors
/// A part cannot start.
pub(crate) async fn start(options: Options, live: &Live) -> Result<Sandbox, StartError> {
    Sandbox::start_with(options, async |ground| wire(&ground, live)).await
}

fn wire(ground: &Ground, live: &Live) -> Result<Parts, StartError> {
    let clock = ground.clock.clone();
    let identities = azure::identities();
    let view = Arc::new(View::new(live));
    let last = Arc::clone(&view);
    // Not the sandbox's well-known one: what is signed with it opens a real port.
    let signing_secret = hex::encode(rand::random::<[u8; 16]>());
    let slack = wiring::chat(ground, &signing_secret, Arc::new(move || last.last()))?;
    let environment = |function: &str| {
        let mut variables = wiring::variables(ground, &identities, function);
        variables.remove("AJAR_ARM_URL");
        variables.extend(live.target.variables());
        variables.insert("AJAR_INSTALLATION".to_owned(), INSTALLATION.to_owned());
        variables.insert("AJAR_AZURE_SUBSCRIPTIONS".to_owned(), live.target.subscription.clone());
        Environment::of(variables).with_file(POLICY_FILE, POLICY).with_operator(live.operator.clone())
    };
    let now_ms = {
        let clock = clock.clone();
        Arc::new(move || clock.now_ms()) as slack::NowMs
    };
    let about = json!({
        "signing_secret": signing_secret,
        "team_id": world::TEAM_ID,
        "app_id": world::APP_ID,
        "people": slack::people(),
        "channel": world::CHANNEL_ID,
        "installation": INSTALLATION,
        "subscription_id": live.target.subscription,
        "only_nsg": live.target.nsg,
        "arm_url": live.target.arm_url(),
        // The simulated ones are absent.
        "entra_url": null,
        "sts_url": null,
        "table": TABLE,
        "machines": live.machines,
    });
    let messages = slack.clone();
    Ok(Parts {
        page: page::router(PageState {
            slack: slack.clone(),
            network: Arc::new(move || view.now()),
            listed: wiring::listed(ground),
            now_ms,
        }),
        slack_api: slack.router(),
        info: Arc::new(move || about.clone()),
        messages: Arc::new(move || Value::Array(messages.messages())),
        functions: wiring::functions(&clock, environment),
        callers: wiring::callers(&identities),
        secrets: wiring::secrets(&identities, &signing_secret),
        real_azure: true,
        ..Parts::default()
    })
}
