//! A program whose output is read line by line while it runs, and which is ended when it takes too long or has said
//! enough.

use crate::command::line;
use anyhow::{Context, Result};
use std::io::{BufRead as _, BufReader};
use std::ops::ControlFlow;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How long what a program leaves behind may keep its output open, and how long an asked program may take to end.
const GRACE: Duration = Duration::from_secs(2);
/// How often to look whether a silent program is still there.
const LOOK: Duration = Duration::from_millis(50);

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Exited(ExitStatus),
    /// The reader of its lines had enough.
    Stopped,
    TimedOut,
}

impl End {
    /// It did not end by itself: what the table calls that. No slip of the driver may bring the simulator down.
    pub(super) fn abnormal(self) -> Option<&'static str> {
        match self {
            Self::TimedOut => Some("timeout"),
            Self::Exited(status) if status.code().is_none() => Some("CRASH OF THE SIMULATOR"),
            Self::Exited(_) | Self::Stopped => None,
        }
    }

    pub(super) fn is_success(self) -> bool {
        matches!(self, Self::Exited(status) if status.success())
    }
}

/// Runs a program for at most `patience`; each line of its standard output is given to `hear`.
pub(super) fn watch(
    command: &mut Command,
    patience: Duration,
    mut hear: impl FnMut(&str) -> ControlFlow<()>,
) -> Result<End> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().with_context(|| format!("starting {}", line(command)))?;
    let pipe = child.stdout.take().context("a program without output")?;
    let (sender, lines) = mpsc::channel();
    // Ends with the pipe, or with the first line that nobody hears.
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(std::io::Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
                break;
            }
        }
    });
    let deadline = Instant::now() + patience;
    // Set when it has ended: the rest of its output may still be on its way.
    let mut ended: Option<(ExitStatus, Instant)> = None;
    loop {
        match lines.recv_timeout(LOOK) {
            Ok(line) if hear(&line).is_break() => {
                end(&mut child)?;
                return Ok(End::Stopped);
            }
            Err(RecvTimeoutError::Disconnected) if ended.is_none() => std::thread::sleep(LOOK),
            Err(RecvTimeoutError::Disconnected) => ended = ended.map(|(status, _)| (status, Instant::now())),
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
        }
        match ended {
            Some((status, until)) if Instant::now() >= until => return Ok(End::Exited(status)),
            Some(_) => {}
            None => ended = child.try_wait()?.map(|status| (status, Instant::now() + GRACE)),
        }
        if ended.is_none() && Instant::now() > deadline {
            end(&mut child)?;
            return Ok(End::TimedOut);
        }
    }
}

/// Asks a program to end, which removes what it has made outside of itself, and makes it after a while.
fn end(child: &mut Child) -> Result<()> {
    if cfg!(unix) {
        let _ = Command::new("kill").arg(child.id().to_string()).stderr(Stdio::null()).status();
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(LOOK);
        }
    }
    child.kill()?;
    child.wait()?;
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, patience: Duration) -> (End, Vec<String>) {
        let mut heard = Vec::new();
        let end = watch(Command::new("sh").args(["-c", script]), patience, |line| {
            heard.push(line.to_owned());
            if line == "enough" { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        (end.unwrap(), heard)
    }

    const LONG: Duration = Duration::from_mins(5);

    #[test]
    fn lines_are_heard_to_the_end() {
        let (end, heard) = shell("echo one; echo two; exit 3", LONG);
        assert_eq!(heard, ["one", "two"]);
        assert!(!end.is_success() && end.abnormal().is_none());
        assert!(shell("true", LONG).0.is_success());
    }

    #[test]
    fn whoever_has_heard_enough_ends_it() {
        let (end, heard) = shell("echo enough; exec sleep 1000", LONG);
        assert_eq!((end, heard.len()), (End::Stopped, 1));
    }

    #[test]
    fn no_program_takes_for_ever() {
        let (end, _) = shell("exec sleep 1000", Duration::from_millis(100));
        assert_eq!(end.abnormal(), Some("timeout"));
        // Not even one that does not want to be ended.
        assert_eq!(shell("trap '' TERM; while :; do sleep 0.1; done", LOOK).0, End::TimedOut);
    }

    #[test]
    fn a_crash_is_told_from_a_failure() {
        assert_eq!(shell("kill -SEGV $$", LONG).0.abnormal(), Some("CRASH OF THE SIMULATOR"));
    }

    #[test]
    fn what_outlives_a_program_does_not_hold_it_up() {
        let (end, heard) = shell("sleep 20 & echo one", LONG);
        assert!(end.is_success() && heard == ["one"]);
    }
}
