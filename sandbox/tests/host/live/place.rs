//! The program in live mode, and all that it meets.

use crate::{Seen, Temporary};
use axum::extract::Request;
use axum::http::Method;
use axum::middleware::{self, Next};
use sandbox::azure::{NSG, RESOURCE_GROUP, SUBSCRIPTION_ID};
use sandbox::host::wiring::{self, World};
use sandbox::host::{Options, Sandbox};
use serde_json::{Value, json};
use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use tokio::sync::watch;

/// The year 2100.
pub(super) const FAR: u64 = 4_102_444_800;

pub(super) fn nsg() -> String {
    format!(
        "/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{RESOURCE_GROUP}/providers/Microsoft.Network/networkSecurityGroups/{NSG}"
    )
}

/// A simulated Azure that writes down what it is asked, and an `az` that is logged in to it.
pub(super) struct Place {
    pub(super) sandbox: Sandbox,
    pub(super) world: World,
    arm_url: String,
    pub(super) calls: Seen<String>,
    /// While this is false, PUTs arrive and are not carried out yet.
    pub(super) puts_pass: watch::Sender<bool>,
    pub(super) directory: Temporary,
    client: reqwest::Client,
}

impl Place {
    pub(super) async fn new() -> Self {
        let (sandbox, world) = wiring::start(Options::default(), wiring::POLICY).await.unwrap();
        let calls: Seen<String> = Seen::default();
        let seen = calls.clone();
        let (puts_pass, gate) = watch::channel(true);
        let record = move |request: Request, next: Next| {
            let mut gate = gate.clone();
            let is_put = request.method() == Method::PUT;
            seen.push(format!("{} {}", request.method(), request.uri().path()));
            // A task of its own: Azure carries a call out also when the caller has gone away.
            let carried_out = tokio::spawn(async move {
                let _ = gate.wait_for(|pass| *pass || !is_put).await;
                next.run(request).await
            });
            async { carried_out.await.unwrap() }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let arm_url = format!("http://{}", listener.local_addr().unwrap());
        let router = world.azure.arm_router().layer(middleware::from_fn(record));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let directory = Temporary::new();
        let place =
            Self { sandbox, arm_url, calls, puts_pass, directory, client: crate::http::client(), world };
        place.log_in(&place.world.azure.owner_token());
        place
    }

    /// `az` gives this token, as `az account get-access-token` of azure-cli 2.54 and later prints it.
    pub(super) fn log_in(&self, token: &str) {
        let answer = json!({
            "accessToken": token, "expiresOn": "2100-01-01 00:00:00.000000", "expires_on": FAR,
            "subscription": SUBSCRIPTION_ID, "tenant": sandbox::azure::TENANT_ID, "tokenType": "Bearer",
        });
        let wanted = format!(
            "account get-access-token -o json --scope https://management.azure.com/.default --subscription {SUBSCRIPTION_ID}"
        );
        let asked = self.directory.0.join("asked");
        let asked = asked.display();
        self.az(&format!(
            "echo . >> '{asked}'\n[ \"$*\" = '{wanted}' ] || {{ echo \"ERROR: unrecognized arguments: $*\" >&2; exit 2; }}\necho '{answer}'"
        ));
    }

    /// The stand-in for `az` does this.
    pub(super) fn az(&self, script: &str) {
        std::fs::create_dir_all(&self.directory.0).unwrap();
        let path = self.directory.0.join("az");
        // Written beside and moved there: a file that is open for writing cannot be run.
        let beside = self.directory.0.join("az.new");
        std::fs::write(&beside, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&beside, Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(beside, path).unwrap();
    }

    /// The program in live mode, with these arguments more.
    pub(super) fn program(&self, more: &[&str]) -> Command {
        let mut program = crate::cli::program();
        let group = nsg();
        program.args(["--azure", "live", "--subscription", SUBSCRIPTION_ID, "--only-nsg", &group]);
        program.args(["--arm-url", &self.arm_url]).args(more).env("PATH", &self.directory.0);
        program.stdout(Stdio::piped()).stderr(Stdio::piped());
        program
    }

    pub(super) fn start(&self, more: &[&str]) -> Running {
        let mut child = self.program(more).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Running { child, stdout, printed: String::new() }
    }

    /// A call as the owner of the subscription.
    pub(super) async fn owner(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let url = format!("{}{path}?api-version=2025-05-01", self.sandbox.addresses().arm_url());
        let call = self.client.request(method.parse().unwrap(), url);
        let mut call = call.bearer_auth(self.world.azure.owner_token());
        if let Some(body) = body {
            call = call.header("content-type", "application/json").body(body.to_string());
        }
        let answer = call.send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
    }

    /// The names of the rules in the group.
    pub(super) async fn rules(&self) -> Vec<String> {
        let (status, group) = self.owner("GET", &nsg(), None).await;
        assert_eq!(status, 200, "{group}");
        let rules = group["properties"]["securityRules"].as_array().unwrap();
        rules.iter().map(|rule| rule["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Writes a rule as an earlier run, or another installation, has left it.
    pub(super) async fn leave(&self, name: &str, priority: u16) {
        let body = json!({"properties": {
            "description": "Ajar 7F3K9-QXM2P for U0ANA, until 2026-03-12 19:03:00 UTC, approved by U0BEA",
            "protocol": "Tcp", "sourcePortRange": "*", "sourceAddressPrefix": "203.0.113.7",
            "destinationAddressPrefix": "10.0.0.4", "destinationPortRange": "3389", "access": "Allow",
            "priority": priority, "direction": "Inbound",
        }});
        let path = format!("{}/securityRules/{name}", nsg());
        let (status, answer) = self.owner("PUT", &path, Some(&body)).await;
        assert_eq!(status, 201, "{answer}");
        while self.world.azure.is_busy() {
            tokio::task::yield_now().await;
        }
    }

    /// The calls that change something, as the recorder saw them.
    pub(super) fn writes(&self) -> Vec<String> {
        // Resource Graph is asked by POST.
        let reads = ["GET ", "POST /providers/Microsoft.ResourceGraph/"];
        let is_read = |call: &String| reads.iter().any(|read| call.starts_with(read));
        self.calls.all().into_iter().filter(|call| !is_read(call)).collect()
    }
}

/// The program while it runs.
pub(super) struct Running {
    pub(super) child: Child,
    stdout: BufReader<ChildStdout>,
    pub(super) printed: String,
}

impl Running {
    /// Reads what it prints until a line has this.
    pub(super) fn until(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.stdout.read_line(&mut line).unwrap();
            self.printed.push_str(&line);
            assert!(read > 0, "it ended before it printed {text}:\n{}", self.printed);
            if line.contains(text) {
                return line;
            }
        }
    }

    pub(super) fn signal(&self, signal: &str) {
        let kill = Command::new("sh").args(["-c", &format!("kill -{signal} {}", self.child.id())]).status();
        assert!(kill.unwrap().success());
    }

    /// Waits for its end: the code, and all that it printed.
    pub(super) fn ended(mut self) -> (Option<i32>, String, String) {
        let mut stderr = String::new();
        self.stdout.read_to_string(&mut self.printed).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (self.child.wait().unwrap().code(), std::mem::take(&mut self.printed), stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The page of a running live sandbox.
pub(super) struct Page<'a> {
    place: &'a Place,
    url: String,
}

impl Page<'_> {
    pub(super) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let call = self.place.client.post(format!("{}{path}", self.url));
        let call = call.header("content-type", "application/json").body(body.to_string());
        let answer = call.send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        let answer = self.place.client.get(format!("{}{path}", self.url)).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// Somebody types this in the channel.
    pub(super) async fn types(&self, who: &str, text: &str) {
        let body = json!({"as": who, "channel": "C0JIT", "text": text});
        let (status, answer) = self.post("/page/command", &body).await;
        assert_eq!((status, &answer["ok"]), (200, &json!(true)), "{answer}");
    }

    /// The card of the channel, once its text has this.
    pub(super) async fn card(&self, text: &str) -> Value {
        loop {
            let state = self.get("/page/state?as=U0BEA").await;
            let channels = state["chat"]["conversations"].as_array().unwrap();
            let channel = channels.iter().find(|channel| channel["id"] == "C0JIT").unwrap();
            let cards = channel["messages"].as_array().unwrap().iter();
            let mut cards = cards.filter(|message| message["text"].as_str().unwrap().contains(text));
            if let Some(card) = cards.next() {
                return card.clone();
            }
            tokio::task::yield_now().await;
        }
    }

    /// Bea approves what waits.
    pub(super) async fn approve(&self) {
        let card = self.card("waiting for approval").await;
        let blocks = card["blocks"].as_array().unwrap();
        let buttons = blocks.iter().find(|block| block["type"] == "actions").unwrap();
        let button = &buttons["elements"][0];
        let body = json!({"as": "U0BEA", "channel": "C0JIT", "ts": card["ts"],
            "block_id": buttons["block_id"], "action_id": button["action_id"]});
        let (status, answer) = self.post("/page/click", &body).await;
        assert_eq!((status, &answer["ok"]), (200, &json!(true)), "{answer}");
    }
}

pub(super) fn page<'a>(place: &'a Place, running: &mut Running) -> Page<'a> {
    let line = running.until("Open the page: ");
    let url = line.trim().rsplit(' ').next().unwrap().trim_end_matches('/').to_owned();
    Page { place, url }
}
