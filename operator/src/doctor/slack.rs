//! The Slack side: whose token, what it may do, and whether cards arrive.

use super::Finding;
use crate::aws::Aws;
use crate::needs;
use edge::slack::{Introduced, SlackError, Token};

/// Each finding.
pub(super) async fn look(aws: &Aws) -> Vec<Finding> {
    let held = aws.vault.read().await.ok().flatten().unwrap_or_default();
    let Some(token) = held.bot_token() else {
        return vec![Finding::unknown("Slack", "there is no bot token to ask with")];
    };
    let asked = match Token::new(&aws.env, token) {
        Ok(asked) => asked,
        Err(error) => return vec![Finding::unknown("Slack", error.to_string())],
    };
    let known = match asked.introduce().await {
        Ok(known) => known,
        Err(SlackError::Refused(why)) => {
            let mend = "install the app again and run `ajar secret --bot-token-only`";
            return vec![Finding::wrong("Slack token", format!("Slack does not take it ({why})"), mend)];
        }
        Err(error) => return vec![Finding::unknown("Slack token", error.to_string())],
    };
    let mut findings = vec![scopes(&known)];
    let (team, workspace) = (&known.team_id, format!("{} ({})", known.team, known.team_id));
    findings.push(match held.app(&aws.env) {
        Some(app) if app.team_id != *team => Finding::wrong(
            "Slack token",
            format!("it is of the workspace {workspace}, and the installation is for {}", app.team_id),
            "run `ajar secret` with the values of the right app",
        ),
        app => match (asked.app_of(&known.bot_id).await, app) {
            (Ok(of), Some(app)) if of != app.app_id => Finding::wrong(
                "Slack token",
                format!("it is of the app {of}, and the installation is for {}", app.app_id),
                "run `ajar secret` with the values of the right app",
            ),
            (Ok(of), _) => Finding::ok("Slack token", format!("workspace {workspace}, app {of}")),
            (Err(error), _) => {
                Finding::unknown("Slack token", format!("workspace {workspace}; of which app: {error}"))
            }
        },
    });
    findings
}

fn scopes(known: &Introduced) -> Finding {
    const SUBJECT: &str = "Slack scopes";
    if known.scopes.is_empty() {
        return Finding::unknown(SUBJECT, "Slack did not say what the token may do");
    }
    let needed = needs::scopes();
    let missing: Vec<&str> =
        needed.iter().copied().filter(|scope| !known.scopes.iter().any(|has| has == scope)).collect();
    if missing.is_empty() {
        return Finding::ok(SUBJECT, needed.join(", "));
    }
    Finding::wrong(
        SUBJECT,
        format!("missing: {}", missing.join(", ")),
        "give Slack the manifest of `terraform output -raw slack_create_app_url` again, reinstall the app, and run `ajar secret --bot-token-only`",
    )
}
