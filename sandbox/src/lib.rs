//! The whole system on one machine: simulated Slack, Azure, Entra and AWS, as real HTTP servers on
//! loopback, around the real handlers of the functions.

pub mod aws;
pub mod azure;
pub mod faults;
pub mod fronts;
pub mod host;
pub mod page;
mod recording;
pub mod slack;
