//! A client of one open address family. What it does when it is told something depends on its mood: it acts from
//! within, acts later in a thread of its own, or leaves it to a later step.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    time::Duration,
};

use ndis_sim::{
    machine::Machine,
    ndis::{
        self, AddressFamily, Received, Sap, SendId, Vc,
        client::{self, Client},
        parameters::CallParameters,
        status::{self, Status},
    },
};
use scenarios::caller::HDLC;

use crate::{
    draw::Dice,
    hosts,
    op::Wish,
    reference::Event,
    world::{FamilySlot, VcSlot, World},
};

pub(crate) struct Player {
    world: Weak<World>,
    slot: RefCell<Weak<FamilySlot>>,
    moods: RefCell<Dice>,
}

/// What a client does about something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    AtOnce,
    Soon,
    Not,
}

impl Player {
    pub(crate) fn new(world: &Rc<World>, family: u32) -> Rc<Self> {
        let moods = Dice::new(world.seed ^ u64::from(family) << 32);
        Rc::new(Self {
            world: Rc::downgrade(world),
            slot: RefCell::new(Weak::new()),
            moods: RefCell::new(moods),
        })
    }

    pub(crate) fn belongs_to(&self, slot: &Rc<FamilySlot>) {
        self.slot.replace(Rc::downgrade(slot));
    }

    fn world(&self) -> Rc<World> {
        self.world.upgrade().expect("the world outlives its clients")
    }

    fn slot(&self) -> Rc<FamilySlot> {
        self.slot.borrow().upgrade().expect("an open family is a slot's")
    }

    fn mood(&self) -> Mood {
        match self.moods.borrow_mut().below(4) {
            0 => Mood::AtOnce,
            1 => Mood::Soon,
            _ => Mood::Not,
        }
    }

    fn below(&self, n: u64) -> u64 {
        self.moods.borrow_mut().below(n)
    }

    /// Does it now, or in a thread after up to 3 ms, or not at all.
    fn do_in(&self, mood: Mood, f: impl FnOnce(&Rc<World>) + 'static) {
        let world = self.world();
        match mood {
            Mood::AtOnce => f(&world),
            Mood::Soon => self.do_after(Duration::from_micros(self.below(3_000)), f),
            Mood::Not => {}
        }
    }

    fn do_after(&self, delay: Duration, f: impl FnOnce(&Rc<World>) + 'static) {
        self.world().apart("client", move |world| {
            Machine::current().sleep(delay);
            f(world);
        });
    }

    /// The call on a VC has ended; the VC may be deleted or used again.
    pub(crate) fn call_ended(&self, slot: &Rc<VcSlot>) {
        let (slot, again) = (Rc::clone(slot), self.below(3) == 0);
        self.do_in(self.mood(), move |world| {
            if again {
                world.dial(&slot, Wish::Served);
            } else {
                world.delete(&slot);
            }
        });
    }
}

impl Client for Player {
    fn name(&self) -> &'static str {
        "player"
    }

    fn open_complete(&self, _af: &Rc<AddressFamily>, status: Status) {
        self.world().opened(&self.slot(), status);
    }

    fn close_complete(&self, _af: &Rc<AddressFamily>) {
        self.world().family_closed(&self.slot(), status::SUCCESS);
    }

    fn notify_close(&self, af: &Rc<AddressFamily>) -> Status {
        let (world, slot) = (self.world(), self.slot());
        world.tell(Event::AskedToLeave { family: slot.number });
        let idle = slot.users.get() == 0 && slot.members() == 0 && !slot.leaving.get();
        if idle && self.below(2) == 0 {
            // It leaves from within; what it returns says so in either way.
            world.close_family(&slot, true);
            if slot.closed.get() {
                return status::SUCCESS;
            }
        }
        let (af, delay) = (Rc::clone(af), Duration::from_micros(self.below(50_000)));
        world.apart("leaving client", move |world| {
            Machine::current().sleep(delay);
            world.leave(&slot);
            client::notify_close_complete(&af, status::SUCCESS);
        });
        status::PENDING
    }

    fn register_sap_complete(&self, sap: &Rc<Sap>, status: Status) {
        self.world().registered(sap, status);
    }

    fn deregister_sap_complete(&self, sap: &Rc<Sap>) {
        self.world().deregistered(sap);
    }

    fn create_vc(&self, _af: &Rc<AddressFamily>, vc: &Rc<Vc>) -> Status {
        if self.below(8) == 0 {
            return status::RESOURCES;
        }
        self.world().vc_made(&self.slot(), vc);
        status::SUCCESS
    }

    fn delete_vc(&self, vc: &Rc<Vc>) {
        self.world().vc_unmade(&VcSlot::of(vc));
    }

    fn incoming_call(&self, _sap: &Rc<Sap>, vc: &Rc<Vc>, parameters: &CallParameters) -> Status {
        let (world, slot) = (self.world(), VcSlot::of(vc));
        let block = parameters.media.as_ref().map(|media| media.specific.parameters.as_slice());
        world.offered(&slot, block.and_then(hosts::call_of));
        let accepted = self.below(4) != 0;
        match self.below(6) {
            0 => {
                world.answered(&slot, accepted);
                if accepted { status::SUCCESS } else { status::TAPI_DISCONNECTMODE_BUSY }
            }
            1 => {
                world.answer(&slot, accepted);
                status::PENDING
            }
            2 => {
                world.close(&slot);
                status::PENDING
            }
            3 => {
                // Whoever called may have given up by then.
                self.do_after(Duration::from_millis(self.below(40_000)), move |world| {
                    world.answer(&slot, accepted);
                });
                status::PENDING
            }
            _ => {
                self.do_in(Mood::Soon, move |world| world.answer(&slot, accepted));
                status::PENDING
            }
        }
    }

    fn call_connected(&self, vc: &Rc<Vc>) {
        let slot = VcSlot::of(vc);
        self.world().connected(&slot);
        if self.below(6) == 0 {
            self.world().close(&slot);
        }
    }

    fn make_call_complete(&self, vc: &Rc<Vc>, status: Status, _parameters: &CallParameters) {
        self.world().made(&VcSlot::of(vc), status);
    }

    fn modify_call_complete(&self, vc: &Rc<Vc>, status: Status, _parameters: &CallParameters) {
        self.world().modified(&VcSlot::of(vc), status);
    }

    fn close_call_complete(&self, vc: &Rc<Vc>, status: Status) {
        self.world().call_closed(&VcSlot::of(vc), status);
    }

    fn incoming_close(&self, vc: &Rc<Vc>, status: Status, _data: &[u8]) {
        let slot = VcSlot::of(vc);
        let Some(call) = slot.call.get() else {
            return self.world().disagree("an incoming close without a call");
        };
        self.world().tell(Event::NetworkClosed { call, status });
        ndis::changed();
        self.do_in(self.mood(), move |world| world.close(&slot));
    }

    fn receive(&self, vc: &Rc<Vc>, frames: Vec<Received>) {
        let (world, slot) = (self.world(), VcSlot::of(vc));
        for frame in &frames {
            let data = frame.data();
            let frame = data.strip_prefix(&HDLC).unwrap_or(data).to_vec();
            match slot.call.get() {
                Some(call) => world.tell(Event::Received { call, frame }),
                None => world.disagree("a frame without a call"),
            }
        }
        let owned: Vec<_> = frames.into_iter().filter(Received::must_return).collect();
        if owned.is_empty() || self.below(3) != 0 {
            return client::return_frames(vc.adapter(), owned);
        }
        let (adapter, delay) = (Rc::clone(vc.adapter()), Duration::from_micros(self.below(20_000)));
        world.apart("returning client", move |_| {
            Machine::current().sleep(delay);
            client::return_frames(&adapter, owned);
        });
    }

    fn send_complete(&self, vc: &Rc<Vc>, id: SendId, status: Status) {
        self.world().send_ended(&VcSlot::of(vc), id, status);
    }
}

/// What every slot counts with.
pub(crate) type Count = Cell<u32>;
