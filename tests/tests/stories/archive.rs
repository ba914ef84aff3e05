//! What is over goes into the archive, and may be purged only then.

use access::lease::Timestamp;
use access::signature::{KeyId, SigningKeys, SigningSecret};
use ajar_tests::{ANA, BEA, CHRIS, Story};
use edge::store::Line;
use sandbox::host::wiring::SIGNING_SECRET;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const DAY: u64 = 86_400;

/// The archived object whose key begins and ends so: its bytes.
fn object(story: &Story, kind: &str, id: &str) -> Option<Vec<u8>> {
    let of = |key: &str| key.starts_with(&format!("{kind}/20")) && key.ends_with(&format!("/{id}.json"));
    story.world.archive.objects().into_iter().find_map(|(key, bytes)| of(&key).then_some(bytes))
}

fn read(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// When each item of a request may be purged.
async fn purged_at(story: &Story, id: &str) -> Vec<Option<u64>> {
    let key = format!("REQUEST#{id}");
    let items = story.items().await.into_iter().filter(|item| item["pk"].as_s().is_ok_and(|pk| *pk == key));
    items.map(|item| item.get("purge_at")?.as_n().ok()?.parse().ok()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_archived_when_it_is_over_and_purged_only_then() {
    let story = Story::begin().await;
    let id = story.type_in_slack(ANA, "VM3 22 from 203.0.113.7 for 10m because patching").await;
    let id = id.rsplit_once("Ref ").unwrap().1.to_owned();
    story.settle().await;
    story.click_in_slack(BEA, &id, "approve").await;
    story.settle().await;
    story.discover().await;
    assert_eq!(story.status(&id).await, "OPEN");
    assert!(story.world.archive.objects().is_empty(), "nothing is over yet");
    story.to_next_end().await;
    story.discover().await;
    assert!(object(&story, "history", &id).is_none(), "a late write is still looked for");
    story.advance(31 * 60).await;
    assert!(purged_at(&story, &id).await.iter().all(Option::is_none), "nothing is purged before");
    let at = story.now();
    story.discover().await;

    let evidence = object(&story, "evidence", &id).unwrap();
    let history = object(&story, "history", &id).unwrap();
    let (kept, told) = (read(&evidence), read(&history));
    // Whoever reads the history gets no secret of Slack's; the proof has the body as it was signed.
    let click = &kept["clicks"][0];
    let body = click["body"].as_str().unwrap();
    for secret in ["response_url", "trigger_id", "token"] {
        assert!(body.contains(secret), "the simulated Slack sends {secret}");
        assert!(
            !String::from_utf8_lossy(&history).contains(&format!("\"{secret}")),
            "{secret} is in the history"
        );
    }
    let key: KeyId = serde_json::from_value(click["key"].clone()).unwrap();
    let keys = SigningKeys::new(SigningSecret::new(SIGNING_SECRET), vec![]);
    let text = |name: &str| click[name].as_str().unwrap();
    let verified = keys.verify_evidence(Some(key), text("timestamp"), text("signature"), body.as_bytes());
    assert_eq!(verified.unwrap().signed_at().unix(), click["at"].as_u64().unwrap());
    assert_eq!(told["record"]["approvals"][0]["payload"]["user"]["id"], BEA);
    assert_eq!(told["evidence"]["sha256"], hex::encode(Sha256::digest(&evidence)));
    let lines: Vec<Line> = serde_json::from_value(told["history"].clone()).unwrap();
    let mut before = String::new();
    for line in &lines {
        assert!(line.follows(&before));
        before.clone_from(&line.hash);
    }
    let kinds: Vec<&str> = told["history"].as_array().unwrap().iter().map(kind).collect();
    assert_eq!(kinds, ["asked", "approved", "planned", "opened", "closing", "closed", "settled"]);
    assert_eq!(told["messages"]["card"], story.says(&id).await);
    assert_eq!(told["messages"]["told"], json!([{"approved": "U0BEA"}, "open", "end"]));
    assert_eq!(told["record"]["justification"], "patching");

    let purged = purged_at(&story, &id).await;
    assert_eq!(purged.len(), 8);
    assert!(purged.iter().all(|moment| moment.is_some_and(|moment| (at + 90 * DAY..=at + 90 * DAY + 60).contains(&moment))), "{purged:?}");
    // Once is enough.
    story.discover().await;
    let keys: Vec<String> = story.world.archive.objects().into_keys().collect();
    assert!(keys.iter().all(|key| story.world.archive.versions(key) == 1), "{keys:?}");
    assert_eq!(keys.len(), 2);
    story.finish().await;
}

fn kind(line: &Value) -> &str {
    let kind = &line["event"]["kind"];
    kind.as_str().unwrap_or_else(|| kind.as_object().unwrap().keys().next().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_approved_has_a_history_and_no_evidence() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM1 3389").await;
    story.deny(CHRIS, &id).await;
    story.discover().await;
    let history = read(&object(&story, "history", &id).unwrap());
    assert_eq!(history["evidence"], Value::Null);
    assert_eq!(history["record"]["status"], "CLOSED");
    assert!(object(&story, "evidence", &id).is_none());
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_archived_is_not_purged_and_is_told_of_after_an_hour() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM1 3389").await;
    story.deny(CHRIS, &id).await;
    let over = story.record(&id).await.changed_at();
    story.world.archive.close(true);
    story.discover().await;
    assert!(purged_at(&story, &id).await.iter().all(Option::is_none));
    story.advance(3660).await;
    let failure = story.try_discover().await.unwrap_err();
    let said = format!("{failure:?}");
    assert!(said.contains(&format!("{id} is over since {over} and could not be archived")), "{said}");
    assert!(purged_at(&story, &id).await.iter().all(Option::is_none));
    story.world.archive.close(false);
    story.discover().await;
    assert!(object(&story, "history", &id).is_some());
    assert!(purged_at(&story, &id).await.iter().all(Option::is_some));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_after_it_was_archived_is_not_purged() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM1 3389").await;
    story.deny(CHRIS, &id).await;
    story.discover().await;
    assert!(purged_at(&story, &id).await.iter().all(Option::is_some));
    let loaded = story.world.store.read(id.parse().unwrap()).await.unwrap().unwrap();
    let now = Timestamp::from_unix(story.now());
    assert!(story.world.store.touch(&loaded.record, &[], Some(now), now).await.unwrap());
    let item = story.item(&id).await;
    assert!(!item.contains_key("purge_at") && !item.contains_key("archived_at"));
    story.finish().await;
}
