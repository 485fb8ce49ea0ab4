//! The client of QEMU's monitor protocol: one JSON object a line.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
    time::Duration,
};

use serde_json::{Value, json};

/// How long QEMU may take to start, and over an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The connection.
#[derive(Debug)]
pub(super) struct Qmp {
    stream: BufReader<UnixStream>,
}

impl Qmp {
    /// Waits for the greeting and leaves the negotiation of capabilities behind; also QEMU's version.
    pub(super) fn connect(stream: UnixStream) -> io::Result<(Self, String)> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut qmp = Self { stream: BufReader::new(stream) };
        let greeting = qmp.receive()?;
        let version = &greeting["QMP"]["version"]["qemu"];
        let version = ["major", "minor", "micro"].map(|part| version[part].to_string()).join(".");
        qmp.execute("qmp_capabilities", &json!({}))?;
        Ok((qmp, version))
    }

    /// Plugs in or pulls the cable of network back end `name`.
    pub(super) fn set_link(&mut self, name: &str, up: bool) -> io::Result<()> {
        self.execute("set_link", &json!({ "name": name, "up": up }))
    }

    fn execute(&mut self, command: &str, arguments: &Value) -> io::Result<()> {
        let request = json!({ "execute": command, "arguments": arguments });
        self.stream.get_mut().write_all(format!("{request}\n").as_bytes())?;
        loop {
            let answer = self.receive()?;
            if answer.get("return").is_some() {
                return Ok(());
            }
            if let Some(error) = answer.get("error") {
                return Err(io::Error::other(format!("{command}: {error}")));
            }
            // An event.
        }
    }

    fn receive(&mut self) -> io::Result<Value> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        serde_json::from_str(&line).map_err(io::Error::other)
    }
}
