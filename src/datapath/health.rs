//! How a ring is.

use e1000::Progress;

/// Recoveries that are tried before a card is given up which does nothing after any of them.
const MOST_RECOVERIES: u32 = 3;

/// How the transmitter or the receiver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// It works, or has nothing to do.
    Good,
    /// It has stopped.
    Hung,
    /// It has stopped and nothing helps.
    Lost,
}

/// The hangs of one ring.
#[derive(Debug, Default)]
pub(super) struct Hangs {
    /// What the watchdog saw last.
    pub(super) progress: Progress,
    /// Hangs in a row with no frame done in between, and where the ring stood at the last.
    in_a_row: u32,
    position: u64,
}

impl Hangs {
    /// Counts a hang of a ring that stands at `position`, which changes with every frame done.
    pub(super) fn judge(&mut self, hung: bool, position: u64) -> Health {
        if !hung {
            return Health::Good;
        }
        self.in_a_row = if position == self.position { self.in_a_row.saturating_add(1) } else { 1 };
        self.position = position;
        if self.in_a_row > MOST_RECOVERIES { Health::Lost } else { Health::Hung }
    }
}
