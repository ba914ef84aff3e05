//! The domain of Ajar: what a request is, what may happen to it next, and in which words.
//!
//! No clock (`now` is an argument), no I/O, no async. Read [`lifecycle`] first.

pub mod lease;
