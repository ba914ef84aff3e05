//! The functions as they are deployed: each a process of its own behind a Lambda Runtime API, with its
//! configuration in its environment and its policy in a file.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what fails in a helper fails the test that called it"
)]

use sandbox::aws::lambda::{Functions, Handler};
use sandbox::aws::runtime_api::{Child, Failure, RuntimeApi};
use sandbox::aws::schedule;
use sandbox::host::wiring::{self, World};
use sandbox::host::{Options, Sandbox};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const BINARIES: [(&str, &str); 5] = [
    ("request", env!("CARGO_BIN_EXE_ajar-request")),
    ("grant", env!("CARGO_BIN_EXE_ajar-grant")),
    ("revoke", env!("CARGO_BIN_EXE_ajar-revoke")),
    ("notify", env!("CARGO_BIN_EXE_ajar-notify")),
    ("discover", env!("CARGO_BIN_EXE_ajar-discover")),
];

/// The sandbox's policy, where the functions of a repository find it.
const POLICY_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../sandbox/policy.toml");

/// The one whom the policy's source lets in.
const ANA: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7));
const SOMEBODY_ELSE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 9));

/// A function's process, started once.
struct Process {
    /// Before the API, and so ended before it.
    child: Mutex<Option<Child>>,
    api: RuntimeApi,
    invocations: AtomicUsize,
}

/// The processes by function.
type Processes = BTreeMap<&'static str, Arc<Process>>;

/// Their Runtime APIs; the processes start when their environment is known.
async fn processes() -> Processes {
    let mut processes = Processes::new();
    for (function, _) in BINARIES {
        let api = RuntimeApi::start(function, Duration::from_secs(180)).await.unwrap();
        let process = Process { child: Mutex::default(), api, invocations: AtomicUsize::default() };
        processes.insert(function, Arc::new(process));
    }
    processes
}

impl Process {
    /// Hands an event to the process.
    async fn invoke(&self, event: Value) -> Result<Value, Failure> {
        self.invocations.fetch_add(1, Ordering::SeqCst);
        self.api.invoke(event).await
    }
}

/// Hands what invokes a function in the sandbox on to its process. Except the sandbox's own minute: a
/// tick waits for what is due within two, and when the wall clock's minute ends is not this test's to say.
fn forward(process: &Arc<Process>) -> Handler {
    let process = Arc::clone(process);
    Arc::new(move |event, _| {
        let process = Arc::clone(&process);
        Box::pin(async move {
            let of = event["resources"][0].as_str().unwrap_or_default();
            if event["source"] == "aws.scheduler" && of.ends_with("/revoke") {
                return Ok(Value::Null);
            }
            process.invoke(event).await.map_err(|failure| failure.to_string())
        })
    })
}

/// A sandbox whose functions are the binaries.
async fn sandbox_of(processes: &Processes) -> (Sandbox, World) {
    let started = wiring::start_with(Options::default(), |_, variables| {
        let mut functions = Functions::default();
        for (function, path) in BINARIES {
            let mut environment = variables(function);
            environment.insert("AJAR_POLICY_FILE".to_owned(), POLICY_FILE.to_owned());
            let process = &processes[function];
            let child = process.api.run(Path::new(path), &environment).unwrap();
            *process.child.lock().unwrap() = Some(child);
            functions = functions.with(function, forward(process));
        }
        functions
    });
    started.await.unwrap()
}

/// Posts what Slack signed at `timestamp`; the status and the body of the answer.
async fn post(
    sandbox: &Sandbox,
    world: &World,
    path: &str,
    form: &[(&str, &str)],
    timestamp: u64,
) -> (u16, String) {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = edge::http::client(edge::http::Limits::DEPLOYED)
        .unwrap()
        .post(format!("{}{path}", sandbox.addresses().page_url()))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-slack-request-timestamp", timestamp.to_string())
        .header("x-slack-signature", world.slack.sign(timestamp, &body))
        .body(body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Ana's `/jit` with this text.
async fn ask(sandbox: &Sandbox, world: &World, text: &str, timestamp: u64) -> (u16, String) {
    let response_url = format!("http://{}/commands/T0CONTOSO/1/unused", sandbox.addresses().slack_api);
    let form = [
        ("team_id", "T0CONTOSO"),
        ("channel_id", "C0JIT"),
        ("user_id", "U0ANA"),
        ("command", "/jit"),
        ("text", text),
        ("api_app_id", "A0AJAR"),
        ("response_url", &response_url),
        ("trigger_id", "13345224609.738474920.8088930838d88f008e0"),
    ];
    post(sandbox, world, "/slack/command", &form, timestamp).await
}

/// The latest message in the channel, with what everybody sees of it; not what is said in the thread of one.
fn card(world: &World) -> Value {
    let in_channel = |entry: &Value| {
        entry["ok"] == true
            && entry["channel"] == "C0JIT"
            && entry["body"]["thread_ts"].is_null()
            && ["chat.postMessage", "chat.update"].iter().any(|method| entry["method"] == *method)
    };
    world.slack.messages().into_iter().rev().find(in_channel).expect("a card in the channel")
}

/// Bea's click on Approve, with the payload of Slack's `block_actions`.
fn approval(card: &Value) -> String {
    let blocks = card["body"]["blocks"].as_array().expect("the card's blocks");
    let actions = blocks.iter().find(|block| block["type"] == "actions").expect("buttons");
    let buttons = actions["elements"].as_array().expect("a list of buttons");
    let button = buttons.iter().find(|button| button["text"]["text"] == "Approve").expect("Approve");
    let payload = json!({
        "type": "block_actions",
        "team": {"id": "T0CONTOSO", "domain": "contoso"},
        "user": {"id": "U0BEA", "username": "bea", "team_id": "T0CONTOSO"},
        "api_app_id": "A0AJAR",
        "trigger_id": "13345224609.738474920.click",
        "container": {"type": "message", "message_ts": card["ts"], "channel_id": "C0JIT"},
        "channel": {"id": "C0JIT", "name": "jit-access"},
        "response_url": "http://127.0.0.1:1/actions/T0CONTOSO/1/unused",
        "actions": [{
            "type": "button", "action_id": button["action_id"], "block_id": actions["block_id"],
            "text": button["text"], "value": button["value"], "action_ts": card["ts"],
        }],
    });
    payload.to_string()
}

/// The names of our rules in Azure.
fn our_rules(world: &World) -> Vec<String> {
    let state = world.azure.state();
    let groups = state["nsgs"].as_array().expect("groups").iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().expect("rules").clone());
    let names = rules.map(|rule| rule["name"].as_str().expect("a name").to_owned());
    names.filter(|name| name.starts_with("jit-")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_binaries_ask_approve_open_and_shut() {
    /// Seconds for which Bea's click was on its way: the lease of a minute began when it was signed.
    const ON_ITS_WAY: u64 = 30;
    let processes = processes().await;
    let (sandbox, world) = sandbox_of(&processes).await;
    let now = || sandbox.clock().now().unix();

    let (status, answer) = ask(&sandbox, &world, "VM3 22 for 1m", now() - 3600).await;
    assert_eq!((status, answer.as_str()), (401, ""), "an old signature");
    let (status, answer) = ask(&sandbox, &world, "VM3 22 for 1m because patching", now()).await;
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).expect("a message");
    assert_eq!(answer["response_type"], "ephemeral");
    sandbox.settle().await;
    assert_eq!(our_rules(&world), Vec::<String>::new());
    let asked = card(&world);

    let payload = approval(&asked);
    let form = [("payload", payload.as_str())];
    let clicked_at = now() - ON_ITS_WAY;
    let (status, answer) = post(&sandbox, &world, "/slack/interaction", &form, clicked_at).await;
    assert_eq!((status, answer.as_str()), (200, ""));
    sandbox.settle().await;
    let rules = our_rules(&world);
    assert_eq!(rules.len(), 2, "one in each group: {rules:?}");
    assert!(rules.iter().all(|name| *name == rules[0] && name.starts_with("jit-sandbox-")), "{rules:?}");
    // In force: until packets meet it can take longer than this minute, which is a real one.
    assert!(world.azure.allows(ANA, "VM3", 22, "Tcp"));
    assert!(!world.azure.allows(SOMEBODY_ELSE, "VM3", 22, "Tcp"));
    assert!(!world.azure.allows(ANA, "VM4", 22, "Tcp"));
    let open = card(&world);
    assert_eq!(open["ts"], asked["ts"], "one card");
    assert!(open["body"]["text"].as_str().expect("a text").to_lowercase().contains("open"), "{open}");

    // The tick waits for the end of the lease, shuts, and answers when it is done.
    let tick = processes["revoke"].invoke(schedule::event("revoke", sandbox.clock().now())).await;
    assert_eq!(tick, Ok(Value::Null));
    assert!(now() >= clicked_at + 60, "shut before its end");
    assert_eq!(our_rules(&world), Vec::<String>::new());
    assert!(!world.azure.allows(ANA, "VM3", 22, "Tcp") && !world.azure.reaches(ANA, "VM3", 22, "Tcp"));
    sandbox.settle().await;
    let shut = card(&world);
    assert!(shut["body"]["text"].as_str().expect("a text").to_lowercase().contains("shut"), "{shut}");
    assert_eq!(sandbox.dead_letters(), Vec::<Value>::new());
    for (function, process) in &processes {
        assert!(process.invocations.load(Ordering::SeqCst) > 0, "{function} was never invoked");
    }
}

/// Starts the binary with one variable changed (`None`: absent), and returns what it told Lambda and
/// whether it ended well.
async fn start_with(
    function: &str,
    environment: &BTreeMap<String, String>,
    variable: &str,
    value: Option<&str>,
) -> (Result<Value, Failure>, bool) {
    let (_, path) = BINARIES.into_iter().find(|(name, _)| *name == function).unwrap();
    let mut environment = environment.clone();
    environment.insert("AJAR_POLICY_FILE".to_owned(), POLICY_FILE.to_owned());
    match value {
        Some(value) => environment.insert(variable.to_owned(), value.to_owned()),
        None => environment.remove(variable),
    };
    let api = RuntimeApi::start(function, Duration::from_secs(60)).await.unwrap();
    let mut child = api.run(Path::new(path), &environment).unwrap();
    let outcome = api.invoke(json!({})).await;
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap().success()).await.unwrap();
    (outcome, ended)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_binary_that_cannot_start_says_why_and_ends() {
    let mut environments = BTreeMap::new();
    let started = wiring::start_with(Options::default(), |_, variables| {
        environments = BINARIES.map(|(function, _)| (function, variables(function))).into();
        Functions::default()
    });
    let (_sandbox, _world) = started.await.unwrap();
    for (function, variable, value, why) in [
        ("request", "AJAR_TABLE", None, "AJAR_TABLE is not set"),
        ("request", "AJAR_SLACK_TEAM_ID", Some(""), "AJAR_SLACK_TEAM_ID is not set"),
        (
            "request",
            "AJAR_POLICY_FILE",
            Some("/nowhere/policy.toml"),
            "AJAR_POLICY_FILE: cannot read /nowhere/policy.toml: No such file or directory (os error 2)",
        ),
        ("grant", "AJAR_AZURE_CLIENT_ID", None, "AJAR_AZURE_CLIENT_ID is not set"),
        ("revoke", "AJAR_AZURE_SUBSCRIPTIONS", None, "AJAR_AZURE_SUBSCRIPTIONS is not set"),
        ("grant", "AJAR_SECRET_ID", Some("other"), "AJAR_SECRET_ID: AccessDeniedException"),
        (
            "revoke",
            "AJAR_ARM_URL",
            Some("http://azure.example"),
            "AJAR_ARM_URL: `http://azure.example` is not encrypted; write one like https://management.azure.com",
        ),
        ("revoke", "AWS_ACCESS_KEY_ID", None, "AWS_ACCESS_KEY_ID is not set"),
        ("notify", "AJAR_REVOKE_FUNCTION", None, "AJAR_REVOKE_FUNCTION is not set"),
        ("discover", "AJAR_AZURE_SUBSCRIPTIONS", None, "AJAR_AZURE_SUBSCRIPTIONS is not set"),
    ] {
        let environment = &environments[function];
        let (outcome, ended_well) = start_with(function, environment, variable, value).await;
        let told = match outcome {
            Err(Failure::Init(told)) => told,
            other => panic!("{function} with {variable}={value:?}: {other:?}"),
        };
        assert_eq!(told["errorMessage"], why, "{function}");
        assert_eq!(told["errorType"], "Runtime.Configuration", "{function}");
        assert!(!ended_well, "{function} must not exit with 0");
    }
}
