//! The simulated Azure, over real HTTP and real TCP.

mod entra;
mod faults;
mod lab;
mod overlap;
mod ports;
mod refusals;
mod restart;
mod rules;
