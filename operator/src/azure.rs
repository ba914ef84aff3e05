//! Azure by the operator's own login, and the rules of this installation that are there. AWS is not asked.

use crate::config::Config;
use crate::ending::Problem;
use crate::outside::Outside;
use access::drive::{Access, Verdict};
use access::lease::Timestamp;
use access::machine::SeenMachine;
use access::nsg::{Described, Flow, Rule, described, evaluate, together};
use access::request::{RequestId, ResourceId, RuleName};
use edge::arm::{Arm, ArmError, Fence, Operator};
use edge::login::Whose;

/// Azure, with a login.
pub(crate) struct Azure {
    pub(crate) arm: Arm,
    /// Whose login it is.
    pub(crate) who: Whose,
}

/// A rule of this installation as it stands.
pub(crate) struct Ours {
    pub(crate) nsg: ResourceId,
    pub(crate) name: RuleName,
    pub(crate) request: RequestId,
    pub(crate) rule: Rule,
    /// What it says of itself; `None` where that cannot be read.
    pub(crate) said: Option<Described>,
}

impl Ours {
    /// Whether it should be gone: its end has passed, or it says none.
    pub(crate) fn is_overdue(&self, now: Timestamp) -> bool {
        self.said.as_ref().is_none_or(|said| said.ends_at <= now)
    }

    /// Whether it lets somebody in.
    pub(crate) fn allows(&self) -> bool {
        self.rule.access == Access::Allow
    }
}

/// The rules that could be read, and the subscriptions that could not.
pub(crate) struct Found {
    pub(crate) rules: Vec<Ours>,
    pub(crate) unread: Vec<(String, String)>,
}

impl Azure {
    /// Logs in.
    pub(crate) async fn connect(config: &Config, outside: &Outside<'_>) -> Result<Self, Problem> {
        let login = match &outside.login {
            Some(login) => login.clone(),
            None => {
                let subscription = config.azure.subscriptions.first().map_or("", String::as_str);
                edge::login::log_in(subscription).await?
            }
        };
        let who = edge::login::whose(&login).await;
        let operator = Operator { login, fence: Fence::default() };
        let arm = Arm::new(&outside.env.clone().with_operator(operator))?;
        Ok(Self { arm, who })
    }

    /// The rules of this installation, in all groups of its subscriptions.
    pub(crate) async fn rules(&self, config: &Config) -> Result<Found, Problem> {
        let mut found = Found { rules: vec![], unread: vec![] };
        let mut last = None;
        for subscription in &config.azure.subscriptions {
            match self.arm.groups(subscription).await {
                Ok(groups) => found.rules.extend(groups.into_iter().flat_map(|(nsg, group)| {
                    let ours = move |rule| ours(config, nsg.clone(), rule);
                    group.rules.into_iter().filter_map(ours)
                })),
                Err(error) => {
                    found.unread.push((subscription.clone(), error.to_string()));
                    last = Some(error);
                }
            }
        }
        match last {
            Some(error) if found.unread.len() == config.azure.subscriptions.len() => Err(error.into()),
            _ => Ok(found),
        }
    }

    /// The machines of all subscriptions that can be read, and the first reason why others cannot.
    pub(crate) async fn machines(
        &self,
        config: &Config,
        now: Timestamp,
    ) -> (Vec<SeenMachine>, Option<ArmError>) {
        let (mut machines, mut why) = (vec![], None);
        for subscription in &config.azure.subscriptions {
            match self.arm.machines(subscription, now).await {
                Ok(seen) => machines.extend(seen),
                Err(error) => why = why.or(Some(error)),
            }
        }
        (machines, why)
    }

    /// What the rules of these groups do with a flow now, together.
    pub(crate) async fn judge(
        &self,
        groups: &[ResourceId],
        flow: &Flow,
    ) -> Result<Option<Verdict>, ArmError> {
        let mut verdicts = vec![];
        for nsg in groups {
            verdicts.push(evaluate(&self.arm.group(nsg).await?.rules, flow));
        }
        Ok(together(&verdicts).cloned())
    }
}

fn ours(config: &Config, nsg: ResourceId, rule: Rule) -> Option<Ours> {
    let request = RuleName::request_of(&rule.name, &config.installation)?;
    let name = RuleName::new(&config.installation, request);
    let said = described(&rule.description);
    Some(Ours { nsg, name, request, rule, said })
}
