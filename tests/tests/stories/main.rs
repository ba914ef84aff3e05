//! The stories that people live through, told over HTTP against the sandbox. What must hold after
//! every one of them is checked by `Story::finish`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod address;
mod answers;
mod archive;
mod asking;
mod boxes;
mod closing;
mod crowd;
mod deciding;
mod enabling;
mod glass;
mod hands;
mod life;
mod limits;
mod lockdown;
mod looking;
mod machines;
mod moving;
mod one_writer;
mod orphans;
mod reminding;
mod rotation;
mod steps;
mod tags;
mod truth;
mod twice;
mod watcher;
mod why;
