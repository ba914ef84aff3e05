//! One HTTP client for everything that is not AWS, and the rewriting that lets the Azure SDK, which
//! insists on HTTPS, reach a stand-in on this machine.

use crate::config::{ConfigError, Environment};
use access::lease::Timestamp;
use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use std::sync::Arc;
use std::time::Duration;

/// The longest that one call may take. Shorter than the lease of a lock, and far shorter than an
/// invocation.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How much of the time limits of calls a function takes: all of it, unless it is tried out with parts
/// that are known to hang.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    percent: u32,
}

impl Limits {
    /// As deployed.
    pub const DEPLOYED: Self = Self { percent: 100 };

    /// `AJAR_TIME_LIMITS_PERCENT`, from 1 to 100; 100 where it is not set. All limits shrink alike, so that
    /// nothing but their lengths differs.
    ///
    /// # Errors
    /// Something else.
    pub fn of(env: &Environment) -> Result<Self, ConfigError> {
        const NAME: &str = "AJAR_TIME_LIMITS_PERCENT";
        let Some(text) = env.optional(NAME) else { return Ok(Self::DEPLOYED) };
        let percent = text.parse().ok().filter(|percent| (1..=100).contains(percent));
        percent.map(|percent| Self { percent }).ok_or_else(|| ConfigError::Malformed {
            name: NAME,
            why: format!("`{text}` is not a number from 1 to 100"),
        })
    }

    /// What is left of a limit.
    pub fn scale(self, limit: Duration) -> Duration {
        limit * self.percent / 100
    }
}

/// A client with our time limits, ring as its only cryptography.
///
/// # Errors
/// The system's certificates cannot be read.
pub fn client(limits: Limits) -> Result<reqwest::Client, ConfigError> {
    // Whoever comes second finds it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(limits.scale(Duration::from_secs(3)))
        .timeout(limits.scale(CALL_TIMEOUT))
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| ConfigError::Http(error.to_string()))
}

/// The moment that whoever answers at an address says it is (RFC 9110, 6.6.1); `None` where nobody does.
pub async fn moment_at(client: &reqwest::Client, url: reqwest::Url) -> Option<Timestamp> {
    let answer = client.get(url).send().await.ok()?;
    let date = answer.headers().get("date")?.to_str().ok()?;
    let at = azure_core::time::parse_rfc7231(date).ok()?;
    u64::try_from(at.unix_timestamp()).ok().map(Timestamp::from_unix)
}

/// Sends what is meant for Azure's public addresses to those that are configured.
#[derive(Debug)]
pub struct Route {
    client: Arc<reqwest::Client>,
    /// Host that the SDK believes in, and where it really is.
    hosts: Vec<(&'static str, reqwest::Url)>,
}

impl Route {
    /// With the configured addresses of Azure's management API and of Entra.
    pub fn new(client: reqwest::Client, arm: reqwest::Url, entra: reqwest::Url) -> Self {
        Self {
            client: Arc::new(client),
            hosts: vec![("management.azure.com", arm), ("login.microsoftonline.com", entra)],
        }
    }
}

#[async_trait::async_trait]
impl HttpClient for Route {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let host = request.url().host_str().unwrap_or_default();
        let Some((_, target)) = self.hosts.iter().find(|(public, _)| *public == host) else {
            let message = "a request to a host that is not Azure's";
            return Err(azure_core::Error::with_message(azure_core::error::ErrorKind::Other, message));
        };
        let mut routed = request.clone();
        let url = routed.url_mut();
        // Setting these fails only for addresses that cannot have them; an address of scheme http or
        // https can.
        let _ = url.set_scheme(target.scheme());
        let _ = url.set_host(target.host_str());
        let _ = url.set_port(target.port());
        self.client.execute_request(&routed).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_shrink_alike_and_never_to_nothing() {
        let of =
            |text: &str| Limits::of(&Environment::of([("AJAR_TIME_LIMITS_PERCENT".into(), text.into())]));
        assert_eq!(of("").unwrap(), Limits::DEPLOYED);
        assert_eq!(of("20").unwrap().scale(CALL_TIMEOUT), Duration::from_secs(2));
        for wrong in ["0", "101", "-1", "fast"] {
            let why = of(wrong).unwrap_err().to_string();
            assert_eq!(why, format!("AJAR_TIME_LIMITS_PERCENT: `{wrong}` is not a number from 1 to 100"));
        }
    }
}
