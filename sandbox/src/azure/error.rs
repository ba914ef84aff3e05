//! What ARM says when it does not do what it was asked.

use super::wire;
use axum::response::Response;
use serde::Serialize;
use serde_json::json;

/// An error answer of ARM's gateway or of a resource provider behind it.
#[derive(Debug)]
pub(super) struct ArmError {
    status: u16,
    code: String,
    message: String,
    details: Vec<Detail>,
    origin: Origin,
    headers: Vec<(&'static str, String)>,
    /// What a policy adds.
    policy: Option<Box<Policy>>,
}

/// What is said of a policy that forbids.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    target: String,
    additional_info: serde_json::Value,
}

/// One entry of `details`.
#[derive(Debug, Clone, Serialize, serde::Deserialize, PartialEq)]
pub(super) struct Detail {
    pub(super) code: String,
    pub(super) message: String,
}

/// Who answers. The two differ on the wire: only the provider has `details`.
#[derive(Debug, PartialEq, Clone, Copy)]
enum Origin {
    Gateway,
    Provider,
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a [Detail]>,
    #[serde(flatten)]
    policy: Option<&'a Policy>,
}

impl ArmError {
    /// An error of the front door.
    pub(super) fn gateway(status: u16, code: &str, message: impl Into<String>) -> Self {
        let (code, message) = (code.to_owned(), message.into());
        let (details, headers) = (Vec::new(), Vec::new());
        Self { status, code, message, details, origin: Origin::Gateway, headers, policy: None }
    }

    /// An error of the resource provider.
    pub(super) fn provider(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { origin: Origin::Provider, ..Self::gateway(status, code, message) }
    }

    /// The provider's 400 for a body that it cannot read; the reason is in `details`.
    pub(super) fn format(code: &str, message: impl Into<String>) -> Self {
        Self::provider(400, "InvalidRequestFormat", "Cannot parse the request.").detail(code, message)
    }

    /// Adds an entry to `details`.
    pub(super) fn detail(mut self, code: &str, message: impl Into<String>) -> Self {
        self.details.push(Detail { code: code.to_owned(), message: message.into() });
        self
    }

    /// Adds a header.
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// A top-level resource that does not exist, of `kind` like `Microsoft.Network/networkSecurityGroups`.
    pub(super) fn resource_not_found(kind: &str, name: &str, group: &str) -> Self {
        Self::gateway(
            404,
            "ResourceNotFound",
            format!(
                "The Resource '{kind}/{name}' under resource group '{group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
            ),
        )
    }

    /// A child resource that does not exist although its parent does.
    pub(super) fn not_found(id: &str) -> Self {
        Self::provider(404, "NotFound", format!("Resource {id} not found."))
    }

    /// What a policy of the subscription forbids to write.
    pub(super) fn disallowed(name: &str, subscription: &str) -> Self {
        let authorization = format!("/subscriptions/{subscription}/providers/Microsoft.Authorization");
        let assignment = format!("{authorization}/policyAssignments/Deny-MgmtPorts-Internet");
        let definition = format!("{authorization}/policyDefinitions/Deny-MgmtPorts-Internet");
        let named = |id: &str| json!({ "name": "Deny-MgmtPorts-Internet", "id": id });
        let identifiers =
            json!([{ "policyAssignment": named(&assignment), "policyDefinition": named(&definition) }]);
        let message =
            format!("Resource '{name}' was disallowed by policy. Policy identifiers: '{identifiers}'.");
        let info = json!([{ "type": "PolicyViolation", "info": {
            "policyDefinitionDisplayName": "Management ports must not be opened", "policyDefinitionId": definition,
            "policyDefinitionName": "Deny-MgmtPorts-Internet", "policyDefinitionEffect": "deny",
            "policyAssignmentId": assignment, "policyAssignmentName": "Deny-MgmtPorts-Internet",
            "evaluationDetails": { "evaluatedExpressions": [] } } }]);
        let policy = Policy { target: name.to_owned(), additional_info: info };
        Self { policy: Some(Box::new(policy)), ..Self::gateway(403, "RequestDisallowedByPolicy", message) }
    }

    /// As it goes over the wire.
    pub(super) fn response(&self, crlf: bool) -> Response {
        let details = (self.origin == Origin::Provider).then_some(self.details.as_slice());
        let policy = self.policy.as_deref();
        let error = Inner { code: &self.code, message: &self.message, details, policy };
        let mut response = wire::json(self.status, &Envelope { error }, crlf);
        let cause = if self.origin == Origin::Gateway { "gateway" } else { "service" };
        wire::set(&mut response, "x-ms-failure-cause", cause);
        for (name, value) in &self.headers {
            wire::set(&mut response, name, value);
        }
        response
    }
}
