//! Who may touch the card: everybody while it runs, only the recovery while it recovers, nobody once it is stopped.

use core::sync::atomic::{AtomicU8, Ordering};
use core::time::Duration;

use ndis::Passive;

const STOPPED: u8 = 0;
const RUNNING: u8 = 1;
const RECOVERING: u8 = 2;

/// How often a stop looks whether a recovery has ended; one takes some 50 ms.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);

/// The state of the card. Asked at any IRQL, hence no lock.
#[derive(Debug)]
pub(crate) struct Card(AtomicU8);

impl Card {
    /// A card that was not started yet.
    pub(super) const fn new() -> Self {
        Self(AtomicU8::new(STOPPED))
    }

    /// Whether registers may be touched.
    pub(super) fn is_running(&self) -> bool {
        self.0.load(Ordering::Acquire) == RUNNING
    }

    /// Whether nothing that waits for the card will ever be served: it is gone, asleep or halted.
    pub(super) fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Acquire) == STOPPED
    }

    /// The card is set up, at first or again.
    pub(super) fn started(&self) {
        self.0.store(RUNNING, Ordering::Release);
    }

    /// From here on only the recovery touches the card, which ends with [`Card::started`] or [`Card::given_up`]; false
    /// if the card is not running.
    pub(super) fn begin_recovery(&self) -> bool {
        self.0.compare_exchange(RUNNING, RECOVERING, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// The recovery has failed.
    pub(super) fn given_up(&self) {
        self.0.store(STOPPED, Ordering::Release);
    }

    /// From here on nobody touches the card but the caller; false if it was stopped already, or is recovering.
    pub(super) fn stop_at_once(&self) -> bool {
        self.0.compare_exchange(RUNNING, STOPPED, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// The same, after a recovery that may be under way.
    pub(super) fn stop(&self, irql: &Passive) -> bool {
        loop {
            if self.stop_at_once() {
                return true;
            }
            if self.is_stopped() {
                return false;
            }
            ndis::sleep(LOOK_INTERVAL, irql);
        }
    }
}
