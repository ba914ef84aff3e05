//! One writer per network security group: many grants of one group end at once, others write at the
//! same time, a writer sleeps through the end of its lease.

use ajar_tests::{ANA, BEA, Item, Story};
use edge::store::Taken;
use sandbox::azure::{NSG, What};
use serde_json::json;

/// How often the lock of a group was taken.
async fn takings(story: &Story, nsg: &str) -> u64 {
    let scan = story.table().scan().table_name("ajar").consistent_read(true);
    let items = scan.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await.unwrap();
    let text = |item: &Item, name: &str| item[name].as_s().cloned().unwrap_or_default();
    let of_group = format!("/{}", nsg.to_ascii_lowercase());
    let is_lock = |item: &Item| text(item, "sk") == "LOCK" && text(item, "pk").ends_with(&of_group);
    let row = items.into_iter().find(is_lock);
    row.and_then(|row| row.get("epoch")?.as_n().ok()?.parse().ok()).unwrap_or(0)
}

/// Asks for each of these, and has them approved so that all end in the same second.
async fn open_together(story: &Story, commands: &[String]) -> Vec<String> {
    let mut ids = vec![];
    for command in commands {
        let answer = story.ask(ANA, command).await;
        let id = answer.rsplit_once("Ref ").map(|(_, id)| id.to_owned());
        assert!(id.is_some(), "not recorded: {answer}");
        ids.extend(id);
    }
    story.settle().await;
    let at = story.now();
    for id in &ids {
        let click = story.signed_click_at(BEA, id, "approve", at).await;
        assert_eq!(story.deliver("slack_interaction_url", &click).await.0, 200);
    }
    story.settle().await;
    // Those that found the group busy for too long are taken up again.
    story.advance(8 * 60).await;
    for id in &ids {
        assert_eq!(story.status(id).await, "OPEN", "{}", story.says(id).await);
    }
    ids
}

#[tokio::test]
async fn fifty_grants_of_one_group_end_at_once() {
    let story = Story::begin_in_steps().await;
    // An operation that has ended at the second look, as most do.
    story.world.azure.set(|settings| settings.provisioning_ms = 400);
    let commands: Vec<String> = (1..=50).map(|n| format!("VM1 3389 from 198.51.100.{n} for 30m")).collect();
    let ids = open_together(&story, &commands).await;
    let end_ms = story.record(&ids[0]).await.granted().unwrap().expires_at().unix() * 1000;
    let before = takings(&story, NSG).await;
    story.to_next_end().await;
    story.advance(90).await;
    let journal = story.world.azure.journal();
    let removed: Vec<_> = journal.iter().filter(|entry| entry.what == What::Removed).collect();
    let seconds = (removed[49].at_ms - end_ms) / 1000;
    println!("50 rules of one group: the last one is gone {seconds} s after the end");
    assert!(seconds <= 60, "{seconds} s");
    assert_eq!(takings(&story, NSG).await - before, 1, "under one lock");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_groups_are_shut_side_by_side() {
    let story = Story::begin().await;
    // VM3's interface has a group of its own beside the subnet's.
    story.world.azure.set(|settings| settings.provisioning_ms = 1500);
    let commands: Vec<String> = (1..=3).map(|n| format!("VM3 22 from 198.51.100.{n} for 30m")).collect();
    open_together(&story, &commands).await;
    let opened = story.world.azure.journal().last().unwrap().seq;
    story.to_next_end().await;
    let journal = story.world.azure.journal();
    let of = |group: &str, what: What| {
        let entries =
            journal.iter().filter(|entry| entry.seq > opened && entry.nsg == group && entry.what == what);
        entries.map(|entry| entry.at_ms).collect::<Vec<u64>>()
    };
    let (one, other) = (of(NSG, What::DeleteAccepted), of("VM3-nsg", What::DeleteAccepted));
    assert_eq!((one.len(), other.len()), (3, 3));
    assert!(other[0] < one[2], "the second group does not wait until the first one is done");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_slept_through_its_lease_does_not_write() {
    let story = Story::begin().await;
    let (store, now) = (&story.world.store, story.sandbox().clock().now());
    let nsg =
        format!("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkSecurityGroups/{NSG}");
    let lock = store.lock(&nsg.parse().unwrap());
    let Taken::Yes(mut first) = lock.take("one", false, now).await.unwrap() else { panic!("free") };
    assert!(lock.is_held(&first, now).await.unwrap());
    let busy = Taken::No { deletes: false };
    assert_eq!(lock.take("two", true, now).await.unwrap(), busy, "even for a delete");
    assert!(!lock.renew(&mut first, true, now).await.unwrap(), "a PUT gives way to the delete that waits");
    assert!(lock.renew(&mut first, false, now).await.unwrap());
    let now = now.plus(40);
    // The same invocation, tried again by Lambda, has the same name.
    let Taken::Yes(second) = lock.take("one", true, now).await.unwrap() else { panic!("the lease is over") };
    assert_ne!(first, second);
    assert!(!lock.is_held(&first, now).await.unwrap(), "fenced off");
    assert!(!lock.renew(&mut first, false, now).await.unwrap());
    lock.give_back(&first).await.unwrap();
    assert!(lock.is_held(&second, now).await.unwrap(), "nor does it give back what it does not hold");
    assert_eq!(lock.take("two", true, now).await.unwrap(), Taken::No { deletes: true });
    lock.give_back(&second).await.unwrap();
    let Taken::Yes(third) = lock.take("two", true, now).await.unwrap() else { panic!("given back") };
    lock.give_back(&third).await.unwrap();
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_dies_with_the_lock() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM1 3389 for 30m").await;
    let how = json!({"crash_before": {"function": "grant"}});
    story.fault(json!({"part": "arm", "method": "PUT", "path": "securityRules", "how": how})).await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "OPENING");
    story.advance(3 * 60).await;
    assert_eq!(story.status(&id).await, "OPEN", "its lease has ended");
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_writes_the_whole_group_all_the_time() {
    let story = Story::begin().await;
    story.world.azure.set(|settings| settings.provisioning_ms = 400);
    let id = story.asked(ANA, "VM1 3389 for 10m").await;
    let path = format!("Microsoft.Network/networkSecurityGroups/{NSG}");
    // As Terraform does: reads all, and writes all back with its own tags.
    let rewrite = async || {
        let (status, mut group) = story.azure.call("GET", &path, None).await;
        assert_eq!(status, 200, "{group}");
        group["tags"] = json!({"by": "terraform"});
        let (status, answer) = story.azure.call("PUT", &path, Some(&group)).await;
        assert!(status == 200, "{answer}");
    };
    let apply = async || {
        for _ in 0..4 {
            rewrite().await;
            tokio::task::yield_now().await;
        }
    };
    futures::join!(story.click(BEA, &id, "approve"), apply());
    story.advance(2 * 60).await;
    assert_eq!(story.status(&id).await, "OPEN", "{}", story.says(&id).await);
    futures::join!(story.to_next_end(), apply());
    story.advance(2 * 60).await;
    assert!(!story.lets_in("VM1", 3389, "203.0.113.7"));
    story.finish().await;
}
