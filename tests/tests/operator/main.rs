//! The operator's tool against the sandbox over HTTP: as a library, with its clock, input and login given, and as the
//! program that people run.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod audit;
mod doctor;
mod night;
mod policy;
mod program;
mod secret;
mod tool;
