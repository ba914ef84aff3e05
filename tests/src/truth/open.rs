//! What a sentence claims of an open port, held against the network.

use super::{DELIVERY_SECONDS, Seen, bare, is_address_of, listed};

/// The rules that every group has.
const DEFAULTS: [&str; 3] = ["DenyAllInBound", "AllowVnetInBound", "AllowAzureLoadBalancerInBound"];

/// The names between backticks: a rule, and its group where `in` follows.
fn rules_in(text: &str) -> Vec<(String, Option<String>)> {
    let pieces: Vec<&str> = text.split('`').collect();
    let mut rules = vec![];
    let mut at = 1;
    while at < pieces.len() {
        let group = (pieces.get(at + 1) == Some(&" in ")).then(|| pieces.get(at + 2)).flatten();
        rules.push((pieces[at].to_owned(), group.map(|group| (*group).to_owned())));
        at += if group.is_some() { 4 } else { 2 };
    }
    rules
}

impl Seen<'_> {
    pub(super) fn is_open(&self) -> Vec<String> {
        let mut wrong = vec![];
        let mut must = |holds: bool, else_say: String| {
            if !holds {
                wrong.push(else_say);
            }
        };
        let time = |name: &str| self.found.time(name).unwrap_or_default();
        must(time("since") <= self.at, "it is not open yet".to_owned());
        must(self.at < time("until") + DELIVERY_SECONDS, "its time is over".to_owned());
        let groups = self.found.first("groups").unwrap_or_default().replace(" and ", ", ").replace('`', "");
        let groups = listed(&groups);
        let rules = self.rules();
        must(rules.len() == groups.len(), format!("its rule is in {} groups", rules.len()));
        let Some((machine, ports)) = self.place() else {
            must(false, "there is no such machine".to_owned());
            return wrong;
        };
        for group in groups {
            let rule = rules.iter().find(|(name, _)| *name == group);
            let Some((_, rule)) = rule else {
                must(false, format!("{group} has no rule of it"));
                continue;
            };
            let text = |name: &str| rule[name].as_str().unwrap_or_default();
            // A delete that has begun leaves the rule in force until it ends.
            let in_force = ["Succeeded", "Deleting"].contains(&text("provisioning_state"));
            must(text("access") == "Allow" && in_force, format!("its rule in {group} does not allow"));
            must(Some(text("name")) == self.found.first("rule"), "another rule is named".to_owned());
            let source = self.found.first("source").unwrap_or_default();
            must(bare(text("source")) == bare(source), format!("the source is {}", text("source")));
            must(listed(text("ports")) == ports, format!("the ports are {}", text("ports")));
            let to = bare(text("destination"));
            must(is_address_of(machine, to), format!("the destination is {to}"));
        }
        for (port, open) in self.doors() {
            must(open, format!("port {port} does not let the requester in"));
        }
        for (rule, group) in self.found.all("by").iter().flat_map(|text| rules_in(text)) {
            let named = group
                .map_or_else(|| self.exists_in(None, &rule), |group| self.exists_in(Some(&group), &rule));
            must(named, format!("{rule}, which is said to decide, does not exist"));
        }
        if self.found.first("says").is_some_and(|says| says.contains("Azure confirms")) {
            // Azure says so only of what packets meet.
            must(self.doors().iter().all(|(_, open)| *open), "Azure does not confirm it".to_owned());
        }
        wrong.extend(self.was_open_already());
        wrong
    }

    /// The rules that are said to have let everybody in exist where they are said to be, and let both of
    /// the known clients in.
    pub(super) fn was_open_already(&self) -> Vec<String> {
        let mut wrong = vec![];
        for (rule, group) in self.found.all("already").iter().flat_map(|text| rules_in(text)) {
            if !self.exists_in(group.as_deref(), &rule) {
                wrong.push(format!("{rule}, by which it is said to be open already, does not exist"));
            }
        }
        wrong
    }

    /// Whether a rule of this name exists, in this group or in any; default rules always do.
    pub(super) fn exists_in(&self, group: Option<&str>, name: &str) -> bool {
        let groups = self.network["nsgs"].as_array().into_iter().flatten();
        let groups = groups.filter(|one| group.is_none_or(|group| one["name"] == group));
        let admin = self.network["admin_rules"].as_array().into_iter().flatten().filter(|_| group.is_none());
        let mut rules = groups.flat_map(|one| one["rules"].as_array().into_iter().flatten()).chain(admin);
        DEFAULTS.contains(&name) || rules.any(|rule| rule["name"] == name)
    }
}
