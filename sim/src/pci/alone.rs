//! Who touches a card while it is reset and set up: one thread, and nobody else.

use std::cell::Cell;

use super::Mask;
use crate::machine::{Machine, ThreadId};

/// Who has the card alone, and for which stay in the driver.
#[derive(Default)]
pub(super) struct Alone(Cell<Option<(ThreadId, Option<u64>)>>);

impl Alone {
    /// A reset begins it, and the first interrupt that is unmasked ends it.
    pub(super) fn follow(&self, change: Mask) {
        let machine = Machine::current();
        self.0.set(match change {
            Mask::Reset => machine.current_thread().map(|thread| (thread, machine.stay_in_driver(thread))),
            Mask::Open(_) => None,
        });
    }

    /// The driver touches a register.
    pub(super) fn check(&self, offset: u64) {
        let Some((owner, stay)) = self.0.get() else { return };
        let machine = Machine::current();
        if machine.current_thread() == Some(owner) {
            return;
        }
        if stay.is_none() || machine.stay_in_driver(owner) != stay {
            // It has stopped the card, or has given up, and has left.
            return self.0.set(None);
        }
        let detail = format!("register {offset:#06x} is touched while another thread resets the card");
        machine.finding("PCI.ResetAlone", None, detail);
    }
}
