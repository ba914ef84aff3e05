//! The Lambda entry point of `grant`.

use edge::clock::Clock;
use edge::config::Environment;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    edge::report::init();
    let deps = match grant::Deps::new(&Environment::of_process(), Clock::system()).await {
        Ok(deps) => deps,
        Err(error) => return Err(edge::report::refuse_to_start("grant", &error).await),
    };
    run(service_fn(|event: LambdaEvent<_>| grant::handle(&deps, event))).await
}
