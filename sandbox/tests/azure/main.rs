//! The simulated Azure, over real HTTP and real TCP.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test")]

mod applied;
mod authorization;
mod entra;
mod faults;
mod lab;
mod late;
mod limits;
mod overlap;
mod ports;
mod refusals;
mod restart;
mod rules;
