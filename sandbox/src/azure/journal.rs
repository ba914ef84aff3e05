//! What happened to security rules, in order: for tests that compare a claim with what was true then.

use super::operations::Write;
use super::rules::Properties;
use serde::{Deserialize, Serialize};

/// What happened to a rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A PUT of a rule that was not there was accepted; ARM lists it from now on, packets do not see it yet.
    PutNew,
    /// A PUT of a rule that was there was accepted.
    PutChanged,
    /// A DELETE was accepted; the rule is still there.
    DeleteAccepted,
    /// The rule is in force from now on, as far as Azure says.
    Enforced,
    /// Packets meet the rule from now on, later than it came into force.
    Reached,
    /// The rule is gone.
    Removed,
    /// The operation on this rule was canceled by a later write to the same group.
    Superseded,
    /// What a canceled operation had changed was taken back.
    RolledBack,
    /// The operation on this rule failed.
    Failed,
    /// A write came while another one to the same group was under way, whatever was done about it.
    Overlap,
}

/// One entry of the journal.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Position in the journal, from 1.
    pub seq: u64,
    /// The sandbox's clock then, milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// The network security group's name.
    pub nsg: String,
    /// The rule's name; empty when the whole group was written.
    pub rule: String,
    /// What happened.
    pub what: What,
    /// Who asked: the function's name, or `owner`.
    pub by: String,
    /// The rule as it was written, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<Properties>,
    /// Whose write was under way, where this one came meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub met: Option<String>,
}

/// How many entries are kept.
const KEPT: usize = 5_000;

/// The journal itself.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Journal {
    pub(super) entries: Vec<Entry>,
    /// How many writes came while another one to the same group was under way.
    pub(super) overlaps: u64,
}

impl Journal {
    /// Adds an entry and numbers it.
    pub(super) fn add(
        &mut self,
        at_ms: u64,
        nsg: &str,
        rule: &str,
        what: What,
        by: &str,
        properties: Option<&Properties>,
    ) {
        let (nsg, rule, by) = (nsg.to_owned(), rule.to_owned(), by.to_owned());
        let properties = properties.cloned();
        self.push(Entry { seq: 0, at_ms, nsg, rule, what, by, properties, met: None });
    }

    /// Adds that a write came while another one to the same group was under way.
    pub(super) fn add_overlap(&mut self, at_ms: u64, write: &Write<'_>, met: &str) {
        self.overlaps += 1;
        self.push(Entry {
            seq: 0,
            at_ms,
            nsg: write.nsg.to_owned(),
            rule: write.rule.to_owned(),
            what: What::Overlap,
            by: write.by.to_owned(),
            properties: None,
            met: Some(met.to_owned()),
        });
    }

    fn push(&mut self, entry: Entry) {
        let seq = self.entries.last().map_or(1, |last| last.seq + 1);
        self.entries.push(Entry { seq, ..entry });
        let surplus = self.entries.len().saturating_sub(KEPT);
        self.entries.drain(..surplus);
    }
}
