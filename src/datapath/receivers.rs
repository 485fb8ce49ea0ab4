//! Whose turn it is to receive. DPCs may overlap, but frames of a VC must stay in order: the first that comes receives
//! for all.

use core::sync::atomic::{AtomicU32, Ordering};

/// NDIS is about to call a DPC again for frames that are left; the card is masked for so long.
const CONTINUED: u32 = 1 << 31;

/// The DPCs that want to receive.
#[derive(Debug)]
pub(crate) struct Receivers(AtomicU32);

impl Receivers {
    /// Nobody.
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Takes the turn; false if somebody has it, who receives for this one and unmasks the card.
    pub(super) fn enter(&self) -> bool {
        self.0.fetch_add(1, Ordering::AcqRel) & !CONTINUED == 0
    }

    /// Takes the turn if neither a DPC has it nor NDIS is about to call one: then it finds what there is. NDIS is trusted
    /// with that for one look of a watchdog.
    pub(super) fn enter_idle(&self) -> bool {
        let Err(now) = self.0.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed) else {
            return true;
        };
        if now == CONTINUED {
            let _ = self.0.compare_exchange(CONTINUED, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
        false
    }

    /// What is served by what follows: to be given to [`Receivers::leave`].
    pub(super) fn served(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    /// Ends the turn, `continued` by NDIS or not; false if others have come since [`Receivers::served`].
    pub(super) fn leave(&self, served: u32, continued: bool) -> bool {
        let after = if continued { CONTINUED } else { 0 };
        self.0.compare_exchange(served, after, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}
