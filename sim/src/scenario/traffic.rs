//! Frames on every call, each of which has to come back.

use std::{rc::Rc, time::Duration};

use super::{
    dialler::{HDLC, Record},
    story::{PATIENCE, Story, step},
};
use crate::{
    machine::{DISPATCH_LEVEL, Machine, PASSIVE_LEVEL},
    ndis::{Frames, Vc, client, wait_for},
};

/// Time without any frame after which the missing ones are given up.
const SILENCE: Duration = Duration::from_secs(5);
/// Frames of all calls that may be under way; fewer than the receive buffers a driver has by default.
const WINDOW: usize = 128;
/// The same with a real peer: each relay of rp-pppoe has a socket with the system's default buffer (208 KiB), and
/// sees the frames of all sessions in it.
const REAL_WINDOW: usize = 32;
/// Frames given to the driver at once.
const BATCH: u32 = 8;

impl Story {
    /// Sends the frames of all calls and waits for them to come back.
    pub(super) fn exchange(&self, vcs: &[Rc<Vc>]) {
        let window = if self.scenario.peer.is_real() { REAL_WINDOW } else { WINDOW };
        let window = (window / vcs.len().max(1)).max(1);
        while !self.removed.get() {
            let mut busy = false;
            for vc in vcs {
                busy |= self.feed(vc, window);
            }
            if !busy {
                break;
            }
            let progress = || -> (u64, usize) {
                let records = || vcs.iter().map(|vc| Record::of(vc));
                let received = records().map(|record| record.received.get()).sum();
                (received, records().filter(|record| record.is_up()).count())
            };
            let before = progress();
            if !wait_for(SILENCE, || progress() != before || self.removed.get()) {
                break;
            }
        }
        self.burst(vcs);
        // What is under way when a call ends is nobody's loss: count what came, and let sends end.
        wait_for(PATIENCE, || vcs.iter().all(|vc| Record::of(vc).in_driver.get() == 0));
        let total = |count: fn(&Record) -> u64| vcs.iter().map(|vc| count(&Record::of(vc))).sum::<u64>();
        let (sent, received) =
            (total(|record| u64::from(record.sent.get())), total(|record| record.received.get()));
        let missing: usize = vcs.iter().map(|vc| Record::of(vc).pattern.missing()).sum();
        self.tale.frames_sent.set(sent);
        self.tale.frames_received.set(received);
        step(format!("{sent} frames sent, {received} came back as sent, {missing} missing"));
    }

    /// Gives the driver as many frames of the call as the window allows; `false` once nothing is left to do.
    fn feed(&self, vc: &Rc<Vc>, window: usize) -> bool {
        let record = Record::of(vc);
        if !record.is_up() {
            return false;
        }
        let left = (self.scenario.frames - record.sent.get()) as usize;
        let missing = record.pattern.missing();
        let now = left.min(window.saturating_sub(missing));
        if now == 0 {
            return missing != 0;
        }
        Self::give(vc, u32::try_from(now).unwrap_or(u32::MAX));
        true
    }

    /// Gives the driver some of `most` new frames of a call; how many.
    pub(super) fn give(vc: &Rc<Vc>, most: u32) -> u32 {
        let record = Record::of(vc);
        let now = most.min(BATCH);
        let frames = (0..now).map(|_| [&HDLC[..], &record.pattern.next()].concat());
        let frames = Frames::singles(frames.collect::<Vec<_>>());
        record.sent.set(record.sent.get() + now);
        record.in_driver.set(record.in_driver.get() + now);
        send_at_some_irql(vc, &frames);
        now
    }
}

/// Protocols send at any IRQL up to `DISPATCH_LEVEL`: so does the script, by the seed.
fn send_at_some_irql(vc: &Rc<Vc>, frames: &Frames) {
    let machine = Machine::current();
    if machine.chance(1, 2) {
        machine.raise_irql(DISPATCH_LEVEL);
        client::send(vc, frames);
        machine.lower_irql(PASSIVE_LEVEL);
    } else {
        client::send(vc, frames);
    }
}
