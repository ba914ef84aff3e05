//! The SSH server of the Linux machine: lets `labuser` in and runs a few harmless commands.

use super::services;
use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, Disconnect, MethodKind, MethodSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// The only user.
const USER: &str = "labuser";
/// Who prefers to type one can log in with it too; the door is the port, not the password.
const PASSWORD: &str = "labpass";

/// The server's configuration; `seed` is the host key's, hexadecimal, so that the key stays the same.
pub(super) fn config(seed: &str) -> Result<Config, String> {
    let seed: [u8; 32] = hex::decode(seed)
        .ok()
        .and_then(|seed| seed.try_into().ok())
        .ok_or("the SSH host key's seed has not 32 bytes")?;
    let methods = [MethodKind::None, MethodKind::PublicKey, MethodKind::Password];
    Ok(Config {
        keys: vec![PrivateKey::from(Ed25519Keypair::from_seed(&seed))],
        methods: MethodSet::from(&methods[..]),
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        inactivity_timeout: Some(Duration::from_secs(3600)),
        ..Config::default()
    })
}

/// Serves one connection to its end, or until the machine goes down. The session runs in a task of
/// its own, so it has to be told.
pub(super) async fn serve(
    config: Arc<Config>,
    stream: TcpStream,
    machine: &str,
    mut closing: watch::Receiver<bool>,
) -> Result<(), String> {
    let login = Login { machine: machine.to_owned(), line: Vec::new(), shell: None };
    let session =
        russh::server::run_stream(config, stream, login).await.map_err(|error| error.to_string())?;
    let handle = session.handle();
    tokio::select! {
        outcome = session => return outcome.map_err(|error| error.to_string()),
        () = services::down(&mut closing) => {}
    }
    handle
        .disconnect(Disconnect::ByApplication, "the machine goes down".to_owned(), "en".to_owned())
        .await
        .map_err(|error| error.to_string())
}

struct Login {
    machine: String,
    /// What was typed since the last line end.
    line: Vec<u8>,
    /// The channel with a shell.
    shell: Option<ChannelId>,
}

/// The answer to a command and its exit status.
fn execute(machine: &str, command: &str) -> (String, u32) {
    match command.trim() {
        "" => (String::new(), 0),
        "hostname" => (format!("{machine}\n"), 0),
        "whoami" => (format!("{USER}\n"), 0),
        "id" => (format!("uid=1000({USER}) gid=1000({USER}) groups=1000({USER})\n"), 0),
        "pwd" => (format!("/home/{USER}\n"), 0),
        "uname" => ("Linux\n".to_owned(), 0),
        "uptime" => (" up 1 day,  1 user,  load average: 0.00, 0.00, 0.00\n".to_owned(), 0),
        "true" => (String::new(), 0),
        "false" => (String::new(), 1),
        other => match other.strip_prefix("echo ") {
            Some(text) => (format!("{text}\n"), 0),
            None => (format!("{}: command not found\n", other.split(' ').next().unwrap_or(other)), 127),
        },
    }
}

impl Login {
    fn prompt(&self) -> String {
        format!("{USER}@{}:~$ ", self.machine)
    }

    fn known(user: &str) -> Auth {
        if user == USER { Auth::Accept } else { Auth::reject() }
    }

    /// One line typed into the shell. Answers whether the shell goes on.
    fn typed(&self, channel: ChannelId, line: &str, session: &mut Session) -> Result<bool, russh::Error> {
        if matches!(line.trim(), "exit" | "logout") {
            return Ok(false);
        }
        let (answer, _) = execute(&self.machine, line);
        session.data(channel, format!("{answer}{}", self.prompt()).replace('\n', "\r\n").into_bytes())?;
        Ok(true)
    }
}

fn end(channel: ChannelId, status: u32, session: &mut Session) -> Result<(), russh::Error> {
    session.exit_status_request(channel, status)?;
    session.eof(channel)?;
    session.close(channel)
}

impl Handler for Login {
    type Error = russh::Error;

    async fn auth_none(&mut self, user: &str) -> Result<Auth, Self::Error> {
        Ok(Self::known(user))
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        Ok(if password == PASSWORD { Self::known(user) } else { Auth::reject() })
    }

    async fn auth_publickey(&mut self, user: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        Ok(Self::known(user))
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(russh::Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)?;
        let (answer, status) = execute(&self.machine, &String::from_utf8_lossy(command));
        session.data(channel, answer.into_bytes())?;
        end(channel, status, session)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        session.channel_success(channel)?;
        self.shell = Some(channel);
        let greeting =
            format!("Welcome to {}, a machine of the simulated lab.\r\n{}", self.machine, self.prompt());
        session.data(channel, greeting.into_bytes())
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if self.shell != Some(channel) {
            return Ok(());
        }
        for byte in data {
            match byte {
                // Ctrl-C and Ctrl-D.
                3 | 4 => return end(channel, 0, session),
                b'\r' | b'\n' => {
                    let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
                    session.data(channel, &b"\r\n"[..])?;
                    if !self.typed(channel, &line, session)? {
                        return end(channel, 0, session);
                    }
                }
                8 | 127 => {
                    if self.line.pop().is_some() {
                        session.data(channel, &b"\x08 \x08"[..])?;
                    }
                }
                other => {
                    self.line.push(*other);
                    session.data(channel, vec![*other])?;
                }
            }
        }
        Ok(())
    }

    async fn channel_eof(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        if self.shell == Some(channel) { end(channel, 0, session) } else { Ok(()) }
    }
}
