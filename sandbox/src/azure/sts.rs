//! The stand-in for AWS STS: `GetWebIdentityToken`, `GetCallerIdentity`, and the issuer's public documents.

use super::core::Core;
use super::roles::{self, Function};
use super::sigv4::Authorization;
use super::wire::{self, Call, Moment};
use axum::body::Body;
use axum::response::Response;
use serde_json::json;

/// The account's issuer. AWS gives each account one like it.
pub const ISSUER: &str = "https://3f1d0a52-8a0e-4c2b-9b57-5e9f6a7c1d20.tokens.sts.global.api.aws";
/// The only audience that the functions' roles may ask for, and the only one that Entra takes.
pub const AUDIENCE: &str = "api://AzureADTokenExchange";
/// The longest life that the functions' roles may ask for, in seconds.
const LONGEST_SECONDS: u64 = 300;
/// What AWS gives when nothing is asked for, and its bounds.
const USUAL_SECONDS: u64 = 300;
const BOUNDS_SECONDS: std::ops::RangeInclusive<u64> = 60..=3600;
/// The role policy of these functions has a statement for the token.
const MAY: [&str; 3] = ["grant", "revoke", "discover"];

/// Why STS gives no token.
struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
}

fn refuse(status: u16, code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { status, code, message: message.into() }
}

/// Whether a path is the stand-in's and not Entra's.
pub(super) fn is_for(path: &str) -> bool {
    path == "/" || path == "/.well-known/openid-configuration" || path == "/.well-known/jwks.json"
}

/// Answers a call to the stand-in.
pub(super) fn answer(core: &Core, call: &Call) -> Response {
    match (call.method.as_str(), call.uri.path()) {
        ("GET", "/.well-known/jwks.json") => wire::json(200, &core.keys.jwks(), false),
        ("GET", "/.well-known/openid-configuration") => {
            let keys = format!("{ISSUER}/.well-known/jwks.json");
            let body = json!({ "issuer": ISSUER, "jwks_uri": keys, "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256", "ES384"] });
            wire::json(200, &body, false)
        }
        ("POST", "/") => match token(core, call) {
            Ok(xml) => send(200, &xml),
            Err(refusal) => send(refusal.status, &refusal.xml()),
        },
        _ => send(404, &refuse(404, "InvalidAction", "There is no such resource.").xml()),
    }
}

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

impl Refusal {
    fn xml(&self) -> String {
        format!(
            "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error><RequestId>{}</RequestId></ErrorResponse>",
            self.code,
            escape(&self.message),
            wire::guid()
        )
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn send(status: u16, xml: &str) -> Response {
    let mut response = wire::empty(status);
    *response.body_mut() = Body::from(xml.to_owned());
    wire::set(&mut response, "content-type", "text/xml");
    wire::set(&mut response, "x-amzn-requestid", &wire::guid());
    response
}

fn token(core: &Core, call: &Call) -> Result<String, Refusal> {
    let form = call.form();
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let who = caller(core, call)?;
    match (field("Action"), field("Version")) {
        (Some("GetWebIdentityToken"), Some("2011-06-15")) => {}
        // Everybody may ask who he is.
        (Some("GetCallerIdentity"), Some("2011-06-15")) => return Ok(identity(&who)),
        (action, version) => {
            let (action, version) = (action.unwrap_or_default(), version.unwrap_or_default());
            let message = format!("Could not find operation {action} for version {version}");
            return Err(refuse(400, "InvalidAction", message));
        }
    }
    let invalid = |message: String| refuse(400, "ValidationError", message);
    let audiences: Vec<&str> = form
        .iter()
        .filter(|(key, _)| key.starts_with("Audience.member."))
        .map(|(_, value)| value.as_str())
        .collect();
    if audiences.is_empty() || audiences.len() > 10 {
        return Err(invalid("1 validation error detected: Value at 'audience' failed to satisfy constraint: Member must have length between 1 and 10".to_owned()));
    }
    let algorithm = field("SigningAlgorithm").unwrap_or_default();
    if !["RS256", "ES384"].contains(&algorithm) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{algorithm}' at 'signingAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: [RS256, ES384]"
        )));
    }
    let seconds = match field("DurationSeconds") {
        None => USUAL_SECONDS,
        Some(text) => text.parse().ok().filter(|seconds| BOUNDS_SECONDS.contains(seconds)).ok_or_else(|| {
            invalid(format!("1 validation error detected: Value '{text}' at 'durationSeconds' failed to satisfy constraint: Member must have value between 60 and 3600"))
        })?,
    };
    let permitted = MAY.contains(&who.function.as_str())
        && audiences.iter().all(|audience| *audience == AUDIENCE)
        && algorithm == "RS256"
        && seconds <= LONGEST_SECONDS
        && !form.iter().any(|(key, _)| key.starts_with("Tags."));
    if !permitted {
        let message = format!(
            "User: {} is not authorized to perform: sts:GetWebIdentityToken because no identity-based policy allows the sts:GetWebIdentityToken action",
            session(&who)
        );
        return Err(refuse(403, "AccessDenied", message));
    }
    sign(core, &who, &audiences, seconds)
}

/// A session of a role, as AWS names it.
fn session(who: &Function) -> String {
    let role = who.role_arn.replace(":iam:", ":sts:").replace(":role/ajar/", ":assumed-role/");
    format!("{role}/ajar-{}", who.function)
}

fn identity(who: &Function) -> String {
    format!(
        "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\"><GetCallerIdentityResult><Arn>{}</Arn><UserId>AROASANDBOX:ajar-{}</UserId><Account>123456789012</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></GetCallerIdentityResponse>",
        session(who),
        who.function,
        wire::guid()
    )
}

/// Who signed the request: the access key says whose it is, the signature proves it.
fn caller(core: &Core, call: &Call) -> Result<Function, Refusal> {
    let missing = || refuse(403, "MissingAuthenticationToken", "Request is missing Authentication Token");
    let header = call.header("authorization").ok_or_else(missing)?;
    let parameters = header.strip_prefix("AWS4-HMAC-SHA256 ").ok_or_else(missing)?;
    let authorization = Authorization::parse(parameters).ok_or_else(|| {
        let message =
            "Authorization header requires 'Credential', 'Signature' and 'SignedHeaders' parameters.";
        refuse(400, "IncompleteSignature", message)
    })?;
    let scope: Vec<&str> = authorization.credential.split('/').collect();
    let [key, _, _, "sts", "aws4_request"] = scope.as_slice() else {
        return Err(refuse(
            403,
            "SignatureDoesNotMatch",
            "Credential should be scoped to correct service: 'sts'.",
        ));
    };
    let known = core.functions.iter().cloned().chain([roles::operator()]);
    let who = known.into_iter().find(|one| one.access_key_id == *key).ok_or_else(|| {
        refuse(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
    })?;
    if authorization.signed_with(&who.secret_access_key, call) {
        return Ok(who);
    }
    let message = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";
    Err(refuse(403, "SignatureDoesNotMatch", message))
}

fn sign(core: &Core, who: &Function, audiences: &[&str], seconds: u64) -> Result<String, Refusal> {
    let now = wire::wall_ms() / 1000;
    let audience = if let [one] = audiences { json!(one) } else { json!(audiences) };
    let claims = json!({
        "iss": ISSUER, "sub": who.role_arn, "aud": audience, "iat": now, "exp": now + seconds, "jti": wire::guid(),
        "https://sts.amazonaws.com/": {
            "aws_account": "123456789012", "source_region": "eu-west-1", "principal_tags": {},
            "lambda_source_function_arn": format!("arn:aws:lambda:eu-west-1:123456789012:function:ajar-{}", who.function),
        },
    });
    let token = core.keys.sign(&claims).map_err(|message| refuse(500, "InternalFailure", message))?;
    let expiration = Moment::from_unix(now + seconds).iso('T');
    Ok(format!(
        "<GetWebIdentityTokenResponse xmlns=\"{NAMESPACE}\"><GetWebIdentityTokenResult><WebIdentityToken>{token}</WebIdentityToken><Expiration>{expiration}</Expiration></GetWebIdentityTokenResult><ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></GetWebIdentityTokenResponse>",
        wire::guid()
    ))
}
