//! What QEMU's models do otherwise than the cards, and which of it is put right.

use std::collections::BTreeSet;

/// A difference between QEMU's models and the cards that can be put right where registers and frames pass by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Correction {
    /// `CTRL.RST` resets next to nothing in QEMU: the bus is reset instead, and what a reset of the card leaves alone
    /// is restored.
    Reset,
    /// The MAC uses the link when `CTRL.SLU` is set only, which is not so after a reset. While it does not, a card neither sends (QEMU reports frames
    /// as sent and loses them) nor receives, and the change is reported as LSC.
    Link,
    /// Frames of more than 1,518 bytes without FCS pass with `RCTL.LPE` only.
    LongFrames,
    /// A receiver that is not enabled loses frames, and one that has no descriptors does when its FIFO is full: QEMU
    /// makes the sender wait.
    Overrun,
    /// `TCTL.PSP` pads frames.
    Padding,
    /// In D3 registers read all ones and nothing is received (82574L).
    PowerState,
    /// A reset frees the semaphore `SWSM.SMBI` (82574L).
    Semaphore,
}

/// Which corrections are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fidelity(BTreeSet<Correction>);

impl Fidelity {
    /// QEMU's models as they are.
    pub fn raw() -> Self {
        Self(BTreeSet::new())
    }

    /// All corrections but `correction`.
    #[must_use]
    pub fn without(mut self, correction: Correction) -> Self {
        self.0.remove(&correction);
        self
    }

    /// Whether `correction` is made.
    pub fn has(&self, correction: Correction) -> bool {
        self.0.contains(&correction)
    }
}

impl Default for Fidelity {
    /// All corrections.
    fn default() -> Self {
        use Correction::{Link, LongFrames, Overrun, Padding, PowerState, Reset, Semaphore};
        Self([Reset, Link, LongFrames, Overrun, Padding, PowerState, Semaphore].into())
    }
}
