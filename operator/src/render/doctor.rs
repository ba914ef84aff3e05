//! `ajar doctor`.

use super::{Told, pretty};
use crate::doctor::{Finding, Findings, State};
use crate::ending::Ending;
use edge::report::plain;

fn line(finding: &Finding) -> String {
    let state = match finding.state {
        State::Ok => "ok     ",
        State::Wrong => "WRONG  ",
        State::Unknown => "unknown",
    };
    let mut line = format!("{state}  {}: {}", finding.subject, finding.said.replace(char::is_control, " "));
    if let Some(mend) = &finding.mend {
        line.push_str(&format!("\n         -> {mend}"));
    }
    for text in finding.snippet.iter().flat_map(|snippet| snippet.lines()) {
        line.push_str(&format!("\n            {}", plain(text).as_str().trim_end()));
    }
    line
}

impl Told for Findings {
    fn text(&self) -> String {
        let lines: Vec<String> = self.findings.iter().map(line).collect();
        let count = |state| self.findings.iter().filter(|finding| finding.state == state).count();
        let (wrong, unknown) = (count(State::Wrong), count(State::Unknown));
        let sum = match (wrong, unknown) {
            (0, 0) => "Nothing is wrong.".to_owned(),
            (0, unknown) => format!("Nothing is known to be wrong; {unknown} could not be told."),
            (wrong, unknown) => format!("{wrong} wrong, {unknown} could not be told."),
        };
        format!("{}\n{sum}", lines.join("\n"))
    }

    fn json(&self) -> String {
        pretty(self)
    }

    fn ending(&self) -> Ending {
        Ending::found(self.findings.iter().any(|finding| finding.state == State::Wrong))
    }
}
