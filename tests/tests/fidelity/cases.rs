//! Cases that Microsoft's pages decide, in `cases.toml`: both evaluators must answer each as written.

use super::written::{Written, by, group_id, judged, read, rule_of};
use access::drive::Verdict;
use access::nsg::{Flow, evaluate, together};
use access::request::{Ports, Protocol};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cases {
    /// The pages, by the short names that cases use.
    pub(crate) pages: BTreeMap<String, Page>,
    pub(crate) case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    pub(crate) title: String,
    pub(crate) url: String,
}

/// One case.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// Which page decides it, or `inferred` where none does.
    pub(crate) page: String,
    /// What the page says, in our words.
    pub(crate) says: String,
    /// The rules of each group on the way, the subnet's first.
    pub(crate) groups: Vec<Vec<String>>,
    /// `203.0.113.7 -> 10.0.0.6:22 tcp`, several ports with commas.
    pub(crate) flow: String,
    /// The application security groups of the destination, where they are known.
    pub(crate) member_of: Option<Vec<String>>,
    /// `allow allow-ssh`, `deny DenyAllInBound`, `unclear t`: the answer and the rule that decides.
    pub(crate) expect: String,
}

pub(crate) fn all() -> Cases {
    toml::from_str(include_str!("cases.toml")).unwrap()
}

/// `allow-ssh 300 Allow Tcp Internet:* -> *:22`, lists with commas; `out` or a state may follow. A port
/// is what follows the last colon.
pub(crate) fn rule(text: &str) -> Written {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [name, priority, access, protocol, from, "->", to, rest @ ..] = words.as_slice() else {
        panic!("not a rule: {text}");
    };
    let side = |text: &str| {
        let (addresses, ports) = text.rsplit_once(':').unwrap_or_else(|| panic!("no port in {text}"));
        let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        (list(addresses), list(ports))
    };
    let ((sources, source_ports), (destinations, ports)) = (side(from), side(to));
    let outbound = rest.contains(&"out");
    let state = rest.iter().find(|word| **word != "out").copied().unwrap_or("Succeeded");
    Written {
        name: (*name).to_owned(),
        priority: priority.parse().unwrap(),
        allow: match *access {
            "Allow" => true,
            "Deny" => false,
            _ => panic!("neither Allow nor Deny: {text}"),
        },
        protocol: (*protocol).to_owned(),
        sources,
        source_ports,
        destinations,
        ports,
        state: state.to_owned(),
        outbound,
    }
}

impl Case {
    pub(crate) fn rules(&self) -> Vec<Vec<Written>> {
        self.groups.iter().map(|group| group.iter().map(|text| rule(text)).collect()).collect()
    }

    pub(crate) fn flow(&self) -> Flow {
        let words: Vec<&str> = self.flow.split_whitespace().collect();
        let [from, "->", to, protocol] = words.as_slice() else { panic!("not a flow: {}", self.flow) };
        let (to, ports) = to.rsplit_once(':').unwrap();
        let ids = |names: &Vec<String>| names.iter().map(|name| group_id(name).parse().unwrap()).collect();
        Flow {
            source: from.parse().unwrap(),
            destination: to.parse().unwrap(),
            protocol: if *protocol == "tcp" { Protocol::Tcp } else { Protocol::Udp },
            ports: Ports::new(ports.split(',').map(|port| port.parse().unwrap()).collect()).unwrap(),
            member_of: self.member_of.as_ref().map(ids),
        }
    }
}

fn said(verdict: &Verdict) -> String {
    let what = match verdict {
        Verdict::Allowed { .. } => "allow",
        Verdict::Denied { .. } => "deny",
        Verdict::Unclear { .. } => "unclear",
    };
    format!("{what} {}", by(verdict))
}

#[test]
fn the_product_answers_every_case_as_its_page_says() {
    let mut wrong = vec![];
    for case in all().case {
        let (rules, flow) = (case.rules(), case.flow());
        // Whether the answer lists the default rules must make no difference.
        for defaults in [true, false] {
            let each: Vec<Verdict> =
                rules.iter().map(|group| evaluate(&read(group, defaults), &flow)).collect();
            let answer = together(&each).map_or("allow no group".to_owned(), said);
            if answer != case.expect {
                wrong.push(format!(
                    "{}: {answer}, not {} (defaults listed: {defaults})",
                    case.name, case.expect
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_sandbox_answers_every_case_as_its_page_says() {
    let (mut wrong, mut decided) = (vec![], 0);
    for case in all().case {
        let (rules, flow) = (case.rules(), case.flow());
        // What cannot be known from the rules, the sandbox's Azure knows; it is not on any page.
        let Some((expected, rule)) = case.expect.split_once(' ').filter(|(what, _)| *what != "unclear")
        else {
            continue;
        };
        for (nth, port) in flow.ports.as_slice().iter().enumerate() {
            let answer = judged(&rules, &flow, *port, flow.source.prefix().addr());
            // All groups that were looked at allowed but the last; the product names the first that allows.
            let named = if answer.passes { answer.by.first() } else { answer.by.last() };
            let named = named.map_or("no group", |named| rule_of(named));
            let what = if answer.passes { "allow" } else { "deny" };
            decided += 1;
            // Of several ports the product names what decides the first.
            if what != expected || nth == 0 && named != rule {
                wrong.push(format!("{} port {port}: {what} {named}, not {}", case.name, case.expect));
            }
        }
    }
    println!("the sandbox decided {decided} flows of the cases");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn at_least_sixty_cases_have_their_page() {
    let Cases { pages, case } = all();
    let mut names: Vec<&str> = case.iter().map(|case| case.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), case.len(), "a name is used twice");
    let unknown: Vec<&str> = case
        .iter()
        .filter(|case| case.page != "inferred" && !pages.contains_key(&case.page) || case.says.len() < 20)
        .map(|case| case.name.as_str())
        .collect();
    assert!(unknown.is_empty(), "no page, or nothing that it says: {unknown:?}");
    assert!(pages.values().all(|page| page.url.starts_with("https://") && !page.title.is_empty()));
    let sourced = case.iter().filter(|case| case.page != "inferred").count();
    println!("{} cases, {sourced} of them with their page", case.len());
    assert!(sourced >= 60, "{sourced}");
}
