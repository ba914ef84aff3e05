//! One request as an auditor reads it: the record, each line of its history, and whether Slack signed each click. What
//! travels in Slack's payloads and opens something is cut out.

use crate::aws::Aws;
use crate::config::Config;
use crate::ending::Problem;
use crate::outside::Outside;
use access::click::App;
use access::evidence::prove;
use access::lifecycle::{Approval, Event, Record};
use access::signature::SigningKeys;
use edge::archive::readable_record;
use edge::store::{Line, Loaded, Store};
use serde::Serialize;
use serde_json::Value;

/// A request with its proof.
#[derive(Serialize)]
pub(crate) struct Audited {
    /// The record, its clicks without the secrets that travel in them.
    pub(crate) record: Value,
    pub(crate) history: Vec<ShownLine>,
    pub(crate) chain: Chain,
    pub(crate) clicks: Vec<ShownClick>,
    #[serde(skip)]
    pub(crate) source: Record,
}

/// A line of the history.
#[derive(Serialize)]
pub(crate) struct ShownLine {
    #[serde(flatten)]
    pub(crate) line: Line,
    /// Whether it follows the one before and is as it was written.
    pub(crate) holds: bool,
}

impl ShownLine {
    pub(crate) const fn event(&self) -> &Event {
        &self.line.event
    }
}

/// Whether the history is whole.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Chain {
    /// Each line follows the one before, and the record names the last one.
    Whole,
    /// This line does not follow, or was changed after it was written.
    BrokenAt {
        /// Its number.
        version: u64,
    },
    /// Lines are missing at the end, or the record was changed without one.
    EndsEarly,
}

/// A click that decided.
#[derive(Serialize)]
pub(crate) struct ShownClick {
    pub(crate) by: String,
    pub(crate) signed_at: String,
    pub(crate) verdict: Verdict,
}

/// What is known of a click's signature.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// Slack signed it with this secret, on exactly these terms, by this person.
    Verified {
        /// Which secret.
        key: String,
    },
    /// It proves nothing.
    Refuted {
        /// Why.
        why: String,
    },
    /// Nobody here can tell.
    Unverifiable {
        /// Why.
        why: String,
    },
}

/// What clicks are verified with, or why they cannot be.
pub(crate) type Verifier = Result<(SigningKeys, App), String>;

/// The signing secrets, where the operator may read them.
pub(crate) async fn verifier(aws: &Aws) -> Verifier {
    let held = match aws.vault.read().await {
        Ok(Some(held)) => held,
        Ok(None) => return Err("the secret is empty".to_owned()),
        Err(problem) => return Err(problem.to_string()),
    };
    let keys = held.keys().ok_or_else(|| "the secret holds no signing secret".to_owned())?;
    let app = held.app(&aws.env);
    let app = app.ok_or_else(|| "the secret does not say whose app it is: run `ajar secret`".to_owned())?;
    Ok((keys, app))
}

/// AWS, and what clicks are verified with.
pub(crate) async fn connect(config: &Config, outside: &Outside<'_>) -> Result<(Aws, Verifier), Problem> {
    let aws = Aws::connect(config, outside)?;
    let verifier = verifier(&aws).await;
    Ok((aws, verifier))
}

/// Reads the history of a request and judges all of it.
pub(crate) async fn of(store: &Store, loaded: &Loaded, verifier: &Verifier) -> Result<Audited, Problem> {
    let record = &loaded.record;
    let lines = store.history(record.wish().id).await?;
    let (history, chain) = judge_chain(lines, loaded);
    let clicks: Vec<ShownClick> =
        record.approvals().iter().map(|approval| judge_click(approval, record, verifier)).collect();
    Ok(Audited { record: readable_record(record), history, chain, clicks, source: record.clone() })
}

fn judge_chain(lines: Vec<Line>, loaded: &Loaded) -> (Vec<ShownLine>, Chain) {
    let (mut previous, mut number, mut chain) = (String::new(), 0, Chain::Whole);
    let mut shown = vec![];
    for line in lines {
        number += 1;
        let holds = line.follows(&previous) && line.version == number;
        if !holds && chain == Chain::Whole {
            chain = Chain::BrokenAt { version: line.version };
        }
        previous.clone_from(&line.hash);
        shown.push(ShownLine { line, holds });
    }
    if chain == Chain::Whole && (previous != loaded.history_hash || number != loaded.record.version()) {
        chain = Chain::EndsEarly;
    }
    (shown, chain)
}

fn judge_click(approval: &Approval, record: &Record, verifier: &Verifier) -> ShownClick {
    ShownClick {
        by: approval.by.to_string(),
        signed_at: approval.at.to_string(),
        verdict: match verifier {
            Err(why) => Verdict::Unverifiable { why: why.clone() },
            Ok((keys, app)) => verify(approval, record, keys, app)
                .map_or_else(|why| Verdict::Refuted { why }, |key| Verdict::Verified { key }),
        },
    }
}

/// With which secret Slack signed a click on exactly the terms of the record.
fn verify(approval: &Approval, record: &Record, keys: &SigningKeys, app: &App) -> Result<String, String> {
    let ask = record.ask().ok_or_else(|| "the record does not say from where".to_owned())?;
    prove(approval, ask, keys, app)
        .map(|verified| verified.key().to_string())
        .map_err(|unproven| unproven.to_string())
}

impl Audited {
    /// Whether anything in it was changed by somebody.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.chain != Chain::Whole
            || self.clicks.iter().any(|click| matches!(click.verdict, Verdict::Refuted { .. }))
    }
}
