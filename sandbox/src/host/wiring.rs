//! Puts the parts of the sandbox together: the simulated Slack and Azure, the page, and the real
//! handlers of the functions, each with the identity and the environment that it would have in AWS.

use super::{CLIENTS, Ground, Options, Parts, Sandbox, StartError, TABLE};
use crate::aws::lambda::{Functions, Handler, Invocation};
use crate::aws::s3::{BUCKET, Bucket};
use crate::aws::secrets::Secrets;
use crate::aws::{ACCOUNT, Caller, Callers, REGION};
use crate::azure::{self, Azure};
use crate::page::{self, PageState};
use crate::slack::{self, Slack, world};
use access::lease::Timestamp;
use edge::clock::Clock;
use edge::config::{ConfigError, Environment};
use edge::store::Store;
use futures::FutureExt;
use futures::future::BoxFuture;
use lambda_runtime::{Context, LambdaEvent};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{OnceCell, watch};

/// The policy that the functions of a sandbox get.
pub const POLICY: &str = include_str!("../../policy.toml");
/// What the simulated Slack signs with. It protects nothing but the sandbox.
pub const SIGNING_SECRET: &str = "5a11d0b0c5e8f2a94f1d7c3b6e0a2d48";
/// The bot token that the simulated Slack accepts.
pub const BOT_TOKEN: &str = "xoxb-0-0-sandbox";
/// The installation's name, part of every rule's name.
pub const INSTALLATION: &str = "sandbox";

/// The name of Slack's secrets in the simulated Secrets Manager.
pub const SECRET_ID: &str = "ajar/slack";
/// Where the functions find their policy.
pub(super) const POLICY_FILE: &str = "policy.toml";

/// The parts that tests speak to directly, beside what a sandbox serves over HTTP.
#[derive(Clone)]
pub struct World {
    /// The simulated Azure.
    pub azure: Azure,
    /// The simulated Slack.
    pub slack: Slack,
    /// The table, as the functions see it.
    pub store: Store,
    /// Slack's secrets, as the functions read them.
    pub secrets: Secrets,
    /// The archive's bucket.
    pub archive: Bucket,
}

/// The environment variables of a function, by its name.
pub type Variables<'a> = &'a dyn Fn(&str) -> BTreeMap<String, String>;

/// Starts a sandbox whose functions go by this policy, and hands out the parts that tests speak to.
///
/// # Errors
/// A part cannot start.
pub async fn start(options: Options, policy: &str) -> Result<(Sandbox, World), StartError> {
    let policy = policy.to_owned();
    start_with(options, move |clock, variables| {
        functions(clock, |function| Environment::of(variables(function)).with_file(POLICY_FILE, &policy))
    })
    .await
}

/// Starts a sandbox whose functions are made by `functions`, from the clock and from what each finds in
/// its environment. The policy's file that is named there is theirs to provide.
///
/// # Errors
/// A part cannot start.
pub async fn start_with<F>(options: Options, functions: F) -> Result<(Sandbox, World), StartError>
where
    F: FnOnce(&Clock, Variables<'_>) -> Functions,
{
    let made = Arc::new(OnceLock::new());
    let keep = Arc::clone(&made);
    let sandbox = Sandbox::start_with(options, |ground| async move {
        let (parts, world) = wire(ground, functions).await?;
        let _ = keep.set(world);
        Ok(parts)
    });
    let sandbox = sandbox.await?;
    let world = made.get().cloned().ok_or_else(|| StartError::Part("the parts were not made".to_owned()))?;
    Ok((sandbox, world))
}

/// The parts of the sandbox on this ground.
async fn wire(
    ground: Ground,
    functions: impl FnOnce(&Clock, Variables<'_>) -> Functions,
) -> Result<(Parts, World), StartError> {
    let clock = ground.clock.clone();
    let now_ms = {
        let clock = clock.clone();
        Arc::new(move || clock.now_ms()) as slack::NowMs
    };
    let waiting = clock.clone();
    let wait: azure::Wait = Arc::new(move |at_ms| {
        let clock = waiting.clone();
        async move { drop(clock.sleep_until(Timestamp::from_unix(at_ms.div_ceil(1000))).await) }.boxed()
    });
    let azure = Azure::start(azure::Options {
        now_ms: Arc::clone(&now_ms),
        wait,
        faults: ground.faults.clone(),
        data_dir: ground.data_dir.clone(),
        settings: azure::Settings::default(),
    });
    let azure = azure.await.map_err(StartError::Part)?;
    if clock.is_standing() {
        let clock = clock.clone();
        azure.take_time_with(Box::new(move |milliseconds| {
            let clock = clock.clone();
            async move { Box::new(clock.wait(Duration::from_millis(milliseconds)).await) as Box<dyn Any + Send> }
                .boxed()
        }));
    }
    tokio::spawn(shut_at_the_end(azure.clone(), ground.stop.clone()));
    let snapshot = azure.clone();
    let slack = chat(&ground, SIGNING_SECRET, Arc::new(move || snapshot.state()))?;
    let store = table(&Environment::of(variables(&ground, azure.identities(), "request")))?;
    let mut grounds = BTreeMap::new();
    for identity in azure.identities() {
        let addresses = ground.addresses_for(&identity.function)?;
        grounds.insert(identity.function.clone(), Ground { addresses, ..ground.clone() });
    }
    let variables =
        |function: &str| variables(grounds.get(function).unwrap_or(&ground), azure.identities(), function);
    let secrets = secrets(azure.identities(), SIGNING_SECRET);
    let archive = Bucket::new(ground.data_dir.as_ref().map(|folder| folder.join("archive")));
    let network = {
        let azure = azure.clone();
        Arc::new(move || azure.state())
    };
    let page = page::router(PageState { slack: slack.clone(), network, listed: listed(&ground), now_ms });
    let (info, messages, working) = (azure.clone(), slack.clone(), azure.clone());
    let parts = Parts {
        page,
        arm: azure.arm_router(),
        orders: azure.orders(),
        slack_api: slack::recording::web_api(slack.router()),
        door: |routes| slack::recording::door(routes, SIGNING_SECRET),
        entra: azure.entra_router(),
        info: Arc::new(move || about(&info)),
        messages: Arc::new(move || Value::Array(messages.messages())),
        // An operation takes real time: a clock that moved on meanwhile would make a lock's lease end
        // before the write that it is for.
        busy: Arc::new(move || working.is_busy()),
        functions: functions(&clock, &variables),
        callers: callers(azure.identities()),
        secrets: secrets.clone(),
        archive: archive.clone(),
        ..Parts::default()
    };
    Ok((parts, World { azure, slack, store, secrets, archive }))
}

/// The simulated Slack, wired to the page's port. `network` is kept with each of its messages.
pub(super) fn chat(
    ground: &Ground,
    signing_secret: &str,
    network: Arc<dyn Fn() -> Value + Send + Sync>,
) -> Result<Slack, StartError> {
    let clock = ground.clock.clone();
    let slack = Slack::new(slack::Options {
        now_ms: Arc::new(move || clock.now_ms()),
        faults: ground.faults.clone(),
        signing_secret: signing_secret.to_owned(),
        bot_token: BOT_TOKEN.to_owned(),
        scopes: world::SCOPES.map(str::to_owned).to_vec(),
        data_dir: ground.data_dir.clone(),
        snapshot: network,
        ack_within: Duration::from_secs(3),
    });
    let slack = slack.map_err(StartError::Kept)?;
    let page_url = ground.addresses.page_url();
    slack.set_addresses(slack::Addresses {
        // A `response_url` is one of the addresses that `notify` knows as Slack's.
        slack_url: format!("http://{}", ground.addresses_for("notify")?.slack_api),
        command_url: format!("{page_url}/slack/command"),
        interaction_url: format!("{page_url}/slack/interaction"),
    });
    Ok(slack)
}

/// Slack's secrets, for the functions that may read them.
pub(super) fn secrets(identities: &[azure::Function], signing_secret: &str) -> Secrets {
    let values = json!({"signing_secret": signing_secret, "bot_token": BOT_TOKEN}).to_string();
    Secrets::new([(SECRET_ID.to_owned(), values)].into(), callers(identities))
}

/// The machines' ports are shut when the sandbox ends.
async fn shut_at_the_end(azure: Azure, mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
    azure.shutdown().await;
}

/// What a function finds in its environment when it is deployed.
pub(super) fn variables(
    ground: &Ground,
    identities: &[azure::Function],
    function: &str,
) -> BTreeMap<String, String> {
    let addresses = &ground.addresses;
    let identity = identities.iter().find(|identity| identity.function == function);
    let (key, secret, client) = identity.map_or_else(Default::default, |identity| {
        let client = identity.client_id.clone().unwrap_or_default();
        (identity.access_key_id.clone(), identity.secret_access_key.clone(), client)
    });
    let percent = ground.stepped.as_ref().and_then(|stepped| stepped.limits_percent.get(function));
    let variables = [
        ("AJAR_INSTALLATION", INSTALLATION.to_owned()),
        ("AJAR_TABLE", TABLE.to_owned()),
        ("AJAR_POLICY_FILE", POLICY_FILE.to_owned()),
        ("AJAR_SECRET_ID", SECRET_ID.to_owned()),
        ("AJAR_SLACK_TEAM_ID", world::TEAM_ID.to_owned()),
        ("AJAR_SLACK_APP_ID", world::APP_ID.to_owned()),
        ("AJAR_SLACK_API_URL", addresses.slack_api_url()),
        ("AJAR_ARM_URL", addresses.arm_url()),
        ("AJAR_ENTRA_URL", addresses.entra_url()),
        ("AJAR_AZURE_TENANT_ID", azure::TENANT_ID.to_owned()),
        ("AJAR_AZURE_CLIENT_ID", client),
        ("AJAR_REVOKE_FUNCTION", "revoke".to_owned()),
        ("AJAR_TIME_LIMITS_PERCENT", percent.map(u32::to_string).unwrap_or_default()),
        ("AJAR_DISCOVER_FUNCTION", "discover".to_owned()),
        ("AJAR_ARCHIVE_BUCKET", BUCKET.to_owned()),
        ("AJAR_AZURE_SUBSCRIPTIONS", [azure::SUBSCRIPTION_ID, azure::OTHER_SUBSCRIPTION_ID].join(",")),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", key),
        ("AWS_SECRET_ACCESS_KEY", secret),
        ("AWS_ENDPOINT_URL_DYNAMODB", addresses.aws_url()),
        ("AWS_ENDPOINT_URL_LAMBDA", addresses.aws_url()),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", addresses.aws_url()),
        ("AWS_ENDPOINT_URL_S3", addresses.aws_url()),
        ("AWS_ENDPOINT_URL_STS", addresses.entra_url()),
    ];
    variables.map(|(name, value)| (name.to_owned(), value)).into()
}

fn table(env: &Environment) -> Result<Store, StartError> {
    let client = edge::aws::dynamodb(env).map_err(|error| StartError::Part(error.to_string()))?;
    Ok(Store::new(client, TABLE.to_owned()))
}

/// What the page tells of machines, read past the faults that are ordered for the functions.
pub(super) fn listed(ground: &Ground) -> page::Listed {
    page::listed(Store::new(ground.dynamodb.client().clone(), TABLE.to_owned()))
}

/// What the sandbox's parts add to `/sandbox.json`.
fn about(azure: &Azure) -> Value {
    let state = azure.state();
    let clients: serde_json::Map<String, Value> =
        CLIENTS.iter().map(|(loopback, internet)| (loopback.to_string(), json!(internet))).collect();
    json!({
        "signing_secret": SIGNING_SECRET,
        "bot_token": BOT_TOKEN,
        "team_id": world::TEAM_ID,
        "app_id": world::APP_ID,
        "people": slack::people(),
        "channel": world::CHANNEL_ID,
        "installation": INSTALLATION,
        "arm_token": azure.owner_token(),
        "subscription_id": azure::SUBSCRIPTION_ID,
        "tenant_id": azure::TENANT_ID,
        "issuer": azure::ISSUER,
        "functions": azure.identities(),
        "clients": clients,
        "table": TABLE,
        "machines": state["machines"],
    })
}

/// Who may do what with Lambda, the secret and the archive; of the functions `notify` alone starts others, `discover` alone archives.
pub(super) fn callers(identities: &[azure::Function]) -> Callers {
    let caller = |identity: &azure::Function| {
        let function = identity.function.as_str();
        let caller = Caller {
            role: format!("ajar-{function}"),
            may_invoke: if function == "notify" {
                ["revoke", "discover"].map(str::to_owned).into()
            } else {
                vec![]
            },
            may_read: vec![SECRET_ID.to_owned()],
            operates: false,
            may_put: if function == "discover" { vec![BUCKET.to_owned()] } else { vec![] },
            secret_access_key: identity.secret_access_key.clone(),
        };
        (identity.access_key_id.clone(), caller)
    };
    let operator = azure::operator();
    let operates = Caller {
        role: "ajar-operator".to_owned(),
        may_invoke: identities.iter().map(|identity| identity.function.clone()).collect(),
        may_read: vec![SECRET_ID.to_owned()],
        operates: true,
        ..Caller::default()
    };
    identities.iter().map(caller).chain([(operator.access_key_id, operates)]).collect()
}

/// The real functions, each with what `environment` gives it.
pub(super) fn functions(clock: &Clock, environment: impl Fn(&str) -> Environment) -> Functions {
    /// A function with its `Deps`, made at its first call as a cold start makes them.
    macro_rules! function {
        ($function:ident) => {
            handler(
                environment(stringify!($function)),
                clock.clone(),
                |env, clock| async move { $function::Deps::new(&env, clock).await },
                |deps, event| async move { $function::handle(&deps, event).await }.boxed(),
            )
        };
    }
    Functions::default()
        .with("request", function!(request))
        .with("grant", function!(grant))
        .with("revoke", function!(revoke))
        .with("notify", function!(notify))
        .with("discover", function!(discover))
}

/// What a function's `handle` gives.
type Handled<Answer> = BoxFuture<'static, Result<Answer, lambda_runtime::Error>>;

/// What a process of a function has made at its first call.
type Process<Deps> = Arc<OnceCell<Arc<Deps>>>;

/// A function's real handler: `start` is the cold start of a process, which comes with its first call.
fn handler<Deps, Started, Event, Answer>(
    env: Environment,
    clock: Clock,
    start: fn(Environment, Clock) -> Started,
    handle: fn(Arc<Deps>, LambdaEvent<Event>) -> Handled<Answer>,
) -> Handler
where
    Deps: Send + Sync + 'static,
    Started: Future<Output = Result<Deps, ConfigError>> + Send + 'static,
    Event: DeserializeOwned + Send + 'static,
    Answer: Serialize + 'static,
{
    let processes: Mutex<BTreeMap<u64, Process<Deps>>> = Mutex::default();
    Arc::new(move |event: Value, invocation: Invocation| {
        let started = {
            let mut processes = processes.lock().unwrap_or_else(PoisonError::into_inner);
            // What has crashed is not needed any more.
            processes.retain(|process, _| *process >= invocation.process);
            Arc::clone(processes.entry(invocation.process).or_default())
        };
        let (env, clock) = (env.clone(), clock.clone());
        async move {
            let deps = started.get_or_try_init(|| async { start(env, clock).await.map(Arc::new) }).await;
            let deps = deps.map_err(|error| error.to_string())?;
            let event = serde_json::from_value(event).map_err(|error| error.to_string())?;
            let mut context = Context::default();
            context.request_id = invocation.request_id;
            context.deadline = invocation.deadline_ms;
            context.invoked_function_arn =
                format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", invocation.function_name);
            let answer = handle(Arc::clone(deps), LambdaEvent::new(event, context)).await;
            let answer = answer.map_err(|error| error.to_string())?;
            serde_json::to_value(answer).map_err(|error| error.to_string())
        }
        .boxed()
    })
}
