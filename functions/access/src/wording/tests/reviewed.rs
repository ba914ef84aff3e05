//! Every message, form and page that people can be shown, as it was reviewed: `functions/access/reviewed/` holds them as
//! their reader sees them. A sentence that is changed, or new, fails its test until the file says the same. What an
//! enumeration can be is taken from the enumeration: a variant that is added does not compile before it has a sample here.

use super::*;
use crate::lifecycle::{Cause, Closure, Event, EventKind, Failure, NetworkFault, RuleEnd};
use crate::policy::Groups;
use std::path::Path;
use written::{as_read, form, page, wrapped};

mod answers;
mod cards;
mod channel;
mod direct;
mod errors;
mod forms;
mod lists;
mod pages;
mod reasons;
mod samples;
mod thread;
mod written;

/// Samples of an enumeration, at least one for each of these patterns, which together are all of it.
macro_rules! every {
    ($type:ty { $($pattern:pat => [$($sample:expr),+ $(,)?]),+ $(,)? }) => {{
        // Does not compile where a variant has no pattern.
        #[expect(dead_code, reason = "that it compiles is what is wanted")]
        fn is_whole(one: &$type) {
            match one { $($pattern => {})+ }
        }
        let mut all: Vec<$type> = vec![];
        $($({
            let sample: $type = $sample;
            assert!(matches!(&sample, $pattern), "{sample:?} is no {}", stringify!($pattern));
            all.push(sample);
        })+)+
        all
    }};
}
use every;

/// What one file holds.
#[derive(Default)]
struct Album(String);

impl Album {
    fn titled(&mut self, title: &str, content: &str) {
        self.0.push_str(&format!("## {title}\n\n{}\n\n", content.trim_end()));
    }

    /// A message. Who only hears its text must hear all of it, and Slack must take it.
    fn message(&mut self, title: &str, message: &Message) {
        fits(message);
        written::text_says_all(title, message);
        self.titled(title, &written::message(message));
    }

    /// As [`Album::message`], where the blocks are like those of one before.
    fn in_short(&mut self, title: &str, message: &Message) {
        fits(message);
        written::text_says_all(title, message);
        self.titled(title, &written::in_short(message));
    }

    /// A message where there is one.
    fn maybe(&mut self, title: &str, message: Option<Message>) {
        match message {
            Some(message) => self.message(title, &message),
            None => self.titled(title, "(nothing)"),
        }
    }

    /// A sentence that is sent as a message of its own.
    fn sentence(&mut self, title: &str, text: &str) {
        self.message(title, &Message::sentence(text));
    }

    /// A form, or what is answered to one that was sent off.
    fn form(&mut self, title: &str, view: &Value) {
        self.titled(title, &form(view));
    }

    /// A part of a sentence, or a text that is shown beside something.
    fn words(&mut self, title: &str, text: &str) {
        self.titled(title, &wrapped(&as_read(text), ""));
    }

    fn page(&mut self, title: &str, shown: &Page) {
        self.titled(title, &page(shown));
    }
}

const FOLDER: &str = "reviewed";

macro_rules! albums {
    ($($name:ident)*) => {
        const ALBUMS: &[&str] = &[$(stringify!($name)),*];
        const SOURCES: &[&str] = &[$(include_str!(concat!("reviewed/", stringify!($name), ".rs"))),*];
        $(#[test]
        fn $name() {
            let mut album = Album::default();
            $name::fill(&mut album);
            insta::with_settings!({
                snapshot_path => Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER),
                prepend_module_to_snapshot => false,
                omit_expression => true,
            }, {
                insta::assert_snapshot!(stringify!($name), album.0.trim_end());
            });
        })*
    };
}
albums! { answers cards channel direct errors forms lists pages reasons thread }

#[test]
fn there_is_no_other_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        // Those that wait for a review fail the tests of their own names.
        .filter(|file| !file.ends_with(".snap.new"))
        .collect();
    files.sort();
    assert_eq!(files, ALBUMS.iter().map(|name| format!("{name}.snap")).collect::<Vec<_>>());
}

/// A function of `wording` that others can call, and that makes something for people, is called for these files.
#[test]
fn everything_that_wording_makes_is_in_them() {
    // They read a form, or say when there is something to tell.
    const SAY_NOTHING: [&str; 3] = ["machines_of", "reminder_at", "steps_wait"];
    let source = include_str!("../../wording.rs");
    let exported =
        source.split("pub use ").skip(1).filter_map(|rest| rest.split_once(';').map(|(names, _)| names));
    let names = exported.flat_map(|names| {
        let inside = names.split_once("::").map_or(names, |(_, inside)| inside);
        inside.trim_matches(['{', '}']).split(',').map(str::trim).collect::<Vec<_>>()
    });
    let declared = source.split("\npub fn ").skip(1).filter_map(|rest| rest.split('(').next());
    let functions: Vec<&str> = names
        .chain(declared)
        .filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter(|name| !SAY_NOTHING.contains(name))
        .collect();
    assert!(functions.len() > 70, "{functions:?}");
    for name in functions {
        let is_called = |source: &&str| {
            let mut calls =
                source.match_indices(name).map(|(at, _)| (&source[..at], &source[at + name.len()..]));
            calls.any(|(before, after)| {
                after.starts_with('(') && !before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            })
        };
        assert!(SOURCES.iter().any(is_called), "{name} is in no file of {FOLDER}");
    }
}
