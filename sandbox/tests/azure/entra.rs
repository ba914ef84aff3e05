//! From an AWS role to an Azure token, and every reason why not.

use crate::lab::{Lab, rule};
use aws_sdk_sts::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sts::error::ProvideErrorMetadata as _;
use sandbox::azure::{AUDIENCE, ISSUER, TENANT_ID};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

fn sts(lab: &Lab, key: &str, secret: &str) -> aws_sdk_sts::Client {
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(&lab.entra)
        .credentials_provider(Credentials::new(key, secret, None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    aws_sdk_sts::Client::from_conf(config)
}

async fn assertion(lab: &Lab, function: &str) -> String {
    let who = lab.azure.identities().iter().find(|one| one.function == function).unwrap();
    let answer = sts(lab, &who.access_key_id, &who.secret_access_key)
        .get_web_identity_token()
        .audience(AUDIENCE)
        .signing_algorithm("RS256")
        .duration_seconds(300)
        .send()
        .await
        .unwrap();
    let seconds = answer.expiration().unwrap().secs() - i64::try_from(now()).unwrap();
    assert!((290..=300).contains(&seconds), "{seconds}");
    answer.web_identity_token().unwrap().to_owned()
}

#[expect(clippy::disallowed_methods, reason = "tokens are timed by the machine's clock")]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn client_id(lab: &Lab, function: &str) -> String {
    lab.azure.identities().iter().find(|one| one.function == function).unwrap().client_id.clone().unwrap()
}

/// Asks for a token with these fields changed; `null` leaves one out.
async fn exchange(lab: &Lab, assertion: &str, over: &Value) -> (u16, Value) {
    let mut form = json!({
        "client_id": client_id(lab, "grant"), "scope": "https://management.azure.com/.default",
        "grant_type": "client_credentials", "client_assertion": assertion,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "tenant": TENANT_ID,
    });
    for (key, value) in over.as_object().unwrap() {
        form[key] = value.clone();
    }
    let fields = form.as_object().unwrap().clone();
    let fields: Vec<(&str, &str)> =
        fields.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect();
    let tenant = form["tenant"].as_str().unwrap();
    let answer = lab.post(&format!("/{tenant}/oauth2/v2.0/token"), &[], &fields).await.unwrap();
    (answer.status, answer.json())
}

#[tokio::test]
async fn a_functions_role_becomes_its_managed_identity() {
    let lab = Lab::start().await;
    for (function, method, status) in [("grant", "PUT", 201), ("revoke", "DELETE", 202)] {
        let assertion = assertion(&lab, function).await;
        let (code, body) = exchange(&lab, &assertion, &json!({"client_id": client_id(&lab, function)})).await;
        assert_eq!(code, 200, "{body}");
        assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(3599)));
        let bearer = format!("Bearer {}", body["access_token"].as_str().unwrap());
        let sent = (method == "PUT").then(|| rule(&json!({})).to_string());
        let answer = lab.arm_raw(method, &Lab::rule("r"), &[("authorization", &bearer)], sent).await.unwrap();
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    let by: Vec<String> = lab.azure.journal().into_iter().map(|entry| entry.by).collect();
    assert_eq!(by, ["grant", "grant", "revoke", "revoke"]);
}

#[tokio::test]
async fn sts_gives_a_token_only_to_whom_and_for_what_the_role_says() {
    let lab = Lab::start().await;
    let ask = async |function: &str, audience: &str, algorithm: &str, seconds: i32| {
        let who = lab.azure.identities().iter().find(|one| one.function == function).unwrap();
        let sent = sts(&lab, &who.access_key_id, &who.secret_access_key)
            .get_web_identity_token()
            .audience(audience)
            .signing_algorithm(algorithm)
            .duration_seconds(seconds)
            .send()
            .await;
        sent.map_or_else(|error| error.code().unwrap_or("?").to_owned(), |_| "ok".to_owned())
    };
    assert_eq!(ask("grant", AUDIENCE, "RS256", 60).await, "ok");
    for (function, audience, algorithm, seconds, code) in [
        ("request", AUDIENCE, "RS256", 300, "AccessDenied"),
        ("notify", AUDIENCE, "RS256", 300, "AccessDenied"),
        ("grant", "api://other", "RS256", 300, "AccessDenied"),
        ("grant", AUDIENCE, "ES384", 300, "AccessDenied"),
        ("grant", AUDIENCE, "RS256", 301, "AccessDenied"),
        ("grant", AUDIENCE, "RS256", 59, "ValidationError"),
        ("grant", AUDIENCE, "HS256", 300, "ValidationError"),
    ] {
        assert_eq!(
            ask(function, audience, algorithm, seconds).await,
            code,
            "{function} {audience} {algorithm} {seconds}"
        );
    }
    let stranger =
        sts(&lab, "AKIDSTRANGER", "x").get_web_identity_token().audience(AUDIENCE).signing_algorithm("RS256");
    assert_eq!(stranger.send().await.unwrap_err().code(), Some("InvalidClientTokenId"));
    let identity = &lab.azure.identities()[1];
    let wrong = sts(&lab, &identity.access_key_id, "x").get_caller_identity().send().await;
    assert_eq!(wrong.unwrap_err().code(), Some("SignatureDoesNotMatch"));
    let known = sts(&lab, &identity.access_key_id, &identity.secret_access_key);
    let other = known.get_session_token().send().await;
    assert_eq!(other.unwrap_err().code(), Some("InvalidAction"));
    // Everybody may ask who he is, an operator too.
    let session = "arn:aws:sts::123456789012:assumed-role/ajar-grant/ajar-grant";
    assert_eq!(known.get_caller_identity().send().await.unwrap().arn(), Some(session));
    let operator = sandbox::azure::operator();
    let operator = sts(&lab, &operator.access_key_id, &operator.secret_access_key);
    assert_eq!(operator.get_caller_identity().send().await.unwrap().account(), Some("123456789012"));
    let token = operator.get_web_identity_token().audience(AUDIENCE).signing_algorithm("RS256");
    assert_eq!(token.send().await.unwrap_err().code(), Some("AccessDenied"), "that is for functions");
}

#[tokio::test]
async fn entra_names_what_is_wrong_with_an_assertion() {
    let lab = Lab::start().await;
    let subject = lab.azure.identities().iter().find(|one| one.function == "grant").unwrap().role_arn.clone();
    let good =
        json!({"iss": ISSUER, "sub": subject, "aud": AUDIENCE, "iat": now(), "exp": now() + 300, "jti": "1"});
    let signed = |over: Value| {
        let mut claims = good.clone();
        for (key, value) in over.as_object().unwrap() {
            claims[key] = value.clone();
        }
        lab.azure.sign_web_identity(&claims).unwrap()
    };
    assert_eq!(exchange(&lab, &signed(json!({})), &json!({})).await.0, 200);
    assert_eq!(exchange(&lab, &signed(json!({"aud": [AUDIENCE]})), &json!({})).await.0, 200);
    let whole = signed(json!({}));
    let (message, signature) = whole.rsplit_once('.').unwrap();
    let other = signed(json!({"jti": "2"}));
    let of_other = other.rsplit_once('.').unwrap().1;
    // {"alg":"ES384","kid":"1"} and {"alg":"RS256","kid":"1"}
    let claims = whole.split('.').nth(1).unwrap();
    let es384 = format!("eyJhbGciOiJFUzM4NCIsImtpZCI6IjEifQ.{claims}.{signature}");
    let other_key = format!("eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.{claims}.{signature}");
    for (assertion, code) in [
        (signed(json!({"iss": "https://other.tokens.sts.global.api.aws"})), 700_211),
        (signed(json!({"iss": format!("{ISSUER}/")})), 700_211),
        (signed(json!({"iss": format!("https://login.microsoftonline.com/{TENANT_ID}/v2.0")})), 700_222),
        (signed(json!({"sub": "arn:aws:iam::123456789012:role/ajar/ajar-revoke"})), 700_213),
        (signed(json!({"sub": subject.to_uppercase()})), 7_002_138),
        (signed(json!({"aud": "api://other"})), 700_212),
        (signed(json!({"aud": [AUDIENCE, "api://other"]})), 700_212),
        (signed(json!({"exp": now() - 301})), 700_024),
        (signed(json!({"nbf": now() + 400})), 700_024),
        (format!("{message}.{of_other}"), 700_027),
        (other_key, 700_027),
        (es384, 5_002_738),
        ("no.token".to_owned(), 50_027),
    ] {
        let (status, body) = exchange(&lab, &assertion, &json!({})).await;
        assert_eq!((status, &body["error_codes"]), (400, &json!([code])), "{body}");
        assert!(body["error_description"].as_str().unwrap().starts_with(&format!("AADSTS{code}: ")));
    }
    for (over, code) in [
        (json!({"grant_type": null}), 900_144),
        (json!({"grant_type": "password"}), 70_003),
        (json!({"scope": "https://graph.microsoft.com/.default"}), 70_011),
        (json!({"client_assertion": null}), 7_000_218),
        (json!({"client_assertion_type": "jwt"}), 7_000_218),
        (json!({"client_id": "nobody"}), 700_016),
        (json!({"client_id": client_id(&lab, "revoke")}), 700_213),
        (json!({"tenant": "common"}), 90_002),
    ] {
        let (status, body) = exchange(&lab, &whole, &over).await;
        assert_eq!((status, &body["error_codes"]), (400, &json!([code])), "{over}");
    }
    lab.azure.federate("grant", false);
    assert_eq!(exchange(&lab, &whole, &json!({})).await.1["error_codes"], json!([70_021]));
    lab.azure.federate("grant", true);
    assert_eq!(exchange(&lab, &whole, &json!({})).await.0, 200);
}

#[tokio::test]
async fn the_issuer_and_the_tenant_describe_themselves() {
    let lab = Lab::start().await;
    let issuer = lab.entra_get("/.well-known/openid-configuration").await.json();
    assert_eq!(issuer["issuer"], ISSUER);
    let keys = lab.entra_get("/.well-known/jwks.json").await.json();
    assert_eq!(keys["keys"][0]["n"].as_str().unwrap().len(), 342, "2048 bits");
    let tenant = lab.entra_get(&format!("/{TENANT_ID}/v2.0/.well-known/openid-configuration")).await.json();
    assert!(tenant["token_endpoint"].as_str().unwrap().starts_with(&lab.entra));
    assert_eq!(lab.entra_get("/other").await.status, 404);
}
