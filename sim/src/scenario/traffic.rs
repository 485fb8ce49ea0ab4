//! Frames on every call, each of which has to come back.

use std::{rc::Rc, time::Duration};

use super::{
    dialler::Record,
    story::{PATIENCE, Story, step},
    totals::Totals,
};
use crate::{
    machine::{DISPATCH_LEVEL, Machine, PASSIVE_LEVEL},
    ndis::{Frames, Vc, client},
};

/// Time without any frame after which the missing ones are given up.
const SILENCE: Duration = Duration::from_secs(5);
/// Frames of all calls that may be under way; fewer than the receive buffers a driver has by default.
const WINDOW: usize = 128;
/// The same with a real peer: each relay of rp-pppoe has a socket with the system's default buffer (208 KiB), and
/// sees the frames of all sessions in it.
const REAL_WINDOW: usize = 32;
/// Most frames given to the driver at once.
const BATCH: usize = 16;

impl Story {
    /// Sends the frames of all calls and waits for them to come back. The calls take turns.
    pub(super) fn exchange(&self, vcs: &[Rc<Vc>]) {
        let totals = &self.totals;
        let window = if self.scenario.peer.is_real() { REAL_WINDOW } else { WINDOW };
        // A call whose frames are lost must not use the others' share up.
        let share = (window / vcs.len().max(1)).max(BATCH);
        totals.turn.replace(vcs.iter().cloned().collect());
        while !self.removed.get() {
            // Not frame by frame as they come back: a whole batch has room.
            while totals.missing.get() + BATCH <= window
                && let Some(vc) = {
                    let mut turn = totals.turn.borrow_mut();
                    turn.pop_front()
                }
            {
                self.feed(&vc, window, share);
            }
            if totals.missing.get() == 0 && totals.turn.borrow().is_empty() {
                break;
            }
            let before = (totals.received.get(), totals.up.get());
            let changed = |totals: &Totals| (totals.received.get(), totals.up.get()) != before;
            if !self.wait_for(SILENCE, |totals| changed(totals) || self.removed.get()) {
                break;
            }
        }
        totals.turn.take();
        self.burst(vcs);
        // Let sends end.
        self.wait_for(PATIENCE, |totals| totals.in_driver.get() == 0);
        let missing: usize = vcs.iter().map(|vc| Record::of(vc).pattern.missing()).sum();
        let (sent, received) = (totals.sent.get(), totals.received.get());
        self.tale.frames_sent.set(sent);
        self.tale.frames_received.set(received);
        step(format!("{sent} frames sent, {received} came back as sent, {missing} missing"));
    }

    /// Gives the driver some of the call's frames, as many as there is room for at most, and has it take its turn
    /// again while there are more.
    fn feed(&self, vc: &Rc<Vc>, window: usize, share: usize) {
        let record = Record::of(vc);
        let left = self.scenario.frames.saturating_sub(record.sent()) as usize;
        if !record.is_up() || left == 0 {
            return;
        }
        let missing = record.pattern.missing();
        let room = share.saturating_sub(missing).min(window.saturating_sub(self.totals.missing.get()));
        if room == 0 {
            record.sit_out();
            return;
        }
        if left > Self::give(vc, left.min(room)) {
            self.totals.turn.borrow_mut().push_back(Rc::clone(vc));
        }
    }

    /// Gives the driver some of `most` new frames of a call that is up; how many.
    pub(super) fn give(vc: &Rc<Vc>, most: usize) -> usize {
        let batch = 1 + usize::try_from(Machine::current().below(BATCH as u64)).unwrap_or(0);
        let now = batch.min(most);
        send_at_some_irql(vc, &Frames::singles(Record::of(vc).next(now)));
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
