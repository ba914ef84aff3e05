//! A running lab and ways to talk to it.

use sandbox::azure::{Azure, NSG, Options, RESOURCE_GROUP, SUBSCRIPTION_ID, Settings};
use sandbox::faults::{Fault, Faults, How, Part};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) const API: &str = "api-version=2025-05-01";

pub(crate) struct Lab {
    pub(crate) azure: Azure,
    pub(crate) arm: String,
    pub(crate) entra: String,
    pub(crate) faults: Faults,
    pub(crate) clock: Arc<AtomicU64>,
    http: reqwest::Client,
    servers: Vec<tokio::task::JoinHandle<()>>,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Lab {
    /// An Azure that does everything at once.
    pub(crate) async fn start() -> Self {
        Self::with(None, |settings| {
            settings.provisioning_ms = 0;
            settings.allow_late_by_seconds = 0;
        })
        .await
    }

    pub(crate) async fn with(data_dir: Option<PathBuf>, change: impl FnOnce(&mut Settings)) -> Self {
        // The client has no TLS provider of its own; another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let faults = Faults::default();
        let clock = Arc::new(AtomicU64::new(1_700_000_000_000));
        // Waiting tests look very often, and always as the owner.
        let mut settings = Settings { owner_throttled: false, ..Settings::default() };
        change(&mut settings);
        let (ticking, waiting) = (Arc::clone(&clock), Arc::clone(&clock));
        let options = Options {
            now_ms: Arc::new(move || ticking.load(Ordering::SeqCst)),
            wait: Arc::new(move |at_ms| Box::pin(reached(Arc::clone(&waiting), at_ms))),
            faults: faults.clone(),
            data_dir,
            settings,
        };
        let azure = Azure::start(options).await.unwrap();
        // Most of these tests are about one group; those about two put the second one on by themselves.
        azure.associate_nic("VM3-nic", None).await;
        let (arm, first) = serve(azure.arm_router()).await;
        let (entra, second) = serve(azure.entra_router()).await;
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        Self { azure, arm, entra, faults, clock, http, servers: vec![first, second] }
    }

    /// Ends the servers and the ports.
    pub(crate) async fn stop(self) {
        self.azure.shutdown().await;
        for server in self.servers {
            server.abort();
        }
    }

    pub(crate) fn group() -> String {
        format!("/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{RESOURCE_GROUP}")
    }

    pub(crate) fn nsg() -> String {
        format!("{}/providers/Microsoft.Network/networkSecurityGroups/{NSG}", Self::group())
    }

    pub(crate) fn rule(name: &str) -> String {
        format!("{}/securityRules/{name}", Self::nsg())
    }

    /// A token of a function that lives another hour.
    pub(crate) fn token(&self, function: &str) -> String {
        if function == "owner" {
            return self.azure.owner_token();
        }
        self.azure.token_of(function, u64::MAX).unwrap()
    }

    /// Calls ARM as `who`; a path without a query gets an api-version.
    pub(crate) async fn arm_as(&self, who: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let bearer = format!("Bearer {}", self.token(who));
        self.arm_raw(method, path, &[("authorization", &bearer)], body.map(Value::to_string)).await.unwrap()
    }

    pub(crate) async fn arm_raw(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Result<Answer, reqwest::Error> {
        let base = if path.starts_with("http") { "" } else { self.arm.as_str() };
        let query = if path.contains('?') { String::new() } else { format!("?{API}") };
        let mut request = self.http.request(method.parse().unwrap(), format!("{base}{path}{query}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        read(request.send().await?).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.arm_as("owner", "GET", path, None).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.arm_as("owner", "PUT", path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.arm_as("owner", "DELETE", path, None).await
    }

    /// Writes a rule, changed as `over` says, and answers.
    pub(crate) async fn put_rule(&self, name: &str, over: &Value) -> Answer {
        self.put(&Self::rule(name), &rule(over)).await
    }

    /// Posts a form to Entra or STS.
    pub(crate) async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        form: &[(&str, &str)],
    ) -> Result<Answer, reqwest::Error> {
        let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut request = self.http.post(format!("{}{path}", self.entra));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        read(request.send().await?).await
    }

    /// Orders something, as who drives the sandbox does.
    pub(crate) async fn order(&self, method: &str, path: &str, body: &Value) -> Answer {
        let (base, server) = serve(self.azure.orders()).await;
        let request = self.http.request(method.parse().unwrap(), format!("{base}{path}"));
        let answer = read(request.body(body.to_string()).send().await.unwrap()).await.unwrap();
        server.abort();
        answer
    }

    /// GET from Entra or STS.
    pub(crate) async fn entra_get(&self, path: &str) -> Answer {
        read(self.http.get(format!("{}{path}", self.entra)).send().await.unwrap()).await.unwrap()
    }

    /// Orders one failure.
    pub(crate) fn fail(&self, part: Part, method: Option<&str>, how: How) {
        self.faults.order(Fault { part, method: method.map(str::to_owned), path: None, how, count: 1 });
    }
}

/// Waits until the lab's clock reads this.
async fn reached(clock: Arc<AtomicU64>, at_ms: u64) {
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(2));
    while clock.load(Ordering::SeqCst) < at_ms {
        looks.tick().await;
    }
}

/// A rule's body: SSH to VM3 from one address, changed as `over` says; null removes.
pub(crate) fn rule(over: &Value) -> Value {
    let mut properties = json!({
        "protocol": "Tcp", "sourcePortRange": "*", "destinationPortRange": "22",
        "sourceAddressPrefix": "203.0.113.7", "destinationAddressPrefix": "10.0.0.6",
        "access": "Allow", "priority": 200, "direction": "Inbound",
    });
    for (key, value) in over.as_object().unwrap() {
        if value.is_null() {
            properties.as_object_mut().unwrap().remove(key);
        } else {
            properties[key] = value.clone();
        }
    }
    json!({ "properties": properties })
}

/// Waits until `fact` holds. Fails after ten seconds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut fact: impl FnMut() -> F) {
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(5));
    for _ in 0..2_000 {
        looks.tick().await;
        if fact().await {
            return;
        }
    }
    panic!("never: {what}");
}

async fn serve(router: axum::Router) -> (String, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (url, tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }))
}

async fn read(response: reqwest::Response) -> Result<Answer, reqwest::Error> {
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
        .collect();
    Ok(Answer { status, headers, text: response.text().await? })
}
