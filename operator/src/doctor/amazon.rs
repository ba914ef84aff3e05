//! The AWS side: whose credentials, the table, the secret, the functions.

use super::Finding;
use crate::aws::Aws;
use crate::config::Config;
use crate::ending::Problem;
use access::lease::Timestamp;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::primitives::Blob;
use edge::report::plain;
use edge::store::{INDEXES, PURGED_BY, StoreError};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a function may take: `discover` looks through everything.
const FUNCTION_TAKES: Duration = Duration::from_secs(130);

/// A request that nobody has made: `revoke` reads the table and has nothing to do.
const NOBODYS: &str = "00000-00000";

/// What was found, and the role of each function where it was told.
pub(super) async fn look(
    aws: &Aws,
    config: &Config,
    now: Timestamp,
) -> (Vec<Finding>, Option<BTreeMap<String, String>>) {
    let mut findings = vec![whose(aws, config).await];
    findings.extend(table(aws).await);
    findings.push(secret(aws, now).await);
    let (seen, roles) = functions(aws, config).await;
    findings.extend(seen);
    findings.push(command(config).await);
    (findings, roles)
}

async fn whose(aws: &Aws, config: &Config) -> Finding {
    const SUBJECT: &str = "AWS credentials";
    let sts = match edge::aws::sts(&aws.env) {
        Ok(sts) => sts,
        Err(error) => return Finding::unknown(SUBJECT, error.to_string()),
    };
    let answer = match sts.get_caller_identity().send().await {
        Ok(answer) => answer,
        Err(error) => {
            let error = error.into_service_error();
            let code = error.meta().code().unwrap_or("no answer").to_owned();
            return match error.meta().code() {
                Some(_) => {
                    Finding::wrong(SUBJECT, format!("AWS does not take them ({code})"), "log in again")
                }
                None => Finding::unknown(SUBJECT, "AWS did not say whose they are"),
            };
        }
    };
    let (arn, account) = (answer.arn().unwrap_or_default(), answer.account().unwrap_or_default());
    // arn:aws:secretsmanager:<region>:<account>:secret:<name>
    let home: Vec<&str> = config.secret.split(':').collect();
    match home.get(4).filter(|home| **home != account) {
        Some(home) => Finding::wrong(
            SUBJECT,
            format!("they are of {arn}, and the installation is in the account {home}"),
            format!("use credentials of the account {home}"),
        ),
        None => Finding::ok(SUBJECT, format!("{arn}, region {}", config.region)),
    }
}

async fn table(aws: &Aws) -> Vec<Finding> {
    const APPLY: &str = "run terraform apply";
    let shape = match aws.store.shape().await {
        Ok(shape) => shape,
        Err(StoreError::Call { code, .. }) if code == "ResourceNotFoundException" => {
            return vec![Finding::wrong("table", "there is none of this name in this region", APPLY)];
        }
        Err(error) => return vec![Finding::unknown("table", error.to_string())],
    };
    let mut findings = vec![if shape.status == "ACTIVE" {
        Finding::ok("table", "there, and active")
    } else {
        Finding::wrong("table", format!("its status is {}", shape.status), "wait until it is active")
    }];
    findings.push(match shape.stream.as_deref() {
        Some("NEW_AND_OLD_IMAGES") => Finding::ok("table: stream", "on"),
        Some(other) => Finding::wrong("table: stream", format!("tells {other} only"), APPLY),
        None => Finding::wrong("table: stream", "off, so nothing wakes `grant` and `notify`", APPLY),
    });
    let missing: Vec<&str> =
        INDEXES.into_iter().filter(|index| !shape.indexes.iter().any(|has| has == index)).collect();
    findings.push(if missing.is_empty() {
        Finding::ok("table: indexes", INDEXES.join(", "))
    } else {
        Finding::wrong("table: indexes", format!("missing or not ready: {}", missing.join(", ")), APPLY)
    });
    findings.push(match &shape.purged_by {
        None => Finding::unknown("table: purging", "not answered"),
        Some(Some(by)) if by == PURGED_BY => Finding::ok("table: purging", format!("by {PURGED_BY}")),
        Some(_) => Finding::wrong(
            "table: purging",
            format!("not by {PURGED_BY}, so the table grows for ever"),
            APPLY,
        ),
    });
    findings.push(match shape.recoverable {
        None => Finding::unknown("table: recovery", "not answered"),
        Some(true) => Finding::ok("table: recovery", "to any second of the last weeks"),
        Some(false) => Finding::wrong("table: recovery", "point-in-time recovery is off", APPLY),
    });
    findings.push(if shape.protected {
        Finding::ok("table: deletion", "protected")
    } else {
        Finding::wrong(
            "table: deletion",
            "not protected",
            "set deletion_protection = true and run terraform apply, unless you are about to destroy it",
        )
    });
    findings
}

async fn secret(aws: &Aws, now: Timestamp) -> Finding {
    const RUN: &str = "run `ajar secret`";
    let held = match aws.vault.read().await {
        Ok(Some(held)) => held,
        Ok(None) => return Finding::wrong("secret", "nothing was put there yet", RUN),
        Err(problem @ Problem::Unusable(_)) => return Finding::wrong("secret", problem.to_string(), RUN),
        // Whether the functions may read it is not told by whether the operator may.
        Err(problem) => return Finding::unknown("secret", problem.to_string()),
    };
    let lacks = [
        (held.key().is_none(), "the signing secret"),
        (held.bot_token().is_none(), "the bot token"),
        (held.app(&aws.env).is_none(), "the ids of workspace and app"),
    ];
    let lacks: Vec<&str> = lacks.into_iter().filter(|(lacks, _)| *lacks).map(|(_, what)| what).collect();
    match held.key() {
        Some(key) if lacks.is_empty() => {
            let days = held.made_at.map_or(0, |at| now.since(at) / 86_400);
            let (key, retired) = (key.to_string(), held.retired());
            Finding::ok("secret", format!("signing secret {key}, {retired} retired, {days} day(s) old"))
        }
        _ => Finding::wrong("secret", format!("it lacks {}", lacks.join(" and ")), RUN),
    }
}

async fn functions(aws: &Aws, config: &Config) -> (Vec<Finding>, Option<BTreeMap<String, String>>) {
    let lambda = match edge::aws::lambda(&aws.env) {
        Ok(lambda) => lambda,
        Err(error) => return (vec![Finding::unknown("functions", error.to_string())], None),
    };
    let names = &config.functions;
    // What each takes as nothing to do; `request` is asked from outside.
    let asked = [
        ("request", &names.request, None),
        ("grant", &names.grant, Some(json!({"Records": []}))),
        ("notify", &names.notify, Some(json!({"Records": []}))),
        ("revoke", &names.revoke, Some(json!({"request": NOBODYS}))),
        ("discover", &names.discover, Some(json!({}))),
    ];
    let (mut findings, mut roles) = (vec![], BTreeMap::new());
    for (function, name, event) in asked {
        match lambda.get_function_configuration().function_name(name).send().await {
            Ok(answer) => {
                roles.extend(answer.role().map(|role| (function.to_owned(), role.to_owned())));
            }
            Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => {
                let said = format!("there is no function {name} in this region");
                findings.push(Finding::wrong(format!("function {function}"), said, "run terraform apply"));
                continue;
            }
            // Whether it starts is another right.
            Err(_) => {}
        }
        if let Some(event) = event {
            findings.push(starts(&lambda, function, name, &event).await);
        }
    }
    (findings, Some(roles))
}

/// Starts a function and waits for its answer.
async fn starts(lambda: &aws_sdk_lambda::Client, function: &str, name: &str, event: &Value) -> Finding {
    let subject = format!("function {function}");
    let patient =
        aws_sdk_lambda::config::Builder::new().retry_config(RetryConfig::disabled()).timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(FUNCTION_TAKES)
                .operation_timeout(FUNCTION_TAKES)
                .read_timeout(FUNCTION_TAKES)
                .build(),
        );
    let call = lambda.invoke().function_name(name).payload(Blob::new(event.to_string()));
    let answer = match call.customize().config_override(patient).send().await {
        Ok(answer) => answer,
        Err(error) => {
            let error = error.into_service_error();
            return match error.meta().code() {
                Some(code) => Finding::unknown(subject, format!("you may not start it ({code})")),
                None => Finding::unknown(subject, "it did not answer in time"),
            };
        }
    };
    if answer.function_error().is_none() {
        return Finding::ok(subject, "starts and answers");
    }
    let payload = answer.payload().map(Blob::as_ref).unwrap_or_default();
    let payload: Value = serde_json::from_slice(payload).unwrap_or_default();
    let why = payload["errorMessage"].as_str().unwrap_or("it does not say why");
    Finding::wrong(
        subject,
        format!("fails: {}", plain(why)),
        "set right what it names; where that is a setting, run terraform apply; its log says more",
    )
}

/// Whether the address that Slack calls leads to `request`, which refuses what Slack has not signed.
async fn command(config: &Config) -> Finding {
    const SUBJECT: &str = "command address";
    let Ok(client) = edge::http::client(edge::http::Limits::DEPLOYED) else {
        return Finding::unknown(SUBJECT, "no HTTP client");
    };
    let url = &config.command_url;
    match client.post(url).body("").send().await.map(|answer| answer.status().as_u16()) {
        Ok(401) => Finding::ok(SUBJECT, "answers, and refuses what Slack has not signed"),
        Ok(429) => Finding::unknown(SUBJECT, "too many calls at the moment"),
        Ok(status) => Finding::wrong(
            SUBJECT,
            format!("{url} answers {status} to a call without a signature, not 401"),
            "look into the log of `request`; where the address is another one, run terraform apply and give Slack the new manifest",
        ),
        Err(_) => Finding::wrong(
            SUBJECT,
            format!("{url} does not answer"),
            "run terraform apply, and look whether this machine may reach it",
        ),
    }
}
