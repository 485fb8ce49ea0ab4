//! Faults of the driver's code: register accesses, privileged instructions, and crashes.

use std::fmt;
use std::os::fd::RawFd;

use super::Machine;

/// The end of a run by the driver's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash {
    /// What happened.
    pub reason: String,
    /// The faulting instruction or call, and what the stack tells of its callers.
    pub stack: Vec<String>,
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        for frame in &self.stack {
            write!(f, "\n    at {frame}")?;
        }
        Ok(())
    }
}

pub(super) fn install() {}

/// The descriptors of `fds` that can be read, after at most `timeout` nanoseconds.
pub(super) fn poll(fds: &[RawFd], timeout: u64) -> Vec<RawFd> {
    let mut polled: Vec<libc::pollfd> =
        fds.iter().map(|&fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 }).collect();
    let timeout = libc::timespec {
        tv_sec: i64::try_from(timeout / 1_000_000_000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(timeout % 1_000_000_000).unwrap_or(0),
    };
    // SAFETY: the array has the length given, the timeout outlives the call, and no signal mask is passed.
    unsafe {
        libc::ppoll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, &raw const timeout, std::ptr::null())
    };
    polled.iter().filter(|polled| polled.revents != 0).map(|polled| polled.fd).collect()
}

impl Machine {
    /// The crash that ended the run, if one did.
    pub fn crash(&self) -> Option<Crash> {
        self.crash.borrow().clone()
    }

    /// Ends the run: the current activity never goes on, and [`Machine::run_until`] reports `reason`.
    ///
    /// # Panics
    /// In host context.
    pub fn stop(&self, reason: String) -> ! {
        self.log(format_args!("stop: {reason}"));
        self.crash.replace(Some(Crash { reason, stack: self.call_stack() }));
        self.halt_activity()
    }
}
