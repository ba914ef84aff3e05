//! The functions and how they are run: one task an invocation, cut when its time is over.

use super::turns::Turns;
use super::uuid;
use edge::clock::Clock;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task;

/// What a handler is told about its invocation.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// AWS's request id.
    pub request_id: String,
    /// When the invocation is cut: milliseconds since the Unix epoch, real time.
    pub deadline_ms: u64,
    /// The function's name.
    pub function_name: String,
    /// Which process of the function runs it: a crash ends one, and the next one begins cold.
    pub process: u64,
}

/// A function's code. `Err` or a panic is a failed invocation.
pub type Handler = Arc<dyn Fn(Value, Invocation) -> BoxFuture<'static, Result<Value, String>> + Send + Sync>;

/// The functions by name, each with its timeout.
#[derive(Clone, Default)]
pub struct Functions(BTreeMap<String, Function>);

#[derive(Clone)]
struct Function {
    handler: Handler,
    timeout: Duration,
}

impl Functions {
    /// Adds `name`. Its timeout is the deployed one: `request` 10 s, `revoke` 180 s, `discover`
    /// 120 s, others 60 s.
    #[must_use]
    pub fn with(self, name: &str, handler: Handler) -> Self {
        let seconds = match name {
            "request" => 10,
            "revoke" => 180,
            "discover" => 120,
            _ => 60,
        };
        self.with_timeout(name, Duration::from_secs(seconds), handler)
    }

    /// Adds `name` with a timeout of its own, in real time.
    #[must_use]
    pub fn with_timeout(mut self, name: &str, timeout: Duration, handler: Handler) -> Self {
        self.0.insert(name.to_owned(), Function { handler, timeout });
        self
    }
}

/// An invocation that failed.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum Failure {
    /// There is no such function.
    #[error("there is no function {0}")]
    NoFunction(String),
    /// The handler returned an error.
    #[error("{0}")]
    Error(String),
    /// The handler panicked.
    #[error("the handler panicked")]
    Panic,
    /// The handler took longer than its timeout.
    #[error("{request_id} Task timed out after {}.00 seconds", timeout.as_secs())]
    Timeout {
        /// Whose invocation.
        request_id: String,
        /// The function's timeout.
        timeout: Duration,
    },
}

impl Failure {
    /// The payload that AWS answers for a failed invocation.
    pub fn payload(&self) -> Value {
        let kind = match self {
            Self::NoFunction(_) | Self::Error(_) => "Error",
            Self::Panic => "Runtime.Panic",
            Self::Timeout { .. } => "Sandbox.Timedout",
        };
        json!({"errorMessage": self.to_string(), "errorType": kind})
    }
}

/// Runs the functions.
#[derive(Clone)]
pub struct Lambda {
    functions: Arc<BTreeMap<String, Function>>,
    clock: Clock,
    running: Arc<Running>,
    turns: Turns,
}

/// Told the name of the function whose invocation has ended.
type Ended = Box<dyn Fn(&str) + Send + Sync>;

#[derive(Default)]
struct Running {
    /// Each with the name of its function.
    tasks: Mutex<BTreeMap<u64, (String, task::AbortHandle)>>,
    started: AtomicU64,
    /// How often each function has crashed.
    crashes: Mutex<BTreeMap<String, u64>>,
    ended: OnceLock<Ended>,
}

/// Takes the invocation off the list when it ends, however it ends.
struct Listed(Arc<Running>, u64);

impl Drop for Listed {
    fn drop(&mut self) {
        let ended = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
        if let (Some((function, _)), Some(tell)) = (ended, self.0.ended.get()) {
            tell(&function);
        }
    }
}

impl Lambda {
    /// Runs these functions, whose waiting follows `clock`. Where that stands, invocations that nobody
    /// waits for begin one after the other, each when `next_turn` lets it.
    pub fn new(functions: Functions, clock: Clock) -> Self {
        let turns = if clock.is_standing() { Turns::taken() } else { Turns::default() };
        Self { functions: Arc::new(functions.0), clock, running: Arc::default(), turns }
    }

    /// Says whom to tell when an invocation has ended, however it ended.
    pub(crate) fn when_ended(&self, tell: impl Fn(&str) + Send + Sync + 'static) {
        let _ = self.running.ended.set(Box::new(tell));
    }

    /// Lets the next invocation that waits for its turn begin; `false` where none waits.
    pub(crate) fn next_turn(&self) -> bool {
        self.turns.next()
    }

    /// Whether there is a function of this name.
    pub fn has(&self, name: &str) -> bool {
        self.functions.contains_key(name)
    }

    /// Invokes a function and waits for its answer. The invocation runs on when the caller goes away,
    /// as on AWS.
    pub async fn invoke(&self, name: &str, event: Value) -> Result<Value, Failure> {
        match self.begin(name, event, &Turns::default())?.await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::Panic),
        }
    }

    /// Starts an invocation and does not wait for it; failures are logged and not tried again.
    ///
    /// # Errors
    ///
    /// [`Failure::NoFunction`].
    pub fn start(
        &self,
        name: &str,
        event: Value,
    ) -> Result<task::JoinHandle<Result<Value, Failure>>, Failure> {
        self.begin(name, event, &self.turns)
    }

    fn begin(
        &self,
        name: &str,
        event: Value,
        turns: &Turns,
    ) -> Result<task::JoinHandle<Result<Value, Failure>>, Failure> {
        let function = self.functions.get(name).ok_or_else(|| Failure::NoFunction(name.to_owned()))?;
        let Function { handler, timeout } = function.clone();
        let mut invocation = Invocation {
            request_id: uuid(),
            deadline_ms: real_ms() + u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
            function_name: name.to_owned(),
            process: 0,
        };
        // Held while the task is made, so that it cannot end before it is listed.
        let mut tasks = self.running.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.running.started.fetch_add(1, Ordering::SeqCst);
        let listed = Listed(Arc::clone(&self.running), number);
        let (lambda, turn) = (self.clone(), turns.line_up(name, number));
        let handle = tokio::spawn(async move {
            let listed = listed;
            if let Some(turn) = turn {
                turn.await;
            }
            let crashes = lambda.crashes().get(&invocation.function_name).copied();
            invocation.process = crashes.unwrap_or_default();
            run(handler, event, invocation, timeout, listed).await
        });
        tasks.insert(number, (name.to_owned(), handle.abort_handle()));
        Ok(handle)
    }

    /// Cuts every running invocation.
    pub fn stop(&self) {
        // Taken out first: an aborted task takes itself off the list, which needs the lock.
        let tasks = std::mem::take(&mut *self.running.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for (_, task) in tasks.into_values() {
            task.abort();
        }
    }

    /// Kills the running invocations of one function, as a crash of its process would: whoever waits
    /// for them learns that they failed. Those that have not begun yet have another process.
    pub fn crash(&self, name: &str) {
        *self.crashes().entry(name.to_owned()).or_default() += 1;
        let tasks = self.running.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let of_function = tasks
            .iter()
            .filter(|(number, (function, _))| function == name && !self.turns.has(**number))
            .map(|(_, (_, task))| task.clone());
        let handles: Vec<_> = of_function.collect();
        // An aborted task takes itself off the list, which needs the lock.
        drop(tasks);
        for task in handles {
            task.abort();
        }
    }

    fn crashes(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.running.crashes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many invocations have been started so far.
    pub fn started(&self) -> u64 {
        self.running.started.load(Ordering::SeqCst)
    }

    /// Whether every running invocation waits for a later moment of the sandbox's clock or for its turn,
    /// so that nothing more happens until one of them comes.
    pub fn is_quiet(&self) -> bool {
        let tasks = self.running.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.iter().all(|(number, (_, task))| self.clock.is_asleep(task.id()) || self.turns.has(*number))
            && (tasks.is_empty() && !self.clock.is_standing() || self.clock.awake() == 0)
    }

    /// Whether this invocation, known by its task, waits for its turn.
    pub(crate) fn is_waiting(&self, task: task::Id) -> bool {
        let tasks = self.running.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.iter().any(|(number, (_, other))| other.id() == task && self.turns.has(*number))
    }
}

async fn run(
    handler: Handler,
    event: Value,
    invocation: Invocation,
    timeout: Duration,
    listed: Listed,
) -> Result<Value, Failure> {
    let _listed = listed;
    let (name, request_id) = (invocation.function_name.clone(), invocation.request_id.clone());
    // Made inside, so that a panic before the first await is caught as well.
    let handled = std::panic::AssertUnwindSafe(async move { handler(event, invocation).await });
    let caught = futures::FutureExt::catch_unwind(handled);
    let outcome = match tokio::time::timeout(timeout, caught).await {
        Ok(Ok(Ok(answer))) => Ok(answer),
        Ok(Ok(Err(error))) => Err(Failure::Error(error)),
        Ok(Err(_)) => Err(Failure::Panic),
        Err(_) => Err(Failure::Timeout { request_id: request_id.clone(), timeout }),
    };
    if let Err(failure) = &outcome {
        tracing::warn!(function = %name, %request_id, %failure, "invocation failed");
    }
    outcome
}

/// Real time in milliseconds since the Unix epoch: a Lambda deadline never follows the sandbox's clock.
#[expect(clippy::disallowed_methods, reason = "the deadline of an invocation is real time")]
fn real_ms() -> u64 {
    let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(real.as_millis()).unwrap_or(u64::MAX)
}
