//! What a driver's calls do, and every answer they may get. In each case the answer without a fault
//! comes first.

use super::super::*;
use super::rules::{Broken, sending, store};
use super::world::{
    Act, Driver, Floating, Holder, Known, LATE, LEASE, Left, Rule, Setting, TEMPO, TICK, TIMEOUT, World,
};
use std::fmt::Arguments;
use std::sync::Arc;

/// Takes the label of an event and the world after it.
pub(super) type Sink<'a> = &'a mut dyn FnMut(&dyn Fn() -> String, Result<World, Broken>);

pub(super) type Kind = fn(&mut Left) -> &mut u8;
pub(super) const LOSS: Kind = |left| &mut left.losses;
pub(super) const REFUSAL: Kind = |left| &mut left.refusals;
pub(super) const CRASH: Kind = |left| &mut left.crashes;
pub(super) const STRANGER: Kind = |left| &mut left.strangers;

impl World {
    /// The same with one fault of this kind used up, if there may be one more.
    pub(super) fn fault(&self, kind: Kind) -> Option<Self> {
        let mut left = self.left;
        if left.faults == 0 || *kind(&mut left) == 0 {
            return None;
        }
        left.faults -= 1;
        *kind(&mut left) -= 1;
        Some(Self { left, ..self.clone() })
    }

    /// Starts a driver, unless it has nothing to do.
    pub(super) fn start(
        &self,
        setting: &Setting,
        slot: usize,
        request: usize,
        role: Role,
    ) -> Option<Result<Self, Broken>> {
        let record = self.record(request)?.clone();
        let mut drive = Drive::new(role, record, TEMPO, self.time());
        drive.safety = setting.design.safety;
        let call = drive.begin(self.time());
        if matches!(call, Call::Stop(_)) {
            return None;
        }
        let request = u8::try_from(request).unwrap();
        let (name, since) = (0, self.now);
        let driver = Driver { request, drive, call: Call::Read, answer: None, since, name, overtaken: false };
        Some(self.clone().call(setting, slot, driver, call))
    }

    /// The driver of this slot makes a call, or stops.
    fn call(
        mut self,
        setting: &Setting,
        slot: usize,
        mut driver: Driver,
        call: Call,
    ) -> Result<Self, Broken> {
        if matches!(call, Call::Stop(_)) {
            self.leave(slot);
            return Ok(self);
        }
        driver.call = call;
        driver.answer = None;
        driver.since = self.now;
        driver.overtaken = false;
        driver.name = 0;
        if let Some((_, act)) = driver.write() {
            let request = usize::from(driver.request);
            if act != Act::Delete && setting.design.new_name_each_time {
                self.names[request] = (self.names[request] + 1).min(3);
            }
            driver.name = u8::try_from(setting.name(&self, request)).unwrap();
            sending(&self, &driver, self.drivers[1 - slot].as_ref().map(|other| &other.value))?;
        }
        self.drivers[slot] = Some(Known::new(driver));
        Ok(self)
    }

    /// The driver is no more; its lock stays until its end.
    fn leave(&mut self, slot: usize) {
        self.drivers[slot] = None;
        for group in &mut self.groups {
            if let Some((holder, _)) = &mut group.lock
                && *holder == driver_in(slot)
            {
                *holder = Holder::Gone;
            }
        }
    }

    fn answered(mut self, setting: &Setting, slot: usize, answer: Answer) -> Result<Self, Broken> {
        let mut driver = self.drivers[slot].take().map(Arc::unwrap_or_clone).unwrap().value;
        let call = driver.drive.step(answer, self.time());
        self.call(setting, slot, driver, call)
    }

    /// Changes what is known of a driver.
    fn driver(&mut self, slot: usize, change: impl FnOnce(&mut Driver)) {
        let mut driver = self.drivers[slot].as_ref().unwrap().value.clone();
        change(&mut driver);
        self.drivers[slot] = Some(Known::new(driver));
    }

    /// The driver ends between two calls, or while Azure has its write.
    pub(super) fn crash(mut self, slot: usize) -> Self {
        let driver = self.drivers[slot].take().unwrap();
        let driver = &driver.value;
        if driver.answer.is_none() {
            self.float(driver, false);
        }
        self.leave(slot);
        self
    }

    fn float(&mut self, driver: &Driver, accepted: bool) {
        let Some((group, act)) = driver.write() else { return };
        let group = u8::try_from(group).unwrap();
        let (name, until, overtaken) = (driver.name, driver.since + LATE, driver.overtaken);
        let in_turn = !driver.drive.bare;
        self.floating.push(Floating { group, name, act, until, accepted, in_turn, overtaken });
        self.floating.sort_unstable();
    }

    /// A write takes effect.
    pub(super) fn apply(&mut self, group: usize, name: u8, act: Act, overtaken: bool) {
        let standing = match act {
            Act::Allow => Standing::Allow,
            Act::Deny => Standing::Deny,
            Act::Delete => Standing::Absent,
        };
        let rule = &mut self.groups[group].rules[usize::from(name)];
        // A late rule that is turned into Deny is still one that should not be there.
        let late = overtaken && act != Act::Delete || rule.late && act == Act::Deny;
        *rule = Rule { standing, late };
        if act != Act::Allow {
            self.overtake(group, name);
        }
    }

    /// Marks every PUT that has not yet taken effect: what it does is late from now on.
    fn overtake(&mut self, group: usize, name: u8) {
        for floating in &mut self.floating {
            floating.overtaken |=
                usize::from(floating.group) == group && floating.name == name && floating.act != Act::Delete;
        }
        self.floating.sort_unstable();
        for slot in [0, 1] {
            let affected = self.drivers[slot].as_ref().is_some_and(|driver| {
                let driver = &driver.value;
                let put = driver.write().is_some_and(|(at, act)| at == group && act != Act::Delete);
                put && driver.name == name && driver.answer.is_none() && !driver.overtaken
            });
            if affected {
                self.driver(slot, |driver| driver.overtaken = true);
            }
        }
    }
}

fn driver_in(slot: usize) -> Holder {
    Holder::Driver(u8::try_from(slot).unwrap())
}

/// Every answer that the call of the driver in this slot may get now.
pub(super) fn answers(setting: &Setting, world: &World, slot: usize, sink: Sink<'_>) {
    let Some(known) = &world.drivers[slot] else { return };
    let driver = &known.value;
    let request = usize::from(driver.request);
    let mut give = |what: Arguments<'_>, world: World, answer: Answer| {
        let label = || {
            format!(
                "{:?} in slot {slot} for request {request}: {:?}: {what}",
                driver.drive.role,
                Short(&driver.call)
            )
        };
        sink(&label, world.answered(setting, slot, answer));
    };
    if let Some(answer) = &driver.answer {
        return give(format_args!("answered {answer:?}"), world.clone(), answer.clone());
    }
    match &driver.call {
        Call::Read => {
            let read = Answer::Record(world.record(request).cloned().map(Box::new));
            give(format_args!("read"), world.clone(), read);
        }
        Call::Write(change) => {
            let fits = world.record(request).is_some_and(|row| {
                setting.design.no_compare_and_swap || row.version() + 1 == change.record.version()
            });
            let stored = |mut world: World| {
                let result = store(setting, &mut world, request, change.record.clone());
                result.map(|()| world)
            };
            if !fits {
                give(
                    format_args!("somebody else has written"),
                    world.clone(),
                    Answer::Written(Written::Lost),
                );
            }
            if fits {
                match stored(world.clone()) {
                    Ok(world) => give(format_args!("stored"), world, Answer::Written(Written::Stored)),
                    Err(broken) => {
                        return sink(&|| format!("slot {slot}: {:?}", Short(&driver.call)), Err(broken));
                    }
                }
            }
            if let Some(lost) = world.fault(LOSS) {
                if fits && let Ok(world) = stored(lost.clone()) {
                    give(
                        format_args!("stored, the answer is lost"),
                        world,
                        Answer::Written(Written::Unknown),
                    );
                }
                give(format_args!("not stored, no answer"), lost, Answer::Written(Written::Unknown));
            }
        }
        Call::Check => {
            let planned = |all| Answer::Checked(Checked::Planned(setting.plan(all, world.conflicts)));
            give(format_args!("all is proved"), world.clone(), planned(true));
            if let Some(refused) = world.fault(REFUSAL) {
                let failure = Failure::Network(NetworkFault::MachineGone);
                give(format_args!("refused"), refused.clone(), Answer::Checked(Checked::Refused(failure)));
                give(format_args!("no answer"), refused.clone(), Answer::Checked(Checked::NoAnswer));
                let later = Checked::Later { seconds: TICK };
                give(format_args!("later"), refused.clone(), Answer::Checked(later));
                if setting.bounds.groups > 1 {
                    give(format_args!("one group fewer"), refused, planned(false));
                }
            }
        }
        Call::Lock { rule, first } => lock(world, slot, *rule, *first, &mut give),
        Call::Recheck { rule } => {
            let until_end = |(holder, until)| holder == driver_in(slot) && until > world.now + TIMEOUT;
            let held = world.groups[*rule].lock.is_some_and(until_end);
            let version = world.record(request).map_or(0, Record::version);
            give(format_args!("read"), world.clone(), Answer::Rechecked { version, held });
        }
        Call::Unlock { rule } => {
            let mut next = world.clone();
            let lock = &mut next.groups[*rule].lock;
            if lock.is_some_and(|(holder, _)| holder == driver_in(slot)) {
                *lock = None;
            }
            give(format_args!("given back"), next, Answer::Done);
            if let Some(lost) = world.fault(LOSS) {
                give(format_args!("lost, it stays until its end"), lost, Answer::Done);
            }
        }
        Call::Leave { rule } => {
            let mut next = world.clone();
            if let Some((holder, _)) = &mut next.groups[*rule].lock
                && *holder == driver_in(slot)
            {
                *holder = Holder::Gone;
            }
            give(format_args!("left, it stays until its end"), next, Answer::Done);
        }
        Call::Look { rule } => look(setting, world, *rule, driver, &mut give),
        Call::Confirm { .. } => {
            let by = "last".to_owned();
            let answer = |said| Answer::Confirmed(said);
            give(format_args!("agrees"), world.clone(), answer(Confirmation::Agrees { by: by.clone() }));
            if let Some(lost) = world.fault(LOSS) {
                give(format_args!("says nothing"), lost, answer(Confirmation::NotSaid));
            }
            if let Some(refused) = world.fault(REFUSAL) {
                for ours in [true, false] {
                    let said = Confirmation::Contradicts { by: by.clone(), ours };
                    give(format_args!("contradicts, ours: {ours}"), refused.clone(), answer(said));
                }
            }
        }
        Call::Pause(_) => give(format_args!("over"), world.clone(), Answer::Done),
        Call::Put { .. } | Call::Delete { .. } => azure(world, slot, sink),
        Call::Stop(_) => {}
    }
}

fn lock(
    world: &World,
    slot: usize,
    rule: usize,
    first: bool,
    give: &mut impl FnMut(Arguments<'_>, World, Answer),
) {
    let group = &world.groups[rule];
    let free = group.lock.is_none_or(|(holder, until)| holder == driver_in(slot) || world.now >= until);
    let behind = !first && group.delete_waits_until.is_some_and(|until| world.now <= until);
    let mut next = world.clone();
    let row = &mut next.groups[rule];
    if !free || behind {
        if first {
            row.delete_waits_until = Some(world.now + TIMEOUT);
        }
        // Deletes wait for each other without counting the time; of a holder that is gone the row tells
        // either.
        let deleting = group.lock.filter(|_| !free).map(|(holder, _)| match holder {
            Holder::Driver(slot) => world.drivers[usize::from(slot)]
                .as_ref()
                .map(|holder| holder.value.drive.role == Role::Revoke),
            Holder::Gone => None,
        });
        let deleting = if first { deleting } else { Some(Some(false)) };
        if !matches!(deleting, Some(Some(true))) {
            let elsewhere = Locked::Elsewhere { since: next.time() };
            give(format_args!("not free"), next.clone(), Answer::Locked(elsewhere));
        }
        if !matches!(deleting, Some(Some(false))) {
            give(format_args!("deletes are in front"), next, Answer::Locked(Locked::InLine));
        }
        return;
    }
    row.lock = Some((driver_in(slot), world.now + LEASE));
    if first {
        row.delete_waits_until = None;
    }
    if let Some(lost) = next.fault(LOSS) {
        give(format_args!("held"), next, Answer::Locked(Locked::Held));
        let elsewhere = Locked::Elsewhere { since: lost.time() };
        give(format_args!("held, the answer is lost"), lost, Answer::Locked(elsewhere));
    } else {
        give(format_args!("held"), next, Answer::Locked(Locked::Held));
    }
}

fn look(
    setting: &Setting,
    world: &World,
    rule: usize,
    driver: &Driver,
    give: &mut impl FnMut(Arguments<'_>, World, Answer),
) {
    let name = setting.name(world, driver.request.into());
    let group = &world.groups[rule];
    let at_work = |floating: &Floating| {
        floating.accepted && usize::from(floating.group) == rule && usize::from(floating.name) == name
    };
    let standing =
        if world.floating.iter().any(at_work) { Standing::Changing } else { group.rules[name].standing };
    let stands = |standing| group.rules.iter().any(|rule| rule.standing == standing);
    let verdict = if group.overruled || setting.design.deny_stays_in_front && stands(Standing::Deny) {
        Verdict::Denied { by: "first".to_owned() }
    } else if stands(Standing::Allow) {
        Verdict::Allowed { by: "ours".to_owned() }
    } else {
        Verdict::Denied { by: "last".to_owned() }
    };
    let mut next = world.clone();
    if standing == Standing::Absent && matches!(driver.drive.job, Job::Deny | Job::Delete | Job::Sweep) {
        next.overtake(rule, u8::try_from(name).unwrap());
    }
    give(format_args!("{standing:?}"), next, Answer::Looked(Sight::Seen { standing, verdict }));
    if let Some(lost) = world.fault(LOSS) {
        give(format_args!("no answer"), lost, Answer::Looked(Sight::NoAnswer));
    }
    if let Some(refused) = world.fault(REFUSAL) {
        let later = Sight::Later { seconds: TICK };
        give(format_args!("later"), refused.clone(), Answer::Looked(later));
        give(format_args!("refused"), refused, Answer::Looked(Sight::Refused("Forbidden".to_owned())));
    }
}

/// What Azure may make of a write that was sent to it.
fn azure(world: &World, slot: usize, sink: Sink<'_>) {
    let Some(driver) = world.drivers[slot].as_ref().map(|known| &known.value) else { return };
    let Some((group, act)) = driver.write() else { return };
    let mut give = |what: &str, mut next: World, answer: Acted| {
        next.driver(slot, |driver| driver.answer = Some(Answer::Acted(answer)));
        let label = || format!("Azure, {:?} of slot {slot}: {what}", Short(&driver.call));
        sink(&label, Ok(next));
    };
    let at_work = |floating: &Floating| floating.accepted && usize::from(floating.group) == group;
    if act == Act::Delete && world.azure_lock {
        give("refused by the lock", world.clone(), Acted::Locked);
    } else {
        if world.floating.iter().any(at_work) {
            give("busy with another", world.clone(), Acted::Busy { seconds: 0 });
        }
        let mut next = world.clone();
        next.floating.retain(|floating| !at_work(floating));
        next.apply(group, driver.name, act, driver.overtaken);
        give("done", next.clone(), Acted::Done);
        if let Some(lost) = next.fault(LOSS) {
            give("done, the answer is lost", lost, Acted::Unknown);
        }
        let other = world.drivers[1 - slot].as_ref().map(|known| &known.value);
        let beside = other.is_some_and(|other| other.write().is_some_and(|(at, _)| at == group));
        if beside || world.floating.iter().any(at_work) {
            give("accepted, then cancelled by the other write", world.clone(), Acted::Done);
        }
        if let Some(mut lost) = world.fault(LOSS) {
            lost.float(driver, true);
            give("accepted", lost, Acted::Done);
        }
        if let Some(refused) = world.fault(REFUSAL) {
            give("busy", refused.clone(), Acted::Busy { seconds: 0 });
            give("later", refused.clone(), Acted::Later { seconds: TICK });
            give("refused", refused.clone(), Acted::Refused("Forbidden".to_owned()));
            if act != Act::Delete {
                let mut taken = refused.clone();
                taken.conflicts += 1;
                give("another rule has the priority", taken, Acted::Conflict);
                give("refused by a lock", refused, Acted::Locked);
            }
        }
    }
    if let Some(mut lost) = world.fault(LOSS) {
        lost.float(driver, false);
        give("no answer, it floats", lost, Acted::Unknown);
    }
}

/// A call in few words.
struct Short<'a>(&'a Call);

impl std::fmt::Debug for Short<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Call::Write(change) => {
                write!(f, "Write {} v{}", change.record.status(), change.record.version())
            }
            other => write!(f, "{other:?}"),
        }
    }
}
