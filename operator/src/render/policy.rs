//! `ajar policy`.

use super::{Told, counted, pretty, table};
use crate::ending::Ending;
use crate::policy::{Checked, Explained, Row, Verdict};
use edge::report::plain;

fn row(row: &Row) -> Vec<String> {
    let mut machines = row.machines.join(", ");
    if !row.resource_groups.is_empty() {
        machines.push_str(&format!(" in {}", row.resource_groups.join(", ")));
    }
    if !row.subscriptions.is_empty() {
        machines.push_str(&format!(" of {}", row.subscriptions.join(", ")));
    }
    if !row.tags.is_empty() {
        machines.push_str(&format!(" tagged {}", plain(&row.tags.join(", "))));
    }
    let ports: Vec<String> = row.ports.iter().map(u16::to_string).collect();
    vec![
        plain(&row.name),
        machines,
        row.requesters.join(", "),
        ports.join(", "),
        if row.sources.is_empty() { "anywhere".to_owned() } else { row.sources.join(", ") },
        row.longest.clone(),
        if row.justification_required { "yes".to_owned() } else { "no".to_owned() },
        format!("{} of {}", row.approvals, row.approvers.join(", ")),
        or(&row.break_glass, "-"),
    ]
}

impl Told for Checked {
    fn text(&self) -> String {
        if self.problems.is_empty() {
            let titles = [
                "RULE",
                "MACHINES",
                "WHO ASKS",
                "PORTS",
                "FROM",
                "LONGEST",
                "REASON",
                "WHO APPROVES",
                "BREAK-GLASS",
            ];
            let rows: Vec<_> = self.rules.iter().map(row).collect();
            return format!(
                "{}: nothing is wrong. The first rule that is about a machine decides:\n{}\nAdmins: {}",
                self.file,
                table(&titles, &rows),
                or(&self.admins, "nobody")
            );
        }
        let line =
            |wrong: &crate::policy::Wrong| format!("{}:{}: {}\n", self.file, wrong.line, wrong.message);
        let lines: String = self.problems.iter().map(line).collect();
        format!(
            "{lines}{}. Such a file is not taken: the functions do not start with it.",
            counted(self.problems.len(), "problem")
        )
    }

    fn json(&self) -> String {
        pretty(self)
    }

    fn ending(&self) -> Ending {
        Ending::found(!self.problems.is_empty())
    }
}

impl Explained {
    fn decides(&self, verdict: &Verdict) -> String {
        let (requester, machine) = (&self.requester, &self.machine);
        let word = if self.ports.contains(',') { "ports" } else { "port" };
        let source = verdict.source.as_deref().unwrap_or("the address that their browser shows");
        let what = format!("{machine} {word} {} for {} from {source}", self.ports, verdict.duration);
        let mut lines = vec![format!("The rule `{}` decides.", plain(&verdict.rule))];
        if verdict.against.is_empty() {
            lines.push(format!("{requester} may ask for {what}."));
        } else {
            lines.push(format!("{requester} may not have {what}:"));
            lines.extend(verdict.against.iter().map(|why| format!("  - {}", plain(why))));
        }
        lines.extend(verdict.provided.iter().map(|what| format!("Only if Slack says that {what}.")));
        let approvers = or(&verdict.approvers, "nobody else");
        if verdict.asks_break_glass {
            lines.push(format!("Nobody approves it (break-glass); told of it: {approvers}."));
            return lines.join("\n");
        }
        lines.push(format!("It takes {} of {approvers}.", counted(verdict.approvals.into(), "approval")));
        let only = match verdict.may_break_glass {
            Some(false) => {
                lines.push(format!("{requester} may not open it without approval (break-glass)."));
                return lines.join("\n");
            }
            Some(true) => String::new(),
            None => {
                format!(", if Slack says that {requester} is in {}", verdict.break_glass_groups.join(" or "))
            }
        };
        lines.push(format!("With `break-glass` {requester} may open it without approval{only}."));
        lines.join("\n")
    }
}

fn or(all: &[String], nobody: &str) -> String {
    if all.is_empty() { nobody.to_owned() } else { all.join(", ") }
}

impl Told for Explained {
    fn text(&self) -> String {
        let name = self.machine.rsplit('/').next().unwrap_or_default();
        let decision = match (&self.verdict, &self.depends) {
            (Some(verdict), _) => self.decides(verdict),
            (None, Some(depends)) => format!(
                "Whether the rule `{}` decides depends on the {} of {name}: {}.",
                plain(&depends.rule),
                depends.not_its,
                match depends.not_its {
                    "tags" => "add all of them, like --tag env=prod".to_owned(),
                    "subscription" => format!(
                        "write it in front, like 8f3a6f52-90c4-4c5a-8d0e-1b7a2c9d4e60/Contoso-IaaS/{name}"
                    ),
                    _ => format!("write it in front, like Contoso-IaaS/{name}"),
                }
            ),
            (None, None) => format!("No rule is about {}: nobody can ask for it.", self.machine),
        };
        if self.passed_over.is_empty() {
            return decision;
        }
        let passed: Vec<String> = self
            .passed_over
            .iter()
            .map(|passed| format!("`{}` (not its {})", plain(&passed.rule), passed.not_its))
            .collect();
        format!("Not about it: {}.\n{decision}", passed.join(", "))
    }

    fn json(&self) -> String {
        pretty(self)
    }

    fn ending(&self) -> Ending {
        Ending::found(self.verdict.as_ref().is_none_or(|verdict| !verdict.against.is_empty()))
    }
}
