//! A far end that collects the frames of sessions and has them all arrive at the card at once.

use std::{cell::Cell, collections::VecDeque, os::fd::RawFd, rc::Rc, time::Duration};

use super::{
    Wire,
    frame::{Frame, SESSION},
};

/// How a script tells a [`Burst`] to collect.
#[derive(Clone, Debug, Default)]
pub struct Control(Rc<Cell<u32>>);

impl Control {
    /// Has the next so many frames of sessions arrive together, when the last of them is there.
    pub fn collect(&self, frames: u32) {
        self.0.set(frames);
    }

    /// Ends the wait for frames that do not come: those that are there arrive when the card looks next.
    pub fn release(&self) {
        self.0.set(0);
    }
}

/// A wire whose frames of sessions can be collected.
pub struct Burst {
    inner: Box<dyn Wire>,
    /// How many more frames are waited for.
    wanted: Control,
    held: VecDeque<Vec<u8>>,
}

impl Burst {
    /// Collects what comes from `inner`, as `control` says.
    pub fn new(inner: Box<dyn Wire>, control: Control) -> Self {
        Self { inner, wanted: control, held: VecDeque::new() }
    }
}

impl Wire for Burst {
    fn send(&mut self, now: Duration, frame: &[u8]) {
        self.inner.send(now, frame);
    }

    fn receive(&mut self, now: Duration) -> Option<Vec<u8>> {
        while self.wanted.0.get() != 0 {
            let frame = self.inner.receive(now)?;
            if Frame::parse(&frame).is_none_or(|frame| frame.ethertype != SESSION) {
                return Some(frame);
            }
            self.held.push_back(frame);
            self.wanted.0.set(self.wanted.0.get() - 1);
        }
        self.held.pop_front().or_else(|| self.inner.receive(now))
    }

    fn deadline(&self) -> Option<Duration> {
        let due = self.wanted.0.get() == 0 && !self.held.is_empty();
        if due { Some(Duration::ZERO) } else { self.inner.deadline() }
    }

    fn fd(&self) -> Option<RawFd> {
        self.inner.fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::{DISCOVERY, code};

    /// Brings frames one after the other, a millisecond apart.
    struct Stream(VecDeque<Vec<u8>>, Duration);

    impl Wire for Stream {
        fn send(&mut self, _now: Duration, _frame: &[u8]) {}

        fn receive(&mut self, now: Duration) -> Option<Vec<u8>> {
            let frame = (self.1 <= now).then(|| self.0.pop_front()).flatten()?;
            self.1 += Duration::from_millis(1);
            Some(frame)
        }

        fn deadline(&self) -> Option<Duration> {
            (!self.0.is_empty()).then_some(self.1)
        }

        fn fd(&self) -> Option<RawFd> {
            None
        }
    }

    fn frame(ethertype: u16, session: u16) -> Vec<u8> {
        let (destination, source, payload) = ([2; 6], [4; 6], vec![0; 46]);
        Frame { destination, source, ethertype, code: code::DATA, session, payload }.to_bytes()
    }

    /// What arrives, and when in milliseconds: the session of each frame, 0 for a discovery frame.
    fn arrivals(collect: u32, release: bool) -> Vec<(u128, u16)> {
        let frames =
            [1, 0, 2, 3, 4].map(|session| frame(if session == 0 { DISCOVERY } else { SESSION }, session));
        let control = Control::default();
        let mut burst = Burst::new(Box::new(Stream(frames.into(), Duration::ZERO)), control.clone());
        control.collect(collect);
        let (mut now, mut seen) = (Duration::ZERO, Vec::new());
        while let Some(at) = burst.deadline() {
            now = now.max(at);
            while let Some(bytes) = burst.receive(now) {
                seen.push((now.as_millis(), Frame::parse(&bytes).expect("whole").session));
            }
            if release && now.as_millis() == 3 {
                control.release();
            }
        }
        seen
    }

    #[test]
    fn so_many_frames_arrive_at_once() {
        assert_eq!(arrivals(0, false), [(0, 1), (1, 0), (2, 2), (3, 3), (4, 4)]);
        assert_eq!(arrivals(3, false), [(1, 0), (3, 1), (3, 2), (3, 3), (4, 4)]);
    }

    #[test]
    fn what_does_not_come_is_waited_for_until_it_is_released() {
        assert_eq!(arrivals(9, false), [(1, 0)]);
        assert_eq!(arrivals(9, true), [(1, 0), (3, 1), (3, 2), (3, 3), (4, 4)]);
    }
}
