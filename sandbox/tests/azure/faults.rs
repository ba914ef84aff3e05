//! Failures on order, as the caller sees them.

use crate::lab::{Lab, rule, until};
use sandbox::faults::{How, Part};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
async fn a_connection_that_is_cut_carries_not_one_byte() {
    let lab = Lab::start().await;
    lab.fail(Part::Arm, Some("GET"), How::CutBefore);
    let address = lab.arm.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream
        .write_all(format!("GET {} HTTP/1.1\r\nHost: {address}\r\n\r\n", Lab::nsg()).as_bytes())
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn a_cut_write_was_or_was_not_carried_out_or_is_later() {
    let lab = Lab::start().await;
    let bearer = format!("Bearer {}", lab.azure.owner_token());
    let put = async |how: How| {
        lab.fail(Part::Arm, Some("PUT"), how);
        let body = Some(rule(&json!({})).to_string());
        lab.arm_raw("PUT", &Lab::rule("r"), &[("authorization", &bearer)], body).await
    };
    assert!(put(How::CutBefore).await.is_err());
    assert_eq!(lab.get(&Lab::rule("r")).await.status, 404);
    assert!(put(How::CutAfter).await.is_err());
    assert_eq!(lab.get(&Lab::rule("r")).await.status, 200);
    lab.delete(&Lab::rule("r")).await;
    assert!(put(How::Late { milliseconds: 20 }).await.is_err());
    until("the late write lands", || async { lab.get(&Lab::rule("r")).await.status == 200 }).await;
    assert_eq!(put(How::Slow { milliseconds: 1 }).await.unwrap().status, 200);
    assert!(lab.faults.take(Part::Arm, "PUT", "/").is_none(), "all orders were used up");
}

#[tokio::test]
async fn an_ordered_answer_replaces_the_call() {
    let lab = Lab::start().await;
    let headers = [("Retry-After".to_owned(), "7".to_owned())].into();
    let body = json!({"error": {"code": "SubscriptionRequestsThrottled", "message": "no"}});
    lab.fail(Part::Arm, None, How::Answer { status: 429, headers, body });
    let answer = lab.put_rule("r", &json!({})).await;
    assert_eq!((answer.status, answer.headers["retry-after"].as_str()), (429, "7"));
    assert_eq!(answer.code(), "SubscriptionRequestsThrottled");
    assert_eq!(lab.get(&Lab::rule("r")).await.status, 404);
}

#[tokio::test]
async fn an_operation_can_end_badly() {
    let lab = Lab::start().await;
    let ends =
        |status: &str, code: &str| How::OperationEnds { status: status.to_owned(), code: code.to_owned() };
    lab.fail(Part::Arm, Some("PUT"), ends("Failed", "InternalServerError"));
    let put = lab.put_rule("r", &json!({})).await;
    assert_eq!(put.status, 201);
    let polled = lab.get(&put.headers["azure-asyncoperation"]).await.json();
    assert_eq!(
        (&polled["status"], &polled["error"]["code"]),
        (&json!("Failed"), &json!("InternalServerError"))
    );
    assert_eq!(lab.get(&Lab::rule("r")).await.json()["properties"]["provisioningState"], "Failed");
    assert!(!lab.azure.reaches([203, 0, 113, 7].into(), "VM3", 22, "Tcp"), "not in force");
    lab.put_rule("other", &json!({"priority": 201, "destinationPortRange": "23"})).await;
    assert!(
        lab.azure.reaches([203, 0, 113, 7].into(), "VM3", 22, "Tcp"),
        "the next write brings it into force"
    );

    lab.fail(Part::Arm, Some("DELETE"), ends("Failed", "InternalServerError"));
    let deleted = lab.delete(&Lab::rule("r")).await;
    assert_eq!(lab.get(&deleted.headers["location"]).await.status, 409);
    assert!(lab.azure.reaches([203, 0, 113, 7].into(), "VM3", 22, "Tcp"), "still there");

    lab.fail(Part::Arm, Some("PUT"), ends("Canceled", "CanceledAndSupersededDueToAnotherOperation"));
    let put = lab.put_rule("third", &json!({"priority": 202})).await;
    assert_eq!(lab.get(&put.headers["azure-asyncoperation"]).await.json()["status"], "Canceled");
    assert_eq!(lab.get(&Lab::rule("third")).await.status, 404);
}

#[tokio::test]
async fn entra_and_sts_fail_on_order_and_apart() {
    let lab = Lab::start().await;
    lab.fail(Part::Sts, None, How::CutBefore);
    assert!(lab.post("/", &[], &[]).await.is_err());
    assert_eq!(lab.post("/", &[], &[]).await.unwrap().status, 403);
    let body = json!({"error": "temporarily_unavailable"});
    lab.fail(Part::Entra, None, How::Answer { status: 503, headers: [].into(), body });
    assert_eq!(lab.post("/", &[], &[]).await.unwrap().status, 403, "the order is for Entra");
    assert_eq!(lab.post("/t/oauth2/v2.0/token", &[], &[]).await.unwrap().status, 503);
}
