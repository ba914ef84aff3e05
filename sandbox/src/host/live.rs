//! The real Azure from a laptop: the operator's own login, one network security group and no other.
//! The simulated Azure is absent; Slack, the table and the functions are as in the sandbox.

pub mod smoke;
mod view;
mod wire;

pub(super) use wire::start;

use super::Sandbox;
use access::drive::Acted;
use access::lifecycle::NetworkFault;
use access::machine::SeenMachine;
use access::request::{Installation, MachineName, RequestId, ResourceId, RuleName};
use edge::arm::{Arm, ArmError, Fence, Operator, rights, said};
use edge::clock::Clock;
use edge::config::{ConfigError, Environment};
use edge::login::NoLogin;
use edge::report::plain;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The installation's name here. Not one of a deployed installation, so that its rules are never taken
/// for ours.
pub const INSTALLATION: &str = "laptop";
/// Between two looks at what Azure does.
const PAUSE: Duration = Duration::from_millis(250);
/// How long a delete that Azure has accepted may take before it is sent again.
const DELETE_TAKES: Duration = Duration::from_secs(20);
/// How long rules are tried to be removed.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long is looked whether a write without an answer still lands.
const LATE_WRITE: Duration = Duration::from_secs(60);

/// What has been done, and how long it took.
pub type Tell<'a> = &'a mut (dyn FnMut(Duration, String) + Send);

/// What the command line names.
#[derive(Clone, Debug)]
pub struct Target {
    subscription: String,
    nsg: ResourceId,
    fence: Fence,
    arm_url: Option<String>,
}

/// Why the command line does not name anything that can be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadTarget {
    /// Not a subscription's id.
    #[error(
        "--subscription takes the id of a subscription, like 11111111-2222-3333-4444-555555555555, not '{0}'"
    )]
    Subscription(String),
    /// Not a group's id.
    #[error(
        "--only-nsg takes the id of a network security group, like /subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.Network/networkSecurityGroups/NAME, not '{0}'"
    )]
    Group(String),
    /// The group is elsewhere.
    #[error("--only-nsg is in the subscription {0}, and --subscription names another")]
    OtherSubscription(String),
    /// The operator's token would leave this machine for somewhere that is not Azure.
    #[error(
        "--arm-url takes an address of this machine, like http://127.0.0.1:8081, not '{0}': your token is sent there"
    )]
    ArmUrl(String),
}

impl Target {
    /// From what was typed; without `arm_url` Azure is at its own address.
    ///
    /// # Errors
    /// Something cannot be used.
    pub fn new(subscription: &str, nsg: &str, arm_url: Option<&str>) -> Result<Self, BadTarget> {
        let lengths = subscription.split('-').map(str::len);
        let hexadecimal = subscription.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
        if !hexadecimal || !lengths.eq([8, 4, 4, 4, 12]) {
            return Err(BadTarget::Subscription(subscription.to_owned()));
        }
        let not_a_group = || BadTarget::Group(nsg.to_owned());
        let id: ResourceId = nsg.parse().map_err(|_| not_a_group())?;
        let fence = Fence::around(id.clone()).map_err(|_| not_a_group())?;
        let its_subscription = id.as_str().split('/').nth(2).unwrap_or_default();
        if !its_subscription.eq_ignore_ascii_case(subscription) {
            return Err(BadTarget::OtherSubscription(its_subscription.to_owned()));
        }
        let here = |text: &&str| {
            reqwest::Url::parse(text)
                .is_ok_and(|url| ["http", "https"].contains(&url.scheme()) && edge::config::is_loopback(&url))
        };
        if let Some(elsewhere) = arm_url.filter(|text| !here(text)) {
            return Err(BadTarget::ArmUrl(elsewhere.to_owned()));
        }
        Ok(Self {
            subscription: subscription.to_owned(),
            nsg: id,
            fence,
            arm_url: arm_url.map(str::to_owned),
        })
    }

    fn group(&self) -> &str {
        self.nsg.name()
    }

    fn arm_url(&self) -> &str {
        self.arm_url.as_deref().unwrap_or("https://management.azure.com")
    }

    /// The variables that say where Azure is.
    fn variables(&self) -> BTreeMap<String, String> {
        self.arm_url.iter().map(|url| ("AJAR_ARM_URL".to_owned(), url.clone())).collect()
    }
}

/// Why there is no way into Azure: one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum NotConnected {
    /// There is no login.
    #[error(transparent)]
    NoLogin(#[from] NoLogin),
    /// There is no such group.
    #[error("there is no network security group {0} where --only-nsg says")]
    NoGroup(String),
    /// The login may not read what it must, or is refused for another reason.
    #[error("Azure does not let you read {what} and what is behind it ({code}){}", rights(code))]
    Refused {
        /// What was to be read.
        what: String,
        /// Azure's error code.
        code: String,
    },
    /// No answer.
    #[error("Azure did not answer ({0}): is this machine online?")]
    NoAnswer(String),
    /// The group shields nothing.
    #[error("no virtual machine is behind {0}: put it on a machine's network interface or subnet first")]
    NobodyBehind(String),
    /// A rule that was left there before cannot be removed.
    #[error(transparent)]
    Left(#[from] StillThere),
    /// Nothing that the operator did.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// A rule of ours is still in Azure, or may be: one line for the operator, with the command that helps.
#[derive(Debug, thiserror::Error)]
#[error("{what} ({why}); {help}")]
pub struct StillThere {
    what: String,
    why: String,
    help: String,
}

/// A way into Azure that is known to work.
pub struct Live {
    target: Target,
    operator: Operator,
    arm: Arm,
    installation: Installation,
    /// Those behind the group, by name.
    machines: Vec<SeenMachine>,
}

/// A rule of ours that is in the group.
struct Ours {
    name: RuleName,
    description: String,
}

impl Live {
    /// Gets a token, reads the group and the machines behind it, and removes what an earlier run left
    /// in the group.
    ///
    /// # Errors
    /// Any of it fails.
    pub async fn connect(target: Target, tell: Tell<'_>) -> Result<Self, NotConnected> {
        let begun = Instant::now();
        let login = edge::login::log_in(&target.subscription).await?;
        tell(begun.elapsed(), "az gave a token".to_owned());
        let operator = Operator { login, fence: target.fence.clone() };
        let arm = Arm::new(&Environment::of(target.variables()).with_operator(operator.clone()))?;
        let installation = INSTALLATION.parse().map_err(ConfigError::from)?;
        let mut live = Self { target, operator, arm, installation, machines: vec![] };
        let begun = Instant::now();
        let left = live.ours().await.map_err(|error| live.unread(error))?;
        tell(begun.elapsed(), format!("read {}", live.target.group()));
        if !left.is_empty() {
            for Ours { name, description } in &left {
                let text = format!("found {name}, left by an earlier run: {}", plain(description));
                tell(Duration::ZERO, text);
            }
            live.clear(Duration::ZERO, tell).await?;
        }
        let begun = Instant::now();
        let machines = live.arm.machines(&live.target.subscription, Clock::system().now()).await;
        live.machines = machines.map_err(|error| live.unread(error))?;
        live.machines.retain(|machine| is_behind(machine, &live.target.nsg));
        live.machines.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
        if live.machines.is_empty() {
            return Err(NotConnected::NobodyBehind(live.target.group().to_owned()));
        }
        tell(begun.elapsed(), format!("read the machines behind it: {}", live.machine_names()));
        Ok(live)
    }

    fn machine_names(&self) -> String {
        let names: Vec<&str> = self.machines.iter().map(|machine| machine.name.as_str()).collect();
        names.join(", ")
    }

    fn unread(&self, error: ArmError) -> NotConnected {
        match error {
            ArmError::NotFound(name) if name.eq_ignore_ascii_case(self.target.group()) => {
                NotConnected::NoGroup(name)
            }
            ArmError::Refused { code, .. } => {
                NotConnected::Refused { what: self.target.group().to_owned(), code: plain(&code) }
            }
            other => NotConnected::NoAnswer(other.to_string()),
        }
    }

    /// The rules of ours that are in the group.
    async fn ours(&self) -> Result<Vec<Ours>, ArmError> {
        let rules = self.arm.group(&self.target.nsg).await?.rules;
        let ours = rules.into_iter().filter_map(|rule| {
            let id: RequestId = RuleName::request_of(&rule.name, &self.installation)?;
            Some(Ours { name: RuleName::new(&self.installation, id), description: rule.description })
        });
        Ok(ours.collect())
    }

    /// What is printed when everything runs.
    pub(super) fn greeting(&self, sandbox: &Sandbox) -> String {
        format!(
            "Ajar's sandbox is running, with an Azure that is not its own. Open the page: {page}/\n\
             \n  Azure                    {azure}, subscription {subscription}, with the login of az\
             \n  What may be touched      {group}, and nothing else\
             \n  Machines behind it       {machines}\
             \n  To drive it from outside {page}/sandbox.json\
             \n\nWho can reach the page can open a port. Minutes are real. Ctrl-C shuts what is open and ends it.\n",
            page = sandbox.addresses().page_url(),
            azure = self.target.arm_url(),
            subscription = self.target.subscription,
            group = self.target.group(),
            machines = self.machine_names(),
        )
    }

    /// From now on nothing is written; what is under way has been answered when this returns.
    pub(super) async fn end_writing(&self) -> bool {
        self.operator.fence.end_writing().await
    }

    /// Ends all writing, and removes every rule of ours from the group. A write that had no answer may
    /// still land, so then the group is watched for a while.
    ///
    /// # Errors
    /// A rule is still there, or may be.
    pub async fn end(&self, tell: Tell<'_>) -> Result<(), StillThere> {
        let quiet = if self.end_writing().await { Duration::ZERO } else { LATE_WRITE };
        if !quiet.is_zero() {
            let text = format!("a write had no answer: watching {} for a minute", self.target.group());
            tell(Duration::ZERO, text);
        }
        self.clear(quiet, tell).await
    }

    /// Removes every rule of ours from the group, and looks until there has been none for `quiet`.
    async fn clear(&self, quiet: Duration, tell: Tell<'_>) -> Result<(), StillThere> {
        let begun = Instant::now();
        // What was accepted and when; what is gone is taken out.
        let mut accepted: BTreeMap<String, Instant> = BTreeMap::new();
        let (mut none_since, mut complained) = (None, false);
        loop {
            let (names, why, hopeless) = match self.ours().await {
                Ok(ours) => {
                    let there: Vec<String> = ours.iter().map(|rule| rule.name.to_string()).collect();
                    accepted.retain(|name, at| {
                        let stands = there.contains(name);
                        if !stands {
                            tell(at.elapsed(), format!("{name} is gone"));
                        }
                        stands
                    });
                    let (why, hopeless) = self.delete(&ours, &mut accepted, tell).await;
                    (there, why, hopeless)
                }
                Err(ArmError::NotFound(_)) => return Ok(()),
                Err(error) => {
                    let why = plain(&error.to_string());
                    if !complained {
                        tell(begun.elapsed(), format!("{why}; trying again for two minutes"));
                        complained = true;
                    }
                    (vec![], why, false)
                }
            };
            if names.is_empty() && why.is_empty() {
                let since = *none_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= quiet {
                    return Ok(());
                }
            } else {
                none_since = None;
            }
            if hopeless || begun.elapsed() > PATIENCE + quiet {
                return Err(self.still_there(&names, why));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Asks Azure to delete those of the rules that it is not deleting already. Gives why one stays,
    /// and whether trying again is no use.
    async fn delete(
        &self,
        ours: &[Ours],
        accepted: &mut BTreeMap<String, Instant>,
        tell: Tell<'_>,
    ) -> (String, bool) {
        let (mut why, mut hopeless) = (String::new(), false);
        for Ours { name, .. } in ours {
            let shown = name.to_string();
            if accepted.get(&shown).is_some_and(|at| at.elapsed() < DELETE_TAKES) {
                continue;
            }
            let begun = Instant::now();
            let acted = self.arm.delete_rule(&self.target.nsg, name).await;
            tell(begun.elapsed(), format!("DELETE {shown}: {}", said(&acted)));
            match acted {
                Acted::Done => {
                    accepted.entry(shown).or_insert_with(Instant::now);
                }
                Acted::Locked | Acted::Refused(_) => {
                    (why, hopeless) = (said(&acted), true);
                }
                other => why = said(&other),
            }
        }
        (why, hopeless)
    }

    /// What the operator is told where it was not looked.
    pub(super) fn not_known(&self, why: &str) -> StillThere {
        self.still_there(&[], why.to_owned())
    }

    /// What the operator is told when rules stay.
    pub(super) fn still_there(&self, names: &[String], why: String) -> StillThere {
        let Target { subscription, nsg, .. } = &self.target;
        let place = format!(
            "--subscription {subscription} --resource-group {} --nsg-name {}",
            nsg.resource_group().unwrap_or_default(),
            nsg.name()
        );
        if names.is_empty() {
            let what = format!("whether a rule of ours is left in {} is not known", nsg.name());
            let help = format!("look with: az network nsg rule list {place} --output table");
            return StillThere { what, why, help };
        }
        let remove = names.iter().map(|name| format!("az network nsg rule delete {place} --name {name}"));
        StillThere {
            what: format!("still in {}: {}", nsg.name(), names.join(", ")),
            why: if why.is_empty() { "Azure has not removed it yet".to_owned() } else { why },
            help: format!("remove it with: {}", remove.collect::<Vec<_>>().join(" && ")),
        }
    }
}

/// Whether the group is on the way to one of the machine's addresses.
fn is_behind(machine: &SeenMachine, nsg: &ResourceId) -> bool {
    let mut addresses = machine.nics.iter().flat_map(|nic| &nic.addresses);
    addresses.any(|address| machine.groups(address.private).contains(&nsg))
}

/// Why a machine cannot be reached through the one group.
fn fault(fault: &NetworkFault, name: &MachineName) -> String {
    match fault {
        NetworkFault::Fenced { nsg, only } => {
            format!("the way to {name} leads through {nsg} too, and only {only} may be touched")
        }
        NetworkFault::Unshielded => format!("nothing shields {name}"),
        NetworkFault::MachineGone => format!("{name} does not exist any more"),
        NetworkFault::NotRunning { .. } => format!("{name} does not run: start it in Azure first"),
        other => format!("{name} cannot be used: {other:?}"),
    }
}

#[cfg(test)]
mod tests;
