//! Admins tick recommended machines under the list, and enable them in one form.

use ajar_tests::deciding::age_groups;
use ajar_tests::enabling::{Form, SUGGESTED};
use ajar_tests::{ANA, BEA, CHRIS, Story};
use sandbox::slack::world::{GROUP_ID, GROUP_MEMBERS};
use serde_json::Value;

const UNKNOWN: &str =
    "A machine that you ticked is not in the list any more. Type `/jit vms` for the machines there are now.";

fn names(list: &Value) -> Vec<String> {
    Story::boxes(list).into_iter().map(|(name, _)| name).collect()
}

/// The machines that the open form of somebody is about.
fn about(story: &Story, user: &str) -> Vec<String> {
    let metadata = story.form(user)["private_metadata"].as_str().unwrap_or("[]").to_owned();
    let ids: Vec<String> = serde_json::from_str(&metadata).unwrap();
    ids.iter().map(|id| id.rsplit('/').next().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ticked_machines_are_enabled_in_one_form() {
    let story = Story::begin().await;
    let list = story.list_in_slack(CHRIS).await;
    assert_eq!(names(&list), ["VM1", "VM2", "VM3", "VM4"]);
    let text = list["text"].as_str().unwrap();
    let last = "To enable several at once, tick recommended machines and press *Enable JIT on the ticked machines*. The boxes: `Contoso-IaaS/VM1`, `Contoso-IaaS/VM2`, `Contoso-IaaS/VM3` and `Contoso-IaaS/VM4`.";
    assert_eq!(text.lines().last(), Some(last));

    story.tick(CHRIS, &list, &["VM2"]).await;
    story.tick(CHRIS, &list, &["VM1", "VM3"]).await;
    assert_eq!(story.form(CHRIS), Value::Null, "ticking opens nothing");
    story.press(CHRIS, &list).await;
    assert_eq!(about(&story, CHRIS), ["VM1", "VM3"]);
    let values = Form { ports: &[22], ..SUGGESTED }.values();
    let sent = story.world.slack.submit_view(CHRIS, &values).await.unwrap();
    assert_eq!((sent.status, sent.view), (Some(200), None));
    story.settle().await;
    let said = story.order_says().await;
    assert!(said.starts_with("JIT enabled: VM1 and VM3. <@U0CHRIS> has enabled JIT access."), "{said}");

    let list = story.list_in_slack(CHRIS).await;
    assert_eq!(names(&list), ["VM2", "VM4"], "what is enabled has no box");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_ticked_is_said_to_the_one_who_pressed() {
    let story = Story::begin().await;
    let list = story.list_in_slack(CHRIS).await;
    let nothing = "No machine is ticked. Tick one or more, then press *Enable JIT on the ticked machines*.";
    story.press(CHRIS, &list).await;
    assert_eq!(story.told(CHRIS).await, [nothing]);
    story.tick(CHRIS, &list, &["VM1"]).await;
    story.tick(CHRIS, &list, &[]).await;
    story.press(CHRIS, &list).await;
    assert_eq!(story.told(CHRIS).await, [nothing, nothing]);
    assert_eq!(story.form(CHRIS), Value::Null);
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_admin_has_no_boxes_and_no_use_of_them() {
    let story = Story::begin().await;
    let boxes = Story::boxes(&story.list_in_slack(CHRIS).await);
    for user in [ANA, BEA] {
        let list = story.list_in_slack(user).await;
        assert_eq!(names(&list), [""; 0]);
        assert!(!list["text"].as_str().unwrap().contains("tick"), "{list}");
        let told = story.press_with(user, &[&boxes[0].1]).await;
        assert_eq!(told.as_deref(), Some("Only admins can do this: <@U0CHRIS>."));
        assert_eq!(story.form(user), Value::Null);
    }
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boxes_that_are_none_or_of_a_machine_that_is_gone() {
    let story = Story::begin().await;
    let boxes = Story::boxes(&story.list_in_slack(CHRIS).await);
    let [vm1, .., vm4] = boxes.as_slice() else { panic!("four boxes: {boxes:?}") };
    for strange in [&["VM1"][..], &[""], &["Contoso-IaaS/VM1"], &[&vm1.1, &"0".repeat(64)]] {
        assert_eq!(story.press_with(CHRIS, strange).await.as_deref(), Some(UNKNOWN), "{strange:?}");
        assert_eq!(story.form(CHRIS), Value::Null);
    }
    assert!(story.world.azure.delete_machine("VM4").await);
    story.discover().await;
    let told = story.press_with(CHRIS, &[&vm1.1, &vm4.1]).await.unwrap();
    assert!(told.starts_with("VM4 does not exist any more in Azure; that was seen at "), "{told}");
    assert_eq!(story.form(CHRIS), Value::Null);
    assert_eq!(names(&story.list_in_slack(CHRIS).await), ["VM1", "VM2", "VM3"]);
    assert_eq!(story.press_with(CHRIS, &[&vm1.1]).await, None);
    assert_eq!(about(&story, CHRIS), ["VM1"]);
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_slack_does_not_say_who_is_an_admin_the_list_has_no_boxes() {
    let admins = format!("admins = [\"{GROUP_ID}\"]");
    let policy = sandbox::host::wiring::POLICY.replace("admins = [\"U0CHRIS\"]", &admins);
    let story = Story::begin_with(&policy).await;
    let member = GROUP_MEMBERS[0];
    let boxes = Story::boxes(&story.list_in_slack(member).await);
    assert_eq!(boxes.len(), 4);
    age_groups(&story.world.store, story.now()).await;
    let list = story.list_in_slack(member).await;
    assert_eq!(names(&list), [""; 0]);
    assert!(list["text"].as_str().unwrap().contains("*Recommended* (4)"), "the list is there: {list}");
    let told = story.press_with(member, &[&boxes[0].1]).await;
    let why = "Slack did not say who is an admin, which Ajar asks it every 15 minutes. Nothing was changed; try again in a quarter of an hour.";
    assert_eq!(told.as_deref(), Some(why));
    assert_eq!(story.form(member), Value::Null);
    story.finish().await;
}
