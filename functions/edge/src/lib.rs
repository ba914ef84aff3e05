//! Everything that touches the world. It decides nothing: what to do is [`access`]'s business.

pub mod archive;
pub mod arm;
pub mod aws;
pub mod clock;
pub mod closing;
pub mod config;
pub mod drive;
pub mod entra;
pub mod glance;
pub mod http;
pub mod line;
pub mod login;
mod moved;
pub mod orphan;
pub mod report;
pub mod secrets;
pub mod slack;
pub mod store;
pub mod stream;
