//! Crashes, lost calls and parts that are down. What must hold after every story holds after these
//! too, and is checked by `Story::finish`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod crash;
mod down;
