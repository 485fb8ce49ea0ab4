//! What this program is when a real peer starts it: `pppd` of a server, or the first process of a machine.
//!
//! The server runs `pppd pty "COMMAND" ...`, where COMMAND is its relay between the session and the pseudo terminal
//! that `pppd` would make. Here the relay's output becomes its input, so that every PPP frame of the host goes back.

use std::{
    ffi::OsString,
    io,
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
};

use super::machine::init;

/// Set in the peer's environment; it makes a program that calls [`run`] the stand-in.
pub const VARIABLE: &str = "NDIS_SIM_PPPD_STAND_IN";
/// Its value for sessions that send back what they receive.
pub const ECHO: &str = "echo";
/// Its value for sessions that do nothing until they are ended.
pub const IDLE: &str = "idle";
/// Its value for the first process of a [`LinuxHost`](super::LinuxHost).
pub(super) const INIT: &str = "init";

/// To be called first in `main`: when a real peer started the process, becomes what the peer needs and returns only on
/// failure; otherwise `None`.
pub fn run() -> Option<ExitCode> {
    let kind = std::env::var_os(VARIABLE)?;
    if kind == INIT {
        return Some(init::run());
    }
    let command = relay_command(std::env::args_os().skip(1))?;
    if kind == IDLE {
        loop {
            std::thread::park();
        }
    }
    let error = match echo(&command) {
        Ok(never) => never,
        Err(error) => error,
    };
    eprintln!("pppd stand-in: {error}");
    Some(ExitCode::FAILURE)
}

/// The argument after `pty`.
fn relay_command(mut arguments: impl Iterator<Item = OsString>) -> Option<OsString> {
    arguments.find(|argument| argument == "pty")?;
    arguments.next()
}

/// Replaces this process by the relay with its output tied to its input; gives the error if that fails.
fn echo(command: &OsString) -> io::Result<io::Error> {
    let (reader, writer) = io::pipe()?;
    let mut line = OsString::from("exec ");
    line.push(command);
    Ok(Command::new("/bin/sh").arg("-c").arg(line).env_remove(VARIABLE).stdin(reader).stdout(writer).exec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relay_is_what_follows_pty() {
        let arguments = |list: &[&str]| list.iter().map(OsString::from).collect::<Vec<_>>().into_iter();
        let found = relay_command(arguments(&["pty", "/usr/sbin/pppoe -n", "file", "x"]));
        assert_eq!(found, Some(OsString::from("/usr/sbin/pppoe -n")));
        assert_eq!(relay_command(arguments(&["nodetach"])), None);
    }
}
