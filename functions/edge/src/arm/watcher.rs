//! Azure's own check of a flow: Network Watcher's `ipFlowVerify`. It looks at the groups of the interface
//! and at the admin rules of Azure Virtual Network Manager, which no group shows.
//!
//! It may be missing, not permitted, slow or silent: then nothing is said, and nobody waits for it longer
//! than [`PATIENCE`]. A refusal for lack of rights is remembered as long as the process lives.

use super::machines::path_of;
use super::{Arm, NETWORK, Sent};
use crate::clock::{Awake, Clock};
use access::request::{Machine, Protocol, ResourceId};
use azure_core::http::{RawResponse, headers::HeaderName};
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The longest that one check may take, with its polls.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two polls; Azure names no time in practice.
const POLL: Duration = Duration::from_millis(500);

/// The port that the flow is said to come from: any that clients choose for themselves.
const SOURCE_PORT: &str = "50000";

/// What a process knows of Network Watcher.
pub(super) struct Watchers {
    off: bool,
    forbidden: AtomicBool,
    /// Those of each subscription that was looked up: its id in lower case, and its watchers.
    known: Mutex<Vec<(String, Vec<Watcher>)>>,
}

#[derive(Clone, Deserialize)]
struct Watcher {
    id: ResourceId,
    location: String,
}

#[derive(Deserialize)]
struct List {
    value: Vec<Watcher>,
}

/// What Azure says of a flow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said {
    /// Whether it passes.
    pub allowed: bool,
    /// The rule that decides: its own name, without what Azure puts before it.
    pub rule: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    access: String,
    #[serde(default)]
    rule_name: String,
}

/// Why nothing was said.
enum Silence {
    /// The role does not permit it.
    Forbidden,
    /// Anything else.
    Because(String),
}

impl Watchers {
    pub(super) const fn new(off: bool) -> Self {
        Self { off, forbidden: AtomicBool::new(false), known: Mutex::new(vec![]) }
    }

    fn known(&self, subscription: &str) -> Option<Vec<Watcher>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|(id, _)| id == subscription).map(|(_, watchers)| watchers.clone())
    }

    /// What is not there is not remembered: it may be made at any time.
    fn remember(&self, subscription: &str, watchers: &[Watcher]) {
        if !watchers.is_empty() {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.push((subscription.to_owned(), watchers.to_vec()));
        }
    }
}

impl Arm {
    /// Asks Azure what becomes of a flow to a machine in this region (`location` as its groups name it).
    /// `None` where it is switched off, not permitted, or nothing was answered in time; and for IPv6, of
    /// which the check knows nothing (rest/api/network-watcher, Verify IP Flow). Its polls wait by `clock`, where
    /// whoever asks is at work.
    pub async fn verify_flow(
        &self,
        machine: &Machine,
        location: &str,
        source: IpAddr,
        protocol: Protocol,
        port: u16,
        clock: (&Clock, &Awake),
    ) -> Option<Said> {
        if self.watchers.off || self.watchers.forbidden.load(Ordering::Relaxed) || source.is_ipv6() {
            return None;
        }
        let body = json!({
            "targetResourceId": machine.resource_id.as_str(),
            "direction": "Inbound",
            "protocol": protocol.to_string().to_uppercase(),
            "localPort": port.to_string(),
            "remotePort": SOURCE_PORT,
            "localIPAddress": machine.private_address.to_string(),
            "remoteIPAddress": source.to_string(),
        });
        let asked = self.ask_watcher(&machine.resource_id, location, &body, clock);
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(said)) => Some(said),
            Ok(Err(Silence::Forbidden)) => {
                self.watchers.forbidden.store(true, Ordering::Relaxed);
                tracing::info!("Network Watcher is not permitted; it is not asked again");
                None
            }
            Ok(Err(Silence::Because(why))) => {
                tracing::warn!(why, "Network Watcher did not say what becomes of the flow");
                None
            }
            Err(_) => {
                tracing::warn!("Network Watcher took too long");
                None
            }
        }
    }

    async fn ask_watcher(
        &self,
        machine: &ResourceId,
        location: &str,
        body: &Value,
        (clock, at_work): (&Clock, &Awake),
    ) -> Result<Said, Silence> {
        let begun_ms = clock.now_ms();
        let watcher = self.watcher(machine, location).await?;
        let mut answer =
            self.call(Sent::Ask(&format!("{watcher}/ipFlowVerify?api-version={NETWORK}"), body)).await?;
        while u16::from(answer.status()) == 202 {
            let location = HeaderName::from_static("location");
            let next = answer.headers().get_optional_str(&location).map(path_of);
            let next = next.ok_or_else(|| Silence::Because("202 without a place to ask".to_owned()))?;
            let next = next.map_err(|error| Silence::Because(error.to_string()))?;
            if u128::from(clock.now_ms().saturating_sub(begun_ms)) >= PATIENCE.as_millis() {
                return Err(Silence::Because("it took too long".to_owned()));
            }
            clock.pause(POLL, at_work).await;
            answer = self.call(Sent::Get(&next)).await?;
        }
        let answer: Answer = serde_json::from_slice(answer.body())
            .map_err(|error| Silence::Because(format!("an unreadable answer: {error}")))?;
        let allowed = match answer.access.to_ascii_lowercase().as_str() {
            "allow" => true,
            "deny" => false,
            _ => return Err(Silence::Because("neither Allow nor Deny".to_owned())),
        };
        Ok(Said { allowed, rule: rule_of(&answer.rule_name).to_owned() })
    }

    /// The watcher of this region.
    async fn watcher(&self, machine: &ResourceId, location: &str) -> Result<ResourceId, Silence> {
        let subscription = machine.as_str().split('/').nth(2).unwrap_or_default().to_ascii_lowercase();
        let watchers = match self.watchers.known(&subscription) {
            Some(watchers) => watchers,
            None => {
                let path = format!(
                    "/subscriptions/{subscription}/providers/Microsoft.Network/networkWatchers?api-version={NETWORK}"
                );
                let answer = self.call(Sent::Get(&path)).await?;
                let list: List = serde_json::from_slice(answer.body())
                    .map_err(|error| Silence::Because(format!("an unreadable list: {error}")))?;
                self.watchers.remember(&subscription, &list.value);
                list.value
            }
        };
        let here = |watcher: &&Watcher| same_region(&watcher.location, location);
        let found = watchers.iter().find(here).map(|watcher| watcher.id.clone());
        found.ok_or_else(|| Silence::Because(format!("there is no Network Watcher in {location}")))
    }

    async fn call(&self, what: Sent<'_>) -> Result<RawResponse, Silence> {
        let answer = self.send(what).await;
        let answer = answer.map_err(|error| Silence::Because(error.to_string()))?;
        match u16::from(answer.status()) {
            200 | 202 => Ok(answer),
            403 => Err(Silence::Forbidden),
            status => Err(Silence::Because(format!("{status} {}", super::answers::refusal(&answer).told()))),
        }
    }
}

/// `West Europe` and `westeurope` are one region.
fn same_region(one: &str, other: &str) -> bool {
    let plain = |text: &str| text.replace(' ', "").to_ascii_lowercase();
    plain(one) == plain(other)
}

/// The rule's own name: Azure writes `securityRules/allow-ssh`, `defaultSecurityRules/DenyAllInBound`,
/// and in older answers `UserRule_allow-ssh`.
fn rule_of(named: &str) -> &str {
    let name = named.rsplit('/').next().unwrap_or_default();
    name.strip_prefix("UserRule_").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_regions_and_places_are_read_as_azure_writes_them() {
        for (named, rule) in [
            ("securityRules/allow-ssh", "allow-ssh"),
            ("defaultSecurityRules/DenyAllInBound", "DenyAllInBound"),
            ("UserRule_allow-ssh", "allow-ssh"),
            ("no-ssh", "no-ssh"),
            ("", ""),
        ] {
            assert_eq!(rule_of(named), rule);
        }
        assert!(same_region("West Europe", "westeurope") && !same_region("westeurope", "northeurope"));
        let elsewhere = "https://elsewhere.example/subscriptions/s/operationResults/1?api-version=1&t=2";
        assert_eq!(path_of(elsewhere).unwrap(), "/subscriptions/s/operationResults/1?api-version=1&t=2");
        assert!(path_of("not an address").is_err());
    }
}
