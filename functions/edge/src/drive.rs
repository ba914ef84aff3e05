//! Makes the calls that [`access::drive`] asks for, and tells it the answers.

use crate::arm::{Arm, ArmError, Said, WayError};
use crate::clock::{Awake, Clock};
use crate::glance::Glances;
use crate::line::{Lines, Place};
use crate::moved::stands;
use crate::secrets::{AGAIN_SECONDS, SlackSecrets};
use crate::slack::Slack;
use crate::store::{Loaded, Store, StoreError, Stored, Taken};
use access::click::App;
use access::drive::{
    Access, Acted, Answer, Call, Checked, Confirmation, Drive, Locked, Role, Sight, Standing, Stopped,
    Verdict, Written,
};
use access::evidence::{Judge, Unproven, proven};
use access::lifecycle::{Change, Failure, Granted, NetworkFault, Plan, PlannedRule, Record, Tempo};
use access::nsg::{self, Flow, OurRule};
use access::policy::{Groups, Policy, Subject};
use access::request::{Installation, ResourceId, RuleName};
use std::time::Duration;

/// Between two looks at an operation that has not ended, and between two tries for a lock.
pub(crate) const PAUSE: Duration = Duration::from_millis(400);

/// What drives requests: one function's clients.
#[derive(Clone)]
pub struct Driver {
    /// The clock.
    pub clock: Clock,
    /// The table.
    pub store: Store,
    /// Azure, in the name of the function's identity.
    pub arm: Arm,
    /// Whose rules are ours.
    pub installation: Installation,
    /// The lengths of time to go by.
    pub tempo: Tempo,
    /// Who of this process writes to which group.
    pub lines: Lines,
    /// What judges the evidence; only `grant` has it, because only `grant` writes.
    pub checker: Option<Checker>,
}

/// What `grant` needs to judge whether something may be opened.
#[derive(Clone)]
pub struct Checker {
    /// Slack's secrets.
    pub secrets: SlackSecrets,
    /// Whose app this is.
    pub app: App,
    /// The function's own copy of the policy.
    pub policy: Policy,
    /// Slack, for the members of user groups.
    pub slack: Slack,
}

/// One drive of one record.
struct Run<'a> {
    driver: &'a Driver,
    role: Role,
    loaded: Loaded,
    /// In whose name locks are taken.
    holder: String,
    /// Where it stands in line.
    place: Place,
    /// The region of the group that was looked at last, which is the machine's too.
    location: String,
    at_work: &'a Awake,
    /// Whose reads are as good as its own, until it is about to write.
    glances: Option<&'a Glances>,
    /// Whether the last write to Azure had no answer: it may still be under way.
    unanswered: bool,
}

impl Driver {
    /// Drives a record as far as this function can for now. `invocation` names the holder of locks;
    /// `at_work` rests while the drive pauses. Where many records are driven together, `glances` spares reads.
    ///
    /// # Errors
    /// The table did not answer; whatever was begun is taken up by the next trigger.
    pub async fn drive(
        &self,
        role: Role,
        loaded: Loaded,
        invocation: &str,
        at_work: &Awake,
        glances: Option<&Glances>,
    ) -> Result<Stopped, StoreError> {
        let id = loaded.record.wish().id;
        let (mut drive, mut call) = Drive::start(role, loaded.record.clone(), self.tempo, self.clock.now());
        let holder = format!("{invocation}/{id}");
        let place = self.lines.place();
        let location = String::new();
        let unanswered = false;
        let mut run =
            Run { driver: self, role, loaded, holder, place, location, at_work, glances, unanswered };
        loop {
            if let Call::Stop(why) = call {
                run.place.leave(&self.store).await;
                tracing::info!(request = %id, ?role, status = run.loaded.record.status(), ?why, "driven");
                return Ok(why);
            }
            match run.answer(drive.record(), call).await {
                Ok(answer) => call = drive.step(answer, self.clock.now()),
                Err(error) => {
                    // Nobody has to wait until the lease ends, unless a write may still be under way.
                    if !run.unanswered {
                        run.place.leave(&self.store).await;
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Waits for the turn of this place in this process, then for the lock, which the one before may have
    /// left for it.
    pub(crate) async fn lock(
        &self,
        place: &mut Place,
        nsg: &ResourceId,
        holder: &str,
        first: bool,
        at_work: &Awake,
    ) -> Result<Locked, StoreError> {
        if !place.turn(nsg, at_work).await {
            return Ok(Locked::InLine);
        }
        let now = self.clock.now();
        let lock = self.store.lock(nsg);
        if let Some(mut lease) = place.lease() {
            // A PUT asks each time, because a delete may wait by now.
            if first && !lease.ends_soon(now) {
                return Ok(Locked::Held);
            }
            if lock.renew(&mut lease, !first, now).await? {
                place.keep(Some(lease));
                return Ok(Locked::Held);
            }
            place.keep(None);
            lock.give_back(&lease).await?;
        }
        Ok(match lock.take(holder, first, now).await? {
            Taken::Yes(lease) => {
                place.keep(Some(lease));
                Locked::Held
            }
            Taken::No { deletes: true } if first => Locked::InLine,
            Taken::No { .. } => Locked::Elsewhere { since: place.waits_since(now) },
        })
    }
}

impl Run<'_> {
    async fn answer(&mut self, record: &Record, call: Call) -> Result<Answer, StoreError> {
        let Driver { clock, store, .. } = self.driver;
        Ok(match call {
            Call::Read => {
                let read = store.read(record.wish().id).await?;
                Answer::Record(read.map(|loaded| {
                    self.loaded = loaded;
                    Box::new(self.loaded.record.clone())
                }))
            }
            Call::Write(change) => Answer::Written(self.write(&change).await),
            Call::Check => Answer::Checked(self.check(record).await),
            Call::Lock { rule, first } => match self.planned(record, rule) {
                Some(planned) => {
                    self.glances = None;
                    let place = &mut self.place;
                    let lock = self.driver.lock(place, &planned.nsg, &self.holder, first, self.at_work);
                    Answer::Locked(lock.await?)
                }
                None => Answer::Done,
            },
            Call::Recheck { rule } => match self.planned(record, rule) {
                Some(planned) => {
                    let version =
                        store.read(record.wish().id).await?.map_or(0, |loaded| loaded.record.version());
                    let held = match self.place.lease() {
                        Some(lease) => store.lock(&planned.nsg).is_held(&lease, clock.now()).await?,
                        None => false,
                    };
                    Answer::Rechecked { version, held }
                }
                None => Answer::Done,
            },
            Call::Unlock { .. } => {
                self.place.leave(store).await;
                Answer::Done
            }
            Call::Leave { .. } => {
                self.place.abandon();
                Answer::Done
            }
            Call::Put { rule, access } => {
                let acted = self.put(record, rule, access).await;
                self.unanswered = acted == Acted::Unknown;
                Answer::Acted(acted)
            }
            Call::Delete { rule } => match self.planned(record, rule) {
                Some(planned) => {
                    let name = RuleName::new(&self.driver.installation, record.wish().id);
                    let acted = self.driver.arm.delete_rule(&planned.nsg, &name).await;
                    self.unanswered = acted == Acted::Unknown;
                    Answer::Acted(acted)
                }
                None => Answer::Done,
            },
            Call::Look { rule } => {
                if let Some(planned) = self.planned(record, rule) {
                    self.renew(&planned.nsg).await;
                }
                Answer::Looked(self.look(record, rule).await)
            }
            Call::Confirm { expected } => Answer::Confirmed(self.confirm(record, expected).await),
            Call::Pause(seconds) => {
                clock.pause(PAUSE.max(Duration::from_secs(seconds)), self.at_work).await;
                Answer::Done
            }
            Call::Stop(_) => Answer::Done,
        })
    }

    /// Keeps a lock that is held here for as long as Azure takes. Whether it is held is read again
    /// before each write, so a failure here only is noticed there.
    async fn renew(&self, nsg: &ResourceId) {
        let now = self.driver.clock.now();
        let Some(mut lease) = self.place.lease().filter(|lease| lease.ends_soon(now)) else { return };
        match self.driver.store.lock(nsg).renew(&mut lease, false, now).await {
            Ok(true) => self.place.keep(Some(lease)),
            Ok(false) => {}
            Err(error) => tracing::warn!(error = %error, "a lock was not renewed"),
        }
    }

    fn planned<'r>(&self, record: &'r Record, rule: usize) -> Option<&'r PlannedRule> {
        record.plan()?.rules().get(rule)
    }

    fn ours(&self, record: &Record, rule: usize) -> Option<OurRule> {
        let planned = self.planned(record, rule)?;
        Some(OurRule::planned(record.granted()?, planned, &self.driver.installation))
    }

    async fn write(&mut self, change: &Change) -> Written {
        match self.driver.store.write(&self.loaded, change, self.role == Role::Grant).await {
            Ok(Stored::Yes(loaded)) => {
                self.loaded = *loaded;
                Written::Stored
            }
            Ok(Stored::Lost) => Written::Lost,
            Err(error) => {
                tracing::warn!(request = %change.record.wish().id, error = %error, "a write has no answer");
                Written::Unknown
            }
        }
    }

    /// Everything that must hold before a rule is written: the evidence, the machine, and room in
    /// every group.
    async fn check(&self, record: &Record) -> Checked {
        let (Some(granted), Some(checker)) = (record.granted(), &self.driver.checker) else {
            return Checked::NoAnswer;
        };
        let ask = granted.ask();
        let moved = match self.driver.moved(granted).await {
            Ok(moved) => moved,
            Err(error) => {
                tracing::warn!(error = %error, "what it moves is not known");
                return Checked::NoAnswer;
            }
        };
        let rests_on: Vec<&Granted> = moved.iter().filter_map(Record::granted).collect();
        match self.driver.store.lockdowns().await {
            Ok(known) => {
                if let Some(one) = known.lockdowns.on(&ask.wish.machine.name) {
                    return Checked::Refused(Failure::LockedDown { by: one.by.clone() });
                }
                let all = [granted].into_iter().chain(rests_on.iter().copied());
                let mut clickers = all.flat_map(Granted::approvals).map(|approval| &approval.by);
                if let Some(user) = clickers.find(|user| known.lockdowns.frozen(user).is_some()).cloned() {
                    return Checked::Refused(Failure::Evidence(Unproven::Frozen { user }));
                }
            }
            Err(error) => {
                tracing::warn!(error = %error, "whether it is locked down is not known");
                return Checked::NoAnswer;
            }
        }
        let Checker { app, policy, slack, secrets } = checker;
        let refused = |unproven: Unproven| {
            tracing::warn!(request = %ask.wish.id, why = %unproven, "the evidence does not prove this grant");
            Checked::Refused(Failure::Evidence(unproven))
        };
        let mut clicks = proven(granted, &rests_on, &secrets.current().keys, app);
        if clicks == Err(Unproven::Signature) {
            // It may have been signed with a secret that is newer than ours.
            secrets.renew(AGAIN_SECONDS).await;
            clicks = proven(granted, &rests_on, &secrets.current().keys, app);
        }
        let clicks = match clicks {
            Ok(clicks) => clicks,
            Err(unproven) => return refused(unproven),
        };
        let way = match self.driver.arm.way(&ask.wish.machine).await {
            Ok(way) => way,
            Err(WayError::Fault(fault)) => return Checked::Refused(Failure::Network(fault)),
            Err(WayError::Arm(error)) => return unchecked(error),
        };
        // What the list or the record says of the machine's tags counts for nothing here.
        let tags = &way.tags;
        let groups = match policy.rule_for(&Subject::of(&ask.wish.machine, Some(tags.tags()))) {
            Ok(rule) => slack.groups(&rule.groups(ask.wish.means)).await,
            Err(_) => Ok(Groups::default()),
        };
        let Ok(groups) = groups else { return Checked::NoAnswer };
        let by = Judge { policy, tags, groups: &groups };
        if let Err(unproven) = clicks.judge(&by, self.driver.clock.now()) {
            return refused(unproven);
        }
        let flow = Flow { member_of: way.member_of, ..Flow::of(ask) };
        let name = RuleName::new(&self.driver.installation, ask.wish.id);
        let mut rules = vec![];
        for nsg in way.groups {
            let group = match self.driver.arm.group(&nsg).await {
                Ok(group) => group,
                Err(error) => return unchecked(error),
            };
            if moved.first().is_some_and(|old| !stands(old, &nsg, &group.rules, &self.driver.installation)) {
                return refused(Unproven::NotOpen);
            }
            match nsg::place(&group.rules, &flow, &name) {
                Ok(priority) => {
                    let open_by = nsg::open_to_everyone(&group.rules, &flow, &name);
                    rules.push(PlannedRule { nsg, priority, open_by });
                }
                Err(no_room) => {
                    let fault = NetworkFault::NoRoom { before: no_room.before, nsg: nsg.name().to_owned() };
                    return Checked::Refused(Failure::Network(fault));
                }
            }
        }
        Plan::new(rules)
            .map_or(Checked::Refused(Failure::Network(NetworkFault::Unshielded)), Checked::Planned)
    }

    async fn put(&self, record: &Record, rule: usize, access: Access) -> Acted {
        let Some(mut ours) = self.ours(record, rule) else { return Acted::Unknown };
        if access == Access::Deny {
            // The rule that stands is changed, whatever its number; none is made where there is none.
            let Ok(group) = self.driver.arm.group(&ours.nsg).await else { return Acted::Unknown };
            let name = ours.name.to_string();
            let Some(stands) = group.rules.iter().find(|rule| rule.name.eq_ignore_ascii_case(&name)) else {
                return Acted::Done;
            };
            ours.access = Access::Deny;
            ours.priority = nsg::place_deny(&group.rules, &ours.name, &self.driver.installation)
                .unwrap_or(stands.priority);
        }
        self.driver.arm.put_rule(&ours).await
    }

    /// What Azure's own check says of the approved flow, asked about each port; of a prefix about its first
    /// address. Agreement is only what was said of every port.
    async fn confirm(&self, record: &Record, expected: Access) -> Confirmation {
        let Some(ask) = record.ask() else { return Confirmation::NotSaid };
        let (wish, arm) = (&ask.wish, &self.driver.arm);
        let source = ask.source.prefix().addr();
        let (clock, location) = (&self.driver.clock, &self.location);
        let ask_about = |port: &u16, awake: Awake| {
            let port = *port;
            async move {
                let asked =
                    arm.verify_flow(&wish.machine, location, source, wish.protocol, port, (clock, &awake));
                (asked.await, awake)
            }
        };
        let said = clock.side_by_side(wish.ports.as_slice().iter(), ask_about, self.at_work).await;
        if let Some(other) = said.iter().flatten().find(|said| said.allowed != (expected == Access::Allow)) {
            let ours = RuleName::new(&self.driver.installation, wish.id).to_string();
            let by = other.rule.clone();
            tracing::warn!(request = %wish.id, ?expected, by, "Azure says otherwise");
            return Confirmation::Contradicts { ours: by.eq_ignore_ascii_case(&ours), by };
        }
        let agreed: Option<Vec<Said>> = said.into_iter().collect();
        let first = agreed.and_then(|said| said.into_iter().next());
        first.map_or(Confirmation::NotSaid, |said| Confirmation::Agrees { by: said.rule })
    }

    async fn look(&mut self, record: &Record, rule: usize) -> Sight {
        let (Some(ours), Some(ask)) = (self.ours(record, rule), record.ask()) else { return Sight::NoAnswer };
        let group = match self.glances {
            Some(glances) => glances.group(&ours.nsg).await,
            None => self.driver.arm.group(&ours.nsg).await,
        };
        match group {
            Ok(group) => {
                self.location = group.location;
                Sight::Seen {
                    standing: ours.standing(&group.rules),
                    verdict: nsg::evaluate(&group.rules, &Flow::of(ask)),
                }
            }
            // Where the group is gone, so is the rule; what shields the machine now is not known.
            Err(ArmError::NotFound(name)) => {
                Sight::Seen { standing: Standing::Absent, verdict: Verdict::Unclear { by: name } }
            }
            Err(error) => {
                tracing::warn!(request = %ask.wish.id, error = %error, "a group could not be read");
                match error {
                    ArmError::Later { seconds, .. } => Sight::Later { seconds },
                    ArmError::Refused { code, .. } => Sight::Refused(code),
                    ArmError::NotFound(_) | ArmError::NoAnswer(_) => Sight::NoAnswer,
                }
            }
        }
    }
}

fn unchecked(error: ArmError) -> Checked {
    tracing::warn!(error = %error, "the way to a machine could not be read");
    match error {
        ArmError::Later { seconds, .. } => Checked::Later { seconds },
        ArmError::Refused { code, .. } => Checked::Refused(Failure::Refused { code }),
        ArmError::NotFound(_) | ArmError::NoAnswer(_) => Checked::NoAnswer,
    }
}
