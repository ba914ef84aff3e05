//! Shared by the test binaries: a sandbox as people, an owner of the subscription and an attacker
//! meet it, and a checker of what people were told.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

pub mod address;
pub mod azure;
pub mod deciding;
pub mod enabling;
mod finish;
pub mod signed;
mod steps;
mod story;
mod table;
pub mod truth;

pub use story::{ANA, BEA, CHRIS, EVE, Item, Story};
