//! Puts the parts of the sandbox together.

use super::{Ground, Parts, StartError};
use std::future::{Ready, ready};

/// The parts of the sandbox on this ground.
pub fn wire(_ground: Ground) -> Ready<Result<Parts, StartError>> {
    ready(Ok(Parts::default()))
}
