//! Messages and forms as their reader sees them, in plain text.

use super::*;

/// The most characters of a line.
const WIDTH: usize = 116;

/// Slack's markup as it is shown: dates in UTC, people and groups by name, links by what they are called.
pub(super) fn as_read(text: &str) -> String {
    let mut read = String::new();
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once('<') {
        read.push_str(before);
        let (inside, after) = inside.split_once('>').unwrap_or_else(|| panic!("not ended: {text}"));
        read.push_str(&match inside {
            "@U0ANA" => "@Ana".to_owned(),
            "@U0BEA" => "@Bea".to_owned(),
            "@U0CHRIS" => "@Chris".to_owned(),
            other if other.starts_with("@U0P") => other.to_owned(),
            "!subteam^S0OPS" => "@ops-team".to_owned(),
            date if date.starts_with("!date^") => date.rsplit('|').next().unwrap_or_default().to_owned(),
            link => match link.split_once('|') {
                Some((url, label)) => format!("[{label}]({url})"),
                None => panic!("neither a person, a date nor a link: {link}"),
            },
        });
        rest = after;
    }
    read.push_str(rest);
    read.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// Lines of a text that are short enough to be read, each after the same indentation.
pub(super) fn wrapped(text: &str, indentation: &str) -> String {
    let mut lines: Vec<String> = vec![];
    for paragraph in text.split('\n') {
        let mut line = indentation.to_owned();
        for word in paragraph.split(' ') {
            let is_begun = line.len() > indentation.len();
            if is_begun && line.chars().count() + 1 + word.chars().count() > WIDTH {
                lines.push(std::mem::replace(&mut line, indentation.to_owned()));
            } else if is_begun {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

fn text_of(object: &Value) -> String {
    let text = object["text"].as_str().unwrap_or_else(|| panic!("no text: {object}"));
    match object["type"].as_str() {
        Some("mrkdwn") => as_read(text),
        // Shown as it is.
        Some("plain_text") => text.to_owned(),
        _ => panic!("no text object: {object}"),
    }
}

/// A message: what is heard of it, and below that what is seen, where that is more than one text.
pub(super) fn message(message: &Message) -> String {
    let heard = wrapped(&as_read(&message.text), "");
    // Texts that are seen as they are heard, one below the other, stand there once.
    let shown = |count: usize| {
        let texts =
            message.blocks[..count].iter().map(|block| block["text"]["text"].as_str().unwrap_or_default());
        texts.collect::<Vec<_>>().join("\n")
    };
    let same = (1..=message.blocks.len()).rev().find(|count| shown(*count) == message.text);
    match same.map(|count| &message.blocks[count..]) {
        Some([]) => heard,
        Some(rest) => format!("{heard}\n{}", blocks_of(rest)),
        None => format!("{heard}\n--- seen:\n{}", blocks_of(&message.blocks)),
    }
}

/// A message whose blocks are like those of one before: what is heard of it, which has all of them, and what is to press.
pub(super) fn in_short(message: &Message) -> String {
    let heard = wrapped(&as_read(&message.text), "");
    let buttons = message.blocks.iter().filter(|block| block["type"] == "actions").map(block);
    [heard].into_iter().chain(buttons).collect::<Vec<_>>().join("\n")
}

fn blocks_of(blocks: &[Value]) -> String {
    blocks.iter().map(block).collect::<Vec<_>>().join("\n")
}

fn block(block: &Value) -> String {
    match block["type"].as_str().unwrap_or_default() {
        "header" => format!("# {}", text_of(&block["text"])),
        "section" => {
            let mut lines: Vec<String> = vec![];
            if !block["text"].is_null() {
                lines.push(wrapped(&text_of(&block["text"]), ""));
            }
            let fields = block["fields"].as_array().into_iter().flatten();
            lines.extend(fields.map(|field| format!("  {}", text_of(field).replace('\n', " "))));
            if !block["accessory"].is_null() {
                lines.push(element(&block["accessory"]));
            }
            lines.join("\n")
        }
        "context" => {
            let notes = block["elements"].as_array().unwrap().iter();
            notes.map(|note| wrapped(&text_of(note), "  ~ ")).collect::<Vec<_>>().join("\n")
        }
        "actions" => block["elements"].as_array().unwrap().iter().map(element).collect::<Vec<_>>().join("\n"),
        "input" => {
            let optional = if block["optional"] == true { " (optional)" } else { "" };
            let hint = block.get("hint").map(|hint| format!("\n{}", wrapped(&text_of(hint), "  ~ ")));
            format!(
                "{}{optional}\n{}{}",
                text_of(&block["label"]),
                element(&block["element"]),
                hint.unwrap_or_default()
            )
        }
        other => panic!("a block of type {other}"),
    }
}

fn element(element: &Value) -> String {
    match element["type"].as_str().unwrap_or_default() {
        "button" => {
            let style = element["style"].as_str().map(|style| format!(" ({style})")).unwrap_or_default();
            let asks = element.get("confirm").map(|confirm| {
                format!(
                    "\n  asks: {}\n{}\n  [{}] [{}]",
                    text_of(&confirm["title"]),
                    wrapped(&text_of(&confirm["text"]), "  "),
                    text_of(&confirm["confirm"]),
                    text_of(&confirm["deny"])
                )
            });
            let label = element["accessibility_label"].as_str().unwrap_or_default();
            format!("[{}]{style} heard: {label}{}", text_of(&element["text"]), asks.unwrap_or_default())
        }
        "checkboxes" => {
            let ticked = element["initial_options"].as_array().cloned().unwrap_or_default();
            options(element, |option| if ticked.contains(option) { "[x]" } else { "[ ]" })
        }
        "static_select" => {
            format!("  ( {} )\n{}", text_of(&element["placeholder"]), options(element, |_| "-"))
        }
        "plain_text_input" => {
            let filled = element["initial_value"].as_str().map_or_else(
                || format!("{} (as an example)", text_of(&element["placeholder"])),
                |value| format!("{} (filled in)", value.replace('\n', " / ")),
            );
            format!("  ____ {filled}")
        }
        other => panic!("an element of type {other}"),
    }
}

fn options<'m>(element: &Value, mark: impl Fn(&Value) -> &'m str) -> String {
    let option = |option: &Value| {
        let described = option.get("description").map(|text| format!(", {}", text_of(text)));
        format!("  {} {}{}", mark(option), text_of(&option["text"]), described.unwrap_or_default())
    };
    element["options"].as_array().unwrap().iter().map(option).collect::<Vec<_>>().join("\n")
}

/// A form, or an answer to one.
pub(super) fn form(view: &Value) -> String {
    match view["response_action"].as_str() {
        Some("errors") => {
            let errors = view["errors"].as_object().unwrap().iter();
            let error = |(field, text): (&String, &Value)| {
                wrapped(&format!("at `{field}`: {}", text.as_str().unwrap()), "")
            };
            errors.map(error).collect::<Vec<_>>().join("\n")
        }
        Some("update") => format!("In the form's place:\n{}", form(&view["view"])),
        Some("push") => format!("Above the form:\n{}", form(&view["view"])),
        Some(other) => panic!("an answer of kind {other}"),
        None => {
            let buttons = ["submit", "close"].into_iter().filter_map(|name| view.get(name));
            let buttons: Vec<String> = buttons.map(|text| format!("[{}]", text_of(text))).collect();
            format!(
                "# {}\n{}\n{}",
                text_of(&view["title"]),
                blocks_of(view["blocks"].as_array().unwrap()),
                buttons.join(" ")
            )
        }
    }
}

/// A page in a browser.
pub(super) fn page(page: &Page) -> String {
    let mut lines = vec![format!("# {}", page.title)];
    lines.extend(page.said.iter().map(|text| wrapped(text, "")));
    lines.extend(page.address.iter().map(|(label, address)| format!("{label} {address}")));
    lines.extend(page.facts.iter().map(|(label, fact)| format!("  {label}: {fact}")));
    lines.extend(page.button.iter().map(|text| format!("[{text}]")));
    lines.extend(page.notes.iter().map(|text| wrapped(text, "")));
    lines.join("\n")
}

/// The words of a text, without the marks around them.
fn words(text: &str) -> Vec<String> {
    let marks = |c: char| "*_~`\u{201c}\u{201d}".contains(c);
    let text: String = as_read(text).chars().filter(|c| !marks(*c)).collect();
    let word = |word: &str| word.trim_matches([':', ';', ',', '.', '\u{2022}']).to_owned();
    text.split_whitespace().map(word).filter(|word| !word.is_empty()).collect()
}

/// That the text of a message, which is all that a screen reader says of it, has each text of its blocks, word for word,
/// and that each thing to press says by itself what it is.
pub(super) fn text_says_all(title: &str, message: &Message) {
    let heard = words(&message.text);
    let is_heard = |seen: &[String]| seen.is_empty() || heard.windows(seen.len()).any(|part| part == seen);
    for block in &message.blocks {
        let whole = block.get("text").into_iter();
        let parts = ["fields", "elements"].into_iter().filter_map(|name| block[name].as_array()).flatten();
        for text in whole.chain(parts).filter(|one| one["type"] == "mrkdwn" || one["type"] == "plain_text") {
            let shown = text["text"].as_str().unwrap();
            // What is shown as it is was not escaped.
            let plain = shown.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let seen = words(if text["type"] == "plain_text" { &plain } else { shown });
            assert!(is_heard(&seen), "{title}: {seen:?} is seen and not heard in {heard:?}");
        }
        for option in block["accessory"]["options"].as_array().into_iter().flatten() {
            let name = option["text"]["text"].as_str().unwrap();
            assert!(message.text.contains(name), "{title}: the box {name} is not heard of");
        }
        for button in block["elements"].as_array().into_iter().flatten().filter(|one| one["type"] == "button")
        {
            let (seen, heard) =
                (button["text"]["text"].as_str().unwrap(), button["accessibility_label"].as_str());
            let says = heard.is_some_and(|heard| heard.starts_with(seen) && heard.chars().count() <= 75);
            assert!(says, "{title}: the button {seen} is heard as {heard:?}");
        }
    }
}
