//! What a driver does in time: the documents say "immediately", or name no time at all.
//!
//! The bounds are in ticks of the clock, since whoever waits for something waits for a tick, and count from the last thing
//! that the driver may have waited for: what a client has done, what the wire has taken.

use std::rc::Rc;
use std::time::Duration;

use super::adapter::Adapter;
use super::finding;
use super::vc::Vc;
use crate::machine::TICK;

/// What is to be done at once.
pub(super) const AT_ONCE: Duration = TICK.saturating_mul(4);

/// How long the card may be brought up, stopped, put to sleep or woken.
const LIFECYCLE: Duration = Duration::from_secs(2);

/// Nanoseconds that a byte takes on the slowest link.
const BYTE: u64 = 800;
/// What surrounds the contents of a frame on the wire.
const OVERHEAD: u64 = 58;

/// Lists that clients have sent and have not got back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    frames: u64,
    bytes: u64,
}

impl Load {
    /// That of a list with these frames.
    pub(super) fn of(frames: &[Vec<u8>]) -> Self {
        let bytes = frames.iter().map(|frame| frame.len() as u64).sum();
        Self { frames: frames.len() as u64, bytes }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self { frames: self.frames + other.frames, bytes: self.bytes + other.bytes }
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self {
            frames: self.frames.saturating_sub(other.frames),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }

    /// How long all of it may be on its way to the wire, if it is in the transmit ring.
    pub(super) fn time(self) -> Duration {
        Duration::from_nanos((self.frames * OVERHEAD + self.bytes) * BYTE)
    }
}

/// Something that was begun, and that ends once the wire has taken what is on its way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Begun {
    at: Duration,
    wire: Duration,
}

impl Adapter {
    /// A client, or NDIS, has done something that the driver may have waited for.
    pub(super) fn acted(&self) {
        self.acted.set(self.machine().now());
    }

    /// Something begins.
    pub(super) fn begin(&self) -> Begun {
        Begun { at: self.machine().now(), wire: self.sending.get().time() }
    }

    /// Whether nobody can say how long the card takes: it has faults, was silenced, or its clock is that of the host.
    pub(super) fn is_unpredictable(&self) -> bool {
        self.shut.get()
            || self.machine().config().real_time
            || self.slot().is_some_and(|slot| slot.is_faulty())
    }

    /// Whether more than `most` has passed since `begun` and since `acted`.
    fn late(&self, begun: Duration, acted: Duration, most: Duration) -> Option<Duration> {
        let held = self.slot().and_then(|slot| slot.held_until()).unwrap_or_default();
        let since = begun.max(acted).max(held);
        let took = self.machine().now().saturating_sub(since);
        (took > most && !self.is_unpredictable()).then_some(took)
    }

    /// TIME.Lifecycle: `what` has ended.
    pub(super) fn check_lifecycle(&self, what: &'static str, begun: Begun) {
        let took = self.machine().now().saturating_sub(begun.at.max(self.acted.get()));
        if took > LIFECYCLE && !self.machine().config().real_time {
            finding("TIME.Lifecycle", Some(self.name()), format!("{what} took {took:?}"));
        }
    }

    /// TIME.Pause: the pause has ended.
    pub(super) fn check_pause(&self) {
        let begun = self.paused_at.get();
        if let Some(took) = self.late(begun.at, self.returned.get(), AT_ONCE + begun.wire) {
            finding("TIME.Pause", Some(self.name()), format!("the pause took {took:?}"));
        }
    }

    /// TIME.LinkLoss: the driver has told that the link is gone; what it has is to be completed.
    pub(super) fn check_link_loss(self: &Rc<Self>) {
        let waiting = self.outstanding(|_| true);
        self.expect_back("TIME.LinkLoss", waiting, AT_ONCE);
    }

    /// TIME.Cancel: sends with this id were cancelled.
    pub(super) fn check_cancel(self: &Rc<Self>, id: usize) {
        let waiting = self.outstanding(|cancel_id| cancel_id == id);
        self.expect_back("TIME.Cancel", waiting, AT_ONCE + self.sending.get().time());
    }

    /// The sends that the driver has, by the ids with which they can be cancelled.
    fn outstanding(&self, which: impl Fn(usize) -> bool) -> Vec<(Rc<Vc>, Vec<u64>)> {
        let of = |vc: Rc<Vc>| {
            let ids = vc.sends.ids(&which);
            (vc, ids)
        };
        self.vcs().into_iter().map(of).filter(|(_, ids)| !ids.is_empty()).collect()
    }

    fn expect_back(self: &Rc<Self>, rule: &'static str, sends: Vec<(Rc<Vc>, Vec<u64>)>, most: Duration) {
        if sends.is_empty() {
            return;
        }
        let (adapter, begun) = (Rc::clone(self), self.machine().now());
        self.machine().after(most + Duration::from_nanos(1), move || {
            if adapter.late(begun, Duration::ZERO, most).is_none() {
                return;
            }
            for (vc, ids) in sends {
                let left = vc.sends.ids(|_| true);
                if let Some(id) = ids.iter().find(|id| left.contains(id)) {
                    finding(rule, Some(vc.name()), format!("send {id} is not back after {most:?}"));
                }
            }
        });
    }
}

impl Vc {
    /// A client, or NDIS, has done something that the end of the call may have waited for.
    pub(super) fn acted(&self) {
        self.acted.set(self.adapter().machine().now());
        self.adapter().acted();
    }

    /// TIME.Close: the close of the call has ended.
    pub(super) fn check_close(&self) {
        let begun = self.closed_at.get();
        if let Some(took) = self.adapter().late(begun.at, self.acted.get(), AT_ONCE + begun.wire) {
            finding("TIME.Close", Some(self.name()), format!("the close of the call took {took:?}"));
        }
    }
}
