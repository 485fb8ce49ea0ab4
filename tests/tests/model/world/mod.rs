//! What there is in a run, and what can be done with it. Everything is told to the reference: what a client asks for
//! before the driver is called, what it is answered before it reacts.

mod calls;
mod families;
mod incoming;
mod rates;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use ndis_sim::{
    machine::Machine,
    ndis::{
        self, Adapter, AddressFamily, Sap, SendId, Vc, client,
        oid::{OidRequest, OidResult},
        wait_for,
    },
    pci::Slot,
};

use crate::{
    player::{Count, Player},
    reference::Event,
    street::Shared,
};

/// What a person would wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(400);

pub(crate) struct World {
    pub(crate) seed: u64,
    /// Whether NDIS halts the adapter without a pause.
    pub(crate) halts_unpaused: bool,
    pub(crate) shared: Shared,
    pub(crate) adapter: Rc<Adapter>,
    pub(crate) slot: Rc<Slot>,
    pub(crate) families: RefCell<Vec<Rc<FamilySlot>>>,
    pub(crate) saps: RefCell<Vec<Rc<SapSlot>>>,
    pub(crate) vcs: RefCell<Vec<Rc<VcSlot>>>,
    numbers: Count,
    /// Threads under way.
    pub(crate) threads: Count,
    /// `PnP` and power do one thing at a time.
    pub(crate) windows: Cell<bool>,
    pub(crate) asleep: Cell<bool>,
    pub(crate) removed: Cell<bool>,
    /// Calls that can fail do.
    pub(crate) starved: Cell<bool>,
}

/// An open address family.
pub(crate) struct FamilySlot {
    pub(crate) number: u32,
    pub(crate) family: u32,
    af: RefCell<Option<Rc<AddressFamily>>>,
    pub(crate) open: Cell<bool>,
    pub(crate) leaving: Cell<bool>,
    pub(crate) closed: Cell<bool>,
    /// Calls of the driver on its behalf.
    pub(crate) users: Count,
    player: Rc<Player>,
}

impl FamilySlot {
    /// How many VCs and SAPs it has.
    pub(crate) fn members(&self) -> usize {
        let af = self.af.borrow();
        af.as_ref().map_or(0, |af| af.vcs().len() + af.saps().len())
    }

    /// A request through the family.
    pub(crate) fn ask(&self, request: OidRequest) -> OidResult {
        let af = self.af.borrow().clone().expect("an open family");
        client::cm_oid_request(&af, None, request)
    }
}

pub(crate) struct SapSlot {
    number: u32,
    family: Rc<FamilySlot>,
    sap: RefCell<Option<Rc<Sap>>>,
    registered: Cell<bool>,
    gone: Cell<bool>,
}

pub(crate) struct VcSlot {
    number: u32,
    pub(crate) family: Rc<FamilySlot>,
    vc: RefCell<Option<Rc<Vc>>>,
    pub(crate) call: Cell<Option<u32>>,
    up: Cell<bool>,
    /// `NdisClMakeCall` has not returned, nor has the call ended.
    dialling: Cell<bool>,
    /// `NdisClMakeCall` has not returned.
    making: Cell<bool>,
    closing: Cell<bool>,
    /// The call of which a change is under way.
    modifying: Cell<Option<u32>>,
    /// `NdisClModifyCallQoS` has not returned.
    changing: Cell<bool>,
    pub(crate) gone: Cell<bool>,
    /// Frames in the hands of the driver, by their number on the VC, and the number of the last one.
    sends: RefCell<Vec<(SendId, u32, Vec<u8>)>>,
    sent: Cell<SendId>,
    /// Calls of the driver with frames: how many there were, how many are under way, and which overlap.
    batches: Count,
    sending: Count,
    /// NDISWAN is coming to share the VC.
    joining: Count,
    group: Count,
}

impl VcSlot {
    /// That of a VC.
    pub(crate) fn of(vc: &Vc) -> Rc<Self> {
        vc.client_data().expect("every VC has a slot")
    }

    /// Whether frames or a change are in the hands of the driver, or on their way there.
    fn is_in_use(&self) -> bool {
        self.joining.get() != 0
            || self.sending.get() != 0
            || !self.sends.borrow().is_empty()
            || self.modifying.get().is_some()
            || self.changing.get()
    }

    fn vc(&self) -> Option<Rc<Vc>> {
        self.vc.borrow().clone().filter(|_| !self.gone.get())
    }
}

/// A call into the driver on behalf of a family, which is not closed meanwhile.
struct Use<'a>(&'a FamilySlot);

impl<'a> Use<'a> {
    fn of(family: &'a FamilySlot) -> Self {
        family.users.set(family.users.get() + 1);
        Self(family)
    }
}

impl Drop for Use<'_> {
    fn drop(&mut self) {
        self.0.users.set(self.0.users.get() - 1);
        ndis::changed();
    }
}

impl World {
    pub(crate) fn new(
        seed: u64,
        halts_unpaused: bool,
        shared: Shared,
        adapter: Rc<Adapter>,
        slot: Rc<Slot>,
    ) -> Rc<Self> {
        Rc::new(Self {
            seed,
            halts_unpaused,
            shared,
            adapter,
            slot,
            families: RefCell::default(),
            saps: RefCell::default(),
            vcs: RefCell::default(),
            numbers: Cell::new(0),
            threads: Cell::new(0),
            windows: Cell::new(false),
            asleep: Cell::new(false),
            removed: Cell::new(false),
            starved: Cell::new(false),
        })
    }

    pub(crate) fn tell(&self, event: Event) {
        self.shared.tell(Machine::current().now(), event);
    }

    pub(crate) fn disagree(&self, text: &str) {
        self.shared.lock().reference.disagree(text);
    }

    pub(crate) fn number(&self) -> u32 {
        self.numbers.set(self.numbers.get() + 1);
        self.numbers.get()
    }

    /// Runs `f` in a kernel thread.
    pub(crate) fn apart(self: &Rc<Self>, name: &str, f: impl FnOnce(&Rc<Self>) + 'static) {
        let world = Rc::clone(self);
        self.threads.set(self.threads.get() + 1);
        Machine::current().spawn(name, move || {
            f(&world);
            world.threads.set(world.threads.get() - 1);
            ndis::changed();
        });
    }

    /// Waits; without end is a disagreement.
    pub(crate) fn wait(&self, what: &str, condition: impl Fn() -> bool) {
        if !wait_for(PATIENCE, condition) {
            self.disagree(&format!("{what} does not end"));
        }
    }
}
