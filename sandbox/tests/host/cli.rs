//! The program itself.

use crate::Temporary;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox"));
    command.stdin(Stdio::null());
    command
}

pub(crate) fn refused(arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = program().args(arguments).output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(2), "{arguments:?} {stderr}");
    assert!(stdout.is_empty());
    assert_eq!(stderr.lines().count(), 1, "{arguments:?} {stderr}");
    stderr
}

/// A running program that has said where it listens.
struct Running(Child, BufReader<ChildStdout>, String);

impl Running {
    fn with_data(dir: &Path) -> Self {
        Self::start(&["--data", &dir.display().to_string()])
    }

    fn start(arguments: &[&str]) -> Self {
        Self::of(program().args(["--port", "0"]).args(arguments))
    }

    fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        Self(child, stdout, line)
    }

    fn signal(mut self, signal: &str) -> Option<i32> {
        let kill = Command::new("sh").args(["-c", &format!("kill -{signal} {}", self.0.id())]).status();
        assert!(kill.unwrap().success());
        let code = self.0.wait().unwrap().code();
        let mut rest = String::new();
        while self.1.read_line(&mut rest).unwrap() > 0 {}
        code
    }

    fn url(&self) -> String {
        self.2.trim().rsplit(' ').next().unwrap().trim_end_matches('/').to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_cannot_start_says_so_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    assert!(refused(&["--port", &port]).contains(&port));
    assert!(refused(&["--port", "65532"]).contains("65531"));
    assert!(refused(&["--port", "65536"]).contains("65536"));
    assert!(refused(&["--port", "eighty"]).contains("eighty"));
    assert!(refused(&["--port"]).contains("--port"));
    assert!(refused(&["--prot", "80"]).contains("--prot"));
    assert!(refused(&["extra"]).contains("extra"));
    let dir = Temporary::new();
    std::fs::create_dir_all(&dir.0).unwrap();
    let file = dir.0.join("file");
    std::fs::write(&file, "").unwrap();
    let below = file.join("data").display().to_string();
    assert!(refused(&["--port", "0", "--data", &below]).contains(&below));
    let spoilt = dir.0.join("spoilt");
    std::fs::create_dir_all(&spoilt).unwrap();
    std::fs::write(spoilt.join("clock.json"), "never").unwrap();
    assert!(refused(&["--port", "0", "--data", &spoilt.display().to_string()]).contains("clock.json"));
}

#[test]
fn a_policy_that_cannot_be_used_is_refused_with_what_is_wrong_in_it() {
    let dir = Temporary::new();
    std::fs::create_dir_all(&dir.0).unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let missing = dir.0.join("missing.toml").display().to_string();
    let told = refused(&["--policy", &missing]);
    assert!(told.contains(&format!("--policy {missing}: No such file or directory")), "{told}");
    let two = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/two-of-three.toml")).unwrap();
    let four = file("four.toml", &two.replace("approvals = 2", "approvals = 4"));
    let told = refused(&["--port", "0", "--policy", &four]);
    let expected =
        "it takes 4 approvals and `approvers` names 3 of the people who could give them; name more";
    assert!(told.contains(&format!("--policy {four}: line ")) && told.contains(expected), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_functions_go_by_the_policy_that_is_named() {
    let running = Running::start(&["--policy", concat!(env!("CARGO_MANIFEST_DIR"), "/two-of-three.toml")]);
    let messages = ana_asks(&running.url()).await;
    assert!(messages.contains("2 of <@U0BEA>, <@U0CHRIS> or <@U0EVE> can approve it."), "{messages}");
}

/// Ana asks for VM3 on the page. What Slack has received then.
async fn ana_asks(url: &str) -> String {
    let typed = json!({ "as": "U0ANA", "channel": "C0JIT", "text": "/jit VM3 22 for 30m" });
    let http = crate::http::client();
    let sent = http.post(format!("{url}/page/command")).header("content-type", "application/json");
    let answer = sent.body(typed.to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    let messages = http.get(format!("{url}/sandbox/messages")).send().await.unwrap();
    messages.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_app_says_and_slack_signs_is_written_down_where_that_is_asked_for() {
    let dir = Temporary::new();
    let running = Running::of(program().args(["--port", "0"]).env("AJAR_RECORD_SLACK", dir.0.join("slack")));
    for _ in 0..2 {
        ana_asks(&running.url()).await;
    }
    // The clock moves on when everything that was caused before has been told.
    let moved = crate::http::client().post(format!("{}/sandbox/clock", running.url()));
    assert_eq!(moved.body(r#"{"advance_seconds": 1}"#).send().await.unwrap().status(), 200);
    let file = dir.0.join(format!("slack/{}.jsonl", running.0.id()));
    assert_eq!(running.signal("INT"), Some(0));
    let text = std::fs::read_to_string(file).unwrap();
    assert!(!text.contains("xoxb-"), "tokens are nobody's business: {text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said = |place: &str| lines.iter().filter(|line| line["said"] == place).collect::<Vec<_>>();
    let answers = said("command_answer");
    assert_eq!(answers.len(), 2, "asked, and asked before: {text}");
    let first = answers[0]["body"]["text"].as_str().unwrap();
    assert!(first.starts_with("You asked for VM3 port 22 from 203.0.113.7 for 30 minutes."), "{first}");
    assert_eq!(said("chat.postMessage").len(), 1, "the card: {text}");
    let signed: Vec<&Value> = lines.iter().filter(|line| line["signed"] == "command").collect();
    assert_eq!(signed.len(), 2, "{text}");
    for line in signed {
        assert_eq!(line["secret"], sandbox::host::wiring::SIGNING_SECRET);
        assert!(line["body"].as_str().unwrap().contains("&text=VM3+22+for+30m&"), "{line}");
        assert!(line["signature"].as_str().unwrap().starts_with("v0="), "{line}");
    }
}

#[test]
fn a_data_directory_has_one_sandbox() {
    let dir = Temporary::new();
    let running = Running::with_data(&dir.0);
    let path = dir.0.display().to_string();
    assert!(refused(&["--port", "0", "--data", &path]).contains("in use by another sandbox"));
    assert_eq!(running.signal("TERM"), Some(0));
    assert_eq!(Running::with_data(&dir.0).signal("INT"), Some(0), "free again");
}

#[test]
fn help_and_version_are_printed() {
    for (flag, text) in [("--help", "--data DIR"), ("--version", env!("CARGO_PKG_VERSION"))] {
        let output = program().arg(flag).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8(output.stdout).unwrap().contains(text));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_sandbox_comes_back_with_its_clock_and_table() {
    let dir = Temporary::new();
    let running = Running::with_data(&dir.0);
    let describe = async |url: String| {
        let text = crate::http::client().get(format!("{url}/sandbox.json")).send().await.unwrap();
        serde_json::from_str::<serde_json::Value>(&text.text().await.unwrap()).unwrap()
    };
    let body = describe(running.url()).await;
    let dynamodb = crate::dynamodb(body["dynamodb_url"].as_str().unwrap());
    crate::put(&dynamodb, "kept", &[("wake", "grant")]).await;
    let call = crate::http::client().post(format!("{}/sandbox/clock", running.url()));
    call.body(r#"{"advance_seconds": 7200}"#).send().await.unwrap();
    assert_eq!(running.signal("KILL"), None);
    let again = Running::with_data(&dir.0);
    let after = describe(again.url()).await;
    assert!(after["now"].as_u64().unwrap() >= body["now"].as_u64().unwrap() + 7200);
    let dynamodb = crate::dynamodb(after["dynamodb_url"].as_str().unwrap());
    assert!(crate::exists(&dynamodb, "kept").await);
}
