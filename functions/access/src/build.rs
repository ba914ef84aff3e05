//! Which build speaks.

use std::fmt;

/// What the product that speaks was built from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Build {
    /// Its version.
    pub version: &'static str,
    /// The commit of a release.
    pub commit: Option<&'static str>,
}

impl fmt::Display for Build {
    /// `0.1.0 (8fe8b70a1b2c)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.commit {
            Some(commit) => write!(f, "{} ({commit})", self.version),
            None => write!(f, "{}, built by hand", self.version),
        }
    }
}
