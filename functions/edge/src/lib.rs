//! Everything that touches the world. It decides nothing: what to do is [`access`]'s business.

pub mod clock;
