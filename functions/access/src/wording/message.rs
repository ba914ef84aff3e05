//! What is made of a message as a whole before it is sent.

use super::Message;
use crate::click::value_on_card;
use serde_json::json;

/// The longest that a shorter text may be, in characters: `chat.update` takes 4,000 at most (docs.slack.dev), and
/// what follows has room.
const CHARACTERS: usize = 3_000;

/// What is said of a message that is shown as a text alone.
const AS_TEXT: &str =
    "(Slack did not take this message as it was made: it is shown as text, without buttons.)";

impl Message {
    /// A card of a request with its number, counted from 1, in the value of each button, so that a click tells on which
    /// of the request's cards it was.
    #[must_use]
    pub fn numbered(mut self, card: u64) -> Self {
        for block in self.blocks.iter_mut().filter(|block| block["type"] == "actions") {
            for element in block["elements"].as_array_mut().into_iter().flatten() {
                if let Some(value) = element["value"].as_str() {
                    element["value"] = json!(value_on_card(value, card));
                }
            }
        }
        self
    }

    /// The text alone, cut where it is long: between words, and never within a mention, a date or an escaped
    /// character, which would be read as something else.
    pub fn shortened(&self) -> String {
        let end = self.text.char_indices().nth(CHARACTERS).map(|(at, _)| at);
        let Some(end) = end else { return format!("{} {AS_TEXT}", self.text) };
        let whole = self.text[end..].chars().next().map_or(end, |next| end + next.len_utf8());
        let cut = self.text[..whole].char_indices().rev().find_map(|(at, c)| {
            let before = &self.text[..at];
            let is_between =
                c.is_whitespace() && before.rfind('<').is_none_or(|open| before[open..].contains('>'));
            is_between.then_some(before)
        });
        format!("{} … {AS_TEXT}", cut.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_button_of_a_card_tells_its_number() {
        let mut card = Message::sentence("VM3 port 22: waiting for approval.");
        let button = |value: &str| json!({"type": "button", "value": value});
        card.blocks.push(json!({"type": "actions", "elements": [button("a.b"), {"type": "button", "url": "x"}, button("c.d")]}));
        let numbered = card.numbered(7);
        let elements = numbered.blocks[1]["elements"].clone();
        assert_eq!(elements, json!([button("a.b.7"), {"type": "button", "url": "x"}, button("c.d.7")]));
    }

    #[test]
    fn a_long_text_is_cut_between_words_and_outside_of_markup() {
        let short = Message::sentence("VM3 port 22 is shut. Ref 7F3K9-QXM2P");
        assert_eq!(short.shortened(), format!("VM3 port 22 is shut. Ref 7F3K9-QXM2P {AS_TEXT}"));
        let date = "<!date^5^{date_short_pretty} at {time_secs}|1970-01-01 00:00:05 UTC>";
        for filler in 2_900..=3_000 {
            let long =
                Message::sentence(format!("{} {date} &amp; more {}", "x".repeat(filler), "y ".repeat(900)));
            let text = long.shortened();
            assert!(text.chars().count() <= CHARACTERS + AS_TEXT.chars().count() + 3, "{filler}");
            let kept = text.strip_suffix(&format!(" … {AS_TEXT}")).unwrap();
            assert!(
                long.text.starts_with(kept) && long.text[kept.len()..].starts_with(' '),
                "{filler}: {kept}"
            );
            assert!(kept.matches('<').count() == kept.matches('>').count(), "{filler}: {kept}");
        }
        let one_word = Message::sentence("x".repeat(5_000));
        assert_eq!(one_word.shortened(), format!(" … {AS_TEXT}"));
    }
}
