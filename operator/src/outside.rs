//! What a command meets outside of itself: environment, clock, terminal, login. Tests give their own.

use azure_core::credentials::TokenCredential;
use edge::clock::Clock;
use edge::config::Environment;
use std::io::{BufRead, IsTerminal, Write};
use std::sync::Arc;

/// What a command meets.
pub struct Outside<'a> {
    /// The environment's variables.
    pub env: Environment,
    /// The clock.
    pub clock: Clock,
    /// Where secrets and answers are read.
    pub input: Input<'a>,
    /// Where the result goes.
    pub output: &'a mut dyn Write,
    /// Where problems, questions and progress go.
    pub errors: &'a mut dyn Write,
    /// A login at Azure; without one that of `az` is used.
    pub login: Option<Arc<dyn TokenCredential>>,
}

/// Where secrets and answers are read.
pub enum Input<'a> {
    /// A person at a terminal.
    Terminal,
    /// Lines from a pipe or a test.
    Lines(Box<dyn BufRead + 'a>),
}

impl Outside<'_> {
    /// That of this process.
    pub fn of_process() -> Self {
        let stdin = std::io::stdin();
        let input = if stdin.is_terminal() { Input::Terminal } else { Input::Lines(Box::new(stdin.lock())) };
        // For as long as the process runs, which is for one command.
        let output: &'static mut dyn Write = Box::leak(Box::new(std::io::stdout()));
        let errors: &'static mut dyn Write = Box::leak(Box::new(std::io::stderr()));
        Self { env: Environment::of_process(), clock: Clock::system(), input, output, errors, login: None }
    }

    /// Prints a text. Where nobody reads any more there is nobody to tell.
    pub(crate) fn say(&mut self, is_error: bool, text: &str) {
        let to = if is_error { &mut self.errors } else { &mut self.output };
        let _ = writeln!(to, "{}", text.trim_end());
        let _ = to.flush();
    }

    /// Says how far a command is.
    pub(crate) fn progress(&mut self, text: &str) {
        self.say(true, text);
    }

    /// A secret: typed without being shown, or one line of a pipe. Without the white space around it.
    pub(crate) fn secret(&mut self, what: &str) -> Option<String> {
        let typed = match &mut self.input {
            Input::Terminal => rpassword::prompt_password(format!("{what} (not shown): ")).ok(),
            Input::Lines(lines) => line(lines),
        };
        typed.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// Whether somebody says yes.
    pub(crate) fn agrees(&mut self, question: &str) -> bool {
        let _ = write!(self.errors, "{question} Type yes: ");
        let _ = self.errors.flush();
        let said = match &mut self.input {
            Input::Terminal => line(&mut std::io::stdin().lock()),
            Input::Lines(lines) => line(lines),
        };
        let agreed = said.is_some_and(|said| said.trim().eq_ignore_ascii_case("yes"));
        if matches!(self.input, Input::Lines(_)) {
            let _ = writeln!(self.errors);
        }
        agreed
    }
}

fn line(lines: &mut dyn BufRead) -> Option<String> {
    let mut text = String::new();
    lines.read_line(&mut text).ok().filter(|read| *read > 0).map(|_| text)
}
