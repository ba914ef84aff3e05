//! The real Azure from a laptop, with the simulated Azure in its place: the program itself, a stand-in
//! for `az`, and a record of every call that reached Azure.

mod place;

use place::{FAR, Place, nsg, page};
use sandbox::azure::{NSG, RESOURCE_GROUP, SUBSCRIPTION_ID};
use sandbox::faults::{Fault, How, Part};
use sandbox::host::wiring;
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_open_is_shut_at_ctrl_c() {
    let place = Place::new().await;
    place.leave("jit-laptop-7F3K9-QXM2P", 300).await;
    place.leave("jit-sandbox-7F3K9-QXM2P", 301).await;
    let mut running = place.start(&["--port", "0"]);
    let page = page(&place, &mut running);
    let found = "found jit-laptop-7F3K9-QXM2P, left by an earlier run: Ajar 7F3K9-QXM2P for U0ANA, until 2026-03-12 19:03:00 UTC";
    assert!(running.printed.contains(found), "{}", running.printed);
    assert!(running.printed.contains("jit-laptop-7F3K9-QXM2P is gone"), "{}", running.printed);
    let others = ["allow-http", "jit-sandbox-7F3K9-QXM2P"];
    assert_eq!(place.rules().await, others, "another installation's rule is not touched");

    let (status, answer) = page.post("/sandbox/clock", &json!({"to_next_end": true})).await;
    let sentence = "Azure is the real one here, and its minutes are real: the clock cannot be moved. Ctrl-C shuts what is open.";
    assert_eq!((status, &answer["error"]), (409, &json!(sentence)));
    let (status, answer) = page.post("/sandbox/faults", &json!({"part": "arm", "how": "cut_before"})).await;
    let sentence = "Azure is the real one here: only slack and dynamodb can be told to fail.";
    assert_eq!((status, &answer["error"]), (409, &json!(sentence)));
    let about = page.get("/sandbox.json").await.to_string();
    assert!(!about.contains(&place.world.azure.owner_token()), "the operator's token is told to nobody");
    assert!(
        !about.contains(wiring::SIGNING_SECRET),
        "what opens a real port is not signed with a known secret"
    );

    page.types("U0ANA", "/jit VM1 3389 from 203.0.113.7 for 5m because trying").await;
    page.approve().await;
    page.card("VM1 port 3389 is open").await;
    let opened: Vec<String> =
        place.rules().await.into_iter().filter(|name| name.starts_with("jit-laptop-")).collect();
    assert_eq!(opened.len(), 1, "{opened:?}");
    let network = page.get("/page/state?as=U0ANA").await["network"].to_string();
    assert!(network.contains("VM1") && network.contains(NSG), "{network}");
    assert!(network.contains("Recommended: shielded, not enabled"), "{network}");

    running.signal("INT");
    let (code, printed, stderr) = running.ended();
    assert_eq!(code, Some(0), "{printed}{stderr}");
    let asked = std::fs::read_to_string(place.directory.0.join("asked")).unwrap();
    assert_eq!(asked.lines().count(), 1, "az is a slow program, and is run once for all functions");
    assert!(printed.contains(&format!("{} is gone", opened[0])), "{printed}");
    assert!(printed.ends_with("Nothing of ours is left in Azure.\n"), "{printed}");
    assert_eq!(place.rules().await, others);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_is_being_written_at_ctrl_c_is_shut_too() {
    let place = Place::new().await;
    let mut running = place.start(&["--port", "0"]);
    let page = page(&place, &mut running);
    place.puts_pass.send_replace(false);
    page.types("U0ANA", "/jit VM1 3389 from 203.0.113.7 for 5m").await;
    page.approve().await;
    while place.writes().is_empty() {
        tokio::task::yield_now().await;
    }
    running.signal("INT");
    running.until("Shutting what is open.");
    assert_eq!(place.rules().await, ["allow-http"], "Azure has the call and has not carried it out");
    let ended = async {
        while running.child.try_wait().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
    };
    let waits = tokio::time::timeout(Duration::from_secs(1), ended).await.is_err();
    assert!(waits, "it ended although a write had no answer yet");
    place.puts_pass.send_replace(true);
    let (code, printed, stderr) = running.ended();
    assert_eq!(code, Some(0), "{printed}{stderr}");
    assert!(printed.ends_with("Nothing of ours is left in Azure.\n"), "{printed}");
    assert!(place.writes().len() >= 2, "{:?}", place.writes());
    assert_eq!(place.rules().await, ["allow-http"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_through_another_group_is_refused_and_nothing_is_written() {
    let place = Place::new().await;
    let mut running = place.start(&["--port", "0"]);
    let page = page(&place, &mut running);
    page.types("U0ANA", "/jit VM3 22 from 203.0.113.7 for 5m").await;
    page.approve().await;
    let card = page.card("VM3 port 22: not opened").await;
    let why = format!(
        "The way to the machine leads through `VM3-nsg`, and this installation may only touch `{NSG}`. Nothing was opened."
    );
    assert!(card["text"].as_str().unwrap().contains(&why), "{card}");
    running.signal("TERM");
    let (code, printed, stderr) = running.ended();
    assert_eq!(code, Some(0), "{printed}{stderr}");
    assert_eq!(place.writes(), Vec::<String>::new());
    assert!(!place.calls.all().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_smoke_test_opens_and_shuts_one_rule() {
    let place = Place::new().await;
    let output = place.program(&["smoke", "--seconds", "1"]).output().unwrap();
    let (printed, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{printed}{stderr}");
    let rule = place.writes()[0].rsplit('/').next().unwrap().to_owned();
    assert!(rule.starts_with("jit-laptop-"), "{rule}");
    let steps = [
        "az gave a token",
        &format!("read {NSG}"),
        "read the machines behind it: VM1, VM2, VM3, VM4",
        &format!("the way to VM1 leads through {NSG} alone"),
        "port 22 of VM1 for 192.0.2.1: shut by Azure's rules, DenyAllInBound decides",
        &format!("PUT {rule}, priority 499: accepted"),
        "accepted -> Succeeded, seen at read ",
        &format!("port 22 of VM1: open by Azure's rules, {rule} decides"),
        "held for 1 s",
        &format!("port 22 of VM1: open by Azure's rules, {rule} decides"),
        &format!("DELETE {rule}: accepted"),
        &format!("{rule} is gone"),
        "port 22 of VM1: shut by Azure's rules, DenyAllInBound decides",
        "Passed: shut, open, shut again, and nothing of ours is left in Azure.",
    ];
    let mut rest = printed.as_str();
    for step in steps {
        let (_, after) = rest.split_once(step).unwrap_or_else(|| panic!("{step}\nis not in\n{printed}"));
        rest = after;
    }
    let path = format!("{}/securityRules/{rule}", nsg());
    assert_eq!(place.writes(), [format!("PUT {path}"), format!("DELETE {path}")]);
    assert_eq!(place.rules().await, ["allow-http"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_smoke_test_shuts_its_rule() {
    let place = Place::new().await;
    let mut running = place.start(&["smoke", "--seconds", "3600", "--vm", "vm2", "--tcp", "3389"]);
    running.until("port 3389 of VM2: open by Azure's rules");
    assert_eq!(place.rules().await.len(), 2);
    // The terminal is closed while Azure is down.
    let how = How::Answer { status: 503, headers: Default::default(), body: json!(null) };
    place.sandbox.faults().order(Fault { part: Part::Arm, method: None, path: None, how, count: 3 });
    running.signal("HUP");
    let (code, printed, stderr) = running.ended();
    assert_eq!(code, Some(1), "{printed}{stderr}");
    assert!(printed.contains("; trying again for two minutes\n"), "{printed}");
    assert_eq!(stderr, "sandbox: interrupted before its end; the rule is gone and the port is shut\n");
    assert_eq!(place.rules().await, ["allow-http"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_stays_is_told_with_the_command_that_removes_it() {
    let place = Place::new().await;
    let lock = format!("{}/providers/Microsoft.Authorization/locks/keep", nsg());
    let body = json!({"properties": {"level": "CanNotDelete"}});
    let (status, answer) = place.owner("PUT", &lock, Some(&body)).await;
    assert!((200..300).contains(&status), "{answer}");
    let output = place.program(&["smoke", "--seconds", "1"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let rule = place.rules().await.pop().unwrap();
    let command = format!(
        "az network nsg rule delete --subscription {SUBSCRIPTION_ID} --resource-group {RESOURCE_GROUP} --nsg-name {NSG} --name {rule}"
    );
    let told =
        format!("sandbox: still in {NSG}: {rule} (a lock in Azure forbids it); remove it with: {command}");
    assert_eq!(stderr.lines().last(), Some(told.as_str()), "{stderr}");
    // It cannot begin either while that rule stands, and shuts it as soon as it can.
    let output = place.program(&["smoke", "--seconds", "1"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), stderr.lines().last()), (Some(2), Some(told.as_str())));
    place.owner("DELETE", &lock, None).await;
    let output = place.program(&["smoke", "--seconds", "1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8(output.stderr).unwrap());
    assert_eq!(place.rules().await, ["allow-http"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_begin_says_so_in_one_line() {
    let place = Place::new().await;
    let refused = |more: &[&str]| {
        let output = place.program(more).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{more:?} {stderr}");
        let lines: Vec<&str> = stderr.lines().filter(|line| line.starts_with("sandbox: ")).collect();
        assert_eq!(lines.len(), 1, "{more:?} {stderr}");
        lines[0].trim_start_matches("sandbox: ").to_owned()
    };
    let told = refused(&["smoke", "--vm", "VM9"]);
    assert_eq!(told, format!("no machine VM9 is behind {NSG}; these are: VM1, VM2, VM3, VM4"));
    let told = refused(&["smoke", "--vm", "VM3"]);
    assert_eq!(told, format!("the way to VM3 leads through VM3-nsg too, and only {NSG} may be touched"));
    let told = refused(&["smoke", "--tcp", "80"]);
    assert_eq!(
        told,
        "port 80 of VM1 for 192.0.2.1 is open already by allow-http: choose another port with --tcp"
    );
    let told = refused(&["smoke", "--from", "2001:db8::7"]);
    assert_eq!(told, "VM1 has an IPv4 address only, so --from takes one of that kind");
    let elsewhere = nsg().replace(NSG, "other");
    let told = refused(&["--only-nsg", &elsewhere]);
    assert_eq!(told, "there is no network security group other where --only-nsg says");
    let lonely = nsg().replace(NSG, "lonely");
    place.world.azure.add_nsg("lonely");
    let told = refused(&["--only-nsg", &lonely]);
    assert!(told.starts_with("no virtual machine is behind lonely: "), "{told}");
    let told = refused(&["--arm-url", "http://127.0.0.1:1"]);
    assert!(told.starts_with("Azure did not answer ("), "{told}");

    place.az("echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1");
    assert_eq!(refused(&[]), "you are not logged in to Azure: run az login, then this again");
    place.az(&format!(
        "echo \"ERROR: Subscription '{SUBSCRIPTION_ID}' not found. Check the spelling and casing and try again.\" >&2; exit 1"
    ));
    let told = refused(&[]);
    assert!(
        told.starts_with(&format!("your login does not reach the subscription {SUBSCRIPTION_ID}")),
        "{told}"
    );
    place.az("echo '{\"accessToken\": \"a\", \"expiresOn\": \"2100-01-01\", \"tokenType\": \"Bearer\"}'");
    assert_eq!(
        refused(&[]),
        "az gave no token: expires_on field not found. Please use Azure CLI 2.54.0 or newer."
    );
    std::fs::remove_file(place.directory.0.join("az")).unwrap();
    assert_eq!(refused(&[]), "the Azure CLI is not on the PATH: install az, run az login, then this again");

    // A login that may read groups and nothing behind them, and one that may not write.
    place.log_in(&place.world.azure.token_of("revoke", FAR).unwrap());
    let told = refused(&[]);
    assert_eq!(
        told,
        format!(
            "Azure does not let you read {NSG} and what is behind it (AuthorizationFailed): your login needs the role Network Contributor on the resource group"
        )
    );
    place.log_in(&place.world.azure.owner_token());
    let body = json!({"error": {"code": "AuthorizationFailed", "message": "no"}});
    let how = How::Answer { status: 403, headers: Default::default(), body };
    place.sandbox.faults().order(Fault {
        part: Part::Arm,
        method: Some("PUT".to_owned()),
        path: None,
        how,
        count: 1,
    });
    let told = refused(&["smoke"]);
    assert_eq!(
        told,
        format!(
            "Azure did not take a rule in {NSG}, nothing is open (refused, AuthorizationFailed): your login needs the role Network Contributor on the resource group"
        )
    );
    assert_eq!(place.rules().await, ["allow-http"]);
}

#[test]
fn what_does_not_fit_together_is_refused_before_anything_is_called() {
    let refused = crate::cli::refused;
    let (subscription, group) = (SUBSCRIPTION_ID, nsg());
    let live = ["--azure", "live", "--subscription", subscription, "--only-nsg", &group];
    let with = |more: &[&str]| refused(&[&live, more].concat());
    let other = "11111111-2222-3333-4444-555555555555";
    let cases = [
        (refused(&["--azure", "dead"]), "--azure takes live or simulated, not 'dead'".to_owned()),
        (refused(&["--azure", "live"]), "--azure live needs --subscription".to_owned()),
        (refused(&live[..4]), "--azure live needs --only-nsg, the resource id of the one".to_owned()),
        (
            refused(&["--azure", "live", "--subscription", "mine", "--only-nsg", &group]),
            "--subscription takes the id of a subscription, like 11111111-2222-3333-4444-555555555555, not 'mine'".to_owned(),
        ),
        (
            refused(&["--azure", "live", "--subscription", other, "--only-nsg", &group]),
            format!("--only-nsg is in the subscription {subscription}, and --subscription names another"),
        ),
        (with(&["--only-nsg", NSG]), format!("NAME, not '{NSG}'")),
        (with(&["--only-nsg", &format!("{group}/securityRules/all")]), "--only-nsg takes the id".to_owned()),
        (with(&["--arm-url", "http://192.0.2.1:8081"]), "--arm-url takes an address of this machine, like http://127.0.0.1:8081, not 'http://192.0.2.1:8081': your token is sent there".to_owned()),
        (with(&["--arm-url", "https://management.example"]), "--arm-url takes an address of this machine".to_owned()),
        (with(&["--data", "kept"]), "--data is for the simulated Azure".to_owned()),
        (with(&["--policy", "mine.toml"]), "--policy is for the simulated Azure".to_owned()),
        (with(&["smoke", "--port", "0"]), "--port is for the page, and smoke has none".to_owned()),
        (with(&["--vm", "VM1"]), "--vm is for smoke".to_owned()),
        (with(&["smoke", "--vm", "no such"]), "--vm takes the name of a machine, like VM3, not 'no such'".to_owned()),
        (with(&["smoke", "--tcp", "ssh"]), "--tcp takes a port, 1 to 65535, not 'ssh'".to_owned()),
        (with(&["smoke", "--seconds", "3601"]), "--seconds a number from 1 to 3600".to_owned()),
        (with(&["smoke", "--from", "127.0.0.1"]), "--from takes an address, like 203.0.113.7, not '127.0.0.1'".to_owned()),
        (refused(&["smoke"]), "smoke is for --azure live".to_owned()),
        (refused(&["--only-nsg", &group]), "--only-nsg is for --azure live".to_owned()),
    ];
    for (told, expected) in cases {
        assert!(told.contains(&expected), "{told}\ndoes not say\n{expected}");
    }
}
