//! What an approval opens: the security groups, who else is behind them, and that only one machine is opened.

use super::*;

/// The most security groups that are named: two are usual, one on the subnet and one on the interface.
const NAMED: usize = 3;

/// What an approver must know of the click.
pub(super) const DECIDE: &str =
    "You decide with your Slack identity, and your click is kept as Slack signed it.";

/// How many addresses a prefix lets in.
pub(super) fn how_many(source: &Source) -> String {
    let prefix = source.prefix();
    let bits = prefix.max_prefix_len() - prefix.prefix_len();
    // Nobody reads 2^64 addresses as a number.
    1_u64
        .checked_shl(u32::from(bits))
        .filter(|_| bits <= 32)
        .map_or_else(|| format!("2^{bits} addresses"), |count| format!("{count} addresses"))
}

/// What a grant of this opens, by what was seen of the machine last.
pub(super) fn opens(ask: &Ask, seen: Option<&SeenMachine>) -> String {
    let machine = &ask.wish.machine;
    let unknown = "The security groups on its way are read in Azure before a rule is written.";
    let Some(seen) = seen else { return unknown.to_owned() };
    let groups = seen.groups(machine.private_address);
    if groups.is_empty() {
        return unknown.to_owned();
    }
    let shared = |nsg| match seen.behind_with(nsg) {
        Some(1) => " (it shields this machine alone)".to_owned(),
        Some(machines) => format!(" (it shields {machines} machines)"),
        None => String::new(),
    };
    let mut each: Vec<String> =
        groups.iter().take(NAMED).map(|nsg| format!("`{}`{}", word(nsg.name()), shared(nsg))).collect();
    if groups.len() > NAMED {
        each.push(format!("{} more", groups.len() - NAMED));
    }
    format!(
        "*Opens* only `{}`, at its address `{}`, by a rule in {}.",
        machine.name,
        machine.private_address,
        listed(&each, "and")
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::{largest, seen};
    use super::*;

    fn nsg(name: &str) -> String {
        format!("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkSecurityGroups/{name}")
    }

    fn told(set: &Value) -> String {
        let record = largest(&json!({"status": "PENDING"}));
        let mut ask = record.ask().unwrap().clone();
        ask.wish.machine.name = "VM3".parse().unwrap();
        ask.wish.machine.private_address = "10.0.0.4".parse().unwrap();
        opens(&ask, Some(&seen("s/resourceGroups/g", "VM3", set)))
    }

    #[test]
    fn an_approver_reads_that_one_machine_of_many_is_opened() {
        let address = json!({"private": "10.0.0.4", "on_subnet": {"group": nsg("shared")}});
        let nic = json!({"id": nsg("nic"), "nsg": nsg("own"), "addresses": [address]});
        let counted = json!([{"nsg": nsg("shared"), "machines": 4}, {"nsg": nsg("own"), "machines": 1}]);
        assert_eq!(
            told(&json!({"nics": [nic], "behind": counted})),
            "*Opens* only `VM3`, at its address `10.0.0.4`, by a rule in `shared` (it shields 4 machines) and `own` (it shields this machine alone)."
        );
        assert_eq!(
            told(&json!({})),
            "*Opens* only `VM3`, at its address `10.0.0.4`, by a rule in `shared`.",
            "seen by an earlier version"
        );
        let unknown = "The security groups on its way are read in Azure before a rule is written.";
        assert_eq!(told(&json!({"nics": []})), unknown);
        let record = largest(&json!({"status": "PENDING"}));
        assert_eq!(opens(record.ask().unwrap(), None), unknown);
    }

    #[test]
    fn many_groups_are_counted() {
        let address = json!({"private": "10.0.0.4", "on_subnet": "nothing"});
        let nic = |n: u8| json!({"id": nsg("nic"), "nsg": nsg(&format!("n{n}")), "addresses": [address]});
        let nics: Vec<Value> = (1..=5).map(nic).collect();
        let said = told(&json!({"nics": nics}));
        assert!(said.ends_with("by a rule in `n1`, `n2`, `n3` and 2 more."), "{said}");
    }
}
