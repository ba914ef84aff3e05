//! What must hold after every story.

use crate::{Item, Story, truth};
use sandbox::azure::{Entry, What};
use serde_json::json;

impl Story {
    /// In this story the mappings give something up.
    pub fn expect_dead_letters(&mut self) {
        self.dead_letters_expected = true;
    }

    /// In this story Azure carries out our writes later than we can know of, so they may overlap each other.
    pub fn expect_overlaps(&mut self) {
        self.overlaps_expected = true;
    }

    /// In this story sentences that are found untrue in these words are no fault of the product: the record
    /// itself lies, or what was true has passed before it is told.
    pub fn forgive(&mut self, words: &'static str) {
        self.forgiven = Some(words);
    }

    /// Ends the story. Every request is closed, no rule of ours is left, the history is complete, no
    /// message was untrue when it was sent, our writes to one group never overlapped, nobody holds the lock
    /// of a group, and nothing was given up by the stream's readers.
    pub async fn finish(self) {
        let wrong = self.judged().await;
        assert!(wrong.is_empty(), "after the story:\n{}", wrong.join("\n"));
    }

    /// As [`Story::finish`]: what is wrong.
    pub async fn judged(self) -> Vec<String> {
        self.settle().await;
        let mut wrong = self.held_locks().await;
        for (group, rule) in self.azure.rules_of_ours().await {
            wrong.push(format!("{} is left in {group}", rule["name"]));
        }
        for id in self.requests().await {
            wrong.extend(self.incomplete(&id).await);
        }
        let untrue = truth::check(&self.messages().await).into_iter();
        wrong.extend(untrue.filter(|why| self.forgiven.is_none_or(|words| !why.contains(words))));
        let overlaps = self.world.azure.journal().into_iter().filter(|entry| entry.what == What::Overlap);
        let owners = |entry: &Entry| entry.by == "owner" || entry.met.as_deref() == Some("owner");
        let ours = overlaps.filter(|entry| !owners(entry) && !self.overlaps_expected);
        wrong.extend(ours.map(|entry| format!("{} overlapped in {}", entry.by, entry.nsg)));
        let letters = self.dead_letters().await;
        if (letters != json!([])) != self.dead_letters_expected {
            wrong.push(format!("dead letters: {letters}"));
        }
        self.end().await;
        wrong
    }

    /// The locks of groups that somebody holds. Who has crashed holds one until its lease is over.
    async fn held_locks(&self) -> Vec<String> {
        let now = self.now();
        let of = |item: &Item, name: &str| {
            let value = item.get(name);
            value.and_then(|value| value.as_s().or(value.as_n()).ok()).cloned().unwrap_or_default()
        };
        let held = |item: &Item| {
            let until = of(item, "held_until").parse::<u64>().unwrap_or_default();
            (of(item, "pk").starts_with("NSG#") && item.contains_key("holder") && until >= now)
                .then(|| format!("{} is held by {}", of(item, "pk"), of(item, "holder")))
        };
        self.items().await.iter().filter_map(held).collect()
    }

    /// What is wrong with a request's record and its history.
    async fn incomplete(&self, id: &str) -> Vec<String> {
        let request = id.parse().unwrap();
        let loaded = self.world.store.read(request).await.unwrap().expect("a record");
        let lines = self.world.store.history(request).await.unwrap();
        let mut wrong = vec![];
        if loaded.record.status() != "CLOSED" {
            wrong.push(format!("{id} ends as {}", loaded.record.status()));
        }
        let mut previous = String::new();
        for (number, line) in (1..).zip(&lines) {
            if line.version != number || !line.follows(&previous) {
                wrong.push(format!("line {number} of {id} does not follow the one before: {line:?}"));
            }
            previous.clone_from(&line.hash);
        }
        if loaded.record.version() != lines.len() as u64 || loaded.history_hash != previous {
            wrong.push(format!("{id} is at version {} with {} lines", loaded.record.version(), lines.len()));
        }
        wrong
    }
}
