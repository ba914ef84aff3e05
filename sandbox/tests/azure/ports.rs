//! The machines' ports, as a client on this machine meets them.

use crate::lab::{Lab, rule, until};
use russh::ChannelMsg;
use russh::client::{self, Handle};
use russh::keys::PublicKeyOrCertificate;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// The two client addresses.
const FIRST: [u8; 4] = [127, 0, 0, 1];
const SECOND: [u8; 4] = [127, 0, 0, 2];

async fn connect(from: [u8; 4], to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(to).await
}

/// What comes back for a request; empty when the connection was dropped.
async fn ask(from: [u8; 4], to: SocketAddr, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = connect(from, to).await?;
    let mut answer = Vec::new();
    if stream.write_all(request).await.is_ok() {
        let _ = stream.read_to_end(&mut answer).await;
    }
    Ok(answer)
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: vm1\r\n\r\n";

struct AnyHost;

impl client::Handler for AnyHost {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

async fn ssh(stream: TcpStream) -> Handle<AnyHost> {
    client::connect_stream(Arc::default(), stream, AnyHost).await.unwrap()
}

async fn run(session: &Handle<AnyHost>, command: &str) -> (String, u32) {
    let mut channel = session.channel_open_session().await.unwrap();
    channel.exec(true, command).await.unwrap();
    let (mut text, mut status) = (Vec::new(), u32::MAX);
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => text.extend_from_slice(&data),
            ChannelMsg::ExitStatus { exit_status } => status = exit_status,
            _ => {}
        }
    }
    (String::from_utf8(text).unwrap(), status)
}

fn doors(lab: &Lab, machine: &str) -> serde_json::Value {
    let state = lab.azure.state();
    state["machines"].as_array().unwrap().iter().find(|one| one["name"] == machine).unwrap()["ports"].clone()
}

#[tokio::test]
async fn the_website_answers_everybody_and_ssh_nobody() {
    let lab = Lab::start().await;
    let web = lab.azure.loopback("VM1", 80).unwrap();
    for from in [FIRST, SECOND] {
        let answer = String::from_utf8(ask(from, web, GET).await.unwrap()).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("Served by VM1"), "{answer}");
    }
    assert!(ask([127, 0, 0, 3], web, GET).await.unwrap().is_empty(), "an address that stands for nobody");
    for (machine, port) in [("VM1", 3389), ("VM2", 3389), ("VM3", 22), ("VM4", 3389)] {
        let refused = connect(FIRST, lab.azure.loopback(machine, port).unwrap()).await;
        assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused, "{machine}:{port}");
    }
    let door = &doors(&lab, "VM3")[0];
    assert_eq!((&door["listening"], &door["lets_in"]), (&json!(false), &json!([])));
    assert_eq!(doors(&lab, "VM1")[0]["lets_in"], json!(["203.0.113.7", "198.51.100.9"]));
}

#[tokio::test]
async fn a_rule_opens_ssh_for_one_address_and_its_end_cuts_nobody_off() {
    let lab = Lab::start().await;
    let at = lab.azure.loopback("vm3", 22).unwrap();
    lab.put_rule("r", &json!({})).await;
    assert_eq!(doors(&lab, "VM3")[0]["lets_in"], json!(["203.0.113.7"]));
    assert_eq!(doors(&lab, "VM3")[0]["address"], at.to_string().as_str());
    assert!(ask(SECOND, at, b"SSH-2.0-x\r\n").await.unwrap().is_empty(), "dropped without a word");

    let mut stranger = ssh(connect(FIRST, at).await.unwrap()).await;
    assert!(!stranger.authenticate_none("root").await.unwrap().success());
    assert!(!stranger.authenticate_password("labuser", "wrong").await.unwrap().success());
    assert!(stranger.authenticate_password("labuser", "labpass").await.unwrap().success());

    let mut session = ssh(connect(FIRST, at).await.unwrap()).await;
    assert!(session.authenticate_none("labuser").await.unwrap().success());
    assert_eq!(run(&session, "hostname").await, ("VM3\n".to_owned(), 0));
    assert_eq!(run(&session, "rm -rf /").await, ("rm: command not found\n".to_owned(), 127));

    lab.delete(&Lab::rule("r")).await;
    assert!(connect(FIRST, at).await.is_err(), "shut before the operation was reported as ended");
    assert_eq!(run(&session, "whoami").await, ("labuser\n".to_owned(), 0), "the session goes on");

    lab.put_rule("r", &json!({"sourceAddressPrefix": "198.51.100.0/24"})).await;
    assert!(ask(FIRST, at, b"SSH-2.0-x\r\n").await.unwrap().is_empty());
    let mut banner = [0; 4];
    connect(SECOND, at).await.unwrap().read_exact(&mut banner).await.unwrap();
    assert_eq!(&banner, b"SSH-", "the same loopback port again");
}

#[tokio::test]
async fn a_shell_answers_line_by_line() {
    let lab = Lab::start().await;
    lab.put_rule("r", &json!({})).await;
    let at = lab.azure.loopback("VM3", 22).unwrap();
    let mut session = ssh(connect(FIRST, at).await.unwrap()).await;
    assert!(session.authenticate_none("labuser").await.unwrap().success());
    let mut channel = session.channel_open_session().await.unwrap();
    channel.request_pty(true, "xterm", 80, 24, 0, 0, &[]).await.unwrap();
    channel.request_shell(true).await.unwrap();
    channel.data(&b"hostnamx\x7fe\rexit\r"[..]).await.unwrap();
    let mut text = Vec::new();
    while let Some(message) = channel.wait().await {
        if let ChannelMsg::Data { data } = message {
            text.extend_from_slice(&data);
        }
    }
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("\r\nVM3\r\nlabuser@VM3:~$ "), "{text}");
}

#[tokio::test]
async fn windows_machines_speak_the_first_words_of_rdp_and_winrm() {
    let lab = Lab::start().await;
    lab.put_rule(
        "r",
        &json!({"destinationAddressPrefix": "10.0.0.5", "destinationPortRange": null,
        "destinationPortRanges": ["3389", "5985"]}),
    )
    .await;
    let mut stream = connect(FIRST, lab.azure.loopback("VM2", 3389).unwrap()).await.unwrap();
    stream.write_all(&[3, 0, 0, 11, 6, 0xe0, 0, 0, 0, 0, 0]).await.unwrap();
    let mut confirm = [0; 19];
    stream.read_exact(&mut confirm).await.unwrap();
    assert_eq!((confirm[0], confirm[5]), (3, 0xd0));
    let answer = ask(FIRST, lab.azure.loopback("VM2", 5985).unwrap(), GET).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 401 "));
    assert!(connect(FIRST, lab.azure.loopback("VM1", 3389).unwrap()).await.is_err(), "not its neighbour");
}

#[tokio::test]
async fn both_groups_must_let_one_in() {
    let lab = Lab::start().await;
    let at = lab.azure.loopback("VM3", 22).unwrap();
    lab.put_rule("r", &json!({})).await;
    lab.azure.add_nsg("Second-NSG");
    lab.azure.associate_nic("VM3-nic", Some("Second-NSG")).await;
    assert!(connect(FIRST, at).await.is_err());
    let second = Lab::rule("r").replace("Contoso-NSG", "Second-NSG");
    assert_eq!(lab.put(&second, &rule(&json!({}))).await.status, 201);
    assert!(connect(FIRST, at).await.is_ok());
    lab.azure.associate_nic("VM3-nic", None).await;
    lab.azure.associate_subnet(None).await;
    let stream = connect(SECOND, lab.azure.loopback("VM4", 3389).unwrap()).await;
    assert!(stream.is_ok(), "no group at all: open to everybody");
}

#[tokio::test]
async fn shutting_down_ends_ports_and_sessions() {
    let lab = Lab::start().await;
    lab.put_rule("r", &json!({})).await;
    let at = lab.azure.loopback("VM3", 22).unwrap();
    let mut session = ssh(connect(FIRST, at).await.unwrap()).await;
    assert!(session.authenticate_none("labuser").await.unwrap().success());
    lab.azure.shutdown().await;
    assert!(connect(FIRST, at).await.is_err());
    until("the session ends", || async { session.is_closed() }).await;
}
