//! How a ring is.

use e1000::Progress;

/// Recoveries that are tried before a card is given up which does nothing after any of them.
const MOST_RECOVERIES: u32 = 3;

/// Looks in a row, a second apart, for which a peer that PAUSEs may hold up the same frame: half of what the verifier of
/// NDIS gives a send.
const LONGEST_PAUSE: u32 = 12;

/// How the transmitter or the receiver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// It works, or has nothing to do.
    Good,
    /// It has stopped.
    Hung,
    /// It has stopped and nothing helps.
    Lost,
    /// The peer has held it up for longer than anybody should wait.
    Held,
}

/// How long a peer has held up the transmitter.
#[derive(Debug, Default)]
pub(super) struct Pause {
    /// What the watchdog saw last.
    pub(super) progress: Progress,
    looks: u32,
}

impl Pause {
    /// Counts a look at a ring that is `held`, or not; whether it is so for too long.
    pub(super) fn is_too_long(&mut self, held: bool) -> bool {
        self.looks = if held { self.looks.saturating_add(1) } else { 0 };
        let too_long = self.looks > LONGEST_PAUSE;
        if too_long {
            self.looks = 0;
        }
        too_long
    }
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
