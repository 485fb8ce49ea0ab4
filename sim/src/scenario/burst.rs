//! Frames that arrive at the card all at once.

use std::{rc::Rc, time::Duration};

use super::{
    dialler::Record,
    story::{Story, step},
};
use crate::ndis::Vc;

/// The most frames that a card may be expected to take at once, in a ring of `buffers`.
pub const MAX_BURST: u32 = 1500;
/// Time without any frame after which the missing ones are given up.
const SILENCE: Duration = Duration::from_secs(5);
/// The most buffers that a driver may be asked for.
const MOST_BUFFERS: u32 = 2048;

/// The receive buffers that a burst needs: drivers need not fill each gap in their ring at once.
pub(super) fn buffers(burst: u32) -> u32 {
    (burst + burst / 3 + 64).next_multiple_of(8).min(MOST_BUFFERS)
}

impl Story {
    /// Sends so many frames, on all calls that are up, that all of them come back at once.
    pub(super) fn burst(&self, vcs: &[Rc<Vc>]) {
        let Some(control) = &self.burst else { return };
        let burst = self.scenario.burst;
        let up: Vec<_> = vcs.iter().filter(|vc| Record::of(vc).is_up()).collect();
        if up.is_empty() {
            return;
        }
        control.collect(burst);
        let calls = u32::try_from(up.len()).unwrap_or(u32::MAX);
        for (nth, vc) in (0..calls).zip(&up) {
            let share = burst / calls + u32::from(nth < burst % calls);
            let mut left = usize::try_from(share).unwrap_or(usize::MAX);
            while left != 0 {
                left -= Self::give(vc, left);
            }
        }
        let missing = || self.totals.missing.get();
        loop {
            let before = missing();
            if before == 0 || !self.wait_for(SILENCE, |_| missing() != before || self.removed.get()) {
                break;
            }
            if self.removed.get() {
                break;
            }
        }
        control.release();
        self.slot.look_at_wire();
        step(format!("of {burst} frames that arrived at once {} are missing", missing()));
    }
}
