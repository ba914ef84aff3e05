//! The tags of a machine, and whose word they are.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The tags of a machine. As Azure compares them (learn.microsoft.com, "Use tags to organize your Azure
/// resources"): their names without case, their values with it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(BTreeMap<String, String>);

impl Tags {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is one of this name with such a value.
    pub fn has(&self, name: &str, mut value: impl FnMut(&str) -> bool) -> bool {
        let name = name.to_lowercase();
        self.0.iter().any(|(other, is)| other.to_lowercase() == name && value(is))
    }
}

impl FromIterator<(String, String)> for Tags {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(all: T) -> Self {
        Self(all.into_iter().collect())
    }
}

/// The tags that Azure itself has just said a machine has: what `grant` judges by. It is neither stored nor
/// read from anything stored, so that no writer of the table can choose the rule that decides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TagsNow(Tags);

impl TagsNow {
    /// What Azure has answered.
    pub const fn said(tags: Tags) -> Self {
        Self(tags)
    }

    /// As they are compared.
    pub const fn tags(&self) -> &Tags {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_and_values_with_it() {
        let tags: Tags = [("Env".to_owned(), "Prod".to_owned())].into_iter().collect();
        assert!(tags.has("ENV", |value| value == "Prod") && tags.has("env", |value| value == "Prod"));
        assert!(!tags.has("env", |value| value == "prod") && !tags.has("en", |_| true));
    }
}
