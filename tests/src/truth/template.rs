//! Sentences with places for what differs: `{kind}` or `{kind:name}`.

/// What stood in the places of a sentence, by name (the kind where no name is given).
#[derive(Clone, Default, Debug)]
pub(super) struct Found(Vec<(String, String)>);

impl Found {
    /// All of this name, in order.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, text)| text.as_str()).collect()
    }

    /// The first of this name.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// The moments of this name, Unix seconds.
    pub(super) fn times(&self, name: &str) -> Vec<f64> {
        self.all(name).into_iter().filter_map(|text| text.parse().ok()).collect()
    }

    /// The first moment of this name, Unix seconds.
    pub(super) fn time(&self, name: &str) -> Option<f64> {
        self.times(name).first().copied()
    }
}

/// Whether the whole text is this sentence, and what stood in its places.
pub(super) fn find(sentence: &str, text: &str) -> Option<Found> {
    let mut found = vec![];
    matches(sentence, text, &mut found).then(|| {
        found.reverse();
        Found(found)
    })
}

/// Collects from the end, while the recursion returns.
fn matches(sentence: &str, text: &str, found: &mut Vec<(String, String)>) -> bool {
    let Some((literal, rest)) = sentence.split_once('{') else { return sentence == text };
    let Some(text) = text.strip_prefix(literal) else { return false };
    let Some((place, rest)) = rest.split_once('}') else { return false };
    let (kind, name) = place.split_once(':').unwrap_or((place, place));
    // The shortest first; longer ones where the rest does not fit.
    for end in ends(text, rest) {
        let (part, after) = text.split_at(end);
        let Some(value) = is(kind, part) else { continue };
        if matches(rest, after, found) {
            found.push((name.to_owned(), value));
            return true;
        }
    }
    false
}

/// Where a place can end: before what the rest of the sentence begins with. There are thousands of sentences to compare
/// in a story.
fn ends(text: &str, rest: &str) -> Vec<usize> {
    match rest.split('{').next().unwrap_or_default() {
        "" if rest.is_empty() => vec![text.len()],
        "" => text.char_indices().map(|(at, _)| at).chain([text.len()]).collect(),
        literal => text.match_indices(literal).map(|(at, _)| at).collect(),
    }
}

/// What a piece of text means as this kind; `None` where it is not of the kind.
fn is(kind: &str, text: &str) -> Option<String> {
    let between = |open: &str, close: &str| text.strip_prefix(open)?.strip_suffix(close);
    let plain = |inner: &&str| !inner.is_empty() && !inner.contains(['`', '<', '>', '\n']);
    match kind {
        "any" => Some(text.to_owned()),
        // Whose word a proof is.
        "says" => {
            let (first, address) = text.split_once(" `").unwrap_or((text, ""));
            let known = match first {
                "By Azure's rules" | "Azure confirms" => address.is_empty(),
                "By Azure's rules, and Azure confirms it for" => address.ends_with('`'),
                _ => false,
            };
            known.then(|| text.to_owned())
        }
        // `a`; or `a` in `A` and `b` in `B`
        "decided" => between("`", "`").map(|_| text.to_owned()),
        "already" => {
            let said = text.strip_suffix(": ask whoever runs the network to remove that.")?;
            let (ports, rules) = said.split_once(" open to everyone already, by rule `")?;
            let ports = ports.strip_suffix(" was").or_else(|| ports.strip_suffix(" were"))?;
            (ports.starts_with("Port") && rules.ends_with('`')).then(|| text.to_owned())
        }
        "why" | "hindrance" => text.ends_with('.').then(|| text.to_owned()),
        "user" => between("<@", ">").filter(plain).map(str::to_owned),
        "code" => between("`", "`").filter(plain).map(str::to_owned),
        // `a`, `b` and `c`
        "codes" => between("`", "`").map(|_| text.to_owned()),
        "time" => between("<!date^", ">")
            .filter(plain)
            .and_then(|inner| inner.split('^').next()?.parse::<u64>().ok())
            .map(|moment| moment.to_string()),
        "ref" => {
            let shaped = text.len() == 11 && text.as_bytes()[5] == b'-';
            (shaped && text.chars().all(|c| c == '-' || c.is_ascii_alphanumeric())).then(|| text.to_owned())
        }
        // `VM3 port 22`, `VM3 ports 22, 3389`
        "place" => {
            let (machine, ports) = text.trim_end().split_once(" port")?;
            let ports = ports.strip_prefix('s').unwrap_or(ports).strip_prefix(' ')?;
            let digits = ports.chars().all(|c| c.is_ascii_digit() || c == ',' || c == ' ');
            (!machine.is_empty() && digits && !ports.is_empty()).then(|| text.trim_end().to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_sentence_is_found_whole_or_not_at_all() {
        let found =
            find("{place} is shut at {time:at} by {code}.", "VM3 port 22 is shut at <!date^5^x|y> by `a`.");
        let found = found.unwrap();
        assert_eq!(found.first("place"), Some("VM3 port 22"));
        assert_eq!((found.time("at"), found.first("code")), (Some(5.0), Some("a")));
        for other in
            ["VM3 port 22 is shut at <!date^5^x|y> by `a`. Or not.", "VM3 is shut at <!date^5^x|y> by `a`."]
        {
            assert!(find("{place} is shut at {time:at} by {code}.", other).is_none(), "{other}");
        }
    }
}
