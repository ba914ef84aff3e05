//! Whether what people were told was true when they were told it.
//!
//! This reads what the simulated Slack received, each entry with the network as it was at that
//! instant, and knows nothing of the product but the sentences that people read: it takes the claims
//! out of the text and compares them with Azure's rules and with whom the machine's port let in. A
//! wording that it does not know is an error, so that every new sentence must be taught to it.

use serde_json::Value;
use std::collections::BTreeMap;

mod enabling;
mod looking;
mod open;
mod template;
mod wordings;

use template::{Found, find};
use wordings::{HINDRANCES, OTHER, REQUEST, TERMS, WHY};

/// How much later than its instant a sentence may arrive, in seconds.
const DELIVERY_SECONDS: f64 = 2.0;

/// What is said beside it of a message that Slack did not take as it was made.
const AS_TEXT: &str =
    " (Slack did not take this message as it was made: it is shown as text, without buttons.)";

/// What a sentence claims of the network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Claim {
    /// Nothing that the network could contradict.
    Nothing,
    /// No rule of this request exists.
    NoRule,
    /// No rule of this request exists, or ever did.
    NeverOpened,
    /// It is open, as described.
    Open,
    /// It was open to everybody before it was asked for, by the rules that are named.
    OpenAlready,
    /// A rule of this request lets its requester in.
    RuleStands,
    /// It is shut and nothing of it is left.
    Shut,
    /// Its rules deny.
    Denied,
    /// The group that is named has no rule of it.
    GoneFromGroup,
    /// No rule of it is left, and another rule lets the requester in.
    OpenByAnother,
    /// It was open until a moment that has come.
    WasOpen,
}

/// What earlier entries said of a request.
#[derive(Default)]
struct Known {
    source: Option<String>,
    ends_at: Option<f64>,
    /// Whether a rule of it was ever seen.
    seen_rule: bool,
}

/// One entry, taken apart.
struct Seen<'a> {
    at: f64,
    network: &'a Value,
    id: String,
    found: Found,
    known: &'a Known,
}

/// What was untrue, one line each; the entries are those of `/sandbox/messages`.
pub fn check(entries: &[Value]) -> Vec<String> {
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    let mut steps = BTreeMap::new();
    let mut wrong = vec![];
    // A form claims nothing.
    let is_form = |entry: &Value| entry["method"] == "views.open" || entry["method"] == "view_answer";
    let says = |entry: &&Value| entry["ok"] == true && !is_form(entry);
    for entry in entries.iter().filter(says) {
        let text = entry["body"]["text"].as_str().unwrap_or_default();
        // What was said as a text alone claims the same.
        let text = text.strip_suffix(AS_TEXT).filter(|_| entry["body"]["blocks"].is_null()).unwrap_or(text);
        let of_one = of_one_port(text);
        let mut say = |why: String| wrong.push(format!("at {}: {why}: {text}", entry["at"]));
        if let Some(why) = shown_otherwise(&entry["body"], text) {
            say(why);
        }
        let text = of_one.as_str();
        if let Some(claims) = enabling::claims(text) {
            claims.into_iter().filter_map(|claim| claim.untrue(&entry["network"])).for_each(&mut say);
            continue;
        }
        let at = entry["at"].as_f64().unwrap_or_default();
        if let Some(wrong) = looking::thread(text, at, &mut steps) {
            wrong.into_iter().for_each(&mut say);
            continue;
        }
        let looked = looking::list(text, &entry["network"], at);
        if let Some(wrong) = looked.or_else(|| looking::why_not(text, &entry["network"], at)) {
            wrong.into_iter().for_each(&mut say);
            continue;
        }
        let (text, in_history) = looking::without_history(text, at);
        in_history.into_iter().for_each(&mut say);
        // A mark in the title of what was opened without approval.
        let said = sentences(text).replacen(" (break-glass). ", ". ", usize::from(is_marked(&entry["body"])));
        let wording = REQUEST.iter().find_map(|(wording, claim)| Some((find(wording, &said)?, *claim)));
        let Some((found, claim)) = wording else {
            match OTHER.iter().find_map(|wording| find(wording, text)) {
                Some(found) => {
                    past(&found, at).into_iter().for_each(&mut say);
                    named(&found, &entry["network"]).into_iter().for_each(&mut say);
                }
                None => say("a wording that is not known".to_owned()),
            }
            continue;
        };
        let id = found.first("ref").unwrap_or_default().to_owned();
        let of_request = known.entry(id.clone()).or_default();
        learn(of_request, entry, &found, &id);
        let seen = Seen { at, network: &entry["network"], id, found, known: of_request };
        past(&seen.found, at).into_iter().for_each(&mut say);
        seen.reason().into_iter().for_each(&mut say);
        seen.holds(claim).into_iter().for_each(&mut say);
    }
    wrong
}

/// A text about several ports, as it would be about one: the wordings know that only.
fn of_one_port(text: &str) -> String {
    const VERBS: [(&str, &str); 3] = [("are ", "is "), ("were ", "was "), ("shut at ", "shuts at ")];
    let mut said = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(" ports ") {
        let is_listed = |c: char| c.is_ascii_digit() || c == ',' || c == ' ';
        let (ports, after) = after.split_at(after.find(|c| !is_listed(c)).unwrap_or(after.len()));
        said.push_str(&format!("{before} ports {ports}"));
        rest = after;
        if let Some((several, one)) = VERBS.iter().find(|(several, _)| after.starts_with(several)) {
            said.push_str(one);
            rest = &after[several.len()..];
        }
    }
    said.push_str(rest);
    let shut = "should be shut and ";
    said.replace(&format!("{shut}are not"), &format!("{shut}is not"))
        .replace(" and have not.", " and has not.")
}

/// Whether the title of a card marks what was opened without approval.
fn is_marked(body: &Value) -> bool {
    let first = &body["blocks"][0];
    let title = first["text"]["text"].as_str().filter(|_| first["type"] == "header");
    title.is_some_and(|title| title.ends_with(" (break-glass)"))
}

/// The sentences of a card and its reference, without its terms and notes; of another text all.
fn sentences(text: &str) -> String {
    let card = text.split_once(" Who: ").zip(text.rsplit_once(" Ref "));
    let Some(((said, _), (before, id))) = card else { return text.to_owned() };
    let terms = before.strip_prefix(said).unwrap_or_default();
    // A text that begins like terms and is none is left whole, and so is not known.
    let known = terms.match_indices('.').any(|(at, _)| find(TERMS, &terms[..=at]).is_some());
    if known { format!("{said} Ref {id}") } else { text.to_owned() }
}

/// Who hears the text must be told what is seen: the blocks begin with the same sentences.
fn shown_otherwise(body: &Value, text: &str) -> Option<String> {
    let blocks = body["blocks"].as_array()?;
    let shown: Vec<&str> = blocks.iter().filter_map(|block| block["text"]["text"].as_str()).collect();
    let same = match (blocks.first()?["type"].as_str()?, shown.as_slice()) {
        ("header", [title, sentence, ..]) => text.starts_with(&format!("{title}. {sentence} Who: ")),
        (_, [sentence, ..]) => text == *sentence,
        (_, []) => false,
    };
    // Several sections are told one after the other.
    let same = same
        || match (blocks.first()?["type"].as_str()?, shown.as_slice()) {
            ("header", [title, parts @ ..]) => {
                text.starts_with(&format!("{title}. {} Ref ", parts.join("\n")))
            }
            (_, parts) => text
                .strip_prefix(&parts.join("\n"))
                .is_some_and(|rest| enabling::boxes_are_told(blocks, rest)),
        };
    (!same).then(|| format!("the blocks say something else than the text ({shown:?})"))
}

/// What the entry says of its request beside its sentence: only the card has these fields.
fn learn(known: &mut Known, entry: &Value, found: &Found, id: &str) {
    known.seen_rule |= !rules_of(&entry["network"], id).is_empty();
    if let Some(source) = found.first("source") {
        known.source = Some(source.to_owned());
    }
    let blocks = entry["body"]["blocks"].as_array().into_iter().flatten();
    for field in blocks.flat_map(|block| block["fields"].as_array().into_iter().flatten()) {
        let text = field["text"].as_str().unwrap_or_default();
        if let Some(found) = find("*From*\n{code:source}", text) {
            known.source = found.first("source").map(str::to_owned);
        }
        for label in ["*Ends*\n{time:ends}", "*Granted until*\n{time:ends}"] {
            known.ends_at = find(label, text).and_then(|found| found.time("ends")).or(known.ends_at);
        }
    }
}

/// Moments that are told as past must have come.
fn past(found: &Found, at: f64) -> Vec<String> {
    let late = found.times("past").into_iter().filter(|moment| *moment > at);
    late.map(|moment| format!("{moment} has not come")).collect()
}

/// Whether a machine has this private address.
fn is_address_of(machine: &Value, private: &str) -> bool {
    let addresses = machine["addresses"].as_array().into_iter().flatten();
    addresses.filter_map(|address| address["private"].as_str()).any(|address| address == private)
}

/// Machines that are told to be there must be, and those that are told to be missing must not.
fn named(found: &Found, network: &Value) -> Vec<String> {
    let is_there = |query: &str| {
        let wanted = format!("/{query}").to_ascii_lowercase();
        let machines = network["machines"].as_array().into_iter().flatten();
        let mut ids = machines.filter_map(|machine| machine["resource_id"].as_str());
        // The end of an id is `/resourceGroups/<group>/providers/Microsoft.Compute/virtualMachines/<name>`.
        ids.any(|id| {
            let short = id.replace("/providers/Microsoft.Compute/virtualMachines", "");
            short.replace("/resourceGroups", "").to_ascii_lowercase().ends_with(&wanted)
        })
    };
    let there = found.all("there").into_iter().filter(|query| !is_there(query));
    let missing = found.all("missing").into_iter().filter(|query| is_there(query));
    let there = there.map(|query| format!("there is no {query}"));
    there.chain(missing.map(|query| format!("there is a {query}"))).collect()
}

/// The rules of a request, each with its group's name.
fn rules_of<'a>(network: &'a Value, id: &str) -> Vec<(&'a str, &'a Value)> {
    let mut all = vec![];
    for group in network["nsgs"].as_array().into_iter().flatten() {
        for rule in group["rules"].as_array().into_iter().flatten() {
            if rule["name"].as_str().is_some_and(|name| name.starts_with("jit-") && name.ends_with(id)) {
                all.push((group["name"].as_str().unwrap_or_default(), rule));
            }
        }
    }
    all
}

/// An address or prefix without the length that says one address.
fn bare(prefix: &str) -> &str {
    prefix.strip_suffix("/32").or_else(|| prefix.strip_suffix("/128")).unwrap_or(prefix)
}

fn listed(text: &str) -> Vec<String> {
    let mut items: Vec<String> = text.split(',').map(|item| item.trim().to_owned()).collect();
    items.sort();
    items
}

impl Seen<'_> {
    fn rules(&self) -> Vec<(&str, &Value)> {
        rules_of(self.network, &self.id)
    }

    /// The machine and the ports that the title names: `VM3 ports 22, 3389`.
    fn place(&self) -> Option<(&Value, Vec<String>)> {
        let (name, ports) = self.found.first("place")?.split_once(" port")?;
        let ports = ports.trim_start_matches('s').trim_start();
        let machines = self.network["machines"].as_array()?;
        let mut named = machines.iter().filter(|machine| machine["name"] == name);
        // Of several with this name it is the one to which a rule of the request leads.
        let rules = self.rules();
        let leads_to = |machine: &&Value| {
            rules.iter().any(|(_, rule)| {
                is_address_of(machine, bare(rule["destination"].as_str().unwrap_or_default()))
            })
        };
        let machine = named.clone().find(leads_to).or_else(|| named.next())?;
        Some((machine, listed(ports)))
    }

    /// The ports of the title that Azure's rules let the requester through to now, and those not: packets may
    /// meet a rule that allows a little later. Empty where the source is none of the known clients or the
    /// machine serves no such port.
    fn doors(&self) -> Vec<(String, bool)> {
        const CLIENTS: [&str; 2] = ["203.0.113.7", "198.51.100.9"];
        let Some((machine, ports)) = self.place() else { return vec![] };
        let Some(source) = self.known.source.as_deref().map(bare) else { return vec![] };
        let served = machine["ports"].as_array().into_iter().flatten();
        let served =
            served.filter(|port| CLIENTS.contains(&source) && ports.contains(&port["port"].to_string()));
        let allows =
            |port: &Value| port["allows"].as_array().is_some_and(|list| list.iter().any(|one| one == source));
        served.map(|port| (port["port"].to_string(), allows(port))).collect()
    }

    fn open_doors(&self) -> Vec<String> {
        self.doors().into_iter().filter(|(_, open)| *open).map(|(port, _)| port).collect()
    }

    /// A known reason, and one that is true as far as a bystander can tell.
    fn reason(&self) -> Vec<String> {
        let mut wrong = vec![];
        for hindrance in self.found.all("hindrance") {
            if !HINDRANCES.iter().any(|known| find(known, hindrance).is_some()) {
                wrong.push(format!("a hindrance that is not known ({hindrance})"));
            }
        }
        for why in self.found.all("why") {
            if !WHY.iter().any(|known| find(known, why).is_some()) {
                wrong.push(format!("a reason that is not known ({why})"));
            }
            if why == "Its time is over." && self.known.ends_at.is_none_or(|ends| ends > self.at) {
                wrong.push("its time is not over".to_owned());
            }
        }
        wrong
    }

    fn holds(&self, claim: Claim) -> Vec<String> {
        let rules = self.rules();
        let mut wrong = vec![];
        let mut must = |holds: bool, else_say: &str| {
            if !holds {
                wrong.push(else_say.to_owned());
            }
        };
        match claim {
            Claim::Nothing => {}
            Claim::NoRule => must(rules.is_empty(), "a rule of it exists"),
            Claim::NeverOpened => must(!self.known.seen_rule, "a rule of it has existed"),
            Claim::RuleStands => {
                must(
                    rules.iter().any(|(_, rule)| rule["access"] == "Allow"),
                    "no rule of it lets anybody in",
                );
            }
            Claim::WasOpen => {
                must(self.found.time("until").is_some_and(|until| until <= self.at), "its time is not over");
            }
            Claim::Open => return self.is_open(),
            Claim::OpenAlready => return self.was_open_already(),
            Claim::Denied => {
                must(!rules.is_empty(), "no rule of it exists");
                let deny =
                    |rule: &Value| rule["access"] == "Deny" && rule["provisioning_state"] == "Succeeded";
                must(rules.iter().all(|(_, rule)| deny(rule)), "a rule of it does not deny");
            }
            Claim::GoneFromGroup => {
                let group = self.found.first("group");
                must(rules.iter().all(|(name, _)| Some(*name) != group), "the rule is there");
            }
            Claim::Shut => {
                must(rules.is_empty(), "a rule of it exists");
                must(self.open_doors().is_empty(), "the requester is let in");
                must(self.exists("rule"), "the rule that is said to decide does not exist");
            }
            Claim::OpenByAnother => {
                must(rules.is_empty(), "a rule of it exists");
                must(self.exists("rule"), "the rule that is said to allow does not exist");
                must(self.doors().iter().all(|(_, open)| *open), "the requester is not let in");
            }
        }
        wrong
    }

    /// Whether the rule that the sentence names exists; default rules always do.
    fn exists(&self, name: &str) -> bool {
        self.found.first(name).is_some_and(|name| self.exists_in(None, name))
    }
}
