//! Microsoft Entra's token endpoint: a web identity token of the STS stand-in for an access token.
//!
//! Codes and meanings are from Microsoft's documentation of workload identity federation and from
//! public error reports.

use super::applied::Credential;
use super::core::Core;
use super::keys::Jwt;
use super::roles::Function;
use super::sts::{AUDIENCE, ISSUER};
use super::wire::{self, Call, Moment};
use super::world::TENANT_ID;
use axum::response::Response;
use serde_json::{Value, json};

/// How long an access token lives, in seconds of real time.
const LIFETIME_SECONDS: u64 = 3599;
/// What clocks may differ by, in seconds.
const SKEW_SECONDS: u64 = 300;
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const SCOPE: &str = "https://management.azure.com/.default";

/// Why Entra gives no token.
struct Refusal {
    aadsts: u32,
    error: &'static str,
    text: String,
}

fn refuse(aadsts: u32, error: &'static str, text: impl Into<String>) -> Refusal {
    Refusal { aadsts, error, text: text.into() }
}

/// Answers a call to Entra's part of the server; `None` when the path is not Entra's.
pub(super) fn answer(core: &Core, call: &Call) -> Option<Response> {
    let path = call.uri.path().trim_matches('/').to_ascii_lowercase();
    let parts: Vec<&str> = path.split('/').collect();
    match (call.method.as_str(), parts.as_slice()) {
        ("POST", [tenant, "oauth2", "v2.0", "token"]) => Some(token(core, call, tenant)),
        ("GET", [tenant, "v2.0", ".well-known", "openid-configuration"]) => Some(configuration(call, tenant)),
        ("GET", ["common", "discovery", "instance"]) => Some(instance(call)),
        _ => None,
    }
}

fn token(core: &Core, call: &Call, tenant: &str) -> Response {
    match exchange(core, call, tenant) {
        Ok(who) => {
            let expires_at = wire::wall_ms() / 1000 + LIFETIME_SECONDS;
            let body = json!({ "token_type": "Bearer", "expires_in": LIFETIME_SECONDS,
                "ext_expires_in": LIFETIME_SECONDS, "access_token": core.keys.access_token(&who, expires_at) });
            dress(wire::json(200, &body, false), call)
        }
        Err(refusal) => dress(refused(&refusal), call),
    }
}

fn refused(refusal: &Refusal) -> Response {
    let (trace, correlation) = (wire::guid(), wire::guid());
    let timestamp = Moment::from_unix(wire::wall_ms() / 1000).iso(' ');
    let code = refusal.aadsts;
    let description = format!(
        "AADSTS{code}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}",
        refusal.text
    );
    wire::json(
        400,
        &json!({ "error": refusal.error, "error_description": description, "error_codes": [code],
            "timestamp": timestamp, "trace_id": trace, "correlation_id": correlation,
            "error_uri": format!("https://login.microsoftonline.com/error?code={code}") }),
        false,
    )
}

fn dress(mut response: Response, call: &Call) -> Response {
    for (name, value) in [
        ("cache-control", "no-store, no-cache"),
        ("pragma", "no-cache"),
        ("expires", "-1"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ("x-content-type-options", "nosniff"),
    ] {
        wire::set(&mut response, name, value);
    }
    wire::set(&mut response, "x-ms-request-id", &wire::guid());
    if let Some(id) = call.header("client-request-id") {
        let id = id.to_owned();
        wire::set(&mut response, "client-request-id", &id);
    }
    response
}

/// Checks everything, in Entra's order: the request, the client, then the assertion.
fn exchange(core: &Core, call: &Call, tenant: &str) -> Result<Function, Refusal> {
    if !tenant.eq_ignore_ascii_case(TENANT_ID) {
        return Err(refuse(
            90002,
            "invalid_request",
            format!(
                "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."
            ),
        ));
    }
    let form = call.form();
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let required = |name: &str| {
        field(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            refuse(
                900_144,
                "invalid_request",
                format!("The request body must contain the following parameter: '{name}'."),
            )
        })
    };
    let grant_type = required("grant_type")?;
    if grant_type != "client_credentials" {
        let text = format!("The app requested an unsupported grant type '{grant_type}'.");
        return Err(refuse(70_003, "unsupported_grant_type", text));
    }
    let client_id = required("client_id")?;
    let scope = required("scope")?;
    if scope != SCOPE {
        let text = format!(
            "The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid."
        );
        return Err(refuse(70_011, "invalid_scope", text));
    }
    let assertion =
        field("client_assertion").filter(|_| field("client_assertion_type") == Some(ASSERTION_TYPE));
    let Some(assertion) = assertion else {
        let text =
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
        return Err(refuse(7_000_218, "invalid_client", text));
    };
    let (who, credentials) = client(core, client_id).ok_or_else(|| {
        let text =
            format!("Application with identifier '{client_id}' was not found in the directory 'Contoso'.");
        refuse(700_016, "unauthorized_client", text)
    })?;
    let jwt = Jwt::split(assertion)
        .ok_or_else(|| refuse(50_027, "invalid_request", "JWT token is invalid or malformed."))?;
    check_record(&credentials, &jwt.claims)?;
    check_signature(core, &jwt)?;
    check_times(&jwt.claims)?;
    Ok(who)
}

/// The identity of this name, a function's own or one that was applied, and whom it trusts.
fn client(core: &Core, client_id: &str) -> Option<(Function, Vec<Credential>)> {
    core.read(|state| {
        if let Some((identity, credentials)) = state.applied.client(client_id) {
            let who = Function::of_identity(&identity.name, client_id, &identity.principal_id);
            return Some((who, credentials.into_iter().cloned().collect()));
        }
        let who = core.functions.iter().find(|one| one.client_id.as_deref() == Some(client_id))?;
        let known = !state.unfederated.iter().any(|client| client == client_id);
        let credential = Credential {
            identity: client_id.to_owned(),
            issuer: ISSUER.to_owned(),
            subject: who.role_arn.clone(),
            audiences: vec![AUDIENCE.to_owned()],
        };
        Some((who.clone(), known.then_some(credential).into_iter().collect()))
    })
}

/// The federated credentials of the client: issuer, subject and audience must be those of one, in its own case.
fn check_record(credentials: &[Credential], claims: &Value) -> Result<(), Refusal> {
    let text = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
    let (issuer, subject) = (text("iss"), text("sub"));
    let audiences: Vec<&str> = match &claims["aud"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let presented = format!(
        "Assertion Issuer: '{issuer}'. Assertion Subject: '{subject}'. Assertion Audience: '{}'. https://learn.microsoft.com/entra/workload-id/workload-identity-federation",
        audiences.join(", ")
    );
    let none = |what: &str| {
        format!("No matching federated identity record found for presented assertion{what}. {presented}")
    };
    if credentials.is_empty() {
        return Err(refuse(70_021, "invalid_request", none("")));
    }
    if issuer.contains("login.microsoftonline.com") || issuer.contains("sts.windows.net") {
        let text = "AAD-issued tokens may not be used for federated identity flows.";
        return Err(refuse(700_222, "invalid_client", text));
    }
    let of_issuer: Vec<_> = credentials.iter().filter(|one| one.issuer == issuer).collect();
    if of_issuer.is_empty() {
        return Err(refuse(700_211, "invalid_client", none(" issuer")));
    }
    let Some(credential) = of_issuer.iter().find(|one| one.subject == subject) else {
        let in_other_case = of_issuer.iter().any(|one| one.subject.eq_ignore_ascii_case(&subject));
        let code = if in_other_case { 7_002_138 } else { 700_213 };
        return Err(refuse(code, "invalid_client", none(" subject")));
    };
    if audiences != credential.audiences {
        return Err(refuse(700_212, "invalid_client", none(" audience")));
    }
    Ok(())
}

fn check_signature(core: &Core, jwt: &Jwt) -> Result<(), Refusal> {
    if jwt.header["alg"] != "RS256" {
        let text = format!(
            "Invalid JWT token. Unsupported algorithm {}: only RS256 is supported.",
            jwt.header["alg"]
        );
        return Err(refuse(5_002_738, "invalid_client", text));
    }
    if jwt.header["kid"] != core.keys.kid.as_str() {
        let text = "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was not found.]";
        return Err(refuse(700_027, "invalid_client", text));
    }
    if !core.keys.signed(jwt.message.as_bytes(), &jwt.signature) {
        let text = "Client assertion failed signature validation.";
        return Err(refuse(700_027, "invalid_client", text));
    }
    Ok(())
}

fn check_times(claims: &Value) -> Result<(), Refusal> {
    let now = wire::wall_ms() / 1000;
    let expires_at = claims["exp"].as_u64().unwrap_or_default();
    let from = claims["nbf"].as_u64().or_else(|| claims["iat"].as_u64()).unwrap_or_default();
    if expires_at + SKEW_SECONDS > now && from <= now + SKEW_SECONDS {
        return Ok(());
    }
    let written = |seconds| Moment::from_unix(seconds).iso('T');
    Err(refuse(
        700_024,
        "invalid_client",
        format!(
            "Client assertion is not within its valid time range. Current time: {}, assertion valid from {}, expiry time of assertion {}.",
            written(now),
            written(from),
            written(expires_at)
        ),
    ))
}

fn configuration(call: &Call, tenant: &str) -> Response {
    let base = call.base_url();
    let body = json!({ "issuer": format!("https://login.microsoftonline.com/{tenant}/v2.0"),
        "token_endpoint": format!("{base}/{tenant}/oauth2/v2.0/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/authorize"),
        "response_types_supported": ["code"], "tenant_region_scope": "EU", "cloud_instance_name": "microsoftonline.com" });
    dress(wire::json(200, &body, false), call)
}

fn instance(call: &Call) -> Response {
    let base = call.base_url();
    let host = base.trim_start_matches("http://");
    let body = json!({ "tenant_discovery_endpoint": format!("{base}/{TENANT_ID}/v2.0/.well-known/openid-configuration"),
        "api-version": "1.1",
        "metadata": [{ "preferred_network": host, "preferred_cache": host, "aliases": [host] }] });
    dress(wire::json(200, &body, false), call)
}
