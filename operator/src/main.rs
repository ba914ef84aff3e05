//! The operator's tool.

use ajar::Outside;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    ExitCode::from(ajar::run(std::env::args_os(), Outside::of_process()).await)
}
