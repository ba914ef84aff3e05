//! The Azure side: each identity's roles on each scope, and whom it trusts.

use super::Finding;
use crate::azure::Azure;
use crate::config::Config;
use crate::ending::Problem;
use crate::needs;
use access::request::ResourceId;
use edge::arm::{Federated, Identity};
use edge::entra::AUDIENCE;
use edge::login::Whose;
use std::collections::BTreeMap;

const APPLY: &str = "run terraform apply; where it is refused, ask the owner of the scope for it";

/// How the addresses of AWS's issuers of web identity tokens end.
const ISSUER_ENDS: &str = ".tokens.sts.global.api.aws";

/// Each finding. `roles`: the functions' roles in AWS, where they are known.
pub(super) async fn look(
    azure: &Azure,
    config: &Config,
    roles: Option<&BTreeMap<String, String>>,
) -> Vec<Finding> {
    let mut findings = vec![login(azure, config)];
    let ids = &config.azure.principal_ids;
    let subscriptions: Vec<ResourceId> = config
        .azure
        .subscriptions
        .iter()
        .filter_map(|id| format!("/subscriptions/{id}").parse().ok())
        .collect();
    for (function, principal, scopes) in [
        ("grant", &ids.grant, &config.azure.scopes),
        ("revoke", &ids.revoke, &config.azure.scopes),
        ("discover", &ids.discover, &subscriptions),
    ] {
        for scope in scopes {
            findings.push(permissions(azure, function, principal, scope).await);
        }
    }
    for (function, principal) in [("grant", &ids.grant), ("revoke", &ids.revoke)] {
        for subscription in &subscriptions {
            findings.push(watch(azure, function, principal, subscription).await);
        }
    }
    findings.extend(trust(azure, config, roles).await);
    findings
}

fn login(azure: &Azure, config: &Config) -> Finding {
    const SUBJECT: &str = "Azure login";
    let (Whose { name, tenant_id }, ours) = (&azure.who, &config.azure.tenant_id);
    if tenant_id.is_empty() || tenant_id.eq_ignore_ascii_case(ours) {
        return Finding::ok(SUBJECT, name.clone());
    }
    Finding::wrong(
        SUBJECT,
        format!("{name} is of the tenant {tenant_id}, and the installation is in {ours}"),
        format!("run az login --tenant {ours}"),
    )
}

/// The actions that somebody lacks on a scope.
async fn lacks(
    azure: &Azure,
    role: &str,
    principal: &str,
    scope: &ResourceId,
) -> Result<Vec<&'static str>, Problem> {
    let held = azure.arm.roles_at(scope, principal).await?;
    Ok(needs::actions(role)
        .into_iter()
        .filter(|action| !held.iter().any(|role| role.permits(action)))
        .collect())
}

async fn permissions(azure: &Azure, function: &str, principal: &str, scope: &ResourceId) -> Finding {
    let subject = format!("role of {function} on {scope}");
    match lacks(azure, function, principal, scope).await {
        Ok(lacks) if lacks.is_empty() => Finding::ok(subject, "permits all that it needs"),
        Ok(lacks) => Finding::wrong(subject, format!("lacks {}", lacks.join(", ")), APPLY),
        Err(problem) => Finding::unknown(subject, problem.to_string()),
    }
}

async fn watch(azure: &Azure, function: &str, principal: &str, subscription: &ResourceId) -> Finding {
    let subject = format!("Network Watcher for {function} on {subscription}");
    match lacks(azure, "watch", principal, subscription).await {
        Ok(lacks) if lacks.is_empty() => Finding::ok(subject, "may be asked"),
        Ok(_) => Finding::unknown(
            subject,
            "may not be asked, so cards say \"By Azure's rules\" only; ip_flow_verify = true and terraform apply permit it",
        ),
        Err(problem) => Finding::unknown(subject, problem.to_string()),
    }
}

/// Whom the identities trust.
async fn trust(azure: &Azure, config: &Config, roles: Option<&BTreeMap<String, String>>) -> Vec<Finding> {
    let (mut identities, mut why): (Vec<Identity>, Option<Problem>) = (vec![], None);
    for subscription in &config.azure.subscriptions {
        match azure.arm.identities(subscription).await {
            Ok(found) => identities.extend(found),
            Err(error) => why = Some(error.into()),
        }
    }
    let (ids, clients) = (&config.azure.principal_ids, &config.azure.client_ids);
    let mut findings = vec![];
    for (function, principal, client) in [
        ("grant", &ids.grant, &clients.grant),
        ("revoke", &ids.revoke, &clients.revoke),
        ("discover", &ids.discover, &clients.discover),
    ] {
        let subject = format!("identity of {function}");
        let found = identities.iter().find(|one| one.principal_id.eq_ignore_ascii_case(principal));
        findings.push(match found {
            Some(identity) if !identity.client_id.eq_ignore_ascii_case(client) => Finding::wrong(
                subject,
                format!("its client id is {}, and the configuration says {client}", identity.client_id),
                "run terraform apply, and make the configuration anew",
            ),
            Some(identity) => match azure.arm.trusted_by(&identity.id).await {
                Ok(trusted) => {
                    trusts(subject, &trusted, roles.and_then(|roles| roles.get(function)).map(String::as_str))
                }
                Err(error) => Finding::unknown(subject, Problem::from(error).to_string()),
            },
            None => Finding::unknown(
                subject,
                why.as_ref().map_or_else(
                    || "not in these subscriptions, so whom it trusts was not looked at".to_owned(),
                    ToString::to_string,
                ),
            ),
        });
    }
    findings
}

fn trusts(subject: String, trusted: &[Federated], role: Option<&str>) -> Finding {
    let [one] = trusted else {
        let said = match trusted.len() {
            0 => "it trusts nobody, so the function gets no token".to_owned(),
            several => format!("it trusts {several}, and one role of AWS may be all"),
        };
        return Finding::wrong(subject, said, "run terraform apply, and delete what it has not made");
    };
    let issuer = one.issuer.strip_prefix("https://").is_some_and(|host| host.ends_with(ISSUER_ENDS));
    let wrong = if !issuer {
        Some(format!("it trusts the issuer {}, which is not AWS", one.issuer))
    } else if one.audiences != [AUDIENCE] {
        Some(format!("it trusts the audience {}, not {AUDIENCE}", one.audiences.join(", ")))
    } else {
        role.filter(|role| *role != one.subject)
            .map(|role| format!("it trusts {}, and the function runs as {role}", one.subject))
    };
    match wrong {
        Some(said) => Finding::wrong(subject, said, APPLY),
        None if role.is_none() => {
            Finding::ok(subject, format!("trusts {}; which role the function has was not told", one.subject))
        }
        None => Finding::ok(subject, format!("trusts {} alone", one.subject)),
    }
}
