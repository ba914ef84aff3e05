//! An admin's order: closing rules that are to be written, or removed. It is offered in Slack first; nothing in Azure
//! is changed before an admin has clicked on exactly this change, and `grant` and `revoke` judge that click again.

use crate::click::{Action, App, Click};
use crate::drive::{Access, Standing};
use crate::enabled::EnabledPort;
use crate::evidence::{Unproven, is_fresh};
use crate::lease::Timestamp;
use crate::lifecycle::SignedClick;
use crate::machine::{OpenDoor, SeenMachine};
use crate::nsg::{Door, PortSpan, Provisioning, Rule, RuleProtocol, Scope};
use crate::policy::{Admin, Groups, Policy};
use crate::request::{
    Installation, MachineName, Ports, Protocol, RequestHash, RequestId, ResourceId, RuleName, UserId,
};
use crate::signature::SigningKeys;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::net::IpAddr;

/// How long an offer can be taken, in seconds: a day.
pub const OFFERED_SECONDS: u64 = 86_400;

/// The most closing rules of one order: more would not be told in one message.
pub const MOST_RULES: usize = 40;

/// What is to become of the rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// They are to be written: the ports are shut but for grants.
    Write,
    /// They are to be removed.
    Remove,
}

impl Change {
    /// The button that orders it.
    pub const fn action(self) -> Action {
        match self {
            Self::Write => Action::WriteClosing,
            Self::Remove => Action::RemoveClosing,
        }
    }
}

/// A rule that denies ports of one machine to everybody, in one network security group. Grants stand before it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClosingRule {
    /// The group.
    pub nsg: ResourceId,
    /// The machine.
    pub machine: ResourceId,
    /// The machine's name, as Azure writes it.
    pub name: MachineName,
    /// The private address that it denies.
    pub address: IpAddr,
    /// The protocol.
    pub protocol: Protocol,
    /// The ports.
    pub ports: Ports,
}

impl ClosingRule {
    /// Its id: the same for the same machine, address, protocol and group, so that it is never there twice.
    pub fn id(&self) -> RequestId {
        let of = format!("closing/{}/{}/{}", self.nsg.key(), self.address, self.protocol);
        RequestHash::of(&of, &self.machine).candidate(0)
    }

    /// Its name in Azure.
    pub fn rule_name(&self, installation: &Installation) -> RuleName {
        RuleName::closing(installation, self.id())
    }

    /// What it shuts, port by port.
    pub fn doors(&self) -> impl Iterator<Item = Door> {
        let (address, protocol) = (self.address, self.protocol);
        self.ports.as_slice().iter().map(move |port| Door { address, protocol, port: *port, member_of: None })
    }

    /// What an auditor reads on it; Azure takes at most 140 characters.
    pub fn description(&self, order: RequestId, admin: &UserId) -> String {
        let text = format!("Ajar {order}: {} {} shut but for grants, by {admin}", self.name, self.ports);
        text.chars().take(140).collect()
    }

    /// How it stands among the rules of its group: [`Standing::Deny`] where it is as it should be.
    pub fn standing(&self, rules: &[Rule], installation: &Installation) -> Standing {
        let name = self.rule_name(installation).to_string();
        let Some(rule) = rules.iter().find(|rule| rule.name.eq_ignore_ascii_case(&name)) else {
            return Standing::Absent;
        };
        match rule.provisioning {
            Provisioning::Changing => return Standing::Changing,
            Provisioning::Failed => return Standing::Altered,
            Provisioning::Succeeded => {}
        }
        let ports: Vec<PortSpan> = self.ports.as_slice().iter().map(|port| PortSpan::one(*port)).collect();
        let protocol = match self.protocol {
            Protocol::Tcp => RuleProtocol::Tcp,
            Protocol::Udp => RuleProtocol::Udp,
        };
        let as_ordered = rule.access == Access::Deny
            && rule.sources == [Scope::Any]
            && rule.source_ports == [PortSpan::ANY]
            && rule.destinations == [Scope::Net(self.address.into())]
            && rule.destination_ports.len() == ports.len()
            && ports.iter().all(|span| rule.destination_ports.contains(span))
            && rule.protocol == protocol;
        if as_ordered { Standing::Deny } else { Standing::Altered }
    }

    /// What an admin says yes to, in parts.
    fn parts(&self) -> [String; 5] {
        [
            self.nsg.key(),
            self.machine.key(),
            self.address.to_string(),
            self.protocol.to_string(),
            self.ports.to_string(),
        ]
    }
}

/// What has become of one rule of an order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing yet.
    Waiting,
    /// It stands, and no rule of the group lets anybody through any more but for grants.
    Shut {
        /// Its priority.
        priority: u16,
    },
    /// It stands, and the group's rules still let somebody through.
    StillOpen {
        /// Its priority.
        priority: u16,
        /// The rule that lets somebody through.
        by: String,
    },
    /// It was seen gone.
    Gone,
    /// No number is free early enough.
    NoRoom {
        /// The rule in the way.
        before: String,
    },
    /// Azure refuses it.
    Refused {
        /// Azure's error code.
        code: String,
    },
    /// The machine is not as it was when it was offered: gone, or its address or its groups have changed.
    Changed,
    /// The click does not prove it any more or never did.
    Unproven {
        /// Why.
        why: Unproven,
    },
}

impl Outcome {
    /// Whether nothing more is tried.
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::Waiting)
    }
}

/// Who said yes to an order, and how that is proved.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Yes {
    /// The admin.
    pub by: UserId,
    /// When, by Slack's timestamp.
    pub at: Timestamp,
    /// The click as Slack signed it.
    pub click: SignedClick,
}

/// Why an order is offered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// An admin enabled machines whose ports other rules leave open.
    Enabled {
        /// Who.
        by: UserId,
    },
    /// An admin disabled machines.
    Disabled {
        /// Who.
        by: UserId,
    },
    /// A closing rule was found missing, or not as it was written.
    Missing,
}

/// What was found of a machine when an order was offered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Found {
    /// Its name.
    pub name: MachineName,
    /// What is enabled on it; none where nothing is any more.
    #[serde(default)]
    pub ports: Vec<EnabledPort>,
    /// Whether what is enabled is shut.
    pub state: Shut,
}

/// Whether what is enabled on a machine is shut for everybody without a grant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shut {
    /// It is.
    Yes,
    /// It is not.
    No {
        /// What is open.
        doors: Vec<OpenDoor>,
    },
    /// A group could not be read.
    Unread,
    /// A closing rule of it is not as it was written.
    Missing,
    /// No group is on the way.
    Bare,
    /// The machine is not there any more.
    Gone,
}

impl Found {
    /// What was seen of a machine.
    pub fn of(machine: &SeenMachine) -> Self {
        let ports = machine.enabled.as_ref().map(|enabled| enabled.ports().to_vec()).unwrap_or_default();
        let is_enabled =
            |door: &&OpenDoor| ports.iter().any(|one| (one.port, one.protocol) == (door.port, door.protocol));
        let doors: Vec<OpenDoor> = machine.open.iter().filter(is_enabled).cloned().collect();
        let state = match machine {
            SeenMachine { gone_at: Some(_), .. } => Shut::Gone,
            _ if machine.is_bare() => Shut::Bare,
            _ if !doors.is_empty() => Shut::No { doors },
            SeenMachine { unread: true, .. } => Shut::Unread,
            _ => Shut::Yes,
        };
        Self { name: machine.name.clone(), ports, state }
    }

    /// What was found of the machine of a closing rule that does not stand.
    pub fn missed(rule: &ClosingRule) -> Self {
        Self { name: rule.name.clone(), ports: vec![], state: Shut::Missing }
    }
}

/// An order, from its offer to its end.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Order {
    /// Its id.
    pub id: RequestId,
    /// What is to be done.
    pub change: Change,
    /// Why it is offered.
    pub reason: Reason,
    /// What was found of the machines when it was offered.
    #[serde(default)]
    pub found: Vec<Found>,
    /// The rules; none where there is nothing to be written or removed, and only something to be told.
    pub rules: Vec<ClosingRule>,
    /// What has become of each.
    pub outcomes: Vec<Outcome>,
    /// When it was offered.
    pub offered_at: Timestamp,
    /// Absent until an admin has said yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yes: Option<Yes>,
}

/// Why a click on an offer changes nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotTaken {
    /// Somebody has said yes already.
    Taken {
        /// Who.
        by: UserId,
        /// When.
        at: Timestamp,
    },
    /// The offer is too old.
    Lapsed,
}

impl Order {
    /// An offer.
    pub fn offer(
        id: RequestId,
        change: Change,
        reason: Reason,
        found: Vec<Found>,
        rules: Vec<ClosingRule>,
        now: Timestamp,
    ) -> Self {
        let outcomes = vec![Outcome::Waiting; rules.len()];
        Self { id, change, reason, found, rules, outcomes, offered_at: now, yes: None }
    }

    /// A digest of everything that an admin says yes to. Each part has its length, so that no two different orders
    /// read the same.
    pub fn digest(&self) -> String {
        let change = match self.change {
            Change::Write => "write",
            Change::Remove => "remove",
        };
        let head = ["ajar-order-1".to_owned(), self.id.to_string(), change.to_owned()];
        let parts = head.into_iter().chain(self.rules.iter().flat_map(ClosingRule::parts));
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hex::encode(hash.finalize())
    }

    /// With an admin's yes.
    ///
    /// # Errors
    /// It was taken already, or the offer is too old.
    pub fn taken(
        &self,
        admin: &Admin,
        click: SignedClick,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<Self, NotTaken> {
        if let Some(yes) = &self.yes {
            return Err(NotTaken::Taken { by: yes.by.clone(), at: yes.at });
        }
        if now.since(self.offered_at) > OFFERED_SECONDS {
            return Err(NotTaken::Lapsed);
        }
        let yes = Yes { by: admin.user().clone(), at, click };
        Ok(Self { yes: Some(yes), ..self.clone() })
    }

    /// Whether it is ordered and something of it is still to be done.
    pub fn is_at_work(&self) -> bool {
        self.yes.is_some() && !self.is_done()
    }

    /// Whether nothing of it is left to be done.
    pub fn is_done(&self) -> bool {
        self.outcomes.iter().all(Outcome::is_final)
    }

    /// Whether the stored click proves that an admin ordered exactly this, so recently that it may be carried out.
    ///
    /// # Errors
    /// What it does not prove.
    pub fn judge(
        &self,
        keys: &SigningKeys,
        app: &App,
        policy: &Policy,
        groups: &Groups,
        now: Timestamp,
    ) -> Result<Admin, Unproven> {
        let Some(yes) = &self.yes else { return Err(Unproven::TooFew { got: 0, needed: 1 }) };
        let signed = &yes.click;
        let verified = keys
            .verify_evidence(signed.key, &signed.timestamp, &signed.signature, signed.body.as_bytes())
            .map_err(|_| Unproven::Signature)?;
        let click = Click::parse(&verified, app).map_err(Unproven::Click)?;
        if click.action != self.change.action() {
            return Err(Unproven::NotApprove);
        }
        if click.request != self.id {
            return Err(Unproven::OtherRequest);
        }
        if click.terms != self.digest() {
            return Err(Unproven::OtherTerms);
        }
        // Judged by where the rule is and not by what it is called: a record could name one machine and mean another.
        let named = |rule: &ClosingRule| rule.name.as_str().eq_ignore_ascii_case(rule.machine.name());
        if !self.rules.iter().all(named) || self.rules.len() > MOST_RULES {
            return Err(Unproven::OtherTerms);
        }
        if click.user != yes.by {
            return Err(Unproven::OtherPerson);
        }
        let admin = policy.admin(&click.user, groups);
        let admin = admin.ok_or_else(|| Unproven::NotEntitled { user: click.user.clone() })?;
        is_fresh(verified.signed_at(), now)?;
        Ok(admin)
    }
}
