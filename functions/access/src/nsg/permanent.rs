//! Rules of the owner's that leave a port open for good, and where a rule of ours goes that shuts it.

use super::cover::cover;
use super::evaluate::lets_everybody_in;
use super::rule::{Match, Rule};
use super::{Flow, GRANT_BAND, LAST_PRIORITY, NoRoom};
use crate::drive::Access;
use crate::request::{Installation, Ports, Protocol, ResourceId, RuleName, Source};
use std::net::IpAddr;

/// The priorities of closing rules.
pub const CLOSING_BAND: std::ops::RangeInclusive<u16> = 500..=LAST_PRIORITY;

/// How many numbers a closing rule that must stand before [`CLOSING_BAND`] leaves free for grants.
pub const LEFT_FOR_GRANTS: usize = 20;

/// The rules from this priority on are Azure's own, which every group ends with.
const FIRST_DEFAULT: u16 = 65_000;

/// One port of a machine, from wherever somebody comes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Door {
    /// The private address of the machine.
    pub address: IpAddr,
    /// The protocol.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
    /// The application security groups that the address is in; `None` where that is not known.
    pub member_of: Option<Vec<ResourceId>>,
}

/// A rule that lets somebody through a door, for as long as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeftOpen {
    /// Its name.
    pub by: String,
    /// Its priority.
    pub priority: u16,
    /// Whether everybody on the Internet may pass by it; else some may, or it depends on what the rules do not say.
    pub to_everybody: bool,
}

/// The first rule of one group that lets anybody at all through a door and that is neither Azure's own nor of a grant.
/// What may let somebody through counts: it is not known to be shut. `None`: nobody comes in through this group
/// unless a grant or Azure's own rules for the virtual network let them.
pub fn left_open(rules: &[Rule], door: &Door, installation: &Installation) -> Option<LeftOpen> {
    let flow = Flow {
        source: Source::anywhere(door.address.is_ipv4()),
        destination: door.address,
        protocol: door.protocol,
        ports: Ports::new(vec![door.port]).ok()?,
        member_of: door.member_of.clone(),
    };
    let temporary = |rule: &Rule| RuleName::request_of(&rule.name, installation).is_some();
    let mut owners: Vec<&Rule> =
        rules.iter().filter(|rule| rule.priority < FIRST_DEFAULT && !temporary(rule)).collect();
    // Azure takes no two rules with one priority; if there are, the one that allows is not known to be the later one.
    owners.sort_by_key(|rule| (rule.priority, rule.access == Access::Deny));
    let mut open = vec![flow.source.prefix()];
    for rule in &owners {
        let reaches = rule.reaches(&flow, door.port);
        let covered = cover(&rule.sources, &open);
        match rule.access {
            Access::Allow if reaches != Match::No && (covered.maybe || !covered.sure.is_empty()) => {
                let to_everybody = lets_everybody_in(&owners, &flow);
                return Some(LeftOpen { by: rule.name.clone(), priority: rule.priority, to_everybody });
            }
            Access::Deny if reaches == Match::Yes => open = covered.rest,
            Access::Allow | Access::Deny => {}
        }
        if open.is_empty() {
            return None;
        }
    }
    None
}

/// A priority for a closing rule: before the first rule that leaves one of these doors open. The last free number of
/// [`CLOSING_BAND`] where that is early enough; else the last free number before that rule which leaves
/// [`LEFT_FOR_GRANTS`] free ones for grants. `own` is the name of the closing rule: where it stands early enough
/// already it stays, and its number counts as free.
///
/// # Errors
/// None is free; the rule in the way.
pub fn place_closing(
    rules: &[Rule],
    doors: &[Door],
    own: &RuleName,
    installation: &Installation,
) -> Result<u16, NoRoom> {
    let own = own.to_string();
    let others: Vec<Rule> =
        rules.iter().filter(|rule| !rule.name.eq_ignore_ascii_case(&own)).cloned().collect();
    let first = doors
        .iter()
        .filter_map(|door| left_open(&others, door, installation))
        .min_by_key(|left_open| left_open.priority);
    let limit = first.as_ref().map_or(u16::MAX, |left_open| left_open.priority);
    let is_free = |number: &u16| others.iter().all(|rule| rule.priority != *number);
    let room_above = |number: u16| {
        let above = (*GRANT_BAND.start()..number).filter(is_free).take(LEFT_FOR_GRANTS);
        above.count() == LEFT_FOR_GRANTS
    };
    let is_early = |number: u16| GRANT_BAND.contains(&number);
    let usable =
        |number: u16| number < limit && is_free(&number) && (!is_early(number) || room_above(number));
    let stands = rules.iter().find(|rule| rule.name.eq_ignore_ascii_case(&own)).map(|rule| rule.priority);
    stands
        .filter(|number| *number <= LAST_PRIORITY && usable(*number))
        .or_else(|| GRANT_BAND.chain(CLOSING_BAND).rev().find(|number| usable(*number)))
        .ok_or_else(|| NoRoom { before: first.map_or_else(String::new, |left_open| left_open.by) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nsg::{PortSpan, Provisioning, RuleProtocol, Scope};

    fn rule(name: &str, priority: u16, access: Access, source: &str, port: &str) -> Rule {
        Rule {
            name: name.to_owned(),
            priority,
            access,
            protocol: RuleProtocol::Tcp,
            sources: vec![Scope::of(source)],
            source_ports: vec![PortSpan::ANY],
            destinations: vec![Scope::Any],
            destination_ports: vec![PortSpan::of(port)],
            provisioning: Provisioning::Succeeded,
            description: String::new(),
        }
    }

    fn allow(name: &str, priority: u16) -> Rule {
        rule(name, priority, Access::Allow, "*", "22")
    }

    fn ours() -> Installation {
        "prod".parse().unwrap()
    }

    fn own() -> RuleName {
        RuleName::closing(&ours(), "7F3K9-QXM2P".parse().unwrap())
    }

    fn door() -> Door {
        Door { address: [10, 0, 0, 6].into(), protocol: Protocol::Tcp, port: 22, member_of: None }
    }

    fn placed(rules: &[Rule]) -> Result<u16, NoRoom> {
        place_closing(rules, &[door()], &own(), &ours())
    }

    #[test]
    fn the_first_rule_that_lets_anybody_in_is_named() {
        let open =
            |rules: &[Rule]| left_open(rules, &door(), &ours()).map(|open| (open.by, open.to_everybody));
        let deny = |source: &str| rule("deny", 200, Access::Deny, source, "22");
        let grant = allow("jit-prod-7F3K9-QXM2P", 150);
        assert_eq!(open(&[]), None);
        assert_eq!(open(&[grant, rule("web", 300, Access::Allow, "*", "80")]), None);
        assert_eq!(open(&[allow("ssh", 300)]), Some(("ssh".to_owned(), true)));
        assert_eq!(open(&[allow("ssh", 300), deny("*")]), None);
        assert_eq!(
            open(&[allow("ssh", 300), deny("Internet")]),
            Some(("ssh".to_owned(), false)),
            "the network may"
        );
        assert_eq!(
            open(&[rule("office", 300, Access::Allow, "203.0.113.0/24", "22")]),
            Some(("office".to_owned(), false))
        );
        assert_eq!(open(&[allow("ssh", 300), deny("203.0.113.0/24")]), Some(("ssh".to_owned(), false)));
        assert_eq!(
            open(&[rule("tag", 300, Access::Allow, "AzureCloud", "22")]),
            Some(("tag".to_owned(), false))
        );
        assert_eq!(
            open(&[allow("jit-other-7F3K9-QXM2P", 300)]),
            Some(("jit-other-7F3K9-QXM2P".to_owned(), true))
        );
    }

    #[test]
    fn a_closing_rule_stands_before_what_leaves_open_and_leaves_room_for_grants() {
        assert_eq!(placed(&[]), Ok(999));
        assert_eq!(placed(&[allow("ssh", 1000)]), Ok(999));
        assert_eq!(placed(&[allow("ssh", 700), allow("other", 699)]), Ok(698));
        assert_eq!(placed(&[allow("ssh", 500)]), Ok(499), "no number of the band is early enough");
        assert_eq!(placed(&[allow("ssh", 300)]), Ok(299));
        assert_eq!(placed(&[allow("ssh", 121)]), Ok(120), "100 to 119 are left for grants");
        let in_the_way = Err(NoRoom { before: "ssh".to_owned() });
        assert_eq!(placed(&[allow("ssh", 120)]), in_the_way);
        assert_eq!(placed(&[allow("ssh", 122), rule("web", 110, Access::Allow, "*", "80")]), Ok(121));
        assert_eq!(placed(&[allow("ssh", 121), rule("web", 110, Access::Allow, "*", "80")]), in_the_way);
        let stands = |priority| rule(&own().to_string(), priority, Access::Deny, "*", "22");
        assert_eq!(placed(&[allow("ssh", 1000), stands(600)]), Ok(600), "early enough already");
        assert_eq!(placed(&[allow("ssh", 500), stands(600)]), Ok(499));
        let grants: Vec<Rule> =
            (100..=499).map(|number| rule("g", number, Access::Allow, "*", "80")).collect();
        assert_eq!(placed(&grants), Ok(999), "a full band of grants is not in its way");
    }
}
