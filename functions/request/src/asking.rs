//! `/jit` and `/jit VM3`: what is asked for in a form.

use crate::command::{Answer, Typed, ask};
use crate::enabling::open_form;
use crate::{Broken, Deps};
use access::click::{Submission, box_of};
use access::command::{parse_ports, parse_ttl};
use access::lifecycle::SignedClick;
use access::machine::{Found, SeenMachine, find};
use access::policy::{Rule, Subject};
use access::request::{MachineQuery, Means, Ports, ResourceId};
use access::wording::{self, AskField, Message};
use serde_json::Value;

/// Opens the form about this machine, or the one that asks which; else what to say.
pub(crate) async fn open(
    deps: &Deps,
    machine: Option<&MachineQuery>,
    trigger_id: &str,
) -> Result<Result<(), Message>, Broken> {
    let machines = deps.store.machines().await?;
    let form = match machine {
        None => Ok(choose(deps, &machines)),
        Some(query) => form_for(deps, &machines, query),
    };
    Ok(match form {
        Ok(form) => open_form(deps, trigger_id, Some(form)).await,
        Err(answer) => Err(answer),
    })
}

/// Those that somebody can ask for, by name.
fn choose(deps: &Deps, machines: &[SeenMachine]) -> Value {
    let can_be = |machine: &&SeenMachine| {
        machine.gone_at.is_none()
            && deps
                .policy
                .rule_for(&Subject::seen(machine))
                .is_ok_and(|rule| !offered(rule, machine).is_empty())
    };
    let mut all: Vec<&SeenMachine> = machines.iter().filter(can_be).collect();
    all.sort_by_key(|machine| machine.name.as_str().to_ascii_lowercase());
    wording::choose_form(&all)
}

fn form_for(deps: &Deps, machines: &[SeenMachine], query: &MachineQuery) -> Result<Value, Message> {
    let machine = match find(machines, query) {
        Found::One(machine) => machine,
        Found::Several(spelled) => return Err(wording::named_by_several(query, &spelled)),
        Found::Nothing { near } => return Err(wording::not_found(query, &near)),
    };
    form_of(deps, machine)
}

fn form_of(deps: &Deps, machine: &SeenMachine) -> Result<Value, Message> {
    let rule =
        deps.policy.rule_for(&Subject::seen(machine)).map_err(|why| wording::not_allowed(&why, None))?;
    let ports = offered(rule, machine);
    if ports.is_empty() {
        return Err(wording::nothing_enabled_here(machine));
    }
    Ok(wording::ask_form(machine, rule, &ports))
}

/// The ports that can be asked for: what the policy offers, and where an admin has enabled some, only those.
fn offered(rule: &Rule, machine: &SeenMachine) -> Vec<u16> {
    let enabled = machine.enabled.as_ref();
    let is_enabled = |port: &&u16| match enabled {
        Some(enabled) => enabled.ports().iter().any(|one| one.port == **port),
        None => !rule.only_enabled(),
    };
    rule.ports().iter().filter(is_enabled).copied().collect()
}

/// Which machine was sent off: the form about it, or what is wrong.
pub(crate) async fn chosen(deps: &Deps, form: &Submission) -> Result<Value, Broken> {
    let machines = deps.store.machines().await?;
    let form = match form.chosen(AskField::Machine.id()) {
        Some(value) => match machines.iter().find(|machine| box_of(&machine.resource_id) == value) {
            Some(machine) => form_of(deps, machine),
            None => Err(Message::sentence(wording::box_unknown())),
        },
        None => match form.text(AskField::Machine.id()).trim().parse() {
            Ok(query) => form_for(deps, &machines, &query),
            Err(why) => Err(wording::malformed(&why)),
        },
    };
    Ok(match form {
        Ok(form) => wording::next_form(&form),
        Err(why) => wording::ask_problem(AskField::Machine, &why),
    })
}

/// The form was sent off: what Slack is answered.
pub(crate) async fn submitted(
    deps: &Deps,
    form: &Submission,
    signed: &SignedClick,
    page: Option<String>,
) -> Result<Option<Value>, Broken> {
    let machine = form.metadata.parse::<ResourceId>().ok().and_then(|id| MachineQuery::of(&id, true));
    let Some(machine) = machine else {
        tracing::warn!("a form that is about no machine of ours");
        return Ok(None);
    };
    let typed = match typed(form, machine, signed) {
        Ok(typed) => Typed { page, ..typed },
        Err((field, why)) => return Ok(Some(wording::ask_problem(field, &why))),
    };
    Ok(Some(match ask(deps, typed).await? {
        Answer::Recorded(message) | Answer::Told(message) => wording::form_answered(&message),
        Answer::Refused(message) => wording::form_above(&message),
    }))
}

fn typed(
    form: &Submission,
    machine: MachineQuery,
    signed: &SignedClick,
) -> Result<Typed, (AskField, Message)> {
    let text = |field: AskField| form.text(field.id()).trim();
    let ticked: Vec<u16> =
        form.ticked(AskField::Ports.id()).into_iter().filter_map(|port| port.parse().ok()).collect();
    let ports = match (ticked.is_empty(), text(AskField::Ports)) {
        (true, "") => return Err((AskField::Ports, wording::no_port())),
        (true, list) => parse_ports(&list.replace(' ', "")),
        (false, _) => Ports::new(ticked),
    };
    let ports = ports.map_err(|why| (AskField::Ports, wording::malformed(&why)))?;
    let source = match text(AskField::Source) {
        "" => None,
        source => Some(source.parse().map_err(|why| (AskField::Source, wording::malformed(&why)))?),
    };
    let ttl = parse_ttl(text(AskField::Duration)).ok_or((AskField::Duration, wording::no_duration()))?;
    let justification = match text(AskField::Reason) {
        "" => None,
        reason => Some(reason.parse().map_err(|why| (AskField::Reason, wording::malformed(&why)))?),
    };
    Ok(Typed {
        requester: form.user.clone(),
        machine,
        ports,
        source,
        ttl: Some(ttl),
        means: Means::Approval,
        justification,
        // The same delivery twice is one request.
        trigger_id: format!("form {}", signed.signature),
        response_url: String::new(),
        after: None,
        reply_to: None,
        page: None,
    })
}
