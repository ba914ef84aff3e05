//! The steps of a request, as the thread of its card has them.

use crate::Story;

/// Whether a text is that of a message with steps of a request.
pub(crate) fn is_steps(text: &str) -> bool {
    text.lines().next().is_some_and(|title| title.ends_with(", step by step*"))
}

/// A line of such a message: when it was, Unix seconds, and what.
fn taken_apart(line: &str) -> Option<(u64, String)> {
    let (at, said) = line.strip_prefix("• <!date^")?.split_once(">: ")?;
    Some((at.split('^').next()?.parse().ok()?, said.to_owned()))
}

impl Story {
    /// The messages with steps of a request in the thread of its card, each as its lines: when, and what happened.
    ///
    /// # Panics
    /// A line is none.
    pub async fn steps(&self, id: &str) -> Vec<Vec<(u64, String)>> {
        let all = self.beside_cards().await.into_iter();
        let of_it = all.filter(|(text, in_thread)| *in_thread && is_steps(text)).filter_map(|(text, _)| {
            let (_, lines) = text.strip_suffix(&format!("\nRef {id}"))?.split_once('\n')?;
            let apart = |line: &str| taken_apart(line).unwrap_or_else(|| panic!("{line}"));
            Some(lines.lines().map(apart).collect())
        });
        of_it.collect()
    }

    /// What the thread of a request's card says of its steps, in order.
    pub async fn steps_said(&self, id: &str) -> Vec<String> {
        self.steps(id).await.into_iter().flatten().map(|(_, said)| said).collect()
    }
}
