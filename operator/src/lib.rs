//! The operator's tool: what is wrong and how to mend it, what was opened and on whose word, and what to do when AWS
//! is down. Each command finds out and gives what it has found; `render` makes text or JSON of it.

mod audit;
mod aws;
mod azure;
mod cli;
mod config;
mod doctor;
mod ending;
mod export;
mod history;
mod needs;
mod open;
mod outside;
mod policy;
mod render;
mod requests;
mod rules;
mod secret;
mod shut;
mod vault;

pub use ending::Ending;
pub use outside::{Input, Outside};

use cli::{Arguments, Command, PolicyCommand};
use config::Config;
use ending::Problem;
use render::Told;
use std::ffi::OsString;

/// Runs one command; gives the exit code.
pub async fn run(arguments: impl IntoIterator<Item = OsString>, mut outside: Outside<'_>) -> u8 {
    let arguments = match cli::parse(arguments) {
        Ok(arguments) => arguments,
        Err(cli::Stop { text, ending }) => {
            outside.say(ending != Ending::Fine, &text);
            return ending.code();
        }
    };
    let json = arguments.json;
    let ending = match carry_out(arguments, &mut outside).await {
        Ok(told) => {
            let text = if json { told.json() } else { told.text() };
            outside.say(false, &text);
            told.ending()
        }
        Err(problem) => {
            if json {
                outside.say(false, &serde_json::json!({"error": problem.to_string()}).to_string());
            }
            outside.say(true, &format!("ajar: {problem}"));
            problem.ending()
        }
    };
    ending.code()
}

async fn carry_out(arguments: Arguments, outside: &mut Outside<'_>) -> Result<Box<dyn Told>, Problem> {
    let config = Config::read(arguments.config.as_deref(), &outside.env);
    Ok(match arguments.command {
        // What is wrong with the configuration is the first thing that it tells.
        Command::Doctor => {
            outside.progress(
                "Looking; the functions are started one after the other, which can take two minutes.",
            );
            Box::new(doctor::run(config, outside).await)
        }
        Command::Secret { bot_token_only } => Box::new(secret::run(bot_token_only, &config?, outside).await?),
        Command::Requests(asked) => Box::new(requests::run(&asked, &config?, outside).await?),
        Command::History { request } => Box::new(history::run(&request, &config?, outside).await?),
        Command::Export { since } => Box::new(export::run(since.as_deref(), &config?, outside).await?),
        Command::Policy(PolicyCommand::Check { file }) => Box::new(policy::check(&file)?),
        Command::Policy(PolicyCommand::Explain(asked)) => Box::new(policy::explain(&asked)?),
        Command::Rules => Box::new(rules::run(&config?, outside).await?),
        Command::Shut(asked) => Box::new(shut::run(&asked, &config?, outside).await?),
        Command::Open(asked) => Box::new(open::run(&asked, &config?, outside).await?),
    })
}
