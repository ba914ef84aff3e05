//! Keeps other web sites away from a server that trusts everybody on this machine.

use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Middleware for everything that a browser on this machine may call.
///
/// Refuses (403) a request that does not name a loopback host, since a foreign name that was made to
/// point at 127.0.0.1 (DNS rebinding) would make the foreign site the same site; and a changing request
/// that the browser says comes from elsewhere. Programs such as curl send neither header and pass.
pub async fn same_site_only(request: Request, next: Next) -> Response {
    match refusal(request.method(), request.headers()) {
        Some(why) => (StatusCode::FORBIDDEN, why).into_response(),
        None => next.run(request).await,
    }
}

fn refusal(method: &Method, headers: &HeaderMap) -> Option<&'static str> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = text(header::HOST).unwrap_or_default();
    if !is_loopback(host) {
        return Some("this page answers to localhost only");
    }
    if matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    let foreign_origin = text(header::ORIGIN).is_some_and(|origin| {
        !origin.strip_prefix("http://").is_some_and(|at| at.eq_ignore_ascii_case(host))
    });
    let foreign_site = headers
        .get("sec-fetch-site")
        .is_some_and(|site| !matches!(site.to_str(), Ok("same-origin" | "none")));
    (foreign_origin || foreign_site).then_some("this request comes from another site")
}

/// Whether a `Host` header names this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
