//! What answers on the machines' ports: just enough to see that one got through.

use super::keys::Stored;
use super::ssh;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// What is served on a port of a machine.
#[derive(Clone)]
pub(super) struct Service {
    /// Its name.
    pub(super) machine: String,
    /// What tells it from others of its name.
    pub(super) key: String,
    pub(super) port: u16,
    /// `http`, `ssh`, `rdp` or `winrm`.
    pub(super) name: String,
}

/// What the services have in common.
#[derive(Clone)]
pub(super) struct Shared {
    ssh: Arc<russh::server::Config>,
}

impl Shared {
    pub(super) fn new(keys: &Stored) -> Result<Self, String> {
        Ok(Self { ssh: Arc::new(ssh::config(&keys.ssh_host_seed)?) })
    }
}

/// Longest head of an HTTP request that is read.
const LONGEST_HEAD: usize = 16 * 1024;

/// Serves one connection to its end, or until `closing` says that the machine goes down.
pub(super) async fn serve(
    stream: TcpStream,
    service: &Service,
    shared: &Shared,
    mut closing: watch::Receiver<bool>,
) -> Result<(), String> {
    if service.name == "ssh" {
        return ssh::serve(Arc::clone(&shared.ssh), stream, &service.machine, closing).await;
    }
    let plain = async {
        match service.name.as_str() {
            "http" => http(stream, "200 OK", &[], &website(&service.machine)).await,
            // What WinRM says to somebody who has not logged in.
            "winrm" => http(stream, "401 Unauthorized", &["WWW-Authenticate: Negotiate"], "").await,
            _ => rdp(stream).await,
        }
    };
    tokio::select! {
        outcome = plain => outcome.map_err(|error| error.to_string()),
        () = down(&mut closing) => Ok(()),
    }
}

/// Waits until the machines go down.
pub(super) async fn down(closing: &mut watch::Receiver<bool>) {
    // An error means that whoever could say so is gone, and the machines with it.
    let _ = closing.wait_for(|closing| *closing).await;
}

fn website(machine: &str) -> String {
    format!("<!doctype html><title>Contoso</title><h1>Contoso</h1><p>Served by {machine}.</p>\n")
}

async fn http(mut stream: TcpStream, status: &str, headers: &[&str], body: &str) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        if head.len() > LONGEST_HEAD || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let extra: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    let body = if head.starts_with(b"HEAD ") { "" } else { body };
    let answer = format!(
        "HTTP/1.1 {status}\r\nServer: Microsoft-IIS/10.0\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {length}\r\n{extra}Connection: close\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// The first step of RDP (MS-RDPBCGR 2.2.1.1 and 2.2.1.2): a connection request is confirmed with
/// the old security protocol; what follows is read and not understood.
async fn rdp(mut stream: TcpStream) -> io::Result<()> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).await?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[0] != 3 || !(11..=512).contains(&length) {
        return Ok(());
    }
    let mut request = vec![0; length - header.len()];
    stream.read_exact(&mut request).await?;
    let confirm = [3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0, 8, 0, 0, 0, 0, 0];
    stream.write_all(&confirm).await?;
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}
