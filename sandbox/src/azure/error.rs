//! What ARM says when it does not do what it was asked.

use super::wire;
use axum::response::Response;
use serde::Serialize;

/// An error answer of ARM's gateway or of a resource provider behind it.
#[derive(Debug)]
pub(super) struct ArmError {
    status: u16,
    code: String,
    message: String,
    details: Vec<Detail>,
    origin: Origin,
    headers: Vec<(&'static str, String)>,
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
}

impl ArmError {
    /// An error of the front door.
    pub(super) fn gateway(status: u16, code: &str, message: impl Into<String>) -> Self {
        let (code, message) = (code.to_owned(), message.into());
        Self { status, code, message, details: Vec::new(), origin: Origin::Gateway, headers: Vec::new() }
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

    /// As it goes over the wire.
    pub(super) fn response(&self, crlf: bool) -> Response {
        let details = (self.origin == Origin::Provider).then_some(self.details.as_slice());
        let error = Inner { code: &self.code, message: &self.message, details };
        let mut response = wire::json(self.status, &Envelope { error }, crlf);
        let cause = if self.origin == Origin::Gateway { "gateway" } else { "service" };
        wire::set(&mut response, "x-ms-failure-cause", cause);
        for (name, value) in &self.headers {
            wire::set(&mut response, name, value);
        }
        response
    }
}
