//! `/jit vms` with its check boxes, `/jit enable` and `/jit disable`, and the forms that admins send off.

use crate::interaction::key_of;
use crate::{Broken, Deps};
use access::click::{Submission, Ticked, box_of};
use access::enabled::{Enabled, Field, Filled, NotEnabled};
use access::lifecycle::{Cause, Record, SignedClick, State};
use access::machine::{Found, SeenMachine, find};
use access::order::Change;
use access::policy::{Admin, Subject};
use access::request::{MachineName, MachineQuery, ResourceId, UserId};
use access::wording::{self, Message};
use edge::store::{Offer, Stored};
use serde_json::Value;

/// How often a grant is ended anew when its record has changed meanwhile.
const TRIES: usize = 5;

/// Machines that somebody wants to enable or disable.
pub(crate) struct Named {
    pub(crate) admin: UserId,
    pub(crate) machines: Vec<MachineQuery>,
    pub(crate) trigger_id: String,
}

/// The machines as they were seen last; with check boxes for an admin.
pub(crate) async fn list(deps: &Deps, user: &UserId, part: Option<&MachineName>) -> Result<Message, Broken> {
    let (machines, unsettled, known) =
        tokio::try_join!(deps.store.machines(), deps.store.unsettled(), deps.known())?;
    let is_admin = known.admin(&deps.policy, user).is_ok();
    let open: Vec<&Record> = unsettled.iter().map(|(_, loaded)| &loaded.record).collect();
    Ok(wording::machines(&machines, part, &open, &deps.policy, is_admin))
}

/// Opens the form by which these machines are enabled; else what to say.
pub(crate) async fn enable(deps: &Deps, named: &Named) -> Result<Result<(), Message>, Broken> {
    let (machines, known) = tokio::try_join!(deps.store.machines(), deps.known())?;
    if let Err(answer) = known.admin(&deps.policy, &named.admin) {
        return Ok(Err(answer));
    }
    let meant = match meant(&machines, &named.machines) {
        Ok(meant) => meant,
        Err(answer) => return Ok(Err(answer)),
    };
    Ok(open_enable_form(deps, &named.trigger_id, &meant).await)
}

/// Opens the form by which the ticked machines are enabled; else what to say.
pub(crate) async fn enable_ticked(deps: &Deps, ticked: &Ticked) -> Result<Result<(), String>, Broken> {
    let (machines, known) = tokio::try_join!(deps.store.machines(), deps.known())?;
    if let Err(answer) = known.admin(&deps.policy, &ticked.user) {
        return Ok(Err(answer.text));
    }
    if ticked.boxes.is_empty() {
        return Ok(Err(wording::nothing_ticked()));
    }
    let of_box = |value: &String| machines.iter().find(|machine| box_of(&machine.resource_id) == *value);
    let Some(meant) = ticked.boxes.iter().map(of_box).collect::<Option<Vec<_>>>() else {
        return Ok(Err(wording::box_unknown()));
    };
    Ok(open_enable_form(deps, &ticked.trigger_id, &meant).await.map_err(|answer| answer.text))
}

async fn open_enable_form(deps: &Deps, trigger_id: &str, machines: &[&SeenMachine]) -> Result<(), Message> {
    for machine in machines {
        if let Some(answer) = wording::cannot_enable(machine) {
            return Err(answer);
        }
        if let Err(why) = deps.policy.rule_for(&Subject::seen(machine)) {
            return Err(wording::not_allowed(&why, None));
        }
    }
    open_form(deps, trigger_id, wording::enable_form(machines)).await
}

/// Opens the question by which these machines are disabled; else what to say.
pub(crate) async fn disable(deps: &Deps, named: &Named) -> Result<Result<(), Message>, Broken> {
    let (machines, unsettled, known) =
        tokio::try_join!(deps.store.machines(), deps.store.unsettled(), deps.known())?;
    if let Err(answer) = known.admin(&deps.policy, &named.admin) {
        return Ok(Err(answer));
    }
    let meant = match meant(&machines, &named.machines) {
        Ok(meant) => meant,
        Err(answer) => return Ok(Err(answer)),
    };
    if let Some(machine) = meant.iter().find(|machine| machine.enabled.is_none()) {
        return Ok(Err(wording::nothing_enabled(machine)));
    }
    let live: Vec<&Record> =
        unsettled.iter().map(|(_, loaded)| &loaded.record).filter(|record| lets_in(record)).collect();
    Ok(open_form(deps, &named.trigger_id, wording::disable_form(&meant, &live)).await)
}

/// Whether a grant lets somebody in, or is about to.
const fn lets_in(record: &Record) -> bool {
    matches!(record.state(), State::Approved(_) | State::Opening(_) | State::Open(_))
}

pub(crate) async fn open_form(deps: &Deps, trigger_id: &str, form: Option<Value>) -> Result<(), Message> {
    let form = form.ok_or_else(wording::too_many_for_a_form)?;
    deps.slack.open_form(trigger_id, &form).await.map_err(|error| {
        tracing::warn!(error = %error, "a form was not opened");
        wording::no_form()
    })
}

/// The machines that were named; else what to say of the first that cannot be meant.
fn meant<'m>(machines: &'m [SeenMachine], named: &[MachineQuery]) -> Result<Vec<&'m SeenMachine>, Message> {
    let mut meant: Vec<&SeenMachine> = vec![];
    for query in named {
        match find(machines, query) {
            Found::One(machine) if meant.iter().any(|other| other.resource_id == machine.resource_id) => {}
            Found::One(machine) => meant.push(machine),
            Found::Several(spelled) => return Err(wording::named_by_several(query, &spelled)),
            Found::Nothing { near } => return Err(wording::not_found(query, &near)),
        }
    }
    Ok(meant)
}

/// A form was sent off: what Slack is answered, `None` where the form closes.
pub(crate) async fn submitted(
    deps: &Deps,
    form: &Submission,
    signed: &SignedClick,
) -> Result<Option<Value>, Broken> {
    let refused = |sentence: &Message| Ok(Some(wording::form_refused(sentence)));
    let Some(ids) = wording::machines_of(&form.metadata) else {
        tracing::warn!("a form that is about no machines of ours");
        return Ok(None);
    };
    let (machines, known) = tokio::try_join!(deps.store.machines(), deps.known())?;
    let admin = match known.admin(&deps.policy, &form.user) {
        Ok(admin) => admin,
        Err(answer) => return refused(&answer),
    };
    let meant: Vec<&SeenMachine> =
        ids.iter().filter_map(|id| machines.iter().find(|one| one.resource_id == *id)).collect();
    let ids: Vec<&ResourceId> = meant.iter().map(|machine| &machine.resource_id).collect();
    let (enabled, change) = match form.form.as_str() {
        wording::ENABLE_FORM => match filled(form).read(admin.user(), deps.clock.now()) {
            Err((field, why)) => return Ok(Some(wording::form_problem(field, &why))),
            Ok(enabled) => {
                if let Err(why) = within_policy(deps, &meant, &enabled) {
                    return Ok(Some(wording::form_problem(Field::Ports, &why)));
                }
                (Some(enabled), Change::Write)
            }
        },
        wording::DISABLE_FORM => {
            // First: what is left by a failure in between is ended when the form is sent again.
            end_grants(deps, &ids, &admin).await?;
            (None, Change::Remove)
        }
        other => {
            tracing::warn!(form = other, "a form that is none of ours");
            return Ok(None);
        }
    };
    let machines = ids.iter().map(|id| (*id).clone()).collect();
    let offer = Offer { machines, change, by: admin.user().clone(), asked_at: deps.clock.now() };
    // The same delivery twice is one question.
    let key = format!("ASK#{}", key_of(&signed.signature));
    let enabled = enabled.as_ref().map(|enabled| (enabled, signed));
    if deps.store.put_enabled(&ids, enabled, (&key, &offer)).await? {
        tracing::info!(by = %admin.user(), machines = ids.len(), ?change, "machines enabled or disabled");
    }
    Ok(None)
}

fn filled(form: &Submission) -> Filled {
    let text = |field: Field| form.text(field.id()).to_owned();
    Filled {
        ticked: form.ticked(Field::Ports.id()).into_iter().filter_map(|port| port.parse().ok()).collect(),
        sources: text(Field::Sources),
        longest: text(Field::Longest),
        lines: text(Field::Lines),
    }
}

/// Whether the policy file lets all that is to be enabled on each of the machines.
fn within_policy(deps: &Deps, machines: &[&SeenMachine], enabled: &Enabled) -> Result<(), NotEnabled> {
    for machine in machines {
        let name = machine.name.as_str();
        match deps.policy.rule_for(&Subject::seen(machine)) {
            Ok(rule) => enabled.is_within(name, rule)?,
            Err(why) => {
                return Err(NotEnabled::BeyondPolicy { machine: name.to_owned(), why: why.to_string() });
            }
        }
    }
    Ok(())
}

/// Ends what is open on these machines, or is about to be, and refuses what waits for a decision.
async fn end_grants(deps: &Deps, machines: &[&ResourceId], admin: &Admin) -> Result<(), Broken> {
    let unsettled = deps.store.unsettled().await?;
    let records = unsettled.iter().map(|(_, loaded)| &loaded.record);
    let on_them = records.filter(|record| machines.contains(&&record.wish().machine.resource_id));
    futures::future::try_join_all(on_them.map(|record| end_grant(deps, record, admin))).await.map(|_| ())
}

async fn end_grant(deps: &Deps, indexed: &Record, admin: &Admin) -> Result<(), Broken> {
    for _ in 0..TRIES {
        let Some(loaded) = deps.store.read(indexed.wish().id).await? else { return Ok(()) };
        let now = deps.clock.now();
        let change = match loaded.record.state() {
            State::Draft(_) => loaded.record.cancel(now),
            State::Pending(_) => loaded.record.refuse(admin, now),
            _ => loaded.record.end(Cause::Revoked { by: admin.user().clone() }, now),
        };
        // It is being shut, or is over.
        let Ok(change) = change else { return Ok(()) };
        if let Stored::Yes(_) = deps.store.write(&loaded, &change, false).await? {
            tracing::info!(request = %indexed.wish().id, by = %admin.user(), "ended");
            return Ok(());
        }
    }
    Err(Broken::Contended)
}
