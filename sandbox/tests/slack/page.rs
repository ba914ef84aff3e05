//! The page's routes, and who may not use them.

use crate::modals::{machines, modal};
use crate::{CHANNEL, Got, Reply, World, card};
use serde_json::{Value, json};

async fn send(world: &World, path: &str, body: &Value, headers: &[(&str, &str)]) -> Got {
    let mut request = world.client.post(format!("{}{path}", world.page)).body(body.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    world.got(request).await
}

const JSON: (&str, &str) = ("content-type", "application/json");

fn typed(text: &str) -> Value {
    json!({ "as": "U0ANA", "channel": CHANNEL, "text": text })
}

#[tokio::test]
async fn files_come_with_a_policy_that_lets_nothing_else_in() {
    let world = World::new().await;
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/blocks.js", "text/javascript; charset=utf-8"),
        ("/elements.js", "text/javascript; charset=utf-8"),
        ("/modal.js", "text/javascript; charset=utf-8"),
        ("/mrkdwn.js", "text/javascript; charset=utf-8"),
        ("/network.js", "text/javascript; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        let got = world.got(world.client.get(format!("{}{path}", world.page))).await;
        assert_eq!((got.status, got.headers["content-type"].to_str().unwrap()), (200, kind));
        assert!(got.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'self';"));
        assert_eq!(got.headers["x-content-type-options"], "nosniff");
        assert!(!got.text.contains("innerHTML"), "{path}: text never becomes markup");
    }
}

#[tokio::test]
async fn a_person_types_reads_and_clicks() {
    let world = World::new().await;
    world.reply(Reply::Json(json!({ "text": "asked" })));
    let got = send(&world, "/page/command", &typed(" /jit  VM3 22 "), &[JSON]).await;
    assert_eq!((got.status, got.json()), (200, json!({ "ok": true, "error": null })));
    assert_eq!(world.last_sent().fields()["text"], "VM3 22");
    let ts = world.done("chat.postMessage", card()).await["ts"].clone();
    let state = world.got(world.client.get(format!("{}/page/state?as=U0ANA", world.page))).await.json();
    assert_eq!((&state["as"], &state["own_messages"]), (&json!("U0ANA"), &json!("D0ANA")));
    assert_eq!(state["now_ms"], crate::START_MS);
    assert_eq!(state["network"], json!({ "nsgs": [], "machines": [] }));
    let conversations = state["chat"]["conversations"].as_array().unwrap();
    let channel = conversations.iter().find(|known| known["id"] == CHANNEL).unwrap();
    assert_eq!(channel["messages"].as_array().unwrap().len(), 3);
    let nobody = world.got(world.client.get(format!("{}/page/state?as=U0NOBODY", world.page))).await;
    assert_eq!(nobody.status, 404);
    world.reply(Reply::Text(200, String::new()));
    let mut click =
        json!({ "as": "U0BEA", "channel": CHANNEL, "ts": ts, "block_id": "decide", "action_id": "approve" });
    assert_eq!(send(&world, "/page/click", &click, &[JSON]).await.json()["ok"], true);
    click["action_id"] = json!("nothing");
    assert_eq!(send(&world, "/page/click", &click, &[JSON]).await.status, 409);
    assert_eq!(send(&world, "/page/command", &typed("hello"), &[JSON]).await.status, 200);
    assert_eq!(world.seen("U0BEA", CHANNEL).last().unwrap()["text"], "hello");
    assert_eq!(send(&world, "/page/command", &typed("/jot VM3"), &[JSON]).await.status, 400);
    assert_eq!(send(&world, "/page/command", &typed("  "), &[JSON]).await.status, 400);
}

#[tokio::test]
async fn a_person_submits_and_closes_a_modal() {
    let world = World::new().await;
    let state = async |viewer: &str| {
        let url = format!("{}/page/state?as={viewer}", world.page);
        world.got(world.client.get(url)).await.json()["chat"]["view"].clone()
    };
    let opened = world.open("U0ANA", modal()).await;
    assert_eq!((state("U0ANA").await, state("U0BEA").await), (opened, Value::Null));
    let submit = async |values: Value| {
        let body = json!({ "as": "U0ANA", "values": values });
        let got = send(&world, "/page/view/submit", &body, &[JSON]).await;
        assert_eq!(got.status, 200, "{}", got.text);
        got.json()
    };
    // Slack's own refusals and the app's look alike.
    let missing = json!({ "machines": "Please complete this required field." });
    assert_eq!(submit(json!({})).await, json!({ "ok": false, "error": null, "errors": missing }));
    let errors = json!({ "time": "not so long" });
    world.reply(Reply::Json(json!({ "response_action": "errors", "errors": errors })));
    let chosen = machines(&["VM1"]);
    assert_eq!(submit(chosen.clone()).await, json!({ "ok": false, "error": null, "errors": errors }));
    world.reply(Reply::Text(500, String::new()));
    let trouble = json!({ "ok": false, "error": "http_service_error", "errors": {} });
    assert_eq!(submit(chosen.clone()).await, trouble);
    assert!(!state("U0ANA").await.is_null());
    world.reply(Reply::Text(200, String::new()));
    assert_eq!(submit(chosen.clone()).await, json!({ "ok": true, "error": null, "errors": {} }));
    assert_eq!(state("U0ANA").await, Value::Null);
    world.open("U0ANA", modal()).await;
    let close = json!({ "as": "U0ANA" });
    let got = send(&world, "/page/view/close", &close, &[JSON]).await;
    assert_eq!((got.status, got.json()), (200, json!({ "ok": true, "error": null })));
    assert_eq!(state("U0ANA").await, Value::Null);
    let gone = send(&world, "/page/view/close", &close, &[JSON]).await;
    assert_eq!((gone.status, gone.error()), (409, "no modal is open for this person".to_owned()));
    let body = json!({ "as": "U0ANA", "values": chosen });
    assert_eq!(send(&world, "/page/view/submit", &body, &[JSON]).await.status, 409);
    for wrong in [json!({ "as": "U0ANA" }), json!({ "as": "U0ANA", "values": { "machines": 7 } })] {
        assert_eq!(send(&world, "/page/view/submit", &wrong, &[JSON]).await.status, 400);
    }
}

#[tokio::test]
async fn other_sites_are_kept_out() {
    let world = World::new().await;
    let body = typed("/jit VM3 22");
    let own = world.page.clone();
    let port = own.rsplit(':').next().unwrap();
    let local = format!("localhost:{port}");
    let local_origin = format!("http://{local}");
    let own_origin = [JSON, ("origin", own.as_str()), ("sec-fetch-site", "same-origin")];
    let by_name = [JSON, ("host", local.as_str()), ("origin", local_origin.as_str())];
    for allowed in [&own_origin[..], &by_name[..], &[JSON][..]] {
        assert_eq!(send(&world, "/page/command", &body, allowed).await.status, 200);
    }
    let before = world.sent.lock().unwrap().len();
    let refused: [(&[(&str, &str)], u16); 7] = [
        (&[JSON, ("origin", "https://evil.example")], 403),
        (&[JSON, ("origin", "null")], 403),
        (&[JSON, ("sec-fetch-site", "cross-site")], 403),
        (&[JSON, ("sec-fetch-site", "same-site")], 403),
        (&[JSON, ("host", "evil.example")], 403),
        (&[("content-type", "text/plain")], 415),
        (&[("content-type", "application/x-www-form-urlencoded")], 415),
    ];
    for path in ["/page/command", "/page/click", "/page/view/submit", "/page/view/close"] {
        for (headers, status) in refused {
            assert_eq!(send(&world, path, &body, headers).await.status, status, "{path} {headers:?}");
        }
    }
    assert_eq!(world.sent.lock().unwrap().len(), before, "nothing was sent to the app");
    // A name that was made to point here must not read anything either.
    for host in ["evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example"] {
        let request = world.client.get(format!("{}/page/state?as=U0ANA", world.page)).header("host", host);
        assert_eq!(world.got(request).await.status, 403, "{host}");
    }
}
