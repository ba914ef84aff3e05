//! The Lambda entry point of `discover`.

use edge::clock::Clock;
use edge::config::Environment;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    edge::report::init();
    let deps = match discover::Deps::new(&Environment::of_process(), Clock::system()).await {
        Ok(deps) => deps,
        Err(error) => return Err(edge::report::refuse_to_start("discover", &error).await),
    };
    run(service_fn(|event: LambdaEvent<_>| discover::handle(&deps, event))).await
}
