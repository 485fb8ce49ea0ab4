//! The link as the card has it, and as the driver tells of it.

use std::cell::Cell;
use std::time::Duration;

use super::Slot;
use crate::machine::TICK;

/// After so long a driver has told of a change: sooner than a watchdog would look, and with time for a reset of the card, which
/// may have to come first.
pub const TOO_LATE: Duration = TICK.saturating_mul(16);

/// What both sides say.
#[derive(Default)]
pub(super) struct Link {
    up: Cell<Option<bool>>,
    told: Cell<Option<bool>>,
    /// Grows with every change of either.
    changes: Cell<u64>,
}

impl Link {
    /// What the driver has told.
    pub(super) fn told(&self) -> Option<bool> {
        self.told.get()
    }
}

impl Slot {
    /// The card's link has changed.
    pub(super) fn link_changed(&self, up: bool) {
        self.link.up.set(Some(up));
        self.expect_to_be_told();
    }

    /// What the driver says of the link; `None` while it is not up to it to say anything.
    pub fn set_told_link(&self, told: Option<bool>) {
        let before = self.link.told.replace(told);
        if told == Some(false) && before != told {
            self.with_device(|device| device.link_is_lost(self));
        }
        self.expect_to_be_told();
    }

    /// What the driver has told of the link.
    pub(crate) fn told_link(&self) -> Option<bool> {
        self.link.told()
    }

    /// TIME.Link: if the two differ now they do not for long.
    fn expect_to_be_told(&self) {
        let change = self.link.changes.get() + 1;
        self.link.changes.set(change);
        let Some(machine) = self.machine() else { return };
        if !self.differs() || machine.config().real_time {
            return;
        }
        let me = self.me();
        machine.after(TOO_LATE, move || {
            let Some(slot) = me.upgrade() else { return };
            let unchanged = slot.link.changes.get() == change;
            if unchanged && slot.differs() && !slot.is_gone() && !slot.is_faulty() {
                let up = if slot.link.up.get() == Some(true) { "up" } else { "down" };
                let text = format!("the link is {up}, which the driver has not told for {TOO_LATE:?}");
                machine_finding(&slot, text);
            }
        });
    }

    fn differs(&self) -> bool {
        let (up, told) = (self.link.up.get(), self.link.told.get());
        up.is_some() && told.is_some() && up != told
    }
}

fn machine_finding(slot: &Slot, text: String) {
    if let Some(machine) = slot.machine() {
        machine.finding("TIME.Link", None, text);
    }
}
