//! What is said about where a requester comes from: the answer with the link, and the page behind it. The page is
//! read in a browser: its texts are plain, and only what stands between backticks is to be typed.

use super::*;
use crate::address::NotSent;
use crate::lifecycle::Record;

/// A page for a browser.
#[derive(Clone, PartialEq, Debug)]
pub struct Page {
    /// Its title and its heading.
    pub title: String,
    /// Paragraphs.
    pub said: Vec<String>,
    /// The address that was seen, and what it is.
    pub address: Option<(&'static str, String)>,
    /// What is asked for, each with its label. A person's own words may be among them.
    pub facts: Vec<(&'static str, String)>,
    /// The button that sends the request on.
    pub button: Option<String>,
    /// Paragraphs below the button.
    pub notes: Vec<String>,
}

impl Page {
    fn says(title: &str, said: impl Into<String>) -> Self {
        let title = title.to_owned();
        Self { title, said: vec![said.into()], address: None, facts: vec![], button: None, notes: vec![] }
    }
}

/// The line to type for the same request, as far as it is known where from.
fn line(wish: &Wish) -> String {
    if let Some(moves) = &wish.moves {
        return format!("/jit move {}", moves.grant);
    }
    format!("/jit {} {}{}", wish.machine.name, typed(&wish.ports), and_glass(wish))
}

/// What a line for a break-glass says besides.
fn and_glass(wish: &Wish) -> &'static str {
    match wish.means {
        Means::Approval | Means::OwnMove => "",
        Means::BreakGlass => " break-glass because …",
    }
}

/// The line with an address of this family in it.
fn line_from(wish: &Wish, ipv4: bool) -> String {
    let example = if ipv4 { "203.0.113.7" } else { "2001:db8::7" };
    if let Some(moves) = &wish.moves {
        return format!("/jit move {} from {example}", moves.grant);
    }
    format!("/jit {} {} from {example}{}", wish.machine.name, typed(&wish.ports), and_glass(wish))
}

fn without_approval(wish: &Wish) -> &'static str {
    match wish.means {
        Means::Approval | Means::OwnMove => "",
        Means::BreakGlass => " without approval (break-glass)",
    }
}

/// The answer to a command that does not say from where: the link to the page. `url` is of our own making.
pub fn draft(wish: &Wish, url: &str) -> Message {
    let then = match wish.means {
        Means::Approval | Means::OwnMove => "nobody is asked before",
        Means::BreakGlass => "nothing is opened before",
    };
    Message::sentence(format!(
        "You asked for {}{}{}. From which address? <{url}|Open this page>, which sees yours, and confirm it there; {then}. The link works once, until {}. Or type `{}` with the address that the Internet sees. Ref {}",
        place(wish),
        wish.moves.as_ref().map_or_else(
            || format!(" for {}", wish.ttl),
            |moves| format!(
                " in place of {} from {}, until that one would have ended",
                moves.grant, moves.from
            )
        ),
        without_approval(wish),
        moment(wish.lapses_at),
        line_from(wish, wish.machine.private_address.is_ipv4()),
        wish.id
    ))
}

/// The answer to a command that does not say from where and is otherwise equal to a request that waits or is open.
pub fn asked_before_from(ask: &Ask, status: &str) -> Message {
    Message::sentence(format!(
        "You asked for {} from {} already, at {}; that request {}. From another address, type `{}` with it. Ref {}",
        place(&ask.wish),
        ask.source,
        moment(ask.wish.asked_at),
        standing(status),
        line_from(&ask.wish, ask.source.prefix().addr().is_ipv4()),
        ask.wish.id
    ))
}

/// What is asked for, as the page shows it.
fn facts(wish: &Wish) -> Vec<(&'static str, String)> {
    let group = wish.machine.resource_id.resource_group().unwrap_or_default();
    let mut facts = vec![
        ("Machine", format!("{} in {group}", wish.machine.name)),
        ("Ports", format!("{} ({})", wish.ports, wish.protocol.to_string().to_uppercase())),
        match &wish.moves {
            Some(moves) => ("Until", format!("{}{}", moves.until, without_approval(wish))),
            None => ("For", format!("{}{}", wish.ttl, without_approval(wish))),
        },
        ("Asked by", format!("{} in Slack, at {}", wish.requester, wish.asked_at)),
    ];
    facts.extend(
        wish.moves.iter().map(|moves| ("In place of", format!("{} from {}", moves.grant, moves.from))),
    );
    facts.extend(wish.justification.iter().map(|why| ("Why", why.to_string())));
    facts.push(("Ref", wish.id.to_string()));
    facts
}

/// The page that asks whether the address is the right one.
pub fn confirm_address(ask: &Ask) -> Page {
    let wish = &ask.wish;
    Page {
        title: format!("{}: is this your address?", place(wish)),
        said: vec![],
        address: Some(("Ajar sees you at", ask.source.to_string())),
        facts: facts(wish),
        button: Some(format!("Yes, ask for {} from {}", place(wish), ask.source)),
        notes: vec![
            "Only connections from this address will be let in. If you will connect from another network or through a VPN, open the link from there.".to_owned(),
            format!("Or type `{}` in Slack, with the address that the Internet sees.", line_from(wish, ask.source.prefix().addr().is_ipv4())),
            format!("Nothing is sent before you press the button. It works once, until {}.", wish.lapses_at),
        ],
    }
}

/// The page after the button.
pub fn address_sent(ask: &Ask) -> Page {
    let said = match ask.wish.means {
        Means::Approval => {
            format!(
                "Your request for {} is sent; the approvers see it in Slack. You can close this page.",
                terms_told(ask, |at| at.to_string())
            )
        }
        Means::OwnMove => format!(
            "Your address is recorded, and nothing has moved yet. Type `{}` again in Slack: the answer has the button that moves it, without another approval.",
            line(&ask.wish)
        ),
        Means::BreakGlass => format!(
            "Your address is recorded, and nothing is open yet. Type the same line again in Slack: the answer has the button that opens {} without approval.",
            terms_told(ask, |at| at.to_string())
        ),
    };
    Page { facts: vec![("Ref", ask.wish.id.to_string())], ..Page::says("Sent", said) }
}

/// The page that says why nothing was sent, and what to type. `seen` is the address that the server saw; `record` is
/// known where the link is ours.
pub fn not_sent(why: &NotSent, seen: &str, record: Option<&Record>) -> Page {
    let wish = record.map(Record::wish);
    let again = wish.map_or_else(|| "/jit VM3 22".to_owned(), line);
    let from = |ipv4| wish.map_or_else(|| EXAMPLE.to_owned(), |wish| line_from(wish, ipv4));
    let seen: String = seen.chars().filter(|c| c.is_ascii_hexdigit() || ".:".contains(*c)).take(45).collect();
    let said = match why {
        NotSent::Unknown => {
            "This is not a link that Ajar gave, or a part of it is missing. Open it from Slack again, or type the line again there, like `/jit VM3 22`: the answer has a new link.".to_owned()
        }
        NotSent::Expired => format!(
            "The time of this link is over. Type `{again}` again in Slack: the answer has a new one."
        ),
        NotSent::Used => return used(record, &again),
        NotSent::TakenBack => format!(
            "This request was taken back, and nothing was opened. Type `{again}` again in Slack if you still need it."
        ),
        NotSent::OtherSite => {
            "Your browser says that another site has sent this form. Open the link from Slack and press the button there.".to_owned()
        }
        NotSent::Unusable => format!(
            "Ajar sees you at `{seen}`, which is not an address on the Internet, so Azure will see another one. Type `{}` in Slack, with the address that the Internet sees.",
            from(true)
        ),
        NotSent::OtherFamily { has_ipv4 } => {
            let name = wish.map(|wish| wish.machine.name.to_string()).unwrap_or_default();
            let (has, other) = if *has_ipv4 { ("IPv4", "IPv6") } else { ("IPv6", "IPv4") };
            format!(
                "{name} is reached by {has} only, and Ajar sees you at `{seen}`, by {other}. Type `{}` in Slack, with your own {has} address.",
                from(*has_ipv4)
            )
        }
        NotSent::Outside { allowed } => {
            let allowed: Vec<String> = allowed.iter().map(|one| format!("`{one}`")).collect();
            format!(
                "Ajar sees you at `{seen}`, which is not among the addresses that may be let in here; these are {}. Open the link from such a network or through its VPN, or type `{}` in Slack, with one of them.",
                listed(&allowed, "and"),
                from(true)
            )
        }
        NotSent::SameAddress { grant } => format!(
            "Ajar sees you at `{seen}`, and {grant} lets that address in already. Open the link from the other network, or type `{}` in Slack, with the address that the Internet sees there.",
            from(wish.is_none_or(|wish| wish.machine.private_address.is_ipv4()))
        ),
        NotSent::Changed => format!(
            "Something has changed since you asked: the policy, the machine, or a lockdown is against it now. Type `{again}` again in Slack: the answer says what."
        ),
        NotSent::GroupsUnknown => {
            format!(
                "Slack did not say who may ask and who may decide, which Ajar asks it every 15 minutes. Nothing was sent; type `{again}` in Slack in a quarter of an hour."
            )
        }
    };
    Page::says("Not sent", said)
}

/// A link that was used before; a second press of the button, too.
fn used(record: Option<&Record>, again: &str) -> Page {
    let sent = record.and_then(Record::ask).map_or_else(String::new, |ask| {
        format!(
            " Your request for {} was sent with it, Ref {}: Slack shows how it stands.",
            terms_told(ask, |at| at.to_string()),
            ask.wish.id
        )
    });
    let said = format!("This link has been used.{sent} Type `{again}` in Slack to ask anew.");
    Page::says("Sent before", said)
}

/// Something broke on our side. What was confirmed may or may not be recorded; the same again does nothing twice.
pub fn address_broke(reference: &str) -> Page {
    Page::says(
        "Something broke on our side",
        format!("Open the link from Slack again in a minute: nothing is sent twice. Ref {}", word(reference)),
    )
}
