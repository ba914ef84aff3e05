//! What is awaited before somebody is answered: reads of the table that are under way at once, then one write at most;
//! where a form opens, Slack's opening of it.

use ajar_tests::deciding::age_groups;
use ajar_tests::enabling::{Form, SUGGESTED};
use ajar_tests::signed::Signed;
use ajar_tests::{ANA, BEA, CHRIS, EVE, Story};
use sandbox::faults::{Fault, How, Part as Faulty};
use sandbox::fronts::{Fronts, Part};
use sandbox::host::Stepped;
use sandbox::slack::world::GROUP_ID;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One of every kind of read: user groups decide, and the tags of machines.
fn policy() -> String {
    format!(
        "channel = \"C0JIT\"\nadmins = [\"{GROUP_ID}\"]\n\n\
         [[rules]]\nname = \"production\"\nmachines = [\"VM*\"]\ntags = {{ env = \"prod\" }}\n\
         requesters = [\"U0ANA\"]\napprovers = [\"{GROUP_ID}\"]\nports = [22]\nsource = \"203.0.113.7\"\n\n\
         [[rules]]\nname = \"the rest\"\nmachines = [\"VM*\"]\nrequesters = [\"U0ANA\"]\n\
         approvers = [\"{GROUP_ID}\"]\nbreak_glass = [\"{GROUP_ID}\"]\nports = [22]\n"
    )
}

/// Slack says this of a user group's members, so many times.
fn say_of_group(story: &Story, body: Value, count: u32) {
    let how = How::Answer { status: 200, headers: BTreeMap::new(), body };
    let path = Some("usergroups.users.list".to_owned());
    story.sandbox().faults().order(Fault { part: Faulty::Slack, method: None, path, how, count });
}

struct Watched {
    story: Story,
    fronts: Fronts,
}

impl Watched {
    async fn begin() -> Self {
        let fronts = Fronts::default();
        let stepped = Stepped { fronts: fronts.clone(), ..Stepped::default() };
        Self { story: Story::begin_stepped(&policy(), stepped).await, fronts }
    }

    /// Has `request` answer. So many reads must be under way at once, or it never gets an answer to any; after them
    /// it makes these calls, and no others.
    async fn answers<T>(&self, what: &str, reads: usize, then: &[&str], act: impl Future<Output = T>) -> T {
        self.story.settle().await;
        let before = self.fronts.calls().len();
        self.fronts.gather("request", reads);
        let answer = act.await;
        self.fronts.gather("request", 0);
        let calls = self.fronts.calls().split_off(before);
        // A secret that is some minutes old is read anew beside the answer.
        let of_request = calls.iter().map(|call| &call.id);
        let of_request = of_request.filter(|id| id.function == "request" && id.part != Part::Secrets);
        let made: Vec<String> = of_request.map(|id| format!("{} {}", id.part, id.what)).collect();
        let is_read = |call: &&String| call.contains("dynamodb GetItem") || call.contains("dynamodb Query");
        assert_eq!(made.iter().take_while(is_read).count(), reads, "{what}: {made:?}");
        let after: Vec<&str> = made.iter().skip(reads).map(|call| call.split(" r").next().unwrap()).collect();
        assert_eq!(after, then, "{what}: {made:?}");
        answer
    }

    async fn command(&self, reads: usize, then: &[&str], user: &str, text: &str) -> String {
        self.answers(&format!("/jit {text}"), reads, then, self.story.ask(user, text)).await
    }

    async fn interaction(&self, what: &str, reads: usize, then: &[&str], signed: &Signed) -> String {
        let (status, body) =
            self.answers(what, reads, then, self.story.deliver("slack_interaction_url", signed)).await;
        assert_eq!(status, 200, "{what}: {body}");
        body
    }

    /// Asks, and gives the request's id.
    async fn asked(&self, text: &str) -> String {
        let said = self.command(4, &["dynamodb TransactWriteItems REQUEST"], ANA, text).await;
        let id = said.rsplit_once("Ref ").unwrap().1.to_owned();
        self.story.settle().await;
        id
    }

    async fn finish(self) {
        self.fronts.gather("request", 0);
        self.story.finish().await;
    }
}

const WRITES: &[&str] = &["dynamodb TransactWriteItems REQUEST"];
const ASKS: &[&str] = &["dynamodb UpdateItem ASK"];
const OPENS_FORM: &[&str] = &["slack views.open"];

#[tokio::test(flavor = "multi_thread")]
async fn one_read_and_one_transaction_before_a_click_is_answered() {
    let watched = Watched::begin().await;
    let story = &watched.story;
    let id = watched.asked("VM3 22 from 203.0.113.7 for 10m").await;
    let stranger = story.signed_click(EVE, &id, "approve").await;
    watched.interaction("a stranger approves", 4, ASKS, &stranger).await;
    watched.interaction("deny", 4, OPENS_FORM, &story.signed_click(BEA, &id, "deny").await).await;
    let denial = story.signed_denial(BEA, &id, "not now").await;
    watched.interaction("the form of deny", 4, WRITES, &denial).await;
    story.settle().await;
    assert_eq!(story.status(&id).await, "CLOSED");

    let id = watched.asked("VM3 22 from 203.0.113.8 for 10m").await;
    let approval = story.signed_click(BEA, &id, "approve").await;
    watched.interaction("approve", 4, WRITES, &approval).await;
    story.advance(10).await;
    assert_eq!(story.status(&id).await, "OPEN");
    watched.interaction("end now", 4, WRITES, &story.signed_click(ANA, &id, "end").await).await;
    story.advance(60).await;

    let id = watched.asked("VM3 22 from 203.0.113.9 for 5m").await;
    story.advance(3601).await;
    assert_eq!(story.status(&id).await, "CLOSED", "lapsed");
    let value = story.button(&id).await;
    let again = story.signed_click_with_answer(ANA, "ask_again", &value).await;
    watched.interaction("ask again", 5, WRITES, &again).await;
    story.settle().await;
    let id = story.requests().await.into_iter().find(|other| *other != id).unwrap();
    story.advance(3601).await;
    assert_eq!(story.status(&id).await, "CLOSED", "lapsed again");
    watched.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_read_and_one_transaction_before_a_command_is_answered() {
    let watched = Watched::begin().await;
    let story = &watched.story;
    let said = watched.command(4, ASKS, EVE, "VM3 22 from 203.0.113.7").await;
    assert!(said.starts_with("You may not ask for this machine; <@U0ANA> may."), "{said}");
    let said = watched.command(4, &[], ANA, "VM3 23 from 203.0.113.7").await;
    assert!(said.starts_with("Port 23 is not offered"), "{said}");
    let said = watched.command(4, WRITES, ANA, "VM2 22").await;
    assert!(said.contains("|Open this page>"), "{said}");
    watched.command(4, WRITES, ANA, "close VM2 22").await;
    let id = watched.asked("VM3 22 from 203.0.113.7 for 10m").await;
    story.click(BEA, &id, "approve").await;
    story.advance(10).await;
    watched.command(1, &[], ANA, "list").await;
    watched.command(3, &[], BEA, "list all").await;
    let said = watched.command(5, &[], BEA, &format!("show {id}")).await;
    assert!(said.contains(&id), "{said}");
    watched.command(3, &[], ANA, "why VM3 22").await;
    watched.command(5, &[], BEA, "vms").await;
    watched.command(0, &[], BEA, "help").await;
    watched.command(1, OPENS_FORM, ANA, "VM3").await;
    watched.command(4, OPENS_FORM, BEA, "enable VM3").await;
    watched.command(3, &["dynamodb TransactWriteItems LOCKDOWN"], BEA, "lockdown VM1").await;
    watched.command(3, &["dynamodb TransactWriteItems LOCKDOWN"], BEA, "lift").await;
    let said = watched.command(3, &[], BEA, "unfreeze U0CHRIS").await;
    assert!(said.contains("<@U0CHRIS>"), "{said}");
    let said = watched.command(4, WRITES, ANA, &format!("move {id} from 203.0.113.9")).await;
    let moves = said.rsplit_once("Ref ").unwrap().1;
    watched.command(4, WRITES, ANA, &format!("close {moves}")).await;
    watched.command(4, WRITES, BEA, &format!("close {id}")).await;
    story.advance(60).await;
    watched.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_read_and_one_transaction_before_a_form_is_answered() {
    let watched = Watched::begin().await;
    let story = &watched.story;
    assert_eq!(story.type_in_slack(BEA, "enable VM3 VM2").await, "");
    let form = story.signed_form(BEA, &story.form(BEA), &Form { ports: &[22], ..SUGGESTED }.values());
    watched.interaction("enable", 4, &["dynamodb TransactWriteItems ASK"], &form).await;
    story.settle().await;
    let enabled = story.world.store.machines().await.unwrap();
    assert_eq!(enabled.iter().filter(|machine| machine.enabled.is_some()).count(), 2);
    watched.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_added_to_the_group_hears_so_within_seconds() {
    let story = Story::begin_with(&policy()).await;
    let id = story.asked(ANA, "VM3 22 from 203.0.113.7 for 10m").await;
    story.click_in_slack(EVE, &id, "approve").await;
    story.settle().await;
    let no = format!("You cannot decide on this request; <!subteam^{GROUP_ID}> can.");
    assert_eq!(story.told(EVE).await.pop().unwrap(), no);
    say_of_group(&story, json!({"ok": true, "users": [BEA, CHRIS, EVE]}), 9);
    story.click_in_slack(EVE, &id, "approve").await;
    story.settle().await;
    let changed = "Slack was asked anew who is in the groups that the policy names, and that has changed. Try it again now.";
    assert_eq!(story.told(EVE).await.pop().unwrap(), changed);
    assert_eq!(story.status(&id).await, "PENDING");
    story.click(EVE, &id, "approve").await;
    assert_eq!(story.status(&id).await, "OPEN");
    story.no_faults().await;
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_left_the_group_opens_nothing() {
    let story = Story::begin_with(&policy()).await;
    let id = story.asked(ANA, "VM3 22 from 203.0.113.7 for 10m").await;
    // What `discover` has read is older than that.
    say_of_group(&story, json!({"ok": true, "users": [CHRIS]}), 9);
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "CLOSED");
    let card = story.says(&id).await;
    assert!(
        card.starts_with(
            "VM3 port 22: not opened. The approval does not hold: <@U0BEA> may not approve this."
        ),
        "{card}"
    );
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_slack_said_of_a_group_an_hour_ago_counts_no_more() {
    let story = Story::begin_with(&policy()).await;
    let id = story.asked(ANA, "VM3 22 from 203.0.113.7 for 10m").await;
    age_groups(&story.world.store, story.now()).await;
    say_of_group(&story, json!({"ok": false, "error": "internal_error"}), 1);
    story.click_in_slack(BEA, &id, "approve").await;
    story.settle().await;
    let unknown = "Slack did not say who may decide on this. Nothing was changed; click again in a minute.";
    assert_eq!(story.told(BEA).await.pop().unwrap(), unknown);
    let said = story.ask(ANA, "VM2 22 from 203.0.113.7 for 10m").await;
    assert!(said.starts_with("It is not known yet who is in the groups"), "{said}");
    story.settle().await;
    // Slack was asked because of that.
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "OPEN");
    story.to_next_end().await;
    story.finish().await;
}
