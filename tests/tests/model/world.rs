//! What there is in a run, and what can be done with it. Everything is told to the reference: what a client asks for
//! before the driver is called, what it is answered before it reacts.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use ndis_sim::{
    machine::Machine,
    ndis::{
        self, Adapter, AddressFamily, CallState, Creator, Frames, Sap, SendId, Vc,
        client::{self, Client},
        oid::{OidRequest, OidResult},
        status::{self, Status},
        wait_for,
    },
    pci::Slot,
};
use scenarios::{caller::HDLC, station::frame};

use crate::{
    op::Wish,
    parameters,
    player::{Count, Player},
    reference::Event,
    street::Shared,
};

/// What a person would wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(400);

pub(crate) struct World {
    pub(crate) seed: u64,
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
    pub(crate) gone: Cell<bool>,
    /// Frames in the hands of the driver, by their number on the VC, and the number of the last one.
    sends: RefCell<Vec<(SendId, u32, Vec<u8>)>>,
    sent: Cell<SendId>,
    /// Calls of the driver with frames: how many there were, how many are under way, and which overlap.
    batches: Count,
    sending: Count,
    group: Count,
}

impl VcSlot {
    /// That of a VC.
    pub(crate) fn of(vc: &Vc) -> Rc<Self> {
        vc.client_data().expect("every VC has a slot")
    }

    /// Whether frames are in the hands of the driver, or on their way there.
    fn has_sends(&self) -> bool {
        self.sending.get() != 0 || !self.sends.borrow().is_empty()
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
    pub(crate) fn new(seed: u64, shared: Shared, adapter: Rc<Adapter>, slot: Rc<Slot>) -> Rc<Self> {
        Rc::new(Self {
            seed,
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

    /// VCs and SAPs of a family.
    pub(crate) fn members(&self, family: &Rc<FamilySlot>) -> usize {
        let af = family.af.borrow();
        af.as_ref().map_or(0, |af| af.vcs().len() + af.saps().len())
    }

    // Address families.

    pub(crate) fn open(self: &Rc<Self>, family: u32) {
        let Some(&id) = self.adapter.families().iter().find(|it| it.family == family) else { return };
        let player = Player::new(self, self.numbers.get() + 1);
        let slot = Rc::new(FamilySlot {
            number: self.number(),
            family,
            af: RefCell::default(),
            open: Cell::new(false),
            leaving: Cell::new(false),
            closed: Cell::new(false),
            users: Cell::new(0),
            player: Rc::clone(&player),
        });
        player.belongs_to(&slot);
        self.families.borrow_mut().push(Rc::clone(&slot));
        self.tell(Event::Open { family: slot.number });
        let _use = Use::of(&slot);
        let client: Rc<dyn Client> = player;
        let (status, af) = client::open_address_family(&self.adapter, id, &client);
        slot.af.replace(Some(af));
        if status != status::PENDING {
            self.opened(&slot, status);
        }
    }

    pub(crate) fn opened(&self, slot: &Rc<FamilySlot>, status: Status) {
        slot.open.set(status == status::SUCCESS);
        self.tell(Event::Opened { family: slot.number, status });
        ndis::changed();
    }

    /// Closes a family without VCs and SAPs; or with them, if it is `busy`: they follow.
    pub(crate) fn close_family(&self, slot: &Rc<FamilySlot>, busy: bool) {
        let idle = busy || self.members(slot) == 0;
        if !slot.open.get() || slot.leaving.get() || slot.users.get() != 0 || !idle {
            return;
        }
        let Some(af) = slot.af.borrow().clone() else { return };
        slot.leaving.set(true);
        self.tell(Event::CloseFamily { family: slot.number });
        let status = client::close_address_family(&af);
        if status != status::PENDING {
            self.family_closed(slot, status);
        }
    }

    pub(crate) fn family_closed(&self, slot: &Rc<FamilySlot>, status: Status) {
        self.tell(Event::FamilyClosed { family: slot.number, status });
        slot.closed.set(status == status::SUCCESS);
        if status != status::SUCCESS {
            slot.leaving.set(false);
        }
        self.families.borrow_mut().retain(|it| !it.closed.get());
        ndis::changed();
    }

    /// Ends everything on a family, and closes it.
    pub(crate) fn leave(self: &Rc<Self>, slot: &Rc<FamilySlot>) {
        self.wait("an open", || slot.open.get() || slot.closed.get());
        loop {
            let vcs = self.vcs.borrow().clone();
            for vc in vcs.iter().filter(|vc| Rc::ptr_eq(&vc.family, slot)) {
                self.close(vc);
                self.delete(vc);
            }
            let saps = self.saps.borrow().clone();
            for sap in saps.iter().filter(|sap| Rc::ptr_eq(&sap.family, slot)) {
                self.deregister(sap);
            }
            self.close_family(slot, false);
            if slot.leaving.get() || self.shared.lock().reference.disagreement().is_some() {
                break;
            }
            Machine::current().sleep(Duration::from_millis(1));
        }
        let vcs = self.vcs.borrow().clone();
        // A family that was closed with VCs on it.
        for vc in vcs.iter().filter(|vc| Rc::ptr_eq(&vc.family, slot)) {
            self.finish(vc);
        }
        self.wait("the close of a family", || slot.closed.get());
    }

    /// Closes a call and deletes its VC.
    pub(crate) fn finish(self: &Rc<Self>, vc: &Rc<VcSlot>) {
        let until = Machine::current().now() + PATIENCE;
        while !vc.gone.get() && Machine::current().now() < until {
            self.close(vc);
            self.delete(vc);
            if !vc.gone.get() {
                Machine::current().sleep(Duration::from_millis(1));
            }
        }
        if !vc.gone.get() {
            self.disagree(&format!("the call on VC {} does not end", vc.number));
        }
    }

    // SAPs.

    pub(crate) fn register(&self, family: &Rc<FamilySlot>, good: bool) {
        if !family.open.get() || family.leaving.get() {
            return;
        }
        let Some(af) = family.af.borrow().clone() else { return };
        let slot = Rc::new(SapSlot {
            number: self.number(),
            family: Rc::clone(family),
            sap: RefCell::default(),
            registered: Cell::new(false),
            gone: Cell::new(false),
        });
        self.tell(Event::Register { sap: slot.number, family: family.number, good });
        self.saps.borrow_mut().push(Rc::clone(&slot));
        let _use = Use::of(family);
        let (kind, bytes) = parameters::sap(family.family, good);
        let (status, sap) = client::register_sap(&af, kind, &bytes);
        slot.sap.replace(Some(Rc::clone(&sap)));
        if status != status::PENDING {
            self.registered(&sap, status);
        }
    }

    fn sap_slot(&self, sap: &Rc<Sap>) -> Option<Rc<SapSlot>> {
        let is = |slot: &&Rc<SapSlot>| slot.sap.borrow().as_ref().is_some_and(|it| Rc::ptr_eq(it, sap));
        self.saps.borrow().iter().find(is).cloned()
    }

    pub(crate) fn registered(&self, sap: &Rc<Sap>, status: Status) {
        let Some(slot) = self.sap_slot(sap) else { return };
        self.tell(Event::Registered { sap: slot.number, status });
        slot.registered.set(status == status::SUCCESS);
        self.saps.borrow_mut().retain(|it| it.number != slot.number || status == status::SUCCESS);
        ndis::changed();
    }

    pub(crate) fn deregister(&self, slot: &Rc<SapSlot>) {
        let Some(sap) = slot.sap.borrow().clone().filter(|_| slot.registered.get()) else { return };
        if slot.gone.replace(true) {
            return;
        }
        self.tell(Event::Deregister { sap: slot.number });
        let _use = Use::of(&slot.family);
        if client::deregister_sap(&sap) != status::PENDING {
            self.deregistered(&sap);
        }
    }

    pub(crate) fn deregistered(&self, sap: &Rc<Sap>) {
        let Some(slot) = self.sap_slot(sap) else { return };
        self.tell(Event::Deregistered { sap: slot.number });
        self.saps.borrow_mut().retain(|it| it.number != slot.number);
        ndis::changed();
    }

    // VCs and calls.

    pub(crate) fn create(&self, family: &Rc<FamilySlot>) {
        if !family.open.get() || family.leaving.get() {
            return;
        }
        let Some(af) = family.af.borrow().clone() else { return };
        let number = self.number();
        self.tell(Event::Create { vc: number, family: family.number });
        let _use = Use::of(family);
        let (status, vc) = client::create_vc(&af);
        self.tell(Event::Created { vc: number, status });
        if status != status::SUCCESS {
            return;
        }
        self.add_vc(number, family, &vc);
    }

    fn add_vc(&self, number: u32, family: &Rc<FamilySlot>, vc: &Rc<Vc>) {
        let slot = Rc::new(VcSlot {
            number,
            family: Rc::clone(family),
            vc: RefCell::new(Some(Rc::clone(vc))),
            call: Cell::new(None),
            up: Cell::new(false),
            dialling: Cell::new(false),
            making: Cell::new(false),
            closing: Cell::new(false),
            gone: Cell::new(false),
            sends: RefCell::default(),
            sent: Cell::new(0),
            batches: Cell::new(0),
            sending: Cell::new(0),
            group: Cell::new(0),
        });
        vc.set_client_data(Rc::<VcSlot>::clone(&slot));
        self.vcs.borrow_mut().push(slot);
    }

    pub(crate) fn delete(&self, slot: &Rc<VcSlot>) {
        let Some(vc) = slot.vc() else { return };
        let own = vc.creator() == Creator::CallManager;
        if own || slot.has_sends() || slot.call.get().is_some() || vc.call_state() != CallState::Idle {
            return;
        }
        slot.gone.set(true);
        self.tell(Event::Delete { vc: slot.number });
        let _use = Use::of(&slot.family);
        let status = client::delete_vc(&vc);
        self.tell(Event::Deleted { vc: slot.number, status });
        self.vcs.borrow_mut().retain(|it| it.number != slot.number);
        slot.vc.take();
        ndis::changed();
    }

    pub(crate) fn dial(&self, slot: &Rc<VcSlot>, wish: Wish) {
        let Some(vc) = slot.vc() else { return };
        let idle = slot.call.get().is_none() && vc.call_state() == CallState::Idle && !slot.has_sends();
        // A client that calls again before its first request has returned is beyond this simulator.
        if slot.making.get() || vc.creator() == Creator::CallManager || !idle || slot.family.leaving.get() {
            return;
        }
        let call = self.number();
        slot.call.set(Some(call));
        slot.up.set(false);
        slot.closing.set(false);
        slot.dialling.set(true);
        self.tell(Event::Make { call, vc: slot.number, wish });
        let _use = Use::of(&slot.family);
        slot.making.set(true);
        let status = client::make_call(&vc, &parameters::call(slot.family.family, wish, call));
        slot.making.set(false);
        if status != status::PENDING {
            return self.made(slot, status);
        }
        if slot.call.get() == Some(call) {
            slot.dialling.set(false);
        }
    }

    pub(crate) fn made(&self, slot: &Rc<VcSlot>, status: Status) {
        let Some(call) = slot.call.get() else {
            return self.disagree("a call that nobody makes is completed");
        };
        slot.dialling.set(false);
        self.tell(Event::Made { call, status });
        if status == status::SUCCESS {
            slot.up.set(true);
        } else if !slot.closing.get() {
            slot.call.set(None);
            slot.family.player.call_ended(slot);
        }
        ndis::changed();
    }

    pub(crate) fn close(&self, slot: &Rc<VcSlot>) {
        let Some(vc) = slot.vc() else { return };
        let Some(call) = slot.call.get().filter(|_| !slot.dialling.get()) else { return };
        // With the close the driver deletes a VC of its own, which a client must not be about to use.
        let in_use = vc.creator() == Creator::CallManager && slot.sending.get() != 0;
        if in_use || matches!(vc.call_state(), CallState::Idle | CallState::Closing) {
            return;
        }
        if slot.closing.replace(true) {
            return;
        }
        self.tell(Event::Close { call });
        let _use = Use::of(&slot.family);
        let status = client::close_call(&vc);
        if status != status::PENDING {
            self.call_closed(slot, status);
        }
    }

    pub(crate) fn call_closed(&self, slot: &Rc<VcSlot>, status: Status) {
        let Some(call) = slot.call.take() else {
            return self.disagree("a close that nobody asked for is completed");
        };
        slot.up.set(false);
        slot.closing.set(false);
        self.tell(Event::Closed { call, status });
        slot.family.player.call_ended(slot);
        ndis::changed();
    }

    pub(crate) fn send(&self, slot: &Rc<VcSlot>, count: u8, len: u16) {
        let Some(vc) = slot.vc() else { return };
        let Some(call) = slot.call.get().filter(|_| slot.up.get() && !slot.closing.get()) else { return };
        let batch = slot.batches.get() + 1;
        slot.batches.set(batch);
        if slot.sending.get() == 0 {
            slot.group.set(batch);
        }
        slot.sending.set(slot.sending.get() + 1);
        let mut lists = Vec::new();
        for _ in 0..count {
            slot.sent.set(slot.sent.get() + 1);
            let frame = frame(usize::from(len), u64::from(call) << 32 | slot.sent.get());
            self.tell(Event::Send { call, frame: frame.clone(), batch, group: slot.group.get() });
            lists.push([&HDLC[..], &frame].concat());
            slot.sends.borrow_mut().push((slot.sent.get(), call, frame));
        }
        let _use = Use::of(&slot.family);
        let fragment = Machine::current().chance(1, 2);
        client::send(&vc, &Frames { fragment, ..Frames::singles(lists) });
        slot.sending.set(slot.sending.get() - 1);
    }

    pub(crate) fn send_ended(&self, slot: &Rc<VcSlot>, id: SendId, status: Status) {
        let at = slot.sends.borrow().iter().position(|(it, ..)| *it == id);
        let Some(at) = at else { return self.disagree("a frame that was not sent is completed") };
        let (_, call, frame) = slot.sends.borrow_mut().remove(at);
        self.tell(Event::Sent { call, frame, status });
        ndis::changed();
    }

    // Calls that come in.

    /// The driver creates a VC.
    pub(crate) fn vc_made(&self, family: &Rc<FamilySlot>, vc: &Rc<Vc>) {
        let number = self.number();
        self.tell(Event::VcMade { vc: number, family: family.number });
        self.add_vc(number, family, vc);
    }

    /// The driver deletes a VC of its own.
    pub(crate) fn vc_unmade(&self, slot: &Rc<VcSlot>) {
        self.tell(Event::VcUnmade { vc: slot.number });
        slot.gone.set(true);
        slot.vc.take();
        self.vcs.borrow_mut().retain(|it| it.number != slot.number);
        ndis::changed();
    }

    /// A call is offered.
    pub(crate) fn offered(&self, slot: &Rc<VcSlot>, call: Option<u32>) {
        let Some(call) = call else { return self.disagree("an offer of no host's call") };
        self.tell(Event::Offer { call, vc: slot.number });
        slot.call.set(Some(call));
        slot.up.set(false);
        slot.closing.set(false);
        ndis::changed();
    }

    /// The client has decided.
    pub(crate) fn answered(&self, slot: &Rc<VcSlot>, accepted: bool) {
        let Some(call) = slot.call.get() else { return };
        self.tell(Event::Answered { call, accepted });
        if !accepted {
            slot.call.set(None);
        }
        ndis::changed();
    }

    /// The client answers an offer that it pended, if it still stands.
    pub(crate) fn answer(&self, slot: &Rc<VcSlot>, accepted: bool) {
        let Some(vc) = slot.vc().filter(|vc| vc.call_state() == CallState::Offered) else { return };
        self.answered(slot, accepted);
        let _use = Use::of(&slot.family);
        client::accept_call(&vc, if accepted { status::SUCCESS } else { status::TAPI_DISCONNECTMODE_BUSY });
    }

    pub(crate) fn connected(&self, slot: &Rc<VcSlot>) {
        let Some(call) = slot.call.get() else { return self.disagree("connected without a call") };
        self.tell(Event::Connected { call });
        slot.up.set(true);
        ndis::changed();
    }
}
