//! Waiting for file descriptors.

use std::os::fd::RawFd;

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
