//! Crashes, lost calls and parts that are down. What must hold after every story holds after these
//! too, and is checked by `Story::finish`.

mod cards;
mod crash;
mod down;
mod outage;
mod refused;
mod slack;
