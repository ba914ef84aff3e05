//! API Gateway's HTTP API in front of a function, with payload format 2.0.

use super::lambda::Lambda;
use super::{ACCOUNT, json as answer, uuid};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::any;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use edge::clock::Clock;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// HTTP APIs take bodies up to 10 MB.
const MAX_BODY: usize = 10 * 1024 * 1024;

/// The address that a loopback address stands for.
pub type SourceOf = Arc<dyn Fn(IpAddr) -> IpAddr + Send + Sync>;

/// An HTTP API whose routes all invoke one function.
pub struct HttpApi {
    /// Runs the function.
    pub lambda: Lambda,
    /// The function's name.
    pub function: &'static str,
    /// Tells the time of the request.
    pub clock: Clock,
    /// The caller's address as the function sees it.
    pub source_of: SourceOf,
}

impl HttpApi {
    /// These routes by their keys, `POST /slack/command`. What no route is for gets the answer of API Gateway.
    pub fn router(self, routes: &[&'static str]) -> Router {
        let paths: BTreeSet<&str> = routes.iter().filter_map(|route| route.split(' ').nth(1)).collect();
        let door = Arc::new(Door { api: self, routes: routes.to_vec() });
        paths.into_iter().fold(Router::new(), |router, path| router.route(path, any(serve))).with_state(door)
    }
}

struct Door {
    api: HttpApi,
    routes: Vec<&'static str>,
}

async fn serve(
    State(door): State<Arc<Door>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let api = &door.api;
    if !door.routes.contains(&format!("{} {}", head.method, head.uri.path()).as_str()) {
        return message(StatusCode::NOT_FOUND, "Not Found");
    }
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    };
    let event = event(&head, &body, (api.source_of)(peer.ip()), peer.port(), &api.clock);
    match api.lambda.invoke(api.function, event).await {
        Ok(result) => response(&result)
            .unwrap_or_else(|| message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")),
        Err(_) => message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
    }
}

fn message(status: StatusCode, text: &str) -> Response {
    answer(status, "application/json", &json!({ "message": text }))
}

/// The request as an event. A body that is not of a text type arrives as base64: forms too.
fn event(head: &Parts, body: &Bytes, source: IpAddr, port: u16, clock: &Clock) -> Value {
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let agent = head.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let route = format!("{} {path}", head.method);
    let mut headers = joined_headers(&head.headers);
    // Whatever the caller says stays before what API Gateway saw.
    let said = headers.get("x-forwarded-for").and_then(Value::as_str);
    let forwarded = said.map_or_else(|| source.to_string(), |said| format!("{said}, {source}"));
    headers.insert("x-forwarded-for".to_owned(), json!(forwarded));
    headers.insert("x-forwarded-port".to_owned(), json!(port.to_string()));
    headers.insert("x-forwarded-proto".to_owned(), json!("https"));
    let mut event = json!({
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "sandbox",
            "domainName": host,
            "domainPrefix": host.split(['.', ':']).next().unwrap_or_default(),
            "http": {
                "method": head.method.as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": source.to_string(),
                "userAgent": agent.unwrap_or_default(),
            },
            "requestId": uuid(),
            "routeKey": route,
            "stage": "$default",
            "time": clf(&clock.now().to_string()),
            "timeEpoch": clock.now_ms(),
        },
        "isBase64Encoded": false,
    });
    let cookies = head.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookies: Vec<&str> = cookies.flat_map(|line| line.split("; ")).collect();
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let joined = parameters.entry(name.into_owned());
        joined.and_modify(|all| *all = format!("{all},{value}")).or_insert_with(|| value.into_owned());
    }
    if !parameters.is_empty() {
        event["queryStringParameters"] = json!(parameters);
    }
    if !body.is_empty() {
        let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        match std::str::from_utf8(body) {
            Ok(text) if is_text(kind.unwrap_or_default()) => event["body"] = json!(text),
            _ => {
                event["body"] = json!(STANDARD.encode(body));
                event["isBase64Encoded"] = json!(true);
            }
        }
    }
    event
}

/// Whether a body of this type is handed over as text.
fn is_text(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.starts_with("text/")
        || ["application/json", "application/javascript", "application/xml"].contains(&kind.as_str())
}

/// Lower-case names; several values of one name joined with a comma; cookies have a field of their own.
fn joined_headers(headers: &HeaderMap) -> Map<String, Value> {
    let mut joined = Map::new();
    for name in headers.keys().filter(|name| **name != header::COOKIE) {
        let values = headers.get_all(name).iter();
        let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        joined.insert(name.as_str().to_owned(), json!(values.join(",")));
    }
    joined
}

/// `2026-03-12 19:03:00 UTC` in the form of access logs, `12/Mar/2026:19:03:00 +0000`.
fn clf(time: &str) -> String {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut fields = time.split(['-', ' ']);
    let mut next = || fields.next().unwrap_or_default();
    let (year, month, day, clock) = (next(), next(), next(), next());
    let month = month.parse::<usize>().ok().and_then(|month| months.get(month.wrapping_sub(1)));
    format!("{day}/{}/{year}:{clock} +0000", month.unwrap_or(&"Jan"))
}

/// The function's answer as a response. Without `statusCode` the whole answer is the body of a 200,
/// as format 2.0 infers; `None` when it is not an answer that API Gateway can read.
fn response(result: &Value) -> Option<Response> {
    let Some(status) = result.get("statusCode") else {
        return Some(answer(StatusCode::OK, "application/json", result));
    };
    let status = StatusCode::from_u16(u16::try_from(status.as_u64()?).ok()?).ok()?;
    let body = match result.get("body") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) if result.get("isBase64Encoded") == Some(&Value::Bool(true)) => {
            STANDARD.decode(text).ok()?
        }
        Some(Value::String(text)) => text.clone().into_bytes(),
        Some(_) => return None,
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    // What API Gateway sends when the function names no type.
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=UTF-8"));
    for (name, value) in result.get("headers").and_then(Value::as_object).into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        headers.insert(HeaderName::try_from(name).ok()?, HeaderValue::try_from(text).ok()?);
    }
    for cookie in result.get("cookies").and_then(Value::as_array).into_iter().flatten() {
        headers.append(header::SET_COOKIE, HeaderValue::try_from(cookie.as_str()?).ok()?);
    }
    Some(response)
}
