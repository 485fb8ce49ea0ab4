//! What the card can be told to do wrong.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc};

/// One way to misbehave; it lasts until it is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Every register reads all ones and nothing is written: the card has fallen off its bus.
    Gone,
    /// `MDIC.R` never becomes one: the PHY does not answer.
    PhySilent,
    /// The EEPROM's words do not sum to BABA.
    EepromChecksum,
    /// `CTRL.RST` never clears itself.
    ResetStuck,
    /// The transmitter fetches no descriptor.
    TransmitStuck,
}

/// The faults of one card; clones share them, so that a test keeps a handle on a card it has put in a slot.
#[derive(Clone, Debug, Default)]
pub struct Faults(Rc<RefCell<BTreeSet<Fault>>>);

impl Faults {
    /// Makes the card misbehave from now on.
    pub fn inject(&self, fault: Fault) {
        self.0.borrow_mut().insert(fault);
    }

    /// Ends the fault.
    pub fn clear(&self, fault: Fault) {
        self.0.borrow_mut().remove(&fault);
    }

    /// Whether the fault is on.
    pub fn has(&self, fault: Fault) -> bool {
        self.0.borrow().contains(&fault)
    }
}
