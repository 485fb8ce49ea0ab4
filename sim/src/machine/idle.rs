//! What a machine does when no processor has anything to do: time passes, descriptors are watched.

use std::os::fd::RawFd;
use std::rc::Rc;

use super::Machine;
use super::activity::State;
use super::poll::poll;

impl Machine {
    /// Has `callback` called in host context whenever `fd` can be read, while the machine runs in real time.
    pub fn register_fd(&self, fd: RawFd, callback: impl Fn() + 'static) {
        self.scheduler.fds.borrow_mut().insert(fd, Rc::new(callback));
    }

    /// Forgets a file descriptor.
    pub fn unregister_fd(&self, fd: RawFd) {
        self.scheduler.fds.borrow_mut().remove(&fd);
    }

    /// Nothing can run: lets time pass until something can. False if nothing ever will.
    pub(super) fn idle(&self) -> bool {
        let stalls = self.scheduler.cpus.borrow();
        let stall = stalls
            .iter()
            .filter_map(|cpu| match cpu.stack.last()?.state.get() {
                State::Stalling(until) => Some(until),
                _ => None,
            })
            .min();
        drop(stalls);
        let next = [stall, self.clock.next()].into_iter().flatten().min();
        if self.config().real_time {
            return self.poll_fds(next) || next.is_some();
        }
        let Some(next) = next else { return false };
        self.clock.advance_to(next.min(super::clock::nanoseconds(self.config().limit).saturating_add(1)));
        true
    }

    /// Calls the callbacks of readable descriptors, after waiting for one until `until` at most (a tenth of a second
    /// if `None`). Returns whether there are descriptors to wait for.
    pub(super) fn poll_fds(&self, until: Option<u64>) -> bool {
        const LONGEST: u64 = 100_000_000;
        if !self.config().real_time {
            return false;
        }
        let fds: Vec<RawFd> = self.scheduler.fds.borrow().keys().copied().collect();
        let timeout = until.map_or(LONGEST, |until| until.saturating_sub(self.clock.now()).min(LONGEST));
        for fd in poll(&fds, timeout) {
            let callback = self.scheduler.fds.borrow().get(&fd).cloned();
            if let Some(callback) = callback {
                callback();
            }
        }
        !fds.is_empty()
    }
}
