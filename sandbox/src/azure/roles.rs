//! Who may do what: the identities of the functions, and the roles that they hold.

use serde::Serialize;

/// Whose token the owner's is.
pub(super) const OWNER: &str = "owner";

/// A function's identities in the simulated AWS and Azure.
#[derive(Clone, Debug, Serialize)]
pub struct Function {
    /// The function's name.
    pub function: String,
    /// What it signs AWS requests with.
    pub access_key_id: String,
    /// The secret to it; it opens nothing but the sandbox.
    pub secret_access_key: String,
    /// The subject of its web identity tokens.
    pub role_arn: String,
    /// Its managed identity in Azure; functions without one have none.
    pub client_id: Option<String>,
    /// That identity's object in the tenant.
    #[serde(skip)]
    pub object_id: String,
}

impl Function {
    /// Who holds a token of a managed identity that is no function's of the sandbox.
    pub(super) fn of_identity(name: &str, client_id: &str, object_id: &str) -> Self {
        Self {
            function: name.to_owned(),
            access_key_id: String::new(),
            secret_access_key: String::new(),
            role_arn: String::new(),
            client_id: Some(client_id.to_owned()),
            object_id: object_id.to_owned(),
        }
    }
}

/// The identities of all functions. `grant`, `revoke` and `discover` have one in Azure.
pub(super) fn functions() -> Vec<Function> {
    [
        ("request", "1", None),
        ("grant", "2", Some("b1c6a3f0-52d7-4a57-9d0e-7f6f0f1a2c02")),
        ("revoke", "3", Some("b1c6a3f0-52d7-4a57-9d0e-7f6f0f1a2c03")),
        ("notify", "4", None),
        ("discover", "5", Some("b1c6a3f0-52d7-4a57-9d0e-7f6f0f1a2c05")),
    ]
    .into_iter()
    .map(|(function, digit, client)| Function {
        function: function.to_owned(),
        access_key_id: format!("AJARSANDBOX00000000{digit}"),
        secret_access_key: format!("sandbox-{function}-not-a-secret"),
        role_arn: format!("arn:aws:iam::123456789012:role/ajar/ajar-{function}"),
        client_id: client.map(str::to_owned),
        object_id: format!("0b9d5d0a-3f1e-4c55-8a66-00000000000{digit}"),
    })
    .collect()
}

/// Whoever operates the installation in AWS; in Azure that is the owner.
pub(super) fn operator() -> Function {
    Function {
        function: "operator".to_owned(),
        access_key_id: "AJARSANDBOX000000006".to_owned(),
        secret_access_key: "sandbox-operator-not-a-secret".to_owned(),
        role_arn: "arn:aws:iam::123456789012:role/ajar/ajar-operator".to_owned(),
        client_id: None,
        object_id: String::new(),
    }
}

/// The person whose subscription it is: may do everything.
pub(super) fn owner() -> Function {
    Function::of_identity(
        OWNER,
        "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
        "0b9d5d0a-3f1e-4c55-8a66-000000000000",
    )
}

/// Every action that some function's role has at the machines and their network.
pub(super) fn actions() -> impl Iterator<Item = String> {
    let rules = ["write", "delete"]
        .map(|verb| format!("Microsoft.Network/networkSecurityGroups/securityRules/{verb}"));
    let named = READ_MACHINES.iter().chain(&READ_NETWORK).chain(&OPERATIONS);
    named.map(|action| (*action).to_owned()).chain(rules)
}

/// Every action of the role at Network Watcher.
pub(super) fn watch_actions() -> impl Iterator<Item = String> {
    WATCH.iter().map(|action| (*action).to_owned())
}

const READ_NETWORK: [&str; 2] = [
    "Microsoft.Network/networkSecurityGroups/read",
    "Microsoft.Network/networkSecurityGroups/securityRules/read",
];
const READ_MACHINES: [&str; 4] = [
    "Microsoft.Compute/virtualMachines/read",
    "Microsoft.Network/networkInterfaces/read",
    "Microsoft.Network/virtualNetworks/subnets/read",
    "Microsoft.Network/publicIPAddresses/read",
];
const OPERATIONS: [&str; 2] =
    ["Microsoft.Network/locations/operations/read", "Microsoft.Network/locations/operationResults/read"];

/// What Network Watcher's check of a flow takes (learn.microsoft.com, required-rbac-permissions). It is
/// assigned where the watcher is, the results at the subscription.
const WATCH: [&str; 3] = [
    "Microsoft.Network/networkWatchers/read",
    "Microsoft.Network/networkWatchers/ipFlowVerify/action",
    "Microsoft.Network/locations/operationResults/read",
];

/// Whether the role of `who` at Network Watcher has `action`.
pub(super) fn watches(who: &str, action: &str) -> bool {
    match who {
        OWNER => true,
        "grant" | "revoke" => WATCH.iter().any(|one| one.eq_ignore_ascii_case(action)),
        _ => false,
    }
}

/// Whether the role of `who` has `action`. A role that is assigned at a resource group does not reach
/// the operations, which are at the subscription, unless `operations` says that it was assigned there.
pub(super) fn allows(who: &str, action: &str, operations: bool) -> bool {
    let has = |list: &[&str]| list.iter().any(|one| one.eq_ignore_ascii_case(action));
    let rule = |verb: &str| {
        action.eq_ignore_ascii_case(&format!("Microsoft.Network/networkSecurityGroups/securityRules/{verb}"))
    };
    match who {
        OWNER => true,
        "grant" => {
            has(&READ_NETWORK) || has(&READ_MACHINES) || rule("write") || (operations && has(&OPERATIONS))
        }
        "discover" => has(&READ_NETWORK) || has(&READ_MACHINES),
        "revoke" => has(&READ_NETWORK) || rule("delete") || (operations && has(&OPERATIONS)),
        _ => false,
    }
}
