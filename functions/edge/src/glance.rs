//! One read of a group for all who look at it in the same moment: a tick compares every open grant with
//! Azure, and many of them share a group that may hold a thousand rules.

use crate::arm::{Arm, ArmError, Group};
use crate::clock::Clock;
use crate::drive::PAUSE;
use access::request::ResourceId;
use futures::future::{BoxFuture, FutureExt, Shared};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

type Read = Shared<BoxFuture<'static, Result<Group, ArmError>>>;

/// The reads of one tick. Whoever looks again after a pause gets a new one; whoever has begun to write
/// reads for itself.
pub struct Glances {
    arm: Arm,
    clock: Clock,
    /// By the group's key: when it was begun, Unix milliseconds, and the read.
    reads: Mutex<HashMap<String, (u64, Read)>>,
}

impl Glances {
    /// None yet.
    pub fn new(arm: Arm, clock: Clock) -> Self {
        Self { arm, clock, reads: Mutex::default() }
    }

    /// As [`Arm::group`], begun a moment ago at most.
    pub async fn group(&self, nsg: &ResourceId) -> Result<Group, ArmError> {
        let read = {
            let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
            let now_ms = self.clock.now_ms();
            let latest = reads
                .get(&nsg.key())
                .filter(|(begun_ms, _)| u128::from(now_ms.saturating_sub(*begun_ms)) < PAUSE.as_millis());
            latest.map(|(_, read)| read.clone()).unwrap_or_else(|| {
                let (arm, id) = (self.arm.clone(), nsg.clone());
                let read = async move { arm.group(&id).await }.boxed().shared();
                reads.insert(nsg.key(), (now_ms, read.clone()));
                read
            })
        };
        read.await
    }
}
