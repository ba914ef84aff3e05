//! The same message as plain text, for when Slack does not take what was made of it.

use super::Message;

/// The longest that a shorter text may be, in characters: `chat.update` takes 4,000 at most (docs.slack.dev), and
/// what follows has room.
const CHARACTERS: usize = 3_000;

/// What is said of a message that is shown as a text alone.
const AS_TEXT: &str =
    "(Slack did not take this message as it was made: it is shown as text, without buttons.)";

impl Message {
    /// The text alone, cut where it is long: between words, and never within a mention, a date or an escaped
    /// character, which would be read as something else.
    pub fn shortened(&self) -> String {
        let end = self.text.char_indices().nth(CHARACTERS).map(|(at, _)| at);
        let Some(end) = end else { return format!("{} {AS_TEXT}", self.text) };
        let cut = self.text[..end].char_indices().rev().find_map(|(at, c)| {
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
    fn a_long_text_is_cut_between_words_and_outside_of_markup() {
        let short = Message::sentence("VM3 port 22 is shut. Ref 7F3K9-QXM2P");
        assert_eq!(short.shortened(), format!("VM3 port 22 is shut. Ref 7F3K9-QXM2P {AS_TEXT}"));
        let date = "<!date^5^{date_short_pretty} at {time_secs}|1970-01-01 00:00:05 UTC>";
        for filler in 2_900..3_050 {
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
