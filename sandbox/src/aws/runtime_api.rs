//! A Lambda Runtime API, with which a real function binary is run as a child process.

use super::{ACCOUNT, REGION, function_arn, uuid};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// An invocation that did not end in an answer.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum Failure {
    /// The function reported this error.
    #[error("the function failed: {0}")]
    Function(Value),
    /// The process reported this error before it asked for its first invocation.
    #[error("the function could not start: {0}")]
    Init(Value),
    /// No answer in time, for instance because the process ended.
    #[error("no answer within {0:?}")]
    NoAnswer(Duration),
}

type Answer = oneshot::Sender<Result<Value, Failure>>;

struct Pending {
    request_id: String,
    event: Value,
}

#[derive(Clone)]
struct Shared {
    function: String,
    timeout: Duration,
    queue: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Pending>>>,
    answers: Arc<Mutex<BTreeMap<String, Answer>>>,
    init_error: Arc<Mutex<Option<Value>>>,
}

/// The Runtime API of one function.
pub struct RuntimeApi {
    address: SocketAddr,
    shared: Shared,
    queue: mpsc::UnboundedSender<Pending>,
    server: JoinHandle<()>,
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A function's process, killed when this is dropped.
#[derive(Debug)]
pub struct Child(std::process::Child);

impl Child {
    /// The process's id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits until the process has ended by itself: whether it ended well. Blocks.
    ///
    /// # Errors
    /// The system cannot wait for it.
    pub fn wait(&mut self) -> io::Result<std::process::ExitStatus> {
        self.0.wait()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Fails only when the process has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl RuntimeApi {
    /// Serves the Runtime API of `function` on loopback; each invocation may take `timeout`.
    pub async fn start(function: &str, timeout: Duration) -> io::Result<Self> {
        let (queue, pending) = mpsc::unbounded_channel();
        let shared = Shared {
            function: function.to_owned(),
            timeout,
            queue: Arc::new(tokio::sync::Mutex::new(pending)),
            answers: Arc::default(),
            init_error: Arc::default(),
        };
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{request_id}/response", post(respond))
            .route("/2018-06-01/runtime/invocation/{request_id}/error", post(fail))
            .route("/2018-06-01/runtime/init/error", post(fail_init))
            .with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the Runtime API ended");
            }
        });
        Ok(Self { address, shared, queue, server })
    }

    /// `host:port` of the API.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs a function's binary with exactly this environment beside what Lambda itself sets.
    /// Its standard error is passed on.
    pub fn run(&self, path: &std::path::Path, env: &BTreeMap<String, String>) -> io::Result<Child> {
        let child = Command::new(path)
            .env_clear()
            .env("AWS_REGION", REGION)
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_NAME", &self.shared.function)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", self.shared.function))
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "sandbox")
            .env("AWS_LAMBDA_RUNTIME_API", self.address.to_string())
            .envs(env)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Child(child))
    }

    /// Hands an event to the process and waits for its answer.
    pub async fn invoke(&self, event: Value) -> Result<Value, Failure> {
        let request_id = uuid();
        let (answer, answered) = oneshot::channel();
        let init_error = self.shared.init_error.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(error) = init_error {
            return Err(Failure::Init(error));
        }
        self.shared.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(request_id.clone(), answer);
        let timeout = self.shared.timeout;
        if self.queue.send(Pending { request_id: request_id.clone(), event }).is_err() {
            return Err(Failure::NoAnswer(timeout));
        }
        let outcome = tokio::time::timeout(timeout, answered).await;
        self.shared.take(&request_id);
        outcome.ok().and_then(Result::ok).unwrap_or(Err(Failure::NoAnswer(timeout)))
    }
}

impl Shared {
    fn take(&self, request_id: &str) -> Option<Answer> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).remove(request_id)
    }
}

/// `GET /runtime/invocation/next`: waits for an event that somebody still waits for.
async fn next(State(shared): State<Shared>) -> Response {
    let mut queue = shared.queue.lock().await;
    loop {
        let Some(pending) = queue.recv().await else { return StatusCode::GONE.into_response() };
        let answers = shared.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.contains_key(&pending.request_id) {
            return shared.hand_over(&pending);
        }
    }
}

impl Shared {
    #[expect(clippy::disallowed_methods, reason = "the deadline of an invocation is real time")]
    fn hand_over(&self, pending: &Pending) -> Response {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let deadline_ms = (now + self.timeout).as_millis();
        let headers = [
            ("lambda-runtime-aws-request-id", pending.request_id.clone()),
            ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
            ("lambda-runtime-invoked-function-arn", function_arn(&self.function)),
            ("lambda-runtime-trace-id", format!("Root=1-00000000-{ACCOUNT}{ACCOUNT};Sampled=0")),
            ("content-type", "application/json".to_owned()),
        ];
        let mut response = Response::new(Body::from(pending.event.to_string()));
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    fn conclude(&self, request_id: &str, outcome: Result<Value, Failure>) -> Response {
        match self.take(request_id) {
            Some(answer) => {
                // Whoever asked may have given up in this very moment.
                let _ = answer.send(outcome);
                accepted()
            }
            None => {
                let body = json!({"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"});
                super::json(StatusCode::BAD_REQUEST, "application/json", &body)
            }
        }
    }
}

fn accepted() -> Response {
    super::json(StatusCode::ACCEPTED, "application/json", &json!({"status": "OK"}))
}

async fn respond(State(shared): State<Shared>, Path(request_id): Path<String>, body: Bytes) -> Response {
    let outcome = serde_json::from_slice(&body).map_err(|error| {
        Failure::Function(json!({"errorMessage": error.to_string(), "errorType": "InvalidResponse"}))
    });
    shared.conclude(&request_id, outcome)
}

async fn fail(State(shared): State<Shared>, Path(request_id): Path<String>, body: Bytes) -> Response {
    shared.conclude(&request_id, Err(Failure::Function(lenient(&body))))
}

/// `POST /runtime/init/error`: everybody who waits, and who comes later, is told.
async fn fail_init(State(shared): State<Shared>, body: Bytes) -> Response {
    let error = lenient(&body);
    *shared.init_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
    let waiting = std::mem::take(&mut *shared.answers.lock().unwrap_or_else(PoisonError::into_inner));
    for answer in waiting.into_values() {
        let _ = answer.send(Err(Failure::Init(error.clone())));
    }
    accepted()
}

fn lenient(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| json!(String::from_utf8_lossy(body)))
}
