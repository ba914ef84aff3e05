//! `ajar history` and `ajar export`.

use super::{Told, moment, or_dash, pretty, words};
use crate::audit::{Audited, Chain, ShownClick, ShownLine, Verdict};
use crate::ending::Ending;
use crate::export::Exported;
use access::request::Means;
use serde_json::{Value, json};

fn chain(chain: &Chain) -> String {
    match chain {
        Chain::Whole => "The history is whole: each line follows the one before.".to_owned(),
        Chain::BrokenAt { version } => {
            format!("THE HISTORY IS BROKEN at line {version}: somebody has changed or removed what was written.")
        }
        Chain::EndsEarly => {
            "THE HISTORY ENDS EARLY: the record names another last line. Somebody has removed lines or changed the record.".to_owned()
        }
    }
}

fn line(line: &ShownLine) -> String {
    let event = line.event();
    let kind = words(&json!(event.kind));
    let mark = if line.holds { "" } else { "  <- DOES NOT HOLD" };
    format!("{:>4}  {}  {kind}{mark}", line.line.version, event.at)
}

fn click(click: &ShownClick, means: Means) -> String {
    let verdict = match &click.verdict {
        Verdict::Verified { key } => {
            format!("verified: Slack signed it on exactly these terms (key {key})")
        }
        Verdict::Refuted { why } => format!("PROVES NOTHING: {why}"),
        Verdict::Unverifiable { why } => format!("not verifiable: {why}"),
    };
    let did = match means {
        Means::Approval => "approved",
        Means::BreakGlass => "went past approval (break-glass)",
        Means::OwnMove => "moved it without another approval",
    };
    format!("  {} {did}, signed {}: {verdict}", click.by, click.signed_at)
}

impl Told for Audited {
    fn text(&self) -> String {
        let record = &self.source;
        let wish = record.wish();
        let source = record.ask().map(|ask| ask.source.to_string());
        let mut lines = vec![
            format!("Request       {}, {}, version {}", wish.id, record.status(), record.version()),
            format!("Requester     {}, asked {}", wish.requester, wish.asked_at),
            format!("Machine       {} ({})", wish.machine.name, wish.machine.resource_id),
            format!(
                "Port          {} {} at {} from {}, for {}",
                wish.protocol,
                wish.ports,
                wish.machine.private_address,
                or_dash(source.as_deref()),
                wish.ttl
            ),
            format!("Reason        {}", or_dash(wish.justification.as_ref().map(|why| why.as_str()))),
            format!(
                "By            {}",
                match wish.means {
                    Means::Approval => "approval of others",
                    Means::BreakGlass => "BREAK-GLASS: its requester alone, without approval",
                    Means::OwnMove => "its requester, who moved what others had approved",
                }
            ),
            format!("Ends          {}", moment(record.granted().map(access::lifecycle::Granted::expires_at))),
        ];
        lines.extend(wish.moves.iter().map(|moves| {
            format!("Moves         {} from {}, which ends {}", moves.grant, moves.from, moves.until)
        }));
        for rule in record.plan().map(access::lifecycle::Plan::rules).unwrap_or_default() {
            lines.push(format!("Rule          priority {} in {}", rule.priority, rule.nsg));
        }
        lines.push(String::new());
        lines.extend(self.history.iter().map(line));
        lines.push(chain(&self.chain));
        if !self.clicks.is_empty() {
            lines.push(String::new());
            lines.push("Signed clicks:".to_owned());
            lines.extend(self.clicks.iter().map(|one| click(one, wish.means)));
        }
        lines.join("\n")
    }

    fn json(&self) -> String {
        pretty(self)
    }

    fn ending(&self) -> Ending {
        Ending::found(self.is_doubtful())
    }
}

impl Told for Exported {
    fn text(&self) -> String {
        let lines = self.requests.iter().map(|one| json!(one)).map(|one: Value| one.to_string());
        lines.collect::<Vec<_>>().join("\n")
    }

    fn json(&self) -> String {
        self.text()
    }

    fn ending(&self) -> Ending {
        Ending::found(self.unreadable > 0 || self.requests.iter().any(Audited::is_doubtful))
    }
}
