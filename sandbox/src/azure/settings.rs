//! What can be chosen about how the simulated Azure behaves.

/// What happens to a second write to a group while one is under way. Azure does all three.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Overlapping {
    /// The earlier operation ends as `Canceled`, `CanceledAndSupersededDueToAnotherOperation`.
    Supersede,
    /// The second one gets 429 `RetryableError`.
    Retryable,
    /// The second one gets 409 `AnotherOperationInProgress`.
    InProgress,
}

/// How the simulated Azure behaves; can be changed while it runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long an operation takes, in milliseconds of real time; 0: it has ended when the write is answered.
    pub provisioning_ms: u64,
    /// What happens to a second write to the same group.
    pub overlapping: Overlapping,
    /// Whether what a superseded write had changed stays (and comes into force with the later one).
    pub keep_superseded: bool,
    /// `Retry-After` of accepted writes, in seconds. Azure sent 10 in 2022 and nothing in 2026.
    pub retry_after_seconds: Option<u32>,
    /// Bodies over several lines with CRLF, as until about 2022.
    pub crlf: bool,
    /// How many resources a page of a list holds, at least 1.
    pub page_size: usize,
    /// Whether the functions' roles reach the operations' addresses. A role that is assigned at a resource
    /// group does not: its holder polls the resource itself.
    pub operations_readable: bool,
    /// What functions' roles lack that they should have: each a function and an action.
    pub withheld: Vec<(String, String)>,
    /// Whether there is a Network Watcher in the region.
    pub watcher: bool,
    /// Whether the roles of `grant` and `revoke` permit Network Watcher.
    pub watcher_permitted: bool,
    /// How often who asks Network Watcher is told to come again; 0: it answers at once.
    pub watcher_polls: u32,
    /// Whether the owner is throttled, as everybody else always is. Tests look through the owner's eyes more
    /// often than a person would.
    pub owner_throttled: bool,
    /// Whether a policy of the subscription forbids to write a rule that allows something inbound.
    pub policy_denies_allow: bool,
    /// By how much Resource Graph's answers are old at most, in milliseconds of the sandbox's clock.
    pub graph_lag_ms: u64,
    /// How many rows a page of Resource Graph holds at most, at least 1.
    pub graph_page: usize,
    /// How much later than its operation's end packets meet a rule that allows: at most so many seconds of the
    /// sandbox's clock, drawn anew for each. 0: at once.
    pub allow_late_by_seconds: u64,
    /// What that is drawn from, and the age of Resource Graph's answers.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            provisioning_ms: 150,
            overlapping: Overlapping::Supersede,
            keep_superseded: false,
            retry_after_seconds: None,
            crlf: false,
            page_size: 50,
            operations_readable: false,
            withheld: vec![],
            watcher: true,
            watcher_permitted: true,
            watcher_polls: 0,
            owner_throttled: true,
            policy_denies_allow: false,
            graph_lag_ms: 300_000,
            graph_page: 1_000,
            allow_late_by_seconds: 80,
            seed: 20_261_125,
        }
    }
}

impl Settings {
    /// Whether the role of `who` lacks an action that it should have.
    pub(super) fn lacks(&self, who: &str, action: &str) -> bool {
        self.withheld.iter().any(|(function, lost)| function == who && lost.eq_ignore_ascii_case(action))
    }
}
