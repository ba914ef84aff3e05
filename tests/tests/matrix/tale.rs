//! The stories. Each is told by people who do what people do when something fails: they type and click
//! again, and wait.

use ajar_tests::{ANA, BEA, CHRIS, Story};
use edge::store::Loaded;
use sandbox::azure::NSG;
use sandbox::fronts::{Fronts, Order};
use serde_json::{Value, json};

/// A story that is told with faults.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Tale {
    /// Asked, approved, open, and shut when its time is over.
    Expired,
    /// Asked, and denied.
    Denied,
    /// Asked, and nobody decides.
    Lapsed,
    /// Two of three approvers say yes, one after the other.
    TwoOfThree,
    /// Ended early by an approver.
    Revoked,
    /// Two grants of two people in the same groups; the shorter one ends first.
    TwoGrants,
    /// A lock in Azure forbids to delete when the time is over, until it is taken away.
    Locked,
    /// Somebody else widens the rule while it is open.
    Altered,
    /// The machine is deleted between the approval and the grant.
    Gone,
}

impl Tale {
    pub(crate) const ALL: [Self; 9] = [
        Self::Expired,
        Self::Denied,
        Self::Lapsed,
        Self::TwoOfThree,
        Self::Revoked,
        Self::TwoGrants,
        Self::Locked,
        Self::Altered,
        Self::Gone,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Denied => "denied",
            Self::Lapsed => "lapsed",
            Self::TwoOfThree => "two-of-three",
            Self::Revoked => "revoked",
            Self::TwoGrants => "two-grants",
            Self::Locked => "locked",
            Self::Altered => "altered",
            Self::Gone => "machine-gone",
        }
    }

    /// The policy of the sandbox, with what this story needs.
    pub(crate) fn policy(self) -> String {
        let policy = sandbox::host::wiring::POLICY;
        match self {
            Self::Lapsed => policy.replace("undecided = \"1h\"", "undecided = \"5m\""),
            Self::TwoOfThree => policy.replace(
                "approvers = [\"U0BEA\", \"U0CHRIS\"]",
                "approvers = [\"U0BEA\", \"U0CHRIS\", \"U0EVE\"]\napprovals = 2",
            ),
            _ => policy.to_owned(),
        }
    }

    /// How each of its requests is closed, in the order in which they are asked, as the history says it.
    pub(crate) fn closures(self) -> Vec<Value> {
        let ended = |cause: Value| json!({"ended": cause});
        match self {
            Self::Expired | Self::TwoOfThree | Self::Locked => vec![ended(json!("expired"))],
            Self::TwoGrants => vec![ended(json!("expired")), ended(json!("expired"))],
            Self::Denied => vec![json!({"denied": {"by": CHRIS, "reason": "not now"}})],
            Self::Lapsed => vec![json!("lapsed")],
            Self::Revoked => vec![ended(json!({"revoked": {"by": CHRIS}}))],
            Self::Altered => vec![ended(json!("altered"))],
            Self::Gone => vec![ended(json!({"failed": {"network": "machine_gone"}}))],
        }
    }

    /// Tells it: the requests in the order in which they were asked. What is not as it should be on the
    /// way goes to `wrong`.
    pub(crate) async fn tell(
        self,
        story: &Story,
        faults: &Faults<'_>,
        wrong: &mut Vec<String>,
    ) -> Vec<String> {
        let people = People { story, faults };
        let first = people.asks(ANA, "VM3 22 for 5m").await;
        let mut all = vec![first.clone()];
        match self {
            Self::Denied => people.click(CHRIS, &first, "deny").await,
            Self::Lapsed => story.advance(7 * 60).await,
            Self::Expired => {
                people.click(BEA, &first, "approve").await;
                people.wait_until_over(&first, wrong).await;
            }
            Self::TwoOfThree => {
                people.click(BEA, &first, "approve").await;
                people.click(CHRIS, &first, "approve").await;
                people.wait_until_over(&first, wrong).await;
            }
            Self::Revoked => {
                people.click(BEA, &first, "approve").await;
                story.advance(150).await;
                if story.status(&first).await == "OPEN" {
                    story.revoke(&first, CHRIS).await;
                }
                story.advance(60).await;
                wrong.extend(people.still_allowed(&first).await);
            }
            Self::TwoGrants => {
                people.click(BEA, &first, "approve").await;
                let second = people.asks(BEA, "VM3 22 from 203.0.113.7 for 7m").await;
                all.push(second.clone());
                people.click(CHRIS, &second, "approve").await;
                people.wait_until_over(&first, wrong).await;
                people.wait_until_over(&second, wrong).await;
            }
            Self::Locked => {
                people.click(BEA, &first, "approve").await;
                story.advance(150).await;
                story.azure.lock(NSG, true).await;
                people.wait_until_over(&first, wrong).await;
                story.azure.lock(NSG, false).await;
                // Tried again each hour, counted from when late writes are over.
                for _ in 0..4 {
                    people.skip(31 * 60).await;
                }
            }
            Self::Altered => {
                people.click(BEA, &first, "approve").await;
                story.advance(150).await;
                people.widens(&first).await;
                story.advance(120).await;
                wrong.extend(people.still_allowed(&first).await);
            }
            Self::Gone => {
                people.click_while(BEA, &first, "approve", story.world.azure.delete_machine("VM3")).await;
                story.advance(150).await;
            }
        }
        // Whatever was lost is taken up again; then late writes are over.
        people.wait_until(4, is_told).await;
        people.skip(31 * 60).await;
        people.wait_until(4, |_| false).await;
        all
    }
}

/// The faults of a telling.
pub(crate) struct Faults<'a> {
    pub(crate) fronts: &'a Fronts,
    pub(crate) orders: &'a [Order],
}

impl Faults<'_> {
    /// Until when the second one of two is told to have been mended: the tick comes within a minute, and
    /// shutting takes a while. Unix seconds.
    fn mended_at(&self) -> Option<u64> {
        let [_, second] = self.orders else { return None };
        let calls = self.fronts.calls();
        let call = calls.iter().find(|call| call.id == second.call)?;
        Some(call.at_ms / 1000 + 60 + 15)
    }
}

struct People<'a> {
    story: &'a Story,
    faults: &'a Faults<'a>,
}

/// Whether a request is closed, and everybody knows.
fn is_told(loaded: &Loaded) -> bool {
    loaded.record.status() == "CLOSED" && !loaded.shown.lacks(&loaded.record)
}

/// How often somebody tries again.
const PATIENCE: usize = 8;

impl People<'_> {
    /// Somebody asks, and types it again until the app answers: the request's id.
    async fn asks(&self, user: &str, text: &str) -> String {
        for _ in 0..PATIENCE {
            let command = self.story.command(user, text);
            let answer = self.story.typed(user, &command).await.unwrap_or_default();
            self.story.advance(20).await;
            if let Some((said, id)) = answer.rsplit_once("Ref ")
                && said.starts_with("You asked for ")
            {
                return id.to_owned();
            }
        }
        panic!("nobody answers {user}");
    }

    /// Somebody waits for the card's button and clicks it, again until the app takes the click.
    async fn click(&self, user: &str, id: &str, action: &str) {
        self.click_while(user, id, action, std::future::ready(())).await;
    }

    /// As [`People::click`]; meanwhile something happens, before anything follows from the click.
    async fn click_while<T>(&self, user: &str, id: &str, action: &str, meanwhile: impl Future<Output = T>) {
        for _ in 0..PATIENCE {
            if self.story.shown_button(id).await.is_some() {
                break;
            }
            self.story.advance(60).await;
        }
        let mut taken = false;
        for _ in 0..PATIENCE {
            let click = match action {
                "deny" => self.story.signed_denial(user, id, "not now").await,
                _ => self.story.signed_click(user, id, action).await,
            };
            let was_old = action == "approve" && self.is_old(id).await;
            taken = self.story.deliver("slack_interaction_url", &click).await.0 == 200;
            if taken && !was_old {
                break;
            }
            self.story.advance(if was_old { 60 } else { 20 }).await;
        }
        assert!(taken, "no click on {action} is taken");
        meanwhile.await;
        self.story.advance(20).await;
    }

    /// Whether the newest card that people see is not the newest that was begun: a click on it is answered with that,
    /// and they wait for the other one.
    async fn is_old(&self, id: &str) -> bool {
        let value = self.story.button(id).await;
        let seen = value.rsplit('.').next().and_then(|card| card.parse::<u64>().ok());
        let request = id.parse().unwrap_or_else(|why| panic!("{id}: {why}"));
        match self.story.world.store.read(request).await {
            Ok(Some(loaded)) => seen.is_some_and(|seen| seen != loaded.shown.card),
            other => panic!("{id}: {other:?}"),
        }
    }

    /// Somebody widens the rule in the portal.
    async fn widens(&self, id: &str) {
        let path = format!("Microsoft.Network/networkSecurityGroups/{NSG}/securityRules/jit-sandbox-{id}");
        let (status, mut rule) = self.story.azure.call("GET", &path, None).await;
        if status != 200 {
            return;
        }
        rule["properties"]["sourceAddressPrefix"] = json!("*");
        let body = json!({"properties": rule["properties"]});
        let (status, answer) = self.story.azure.call("PUT", &path, Some(&body)).await;
        assert_eq!(status, 200, "{answer}");
        self.story.advance(2).await;
    }

    /// Until a minute after the end of a grant, when it must be shut.
    async fn wait_until_over(&self, id: &str, wrong: &mut Vec<String>) {
        // Whatever was lost on the way is taken up after a minute.
        self.story.advance(150).await;
        let record = self.story.record(id).await;
        let Some(granted) = record.granted() else {
            wrong.push(format!("{id} was approved and is {}", record.status()));
            return;
        };
        let over = granted.expires_at().unix() + 60;
        if let Some(left) = over.checked_sub(self.story.now()).filter(|left| *left > 0) {
            self.story.advance(left).await;
        }
        wrong.extend(self.still_allowed(id).await);
    }

    /// The rules of a request that let somebody in though it is over, and though the second of two faults is.
    async fn still_allowed(&self, id: &str) -> Vec<String> {
        let left = self.faults.mended_at().and_then(|at| at.checked_sub(self.story.now()));
        if let Some(left) = left.filter(|left| *left > 0) {
            self.story.advance(left).await;
        }
        let state = self.story.world.azure.state();
        let mut found = vec![];
        for group in state["nsgs"].as_array().into_iter().flatten() {
            for rule in group["rules"].as_array().into_iter().flatten() {
                if rule["name"] == format!("jit-sandbox-{id}") && rule["access"] == "Allow" {
                    found.push(format!(
                        "a minute after the end of {id} its rule still allows in {}",
                        group["name"]
                    ));
                }
            }
        }
        found
    }

    /// Minutes pass until all requests that still need something are so; no more than these.
    async fn wait_until(&self, minutes: usize, so: impl Fn(&Loaded) -> bool) {
        for _ in 0..minutes {
            let unsettled = match self.story.world.store.unsettled().await {
                Ok(unsettled) => unsettled,
                Err(error) => panic!("the table does not answer: {error}"),
            };
            if unsettled.iter().all(|(_, loaded)| so(loaded)) {
                return;
            }
            self.story.advance(60).await;
        }
    }

    /// Time passes in which nothing is to be done: one tick at its end, instead of one a minute.
    async fn skip(&self, seconds: u64) {
        self.story.settle().await;
        self.story.sandbox().clock().advance_ms(seconds * 1000);
        self.story.settle().await;
        // What pauses in that tick goes on.
        self.story.advance(20).await;
    }
}
