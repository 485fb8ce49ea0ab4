//! What the card can be told to do wrong.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, VecDeque},
    rc::Rc,
};

/// One way to misbehave; it lasts until it is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Every register reads all ones and nothing is written: the card has fallen off its bus.
    Gone,
    /// `MDIC.R` never becomes one: the PHY does not answer.
    PhySilent,
    /// The PHY hangs until it is reset, with the link up: no frame passes, and its counters of receive and idle errors are
    /// full.
    PhyHung,
    /// The EEPROM's words do not sum to BABA.
    EepromChecksum,
    /// The EEPROM holds a group's address, under a good checksum.
    EepromGroupAddress,
    /// `CTRL.RST` never clears itself.
    ResetStuck,
    /// A transaction of the 82574L's never ends: `STATUS.GIO_MASTER_EN` stays one. Its model in this process only.
    MasterStuck,
    /// The transmitter fetches no descriptor.
    TransmitStuck,
    /// The transmitter fetches no descriptor until the card is reset, which ends the fault.
    TransmitStuckUntilReset,
    /// The receiver goes on through `RCTL.EN` = 0 and through a reset.
    ReceiverUnstoppable,
    /// Messages do not arrive. The card does not know.
    MessagesLost,
    /// Each message is written twice.
    MessagesTwice,
    /// The link has fallen back to 100 Mb/s, without going down.
    LinkSlow,
}

/// What happens to the write-back of one descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteBack {
    /// It is as it should be.
    Good,
    /// It comes behind that of the descriptor after it.
    Late,
    /// It comes again a while later, when the descriptor may be in use anew.
    Twice,
    /// It never comes.
    Lost,
    /// Descriptors that were not given to the card are written too, as done.
    Unposted,
    /// These bits are set besides: error bits of a received frame, EC and LC of a sent one.
    Errors(u8),
    /// A received frame has this length.
    Length(u16),
    /// A received frame has no end: EOP is missing.
    Endless,
}

#[derive(Debug, Default)]
struct State {
    on: RefCell<BTreeSet<Fault>>,
    received: RefCell<VecDeque<WriteBack>>,
    sent: RefCell<VecDeque<WriteBack>>,
    accesses: Cell<u64>,
    /// There was one.
    ever: Cell<bool>,
    /// Accesses until the card is gone.
    left: Cell<Option<u64>>,
}

/// The faults of one card; clones share them, so that a test keeps a handle on a card it has put in a slot.
#[derive(Clone, Debug, Default)]
pub struct Faults(Rc<State>);

impl Faults {
    /// Makes the card misbehave from now on.
    pub fn inject(&self, fault: Fault) {
        self.0.ever.set(true);
        self.0.on.borrow_mut().insert(fault);
    }

    /// Whether there is a fault, or was one.
    pub fn ever(&self) -> bool {
        self.0.ever.get()
    }

    /// Ends the fault.
    pub fn clear(&self, fault: Fault) {
        self.0.on.borrow_mut().remove(&fault);
    }

    /// Whether the fault is on.
    pub fn has(&self, fault: Fault) -> bool {
        self.0.on.borrow().contains(&fault)
    }

    /// Plans the write-backs of the next frames received, in their order, behind those planned already.
    pub fn spoil_received(&self, plan: impl IntoIterator<Item = WriteBack>) {
        self.0.ever.set(true);
        self.0.received.borrow_mut().extend(plan);
    }

    /// The same for frames sent.
    pub fn spoil_sent(&self, plan: impl IntoIterator<Item = WriteBack>) {
        self.0.ever.set(true);
        self.0.sent.borrow_mut().extend(plan);
    }

    /// Whether every planned write-back has happened.
    pub fn is_spent(&self) -> bool {
        !self.spoils_received() && !self.spoils_sent()
    }

    /// Whether write-backs of received frames are planned.
    pub(crate) fn spoils_received(&self) -> bool {
        !self.0.received.borrow().is_empty()
    }

    /// The same of frames sent.
    pub(crate) fn spoils_sent(&self) -> bool {
        !self.0.sent.borrow().is_empty()
    }

    /// Makes the card [`Fault::Gone`] after so many more accesses to its registers; `None` calls it off.
    pub fn vanish_after(&self, accesses: Option<u64>) {
        self.0.left.set(accesses);
    }

    /// How often the registers were accessed so far.
    pub fn accesses(&self) -> u64 {
        self.0.accesses.get()
    }

    /// Counts one access.
    pub(crate) fn access(&self) {
        self.0.accesses.set(self.0.accesses.get() + 1);
        match self.0.left.get() {
            Some(0) => {
                self.0.left.set(None);
                self.inject(Fault::Gone);
            }
            left => self.0.left.set(left.map(|left| left - 1)),
        }
    }

    /// What happens to the next received frame's write-back.
    pub(crate) fn next_received(&self) -> WriteBack {
        self.0.received.borrow_mut().pop_front().unwrap_or(WriteBack::Good)
    }

    /// What happens to the next sent frame's write-back.
    pub(crate) fn next_sent(&self) -> WriteBack {
        self.0.sent.borrow_mut().pop_front().unwrap_or(WriteBack::Good)
    }
}
