//! Azure as the owner of the subscription meets it: over HTTP, with all rights.

use serde_json::{Value, json};

/// How the name of a closing rule begins.
const SHUT: &str = "jit-sandbox-shut-";

/// The owner's client.
#[derive(Clone)]
pub struct Owner {
    http: reqwest::Client,
    group_url: String,
    token: String,
}

impl Owner {
    /// From what `/sandbox.json` says.
    pub(crate) fn new(http: reqwest::Client, about: &Value) -> Self {
        let text = |name: &str| about[name].as_str().unwrap_or_default().to_owned();
        let group_url = format!(
            "{}/subscriptions/{}/resourceGroups/Contoso-IaaS/providers",
            text("arm_url"),
            text("subscription_id")
        );
        Self { http, group_url, token: text("arm_token") }
    }

    /// A call below the resource group's `providers`: the status and the body.
    pub async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let url = format!("{}/{path}?api-version=2025-05-01", self.group_url);
        let mut call = self.http.request(method.parse().expect("a method"), url).bearer_auth(&self.token);
        if let Some(body) = body {
            call = call.header("content-type", "application/json").body(body.to_string());
        }
        let answer = call.send().await.expect("the simulated Azure answers");
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await.expect("a body");
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// Every rule of every group, with the group's name.
    pub async fn rules(&self) -> Vec<(String, Value)> {
        let (status, groups) = self.call("GET", "Microsoft.Network/networkSecurityGroups", None).await;
        assert_eq!(status, 200, "{groups}");
        let mut all = vec![];
        for group in groups["value"].as_array().into_iter().flatten() {
            let name = group["name"].as_str().unwrap_or_default();
            for rule in group["properties"]["securityRules"].as_array().into_iter().flatten() {
                all.push((name.to_owned(), rule.clone()));
            }
        }
        all
    }

    /// The rules that Ajar has written for grants, by their names, with the group's name.
    pub async fn rules_of_ours(&self) -> Vec<(String, Value)> {
        let mut all = self.rules().await;
        let name = |rule: &Value| rule["name"].as_str().unwrap_or_default().to_owned();
        all.retain(|(_, rule)| name(rule).starts_with("jit-sandbox-") && !name(rule).starts_with(SHUT));
        all
    }

    /// The closing rules that Ajar has written, with the group's name.
    pub async fn closing_rules(&self) -> Vec<(String, Value)> {
        let mut all = self.rules().await;
        all.retain(|(_, rule)| rule["name"].as_str().unwrap_or_default().starts_with(SHUT));
        all
    }

    fn rule_path(group: &str, rule: &str) -> String {
        format!("Microsoft.Network/networkSecurityGroups/{group}/securityRules/{rule}")
    }

    /// Changes one property of a rule, as somebody in the portal would, and waits until it is in force.
    pub async fn alter(&self, group: &str, rule: &str, property: &str, value: &Value) {
        let path = Self::rule_path(group, rule);
        let (status, mut known) = self.call("GET", &path, None).await;
        assert_eq!(status, 200, "{known}");
        known["properties"][property] = value.clone();
        let body = json!({"properties": known["properties"]});
        let (status, answer) = self.call("PUT", &path, Some(&body)).await;
        assert!(status == 200, "{answer}");
        self.in_force(&path).await;
    }

    /// Writes a rule of the owner's own.
    pub async fn write(&self, group: &str, rule: &str, properties: &Value) {
        let path = Self::rule_path(group, rule);
        let (status, answer) = self.call("PUT", &path, Some(&json!({"properties": properties}))).await;
        assert!(status == 201, "{answer}");
        self.in_force(&path).await;
    }

    async fn in_force(&self, path: &str) {
        loop {
            let (status, rule) = self.call("GET", path, None).await;
            if status == 404 || rule["properties"]["provisioningState"] == "Succeeded" {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Writes a whole group, as Terraform does: with these rules and no others, each a name and its
    /// properties. Waits until that is in force.
    pub async fn write_group(&self, group: &str, rules: &[(String, Value)]) {
        let path = format!("Microsoft.Network/networkSecurityGroups/{group}");
        let rules: Vec<Value> =
            rules.iter().map(|(name, properties)| json!({"name": name, "properties": properties})).collect();
        let body = json!({"location": "westeurope", "properties": {"securityRules": rules}});
        let (status, answer) = self.call("PUT", &path, Some(&body)).await;
        assert!(status == 200, "{answer}");
        self.in_force(&path).await;
    }

    /// Deletes a rule, and waits until it is gone.
    pub async fn delete(&self, group: &str, rule: &str) {
        let path = Self::rule_path(group, rule);
        let (status, answer) = self.call("DELETE", &path, None).await;
        assert_eq!(status, 202, "{answer}");
        self.in_force(&path).await;
    }

    /// Forbids to delete anything in a group, or allows it again.
    pub async fn lock(&self, group: &str, locked: bool) {
        self.lock_to(group, locked.then_some("CanNotDelete")).await;
    }

    /// Puts a lock of this level (`CanNotDelete` or `ReadOnly`) on a group, or takes it off.
    pub async fn lock_to(&self, group: &str, level: Option<&str>) {
        let path = format!(
            "Microsoft.Network/networkSecurityGroups/{group}/providers/Microsoft.Authorization/locks/keep"
        );
        let body = level.map(|level| json!({"properties": {"level": level}}));
        let (method, body) = if body.is_some() { ("PUT", body.as_ref()) } else { ("DELETE", None) };
        let (status, answer) = self.call(method, &path, body).await;
        assert!((200..300).contains(&status), "{answer}");
    }
}
