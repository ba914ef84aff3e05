//! `/jit …`

use crate::draft::{Decides, draft};
use crate::enabling::{self, Named};
use crate::interaction::REPLY_SECONDS;
use crate::known::in_doubt;
use crate::moving::{self, Moving};
use crate::{Broken, Deps, asking, ending, field, freezing, lockdown, looking, message, status};
use access::address::LINK_SECONDS;
use access::command::{Command, parse};
use access::enabled::Enabled;
use access::lifecycle::{Record, SignedClick, State};
use access::machine::{Found, SeenMachine, Tags, Unfit, find};
use access::policy::{Groups, NotAllowed, Rule, Subject};
use access::request::{
    Ask, Machine, MachineQuery, Means, Ports, Protocol, RequestHash, RequestId, Source, UserId, Wish,
};
use access::signature::Verified;
use access::wording::{self, Message};
use edge::store::{Created, KnownLockdowns, Loaded, Question, Reply, StoreError, Why};
use serde_json::Value;

pub(crate) async fn handle(
    deps: &Deps,
    verified: &Verified<'_>,
    signed: SignedClick,
    page: Option<String>,
) -> Result<Value, Broken> {
    let get = |name: &str| field(verified, name).unwrap_or_default();
    // Slack's check of the certificate; signed like everything else.
    if get("ssl_check") == "1" {
        return Ok(status(200));
    }
    let ours = get("team_id") == deps.app.team_id || get("enterprise_id") == deps.app.team_id;
    if !ours || get("api_app_id") != deps.app.app_id {
        tracing::warn!("a command for another workspace or app");
        return Ok(message(&wording::other_app()));
    }
    let (Ok(requester), false) = (get("user_id").parse::<UserId>(), get("trigger_id").is_empty()) else {
        return Ok(status(400));
    };
    let admins = |machines: Vec<MachineQuery>| Named {
        admin: requester.clone(),
        machines,
        trigger_id: get("trigger_id"),
    };
    let answer = match parse(&get("text")) {
        Ok(Command::Help) => wording::help(&edge::report::BUILD),
        Ok(Command::Form { machine }) => {
            match asking::open(deps, machine.as_ref(), &get("trigger_id")).await? {
                Ok(()) => return Ok(status(200)),
                Err(answer) => answer,
            }
        }
        Ok(Command::Machines { part }) => enabling::list(deps, &requester, part.as_ref()).await?,
        Ok(Command::Enable { machines }) => match enabling::enable(deps, &admins(machines)).await? {
            Ok(()) => return Ok(status(200)),
            Err(answer) => answer,
        },
        Ok(Command::Disable { machines }) => match enabling::disable(deps, &admins(machines)).await? {
            Ok(()) => return Ok(status(200)),
            Err(answer) => answer,
        },
        Ok(Command::Lockdown { pattern }) => match lockdown::hash_of(&get("trigger_id")) {
            Some(hash) => lockdown::lock_down(deps, &requester, &pattern, &signed, hash).await?,
            None => return Ok(status(400)),
        },
        Ok(Command::Close(closing)) => {
            Message::sentence(ending::by_command(deps, &requester, &closing).await?)
        }
        Ok(Command::Move { grant, to }) => {
            let (trigger_id, response_url) = (get("trigger_id"), get("response_url"));
            let moving = Moving { requester, grant, to, trigger_id, response_url, page };
            moving::by_command(deps, moving).await?
        }
        Ok(Command::Unfreeze { user }) => freezing::unfreeze(deps, &requester, &user).await?,
        Ok(Command::Lift { pattern }) => lockdown::lift(deps, &requester, pattern.as_ref()).await?,
        Ok(Command::List { all: false }) => looking::mine(deps, &requester).await?,
        Ok(Command::List { all: true }) => looking::all(deps, &requester).await?,
        Ok(Command::Why { machine, ports, source }) => {
            let question = Question {
                machine,
                ports,
                source,
                response_url: get("response_url"),
                asked_at: deps.clock.now(),
            };
            looking::why(deps, Why { asker: requester, question }, &get("trigger_id")).await?
        }
        Ok(Command::Show { request }) => looking::show(deps, &requester, request).await?,
        Ok(Command::Ask { machine, ports, source, ttl, means, justification }) => {
            let typed = Typed {
                requester,
                machine,
                ports,
                source,
                ttl,
                means,
                justification,
                trigger_id: get("trigger_id"),
                response_url: get("response_url"),
                after: None,
                reply_to: None,
                page,
            };
            ask(deps, typed).await?.message()
        }
        Err(why) => wording::misunderstood(&why),
    };
    Ok(message(&answer))
}

/// What somebody asks for.
pub(crate) struct Typed {
    pub(crate) requester: UserId,
    pub(crate) machine: MachineQuery,
    pub(crate) ports: Ports,
    pub(crate) source: Option<Source>,
    pub(crate) ttl: Option<access::lease::Ttl>,
    pub(crate) means: Means,
    pub(crate) justification: Option<access::request::Justification>,
    /// What the request's id is made from: the same delivered twice is one request.
    pub(crate) trigger_id: String,
    pub(crate) response_url: String,
    /// The request that is asked for once more.
    pub(crate) after: Option<RequestId>,
    /// Where whoever pressed a button hears what came of it: the key and the address. A command is answered itself.
    pub(crate) reply_to: Option<(String, String)>,
    /// Where the page is on which an address is confirmed; `None` where that is not known.
    pub(crate) page: Option<String>,
}

/// What is answered to who asks.
pub(crate) enum Answer {
    /// It is recorded, or was before.
    Recorded(Message),
    /// It is recorded, and with it what says so where it was to be said.
    Told(Message),
    /// It is not.
    Refused(Message),
}

impl Answer {
    pub(crate) fn message(self) -> Message {
        match self {
            Self::Recorded(message) | Self::Told(message) | Self::Refused(message) => message,
        }
    }
}

/// What decides whether something may be asked for.
pub(crate) struct Asking {
    machines: Vec<SeenMachine>,
    locked: KnownLockdowns,
    groups: Groups,
    /// What is not over of its requester's: people type a command again when they saw no answer.
    live: Vec<Loaded>,
}

impl Asking {
    /// Reads all of it side by side.
    pub(crate) async fn read(deps: &Deps, requester: &UserId) -> Result<Self, StoreError> {
        let (machines, locked, groups, live) = tokio::try_join!(
            deps.store.machines(),
            deps.store.lockdowns(),
            deps.groups(),
            deps.store.live_of(requester),
        )?;
        Ok(Self { machines, locked, groups, live })
    }
}

/// Records what is asked for, where it may be: what to answer.
pub(crate) async fn ask(deps: &Deps, typed: Typed) -> Result<Answer, Broken> {
    let asking = Asking::read(deps, &typed.requester).await?;
    ask_by(deps, typed, asking).await
}

/// As [`ask`], by what was read.
pub(crate) async fn ask_by(deps: &Deps, typed: Typed, asking: Asking) -> Result<Answer, Broken> {
    let Asking { machines, locked, groups, live } = asking;
    let Meant { machine, source, rule, tags, enabled } = match machine_for(deps, &machines, &typed).await? {
        Ok(meant) => meant,
        Err(answer) => return Ok(Answer::Refused(answer)),
    };
    if let Some(lockdown) = locked.lockdowns.on(&machine.name) {
        return Ok(Answer::Refused(wording::nothing_opens(lockdown)));
    }
    let now = deps.clock.now();
    let hash = RequestHash::of(&typed.trigger_id, &machine.resource_id);
    let wish = Wish {
        id: hash.candidate(0),
        hash,
        requester: typed.requester,
        machine,
        protocol: enabled.as_ref().map_or(Protocol::Tcp, |enabled| enabled.protocol_of(&typed.ports)),
        ports: typed.ports,
        ttl: typed.ttl.unwrap_or(rule.duration()),
        means: typed.means,
        justification: typed.justification,
        moves: None,
        asked_at: now,
        lapses_at: now.plus(source.map_or(LINK_SECONDS, |_| rule.waits_seconds(typed.means))),
    };
    let Some(source) = source else {
        let decides = Decides { rule, tags: &tags, enabled: enabled.as_ref(), groups: &groups, live: &live };
        let drafted = draft(deps, &wish, &typed.page.unwrap_or_default(), decides).await?;
        return match drafted {
            Ok(answer) => Ok(answer),
            Err(why) => refused(deps, &why, rule, &groups, (typed.trigger_id, typed.response_url)).await,
        };
    };
    let ask = Ask { wish, source };
    let admitted = deps.policy.admits(&ask, &tags, &groups).map(|_| ());
    let within = |()| rule.admits_enabled(&ask, enabled.as_ref());
    if let Err(why) = admitted.and_then(within) {
        return refused(deps, &why, rule, &groups, (typed.trigger_id, typed.response_url)).await;
    }
    let mut others = live.iter().filter(|loaded| Some(loaded.record.wish().id) != typed.after);
    if let Some(same) = others.find(|loaded| is_same(&loaded.record, &ask)) {
        // Whose button it is sees it anew: it was in an answer that may not have come.
        if let (State::Pending(_), Some(ask)) = (same.record.state(), same.record.ask())
            && ask.wish.means == Means::BreakGlass
        {
            return Ok(Answer::Recorded(wording::asked(ask, rule)));
        }
        return Ok(Answer::Recorded(wording::asked_before(same.record.wish(), same.record.status())));
    }
    let (recorded, told) = record(deps, &ask.wish, Some(source), rule, typed.reply_to).await?;
    let wish = recorded.wish().clone();
    if told {
        return Ok(Answer::Told(wording::asked(&Ask { wish, source }, rule)));
    }
    Ok(Answer::Recorded(if recorded.is_live() {
        wording::asked(&Ask { wish, source }, rule)
    } else {
        wording::asked_again_before(&wish)
    }))
}

/// The policy does not let it. Where that may be because of who is in a group, Slack is asked anew.
pub(crate) async fn refused(
    deps: &Deps,
    why: &NotAllowed,
    rule: &Rule,
    groups: &Groups,
    (trigger_id, response_url): (String, String),
) -> Result<Answer, Broken> {
    let no = wording::not_allowed(why, Some(rule));
    let means = match why {
        NotAllowed::BreakGlass { .. } => Means::BreakGlass,
        NotAllowed::Requester { .. } | NotAllowed::NobodyCouldApprove { .. } => Means::Approval,
        _ => return Ok(Answer::Refused(no)),
    };
    let named = in_doubt(rule, means);
    if named.is_empty() {
        return Ok(Answer::Refused(no));
    }
    let said = if groups.know_all(&rule.groups(means)) {
        wording::doubted(&no, !response_url.is_empty())
    } else {
        wording::groups_unread()
    };
    deps.doubt(&trigger_id, named, Some(response_url), None).await?;
    Ok(Answer::Refused(said))
}

/// Records a request by the first id that is free: as it is recorded, and whether that was told with it.
pub(crate) async fn record(
    deps: &Deps,
    wish: &Wish,
    source: Option<Source>,
    rule: &Rule,
    reply_to: Option<(String, String)>,
) -> Result<(Record, bool), Broken> {
    for candidate in 0..RequestHash::CANDIDATES {
        let wish = Wish { id: wish.hash.candidate(candidate), ..wish.clone() };
        let change = Record::asked(wish.clone(), source, rule.approvals());
        let says = |((key, url), source): ((String, String), Source)| {
            let text = wording::asked(&Ask { wish: wish.clone(), source }, rule).text;
            (key, Reply { text, response_url: url, replaces: false, said: false })
        };
        let said = reply_to.clone().zip(source).map(says);
        let purge_at = deps.clock.now().plus(REPLY_SECONDS);
        let beside = said.as_ref().map(|(key, reply)| (key.as_str(), reply, purge_at));
        match deps.store.create(&change, beside).await? {
            Created::Yes => {
                tracing::info!(request = %wish.id, "asked");
                return Ok((change.record, said.is_some()));
            }
            // The same delivery twice.
            Created::Exists(existing) if existing.record.wish().hash == wish.hash => {
                return Ok((existing.record, false));
            }
            // Another request with the same 50 bits: take the next 50.
            Created::Exists(_) => {}
        }
    }
    Err(Broken::Ids)
}

/// What a command is about.
struct Meant<'d> {
    /// The machine that was named, by the address that the connection arrives at as far as that is known.
    machine: Machine,
    /// Where the connection comes from; `None` where the page is to tell.
    source: Option<Source>,
    /// The rule that decides, by the machine's tags in the list.
    rule: &'d Rule,
    tags: Tags,
    /// What an admin has enabled on it.
    enabled: Option<Enabled>,
}

/// What was named; else what to say.
async fn machine_for<'d>(
    deps: &'d Deps,
    machines: &[SeenMachine],
    typed: &Typed,
) -> Result<Result<Meant<'d>, Message>, Broken> {
    let seen = match find(machines, &typed.machine) {
        Found::One(seen) => seen,
        Found::Several(spelled) => {
            return Ok(Err(wording::ambiguous(&typed.machine, &spelled, &typed.ports)));
        }
        Found::Nothing { near } => {
            let looks = look_again(deps, typed, typed.source).await?;
            return Ok(Err(wording::no_such_machine(&typed.machine, &near, looks)));
        }
    };
    let rule = match deps.policy.rule_for(&Subject::seen(seen)) {
        Ok(rule) => rule,
        Err(why) => return Ok(Err(wording::not_allowed(&why, None))),
    };
    let source = typed.source.or(rule.source());
    if source.is_none() && typed.page.is_none() {
        return Ok(Err(wording::no_source(&seen.name, &typed.machine, &typed.ports)));
    }
    let reached = source.map_or_else(|| seen.reached_from_somewhere(), |source| seen.reached_from(&source));
    Ok(match reached {
        Ok(machine) => {
            Ok(Meant { machine, source, rule, tags: seen.tags.clone(), enabled: seen.enabled.clone() })
        }
        Err(why) => {
            // The list may be a quarter of an hour old; a machine's families do not change like that.
            let looks = match why {
                Unfit::OtherFamily { .. } => false,
                _ => look_again(deps, typed, source).await?,
            };
            Err(wording::unfit(seen, &why, source.as_ref(), looks))
        }
    })
}

/// Has `discover` look again and tell the person what it finds; not where Slack gave no address for it.
async fn look_again(deps: &Deps, typed: &Typed, source: Option<Source>) -> Result<bool, Broken> {
    if typed.response_url.is_empty() {
        return Ok(false);
    }
    let question = Question {
        machine: typed.machine.clone(),
        ports: typed.ports.clone(),
        source,
        response_url: typed.response_url.clone(),
        asked_at: deps.clock.now(),
    };
    deps.store.ask(&format!("ASK#{}", typed.trigger_id), &question).await?;
    Ok(true)
}

/// Whether a request asks for the same as one that waits or is open. One that waits for others does not stand in
/// the way of a break-glass.
fn is_same(record: &Record, ask: &Ask) -> bool {
    let wish = record.wish();
    let alike = wish.means == ask.wish.means || record.granted().is_some();
    alike
        && wish.machine.resource_id == ask.wish.machine.resource_id
        && wish.protocol == ask.wish.protocol
        && wish.ports == ask.wish.ports
        && record.ask().is_some_and(|other| other.source == ask.source)
}
