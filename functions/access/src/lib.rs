//! The domain of Ajar: what a request is, what may happen to it next, and in which words.
//!
//! No clock (`now` is an argument), no I/O, no async. Read [`lifecycle`] first.

pub mod address;
pub mod build;
pub mod click;
pub mod command;
pub mod drive;
pub mod enabled;
pub mod evidence;
pub mod frozen;
pub mod lease;
pub mod lifecycle;
pub mod lockdown;
pub mod machine;
pub mod nsg;
pub mod order;
pub mod orphan;
pub mod policy;
pub mod refusal;
pub mod request;
pub mod signature;
pub mod unsaid;
pub mod wording;
