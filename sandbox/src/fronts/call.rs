//! What a function's call is: which part it is for, and what it asks for, in words that are the same in
//! every run of the same story.

use axum::http::{HeaderMap, Method};
use serde_json::Value;
use std::fmt;

/// What an address serves; what a function finds in its environment are addresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Service {
    /// Azure's management API.
    Arm,
    /// Slack's Web API and `response_url`s.
    Slack,
    /// Entra, and the stand-in for STS.
    Entra,
    /// DynamoDB, Lambda, Secrets Manager and S3.
    Aws,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Arm, Self::Slack, Self::Entra, Self::Aws];
}

/// The outside service that a call is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Part {
    /// DynamoDB.
    Dynamodb,
    /// Secrets Manager.
    Secrets,
    /// S3.
    S3,
    /// Lambda.
    Lambda,
    /// AWS STS.
    Sts,
    /// Microsoft Entra.
    Entra,
    /// Azure's management API.
    Arm,
    /// Slack.
    Slack,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Dynamodb,
        Self::Secrets,
        Self::S3,
        Self::Lambda,
        Self::Sts,
        Self::Entra,
        Self::Arm,
        Self::Slack,
    ];

    /// The address at which it is called.
    pub const fn service(self) -> Service {
        match self {
            Self::Dynamodb | Self::Secrets | Self::S3 | Self::Lambda => Service::Aws,
            Self::Sts | Self::Entra => Service::Entra,
            Self::Arm => Service::Arm,
            Self::Slack => Service::Slack,
        }
    }

    /// Whether an SDK of AWS makes the call, which repeats it by itself.
    pub(super) const fn is_aws(self) -> bool {
        matches!(self, Self::Dynamodb | Self::Secrets | Self::Lambda | Self::Sts)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dynamodb => "dynamodb",
            Self::Secrets => "secrets",
            Self::S3 => "s3",
            Self::Lambda => "lambda",
            Self::Sts => "sts",
            Self::Entra => "entra",
            Self::Arm => "arm",
            Self::Slack => "slack",
        })
    }
}

/// One call: the `occurrence`th of this function that asks this part for this, counted from 1.
///
/// Printed, and written by a person, as `grant/arm/PUT securityRules/1`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CallId {
    /// The function's name.
    pub function: String,
    /// Which service it calls.
    pub part: Part,
    /// What it asks for, without names and ids.
    pub what: String,
    /// Which of the function's calls of this kind.
    pub occurrence: u32,
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.function, self.part, self.what, self.occurrence)
    }
}

/// The part that a request is for, and what it asks for.
pub(super) fn classify(
    service: Service,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> (Part, String) {
    match service {
        Service::Arm => (Part::Arm, format!("{method} {}", resource_type(path))),
        Service::Slack => (Part::Slack, path.rsplit('/').next().unwrap_or_default().to_owned()),
        Service::Entra if path == "/" => (Part::Sts, "GetWebIdentityToken".to_owned()),
        Service::Entra => (Part::Entra, path.rsplit('/').next().unwrap_or_default().to_owned()),
        Service::Aws if path.starts_with("/2015-03-31/functions/") => {
            let function = path.split('/').nth(3).unwrap_or_default();
            (Part::Lambda, format!("Invoke {function}"))
        }
        // `/<bucket>/history/…`
        Service::Aws if path.len() > 1 => {
            (Part::S3, format!("{method} {}", path.split('/').nth(2).unwrap_or_default()))
        }
        Service::Aws => {
            let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok());
            let (service, operation) = target.and_then(|target| target.split_once('.')).unwrap_or_default();
            if service == "secretsmanager" {
                return (Part::Secrets, operation.to_owned());
            }
            (Part::Dynamodb, format!("{operation} {}", item_kind(body)).trim_end().to_owned())
        }
    }
}

/// The types of a resource id without the names: `networkSecurityGroups/securityRules`; the kind of list
/// where a list is asked for.
fn resource_type(path: &str) -> String {
    let Some((_, below)) = path.rsplit_once("/providers/") else {
        return path.rsplit('/').next().unwrap_or_default().to_owned();
    };
    let types: Vec<&str> = below.split('/').skip(1).step_by(2).collect();
    types.join("/")
}

/// The id of the request that a transaction writes.
pub(super) fn new_request(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let key = body.get("TransactItems")?.get(0)?.get("Put")?.get("Item")?.get("pk")?.get("S")?;
    key.as_str()?.strip_prefix("REQUEST#").map(str::to_owned)
}

/// What kind of item a call of DynamoDB is about, by the first key in it.
fn item_kind(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let first = |value: &Value| value.as_array().and_then(|all| all.first()).cloned();
    let transacted =
        first(&body["TransactItems"]).and_then(|item| item.as_object()?.values().next().cloned());
    let body = transacted.unwrap_or(body);
    if let Some(index) = body["IndexName"].as_str() {
        return index.to_owned();
    }
    let key = ["Key", "Item"].iter().find_map(|name| body[name]["pk"]["S"].as_str());
    let queried = || {
        let values = body["ExpressionAttributeValues"].as_object()?;
        values.get(":pk").and_then(|value| value["S"].as_str())
    };
    let key = key.or_else(queried).unwrap_or_default();
    key.split('#').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn what(service: Service, method: &Method, path: &str, target: &str, body: &Value) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", target.parse().unwrap());
        let (part, what) = classify(service, method, path, &headers, body.to_string().as_bytes());
        format!("{part}/{what}")
    }

    #[test]
    fn calls_are_named_without_names_and_ids() {
        let none = json!({});
        let nsg = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkSecurityGroups/n";
        let cases = [
            (Service::Arm, Method::GET, nsg, "", &none, "arm/GET networkSecurityGroups"),
            (
                Service::Arm,
                Method::PUT,
                &format!("{nsg}/securityRules/jit-a-b"),
                "",
                &none,
                "arm/PUT networkSecurityGroups/securityRules",
            ),
            (Service::Slack, Method::POST, "/api/chat.update", "", &none, "slack/chat.update"),
            (Service::Entra, Method::POST, "/", "", &none, "sts/GetWebIdentityToken"),
            (Service::Entra, Method::POST, "/t/oauth2/v2.0/token", "", &none, "entra/token"),
            (
                Service::Aws,
                Method::POST,
                "/2015-03-31/functions/revoke/invocations",
                "",
                &none,
                "lambda/Invoke revoke",
            ),
            (Service::Aws, Method::PUT, "/bucket/history/2026/03/A-B.json", "", &none, "s3/PUT history"),
            (
                Service::Aws,
                Method::POST,
                "/",
                "secretsmanager.GetSecretValue",
                &none,
                "secrets/GetSecretValue",
            ),
            (
                Service::Aws,
                Method::POST,
                "/",
                "DynamoDB_20120810.UpdateItem",
                &json!({"Key": {"pk": {"S": "NSG#/subscriptions/s"}}}),
                "dynamodb/UpdateItem NSG",
            ),
            (
                Service::Aws,
                Method::POST,
                "/",
                "DynamoDB_20120810.Query",
                &json!({"IndexName": "due"}),
                "dynamodb/Query due",
            ),
            (
                Service::Aws,
                Method::POST,
                "/",
                "DynamoDB_20120810.TransactWriteItems",
                &json!({"TransactItems": [{"Put": {"Item": {"pk": {"S": "REQUEST#A"}}}}]}),
                "dynamodb/TransactWriteItems REQUEST",
            ),
        ];
        for (service, method, path, target, body, expected) in cases {
            assert_eq!(what(service, &method, path, target, body), expected);
        }
    }
}
