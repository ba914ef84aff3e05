//! One process that hosts everything: the ports, the functions with their triggers, the clock.

pub mod cli;
mod clients;
pub mod control;
pub mod data;
pub mod ending;
pub mod live;
mod stepped;
pub mod time;
pub mod wiring;

pub use clients::{CLIENTS, source_of};
pub use stepped::Stepped;

use crate::aws::Callers;
use crate::aws::dynamodb::{self, Dynamodb};
use crate::aws::http_api::HttpApi;
use crate::aws::lambda::{Functions, Lambda};
use crate::aws::mapping::{DeadLetters, Mapping};
use crate::aws::s3::Bucket;
use crate::aws::schedule::{self, Schedule};
use crate::aws::secrets::Secrets;
use crate::aws::stream::Mappings;
use crate::faults::Faults;
use crate::fronts::{Fronts, Service};
use access::lease::Timestamp;
use axum::Router;
use axum::serve::ListenerExt;
use control::{Control, Tell};
use data::{DataDir, Saved, Unusable};
use edge::clock::Clock;
use serde_json::{Value, json};
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use time::{Busy, Time};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};

/// The table's name.
pub const TABLE: &str = "ajar";
/// The port of the page when none is asked for.
pub const DEFAULT_PORT: u16 = 8080;
/// The last port of the page that leaves room for the four others.
pub const LAST_PORT: u16 = u16::MAX - 4;
/// How long open connections may finish when the sandbox ends.
const GRACE: Duration = Duration::from_millis(300);

/// How a sandbox is started.
#[derive(Clone, Default)]
pub struct Options {
    /// The first of five ports in a row; `None` takes any free ones.
    pub port: Option<u16>,
    /// Where everything is kept; `None` forgets it at the end.
    pub data_dir: Option<PathBuf>,
    /// Runs step by step instead of by the real clock; `None` for people.
    pub stepped: Option<Stepped>,
}

/// Why a sandbox cannot start: one line for a person.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There are not four more ports behind this one.
    #[error("port {0} is too high: five ports in a row are needed, the first at most {LAST_PORT}")]
    PortTooHigh(u16),
    /// A port cannot be listened on.
    #[error("cannot listen on 127.0.0.1:{port}: {cause}; choose other ports with --port")]
    Port {
        /// The port.
        port: u16,
        /// The system's reason.
        cause: std::io::Error,
    },
    /// The data directory.
    #[error(transparent)]
    Data(#[from] Unusable),
    /// Something kept in the data directory cannot be read.
    #[error("cannot read what was kept: {0}")]
    Kept(#[from] std::io::Error),
    /// The database.
    #[error(transparent)]
    Dynamodb(#[from] dynamodb::Error),
    /// A part that is wired in.
    #[error("{0}")]
    Part(String),
}

/// Where each part listens.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The page, Slack's request URLs and what drives the sandbox.
    pub page: SocketAddr,
    /// Azure's management API.
    pub arm: SocketAddr,
    /// Slack's Web API.
    pub slack_api: SocketAddr,
    /// Entra, and the stand-in for STS.
    pub entra: SocketAddr,
    /// DynamoDB; Lambda's Invoke API, Secrets Manager and S3 as well.
    pub aws: SocketAddr,
}

impl Addresses {
    /// The page's address, without a slash at the end, as all of these.
    pub fn page_url(&self) -> String {
        format!("http://{}", self.page)
    }
    /// Azure's management API.
    pub fn arm_url(&self) -> String {
        format!("http://{}", self.arm)
    }
    /// Slack's Web API: with the path that `https://slack.com/api/` has.
    pub fn slack_api_url(&self) -> String {
        format!("http://{}/api/", self.slack_api)
    }
    /// Entra, and the stand-in for STS.
    pub fn entra_url(&self) -> String {
        format!("http://{}", self.entra)
    }
    /// DynamoDB, Lambda, Secrets Manager and S3.
    pub fn aws_url(&self) -> String {
        format!("http://{}", self.aws)
    }
}

/// What the parts are built on.
#[derive(Clone)]
pub struct Ground {
    /// The sandbox's clock.
    pub clock: Clock,
    /// The ordered faults.
    pub faults: Faults,
    /// Where each part will listen; calls wait until the sandbox has started.
    pub addresses: Addresses,
    /// The database.
    pub dynamodb: Dynamodb,
    /// Where a part may keep what must survive a restart; see [`Saved::in_dir`].
    pub data_dir: Option<PathBuf>,
    /// Turns true when the sandbox ends.
    pub stop: watch::Receiver<bool>,
    /// As in [`Options`].
    pub stepped: Option<Stepped>,
}

/// The parts that the host puts together.
pub struct Parts {
    /// The page, on the first port beside the request URLs and `/sandbox…`.
    pub page: Router,
    /// Azure's management API.
    pub arm: Router,
    /// Slack's Web API and `response_url`s.
    pub slack_api: Router,
    /// Entra, and the stand-in for STS.
    pub entra: Router,
    /// What the parts add to `/sandbox.json`: an object.
    pub info: Tell,
    /// `/sandbox/messages`.
    pub messages: Tell,
    /// Whether a part still works on what a function's call began.
    pub busy: Busy,
    /// The functions.
    pub functions: Functions,
    /// The routes of the first port that invoke `request`: those of the deployment.
    pub request_routes: Vec<&'static str>,
    /// What is put around those routes.
    pub door: fn(Router) -> Router,
    /// Who may invoke functions through Lambda's API.
    pub callers: Callers,
    /// The secrets.
    pub secrets: Secrets,
    /// What else is ordered below `/sandbox`.
    pub orders: Router,
    /// The archive's bucket.
    pub archive: Bucket,
    /// Whether Azure is the real one: then the clock is the real one too, and Azure takes no orders to
    /// fail.
    pub real_azure: bool,
}

impl Default for Parts {
    /// No parts, no functions.
    fn default() -> Self {
        Self {
            page: Router::new(),
            arm: Router::new(),
            slack_api: Router::new(),
            entra: Router::new(),
            info: Arc::new(|| json!({})),
            messages: Arc::new(|| json!([])),
            busy: Arc::new(|| false),
            functions: Functions::default(),
            request_routes: vec![
                "POST /slack/command",
                "POST /slack/interaction",
                "GET /address",
                "POST /address",
            ],
            door: std::convert::identity,
            callers: Callers::new(),
            secrets: Secrets::default(),
            orders: Router::new(),
            archive: Bucket::default(),
            real_azure: false,
        }
    }
}

/// A running sandbox. Dropping it ends it at once; [`Sandbox::stop`] ends it in order.
pub struct Sandbox {
    addresses: Addresses,
    time: Arc<Time>,
    faults: Faults,
    dynamodb: Dynamodb,
    dead_letters: DeadLetters,
    stop: watch::Sender<bool>,
    servers: Vec<JoinHandle<()>>,
    triggers: Vec<JoinHandle<()>>,
    fronts: Option<Fronts>,
    _data: Option<DataDir>,
}

impl Sandbox {
    /// Starts the whole sandbox.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        Ok(wiring::start(options, wiring::POLICY).await?.0)
    }

    /// Starts a sandbox of the parts that `wire` makes.
    pub async fn start_with<F, Made>(options: Options, wire: F) -> Result<Self, StartError>
    where
        F: FnOnce(Ground) -> Made,
        Made: Future<Output = Result<Parts, StartError>>,
    {
        let data = options.data_dir.as_deref().map(DataDir::open).transpose()?;
        let dir = data.as_ref().map(DataDir::path);
        let [page, arm, slack_api, entra, aws] = listen(options.port).await?;
        let address = |listener: &TcpListener| listener.local_addr().map_err(StartError::Kept);
        let addresses = Addresses {
            page: address(&page)?,
            arm: address(&arm)?,
            slack_api: address(&slack_api)?,
            entra: address(&entra)?,
            aws: address(&aws)?,
        };
        let saved_offset = Saved::in_dir(dir, "clock.json");
        let clock = match &options.stepped {
            Some(stepped) => Clock::standing_at(stepped.at),
            None => Clock::with_offset_ms(saved_offset.load()?.unwrap_or(0)),
        };
        let faults = Faults::default();
        let (stop, stopped) = watch::channel(false);
        let file = dir.map(|dir| dir.join("dynamodb.sqlite"));
        let (dynamodb, database) =
            Dynamodb::start(file.as_deref(), TABLE, faults.clone(), stopped.clone()).await?;
        let ground = Ground {
            clock: clock.clone(),
            faults: faults.clone(),
            addresses,
            dynamodb: dynamodb.clone(),
            data_dir: dir.map(PathBuf::from),
            stop: stopped.clone(),
            stepped: options.stepped.clone(),
        };
        let parts = wire(ground).await?;
        let lambda = Lambda::new(parts.functions, clock.clone());
        let crashes = lambda.clone();
        faults.crash_with(move |function| crashes.crash(function));
        let dead_letters = DeadLetters::open(Saved::in_dir(dir, "dead-letters.json"))?;
        let settings = Mappings::committed()?;
        let (mut progress, mut triggers) = (Vec::new(), Vec::new());
        for (function, settings) in [("grant", settings.grant), ("notify", settings.notify)] {
            let position = Saved::in_dir(dir, &format!("stream-{function}.json"));
            let (lambda, clock) = (lambda.clone(), clock.clone());
            let dead_letters = dead_letters.clone();
            let mapping =
                Mapping::open(function, settings, &dynamodb, lambda, clock, position, dead_letters)?;
            progress.push(mapping.progress());
            triggers.push(tokio::spawn(mapping.run()));
        }
        let minute = Schedule::minute(clock.clone(), lambda.clone(), dynamodb.clone());
        let quarter = Schedule::quarter(clock.clone(), lambda.clone());
        let fronts = options.stepped.map(|stepped| stepped.fronts);
        let time = Arc::new(Time {
            clock: clock.clone(),
            lambda: lambda.clone(),
            mappings: progress,
            fired: vec![minute.fired(), quarter.fired()],
            busy: parts.busy,
            saved: saved_offset,
            advancing: tokio::sync::Mutex::default(),
            fronts: fronts.clone(),
        });
        triggers.push(tokio::spawn(minute.run()));
        triggers.push(tokio::spawn(quarter.run()));
        let control = Control {
            time: Arc::clone(&time),
            faults: faults.clone(),
            dynamodb: dynamodb.clone(),
            dead_letters: dead_letters.clone(),
            addresses,
            info: parts.info,
            messages: parts.messages,
            orders: parts.orders,
            real_azure: parts.real_azure,
        };
        if let Some(fronts) = &fronts {
            let (crashes, ended) = (lambda.clone(), fronts.clone());
            fronts.attach(clock.clone(), move |function| crashes.crash(function));
            lambda.when_ended(move |function| ended.ended(function));
        }
        let http_api = HttpApi {
            lambda: lambda.clone(),
            function: "request",
            clock: clock.clone(),
            source_of: Arc::new(source_of),
        };
        let door = (parts.door)(http_api.router(&parts.request_routes));
        let page_router = parts.page.merge(door).merge(control.router());
        let aws_router =
            crate::aws::router(&dynamodb, lambda, parts.callers, parts.secrets, parts.archive, clock);
        if let Some(fronts) = &fronts {
            for (service, router) in [
                (Service::Arm, &parts.arm),
                (Service::Slack, &parts.slack_api),
                (Service::Entra, &parts.entra),
                (Service::Aws, &aws_router),
            ] {
                fronts.serve(service, router);
            }
            fronts.about_to_be(time.clock.now_ms()).await;
        }
        let mut servers = vec![database];
        for (listener, router) in [
            (page, page_router),
            (arm, parts.arm),
            (slack_api, parts.slack_api),
            (entra, parts.entra),
            (aws, aws_router),
        ] {
            servers.push(tokio::spawn(serve(listener, router, stopped.clone())));
        }
        let sandbox = Self {
            addresses,
            time,
            faults,
            dynamodb,
            dead_letters,
            stop,
            servers,
            triggers,
            fronts,
            _data: data,
        };
        sandbox.discover().await?;
        Ok(sandbox)
    }

    /// The machine list is filled before anybody asks, as a deployment that has run for a while has it:
    /// where a look failed, the next one has made up for it.
    async fn discover(&self) -> Result<(), StartError> {
        const FUNCTION: &str = "discover";
        const LOOKS: usize = 3;
        if !self.lambda().has(FUNCTION) {
            return Ok(());
        }
        let mut looked = Ok(());
        for _ in 0..LOOKS {
            let event = schedule::event(FUNCTION, self.clock().now());
            looked = self.lambda().invoke(FUNCTION, event).await.map(|_| ());
            if looked.is_ok() {
                break;
            }
        }
        looked.map_err(|failure| StartError::Part(format!("the machine list: {failure}")))
    }

    /// Where each part listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The sandbox's clock.
    pub fn clock(&self) -> &Clock {
        &self.time.clock
    }

    /// The functions.
    pub fn lambda(&self) -> &Lambda {
        &self.time.lambda
    }

    /// The ordered faults.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The database.
    pub fn dynamodb(&self) -> &Dynamodb {
        &self.dynamodb
    }

    /// What the stream's mappings gave up.
    pub fn dead_letters(&self) -> Vec<Value> {
        self.dead_letters.all()
    }

    /// Waits until everything begun so far has been done, without moving time.
    pub async fn settle(&self) {
        self.time.settle().await;
    }

    /// Moves the clock forward and waits until everything that became due has been done.
    ///
    /// # Errors
    ///
    /// The clock's place cannot be saved.
    pub async fn advance(&self, seconds: u64) -> Result<Timestamp, std::io::Error> {
        self.time.advance_to(|now_ms| now_ms + seconds * 1000).await?;
        Ok(self.time.clock.now())
    }

    /// Ends it: no new calls, open ones may finish for a moment, running invocations are cut.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        self.cut_triggers();
        let servers = std::mem::take(&mut self.servers);
        let handles: Vec<_> = servers.iter().map(JoinHandle::abort_handle).collect();
        let mut ended = std::pin::pin!(futures::future::join_all(servers));
        if tokio::time::timeout(GRACE, &mut ended).await.is_err() {
            handles.iter().for_each(AbortHandle::abort);
            ended.await;
        }
        // Aborted or ended: either way they no longer hold anything of the data directory.
        futures::future::join_all(std::mem::take(&mut self.triggers)).await;
    }

    fn cut_triggers(&self) {
        for trigger in &self.triggers {
            trigger.abort();
        }
        self.time.lambda.stop();
        self.fronts.iter().for_each(Fronts::stop);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.cut_triggers();
        for server in &self.servers {
            server.abort();
        }
    }
}

/// Five ports in a row, or any five.
async fn listen(first: Option<u16>) -> Result<[TcpListener; 5], StartError> {
    if let Some(port) = first.filter(|port| *port > LAST_PORT) {
        return Err(StartError::PortTooHigh(port));
    }
    let bind = async |offset: u16| {
        let port = first.map_or(0, |first| first + offset);
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|cause| StartError::Port { port, cause })
    };
    Ok([bind(0).await?, bind(1).await?, bind(2).await?, bind(3).await?, bind(4).await?])
}

async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) {
    // Answers are small; waiting to fill a packet would only add delay.
    let listener = listener.tap_io(|connection| {
        let _ = connection.set_nodelay(true);
    });
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let stopped = async move {
        let _ = stop.wait_for(|stop| *stop).await;
    };
    if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(stopped).await {
        tracing::error!(%error, "a server ended");
    }
}
