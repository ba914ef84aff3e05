//! The program itself, with stand-ins for `az` and `aws` on its path.

use crate::tool::Tool;
use ajar_tests::Story;
use sandbox::azure::SUBSCRIPTION_ID;
use serde_json::json;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

/// A program of this name on the path, which does this.
fn stand_in(tool: &Tool, name: &str, script: &str) {
    let beside = tool.directory().join("new");
    std::fs::write(&beside, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&beside, Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(beside, tool.directory().join(name)).unwrap();
}

async fn run(tool: &Tool, arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_ajar-operator"));
    program.args(arguments).env_clear().envs(&tool.variables);
    program.env("PATH", tool.directory()).env("AJAR_CONFIG", tool.file());
    program.stdin(std::process::Stdio::null());
    tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap()
}

fn texts(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_come_from_az_and_aws() {
    let story = Story::begin().await;
    let mut tool = Tool::new(story.sandbox(), &story.world);
    let key = tool.variables.remove("AWS_ACCESS_KEY_ID").unwrap();
    let secret = tool.variables.remove("AWS_SECRET_ACCESS_KEY").unwrap();
    let (code, _, errors) = texts(&run(&tool, &["rules"]).await);
    assert_eq!(code, Some(3));
    assert!(
        errors.contains("az is not on the PATH") || errors.contains("the Azure CLI is not on the PATH"),
        "{errors}"
    );
    let (code, _, errors) = texts(&run(&tool, &["requests"]).await);
    assert_eq!(code, Some(3));
    assert!(
        errors.contains("no AWS credentials (the AWS CLI is not on the PATH): run aws sso login"),
        "{errors}"
    );

    let token = json!({"accessToken": tool.login(), "expiresOn": "2100-01-01 00:00:00.000000", "expires_on": 4_102_444_800_u64,
        "subscription": SUBSCRIPTION_ID, "tenant": sandbox::azure::TENANT_ID, "tokenType": "Bearer"});
    stand_in(&tool, "az", &format!("echo '{token}'"));
    let (code, printed, errors) = texts(&run(&tool, &["rules"]).await);
    assert_eq!(
        (code, printed.as_str()),
        (Some(0), "No rule of this installation is in Azure.\n"),
        "{errors}"
    );

    stand_in(&tool, "aws", "echo 'Error loading SSO Token: Token for corp does not exist' >&2; exit 255");
    let (code, _, errors) = texts(&run(&tool, &["requests"]).await);
    assert_eq!(code, Some(3));
    assert!(
        errors.contains("no AWS credentials (Error loading SSO Token: Token for corp does not exist)"),
        "{errors}"
    );
    let exported = json!({"Version": 1, "AccessKeyId": key, "SecretAccessKey": secret, "SessionToken": "t"});
    let wanted = "configure export-credentials --format process";
    stand_in(&tool, "aws", &format!("[ \"$*\" = '{wanted}' ] || exit 2\necho '{exported}'"));
    let (code, printed, errors) = texts(&run(&tool, &["requests"]).await);
    assert_eq!((code, printed.as_str()), (Some(0), "There is no such request.\n"), "{errors}");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn help_tells_the_exit_codes_and_errors_are_json_too() {
    let story = Story::begin().await;
    let tool = Tool::new(story.sandbox(), &story.world);
    let (code, printed, _) = texts(&run(&tool, &["--help"]).await);
    assert_eq!(code, Some(0));
    for part in [
        "doctor",
        "secret",
        "requests",
        "history",
        "export",
        "rules",
        "shut",
        "open",
        "Exit codes:",
        "4  nothing was done: not confirmed, or what was named does not exist",
    ] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    let (code, printed, _) = texts(&run(&tool, &["--version"]).await);
    assert_eq!(code, Some(0));
    assert_eq!(printed, format!("ajar {}\n", edge::report::BUILD));
    let (code, printed, errors) = texts(&run(&tool, &["history", "00000-00000", "--json"]).await);
    assert_eq!(code, Some(4), "{errors}");
    let printed: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert!(printed["error"].as_str().unwrap().starts_with("there is no request 00000-00000"), "{printed}");
    let (code, _, errors) = texts(&run(&tool, &["--config", "/nowhere/ajar.json", "rules"]).await);
    assert_eq!(code, Some(2));
    assert!(
        errors.contains("/nowhere/ajar.json cannot be read") && errors.contains("make it with `terraform"),
        "{errors}"
    );
    story.finish().await;
}
