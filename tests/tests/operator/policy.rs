//! `ajar policy`: the file alone is read, so it runs without a configuration and while nobody answers.

use crate::tool::{Ran, Tool};
use ajar_tests::Story;
use serde_json::json;
use std::path::Path;

const POLICY: &str = r#"
channel = "C0JIT"

[[rules]]
name = "databases"
machines = ["db*"]
resource_groups = ["prod-*"]
requesters = ["S0DBA"]
approvers = ["S0ONCALL", "U0BEA"]
approvals = 2
ports = [22, 5432]
break_glass = ["S0SENIOR", "U0DANA"]
justification_required = true

[[rules]]
name = "rest"
machines = ["VM*"]
requesters = ["*"]
approvers = ["U0BEA", "U0CHRIS"]
ports = [22]
source = "203.0.113.7"
"#;

async fn begin() -> (Story, Tool) {
    let story = Story::begin().await;
    let mut tool = Tool::new(story.sandbox(), &story.world).without_aws();
    tool.config = json!({"not": "a configuration"});
    (story, tool)
}

fn file(tool: &Tool, text: &str) -> String {
    let path = tool.directory().join("policy.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

async fn explain(tool: &Tool, arguments: &[&str]) -> Ran {
    let file = file(tool, POLICY);
    tool.run(&[&["policy", "explain", file.as_str()], arguments].concat(), "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_looked_through() {
    let (story, tool) = begin().await;
    let right = file(&tool, POLICY);
    let ran = tool.run(&["policy", "check", &right], "").await;
    assert_eq!((ran.code, ran.errors.as_str()), (0, ""), "{}", ran.output);
    let lines: Vec<&str> = ran.output.lines().collect();
    assert_eq!(
        lines[0],
        format!("{right}: nothing is wrong. The first rule that is about a machine decides:")
    );
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words(lines[1]), "RULE MACHINES WHO ASKS PORTS FROM LONGEST REASON WHO APPROVES BREAK-GLASS");
    assert_eq!(
        words(lines[2]),
        "databases db* in prod-* S0DBA 22, 5432 anywhere 3 hours yes 2 of S0ONCALL, U0BEA S0SENIOR, U0DANA"
    );
    assert_eq!(words(lines[3]), "rest VM* * 22 anywhere 3 hours no 1 of U0BEA, U0CHRIS -");
    assert_eq!(lines[4], "Admins: nobody");
    let rules = tool.run(&["policy", "check", "--json", &right], "").await.json();
    assert_eq!((&rules["rules"][0]["approvals"], &rules["problems"]), (&json!(2), &json!([])));

    let wrong = file(&tool, &POLICY.replace("C0JIT", "jit").replace("[22]", "[0]"));
    let ran = tool.run(&["policy", "check", &wrong], "").await;
    let said = format!(
        "{wrong}:2: `jit` is not a channel id; write one like C012ABCDEF, from the channel's details in Slack\n\
         {wrong}:20: each of `ports` must be a number from 1 to 65535\n\
         2 problems. Such a file is not taken: the functions do not start with it.\n"
    );
    assert_eq!((ran.code, ran.output, ran.errors.as_str()), (1, said, ""));
    let ran = tool.run(&["policy", "explain", &wrong, "--as", "U0ANA", "VM3", "22"], "").await;
    let said = format!("ajar: {wrong} has 2 problems; see them with: ajar policy check {wrong}\n");
    assert_eq!((ran.code, ran.errors), (2, said));
    let ran = tool.run(&["policy", "check", "/nowhere/policy.toml"], "").await;
    let said = "ajar: cannot read /nowhere/policy.toml: No such file or directory (os error 2)\n";
    assert_eq!((ran.code, ran.errors.as_str()), (2, said));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_explained() {
    let (story, tool) = begin().await;
    let says = async |arguments: &[&str]| {
        let ran = explain(&tool, arguments).await;
        assert_eq!(ran.errors, "", "{}", ran.output);
        (ran.code, ran.output)
    };
    assert_eq!(
        says(&["--as", "U0BEA", "VM3", "22", "for", "2h"]).await,
        (
            0,
            "Not about it: `databases` (not its name).\nThe rule `rest` decides.\n\
             U0BEA may ask for VM3 port 22 for 2 hours from 203.0.113.7.\nIt takes 1 approval of U0CHRIS.\n\
             U0BEA may not open it without approval (break-glass).\n"
                .to_owned()
        )
    );
    assert_eq!(
        says(&["--as", "U0ANA", "prod-eu/db1", "22,80", "for", "4h"]).await,
        (
            1,
            "The rule `databases` decides.\n\
             U0ANA may not have prod-eu/db1 ports 22, 80 for 4 hours from the address that their browser shows:\n  \
             - the rule `databases` does not offer port 80\n  - the rule `databases` lets at most 3 hours\n  \
             - the rule `databases` wants a reason\n\
             Only if Slack says that U0ANA is in S0DBA.\n\
             Only if Slack says that at least 1 more in S0ONCALL could approve.\n\
             It takes 2 approvals of S0ONCALL, U0BEA.\n\
             With `break-glass` U0ANA may open it without approval, if Slack says that U0ANA is in S0SENIOR.\n"
                .to_owned()
        )
    );
    let known = ["--members", "S0DBA=U0ANA", "--members", "S0ONCALL=U0ANA"];
    let (code, said) =
        says(&[&known[..], &["--as", "U0ANA", "prod-eu/db1", "22", "because", "patching"]].concat()).await;
    assert_eq!(code, 1);
    assert!(said.contains("- the rule `databases` needs 2 approvals and names 1 people"), "{said}");
    assert!(!said.contains("Only if"), "{said}");
    let glass = ["prod-eu/db1", "22", "break-glass", "because", "down"];
    let known = ["--members", "S0DBA=U0ANA,U0DANA,U0EVE"];
    let (code, said) = says(&[&known[..], &["--as", "U0DANA"], &glass].concat()).await;
    assert!(
        code == 0 && said.ends_with("\nNobody approves it (break-glass); told of it: S0ONCALL, U0BEA.\n"),
        "{said}"
    );
    let (code, said) = says(&[&known[..], &["--as", "U0ANA"], &glass].concat()).await;
    assert!(
        code == 0 && said.contains("Only if Slack says that U0ANA is in S0SENIOR (break-glass).\n"),
        "{said}"
    );
    let known = [&known[..], &["--members", "S0SENIOR=U0ANA"]].concat();
    let (code, said) = says(&[&known[..], &["--as", "U0EVE"], &glass].concat()).await;
    assert!(
        code == 1 && said.contains("- the rule `databases` does not let U0EVE open without approval\n"),
        "{said}"
    );
    let (code, said) = says(&["--as", "U0ANA", "db1", "22"]).await;
    let depends = "Whether the rule `databases` decides depends on the resource group of db1: write it in front, like Contoso-IaaS/db1.\n";
    assert_eq!((code, said.as_str()), (1, depends));
    let (code, said) = says(&["--as", "U0ANA", "web1", "22"]).await;
    assert_eq!(
        (code, said.as_str()),
        (
            1,
            "Not about it: `databases` (not its name), `rest` (not its name).\nNo rule is about web1: nobody can ask for it.\n"
        )
    );
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_depends_on_tags_is_explained_once_they_are_said() {
    let (story, tool) = begin().await;
    let tagged = POLICY.replace("machines = [\"VM*\"]", "machines = [\"VM*\"]\ntags = { env = \"prod*\" }");
    let file = file(&tool, &tagged);
    let says = async |arguments: &[&str]| {
        let ran = tool.run(&[&["policy"], arguments].concat(), "").await;
        (ran.code, ran.output + &ran.errors)
    };
    let (code, said) = says(&["check", &file]).await;
    assert!(code == 0 && said.contains("VM* tagged env=prod*"), "{said}");
    let explain = ["explain", &file, "--as", "U0ANA", "VM3", "22"];
    let (code, said) = says(&explain).await;
    let depends =
        "Whether the rule `rest` decides depends on the tags of VM3: add all of them, like --tag env=prod.\n";
    assert!(code == 1 && said.ends_with(depends), "{said}");
    let (code, said) = says(&[&explain[..], &["--tag", "ENV=prod-eu", "--tag", "team=blue"]].concat()).await;
    assert!(code == 0 && said.contains("The rule `rest` decides."), "{said}");
    let (code, said) = says(&[&explain[..], &["--tag", "env=test"]].concat()).await;
    assert!(code == 1 && said.contains("`rest` (not its tags).\nNo rule is about VM3"), "{said}");
    let (code, said) = says(&[&explain[..], &["--tag", "prod"]].concat()).await;
    let wrong = "ajar: `prod` is not a tag with its value; write it like --tag env=prod\n";
    assert_eq!((code, said.as_str()), (2, wrong));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_explained_says_what_to_type() {
    let (story, tool) = begin().await;
    for (arguments, said) in [
        (&["--as", "ana", "VM3", "22"][..], "`ana` is not"),
        (&["--as", "U0ANA", "VM3"], "say what is asked for, like VM3 22 for 1h"),
        (&["--as", "U0ANA", "VM3", "for", "1h"], "a port is missing; type for example"),
        (&["--as", "U0ANA", "help"], "say what is asked for, like VM3 22 for 1h"),
        (
            &["--as", "U0ANA", "--members", "DBA", "VM3", "22"],
            "`DBA` does not say who is in which user group; write it like --members S012ABCDEF=U012ABCDEF,U034GHIJKL",
        ),
        (&["VM3", "22"], "--as <USER>"),
    ] {
        let ran = explain(&tool, arguments).await;
        assert!(ran.code == 2 && ran.errors.contains(said), "{arguments:?}: {}{}", ran.output, ran.errors);
    }
    // The sandbox's own policy, by the program's words.
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sandbox/policy.toml");
    let committed = committed.to_str().unwrap();
    let ran =
        tool.run(&["policy", "explain", committed, "--as", "U0ANA", "Contoso-IaaS/VM3", "22"], "").await;
    assert_eq!(ran.code, 0, "{}{}", ran.output, ran.errors);
    story.finish().await;
}
