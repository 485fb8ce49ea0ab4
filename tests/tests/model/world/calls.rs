//! VCs, calls and the frames on them.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use ndis_sim::{
    clients::wan,
    machine::Machine,
    ndis::{
        self, CallState, Creator, Family, Frames, SendId, Vc, client,
        status::{self, Status},
    },
};
use scenarios::{caller::HDLC, station::frame};

use super::{FamilySlot, Use, VcSlot, World};
use crate::{op::Wish, parameters, reference::Event};

impl World {
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

    pub(super) fn add_vc(&self, number: u32, family: &Rc<FamilySlot>, vc: &Rc<Vc>) {
        let slot = Rc::new(VcSlot {
            number,
            family: Rc::clone(family),
            vc: RefCell::new(Some(Rc::clone(vc))),
            call: Cell::new(None),
            up: Cell::new(false),
            dialling: Cell::new(false),
            making: Cell::new(false),
            closing: Cell::new(false),
            modifying: Cell::new(None),
            changing: Cell::new(false),
            gone: Cell::new(false),
            sends: RefCell::default(),
            sent: Cell::new(0),
            batches: Cell::new(0),
            sending: Cell::new(0),
            joining: Cell::new(0),
            group: Cell::new(0),
        });
        vc.set_client_data(Rc::<VcSlot>::clone(&slot));
        self.vcs.borrow_mut().push(slot);
    }

    pub(crate) fn delete(&self, slot: &Rc<VcSlot>) {
        let Some(vc) = slot.vc() else { return };
        let own = vc.creator() == Creator::CallManager;
        if own || slot.is_in_use() || slot.call.get().is_some() || vc.call_state() != CallState::Idle {
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

    pub(crate) fn dial(self: &Rc<Self>, slot: &Rc<VcSlot>, wish: Wish) {
        let Some(vc) = slot.vc() else { return };
        let idle = slot.call.get().is_none() && vc.call_state() == CallState::Idle && !slot.is_in_use();
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

    pub(crate) fn made(self: &Rc<Self>, slot: &Rc<VcSlot>, status: Status) {
        let Some(call) = slot.call.get() else {
            return self.disagree("a call that nobody makes is completed");
        };
        slot.dialling.set(false);
        self.tell(Event::Made { call, status });
        if status == status::SUCCESS {
            slot.up.set(true);
            self.join(slot);
        } else if !slot.closing.get() {
            slot.call.set(None);
            slot.family.player.call_ended(slot);
        }
        ndis::changed();
    }

    /// NDISWAN comes to share the VC of a call of NDPROXY's, after a while.
    pub(super) fn join(self: &Rc<Self>, slot: &Rc<VcSlot>) {
        if slot.family.family != Family::TAPI_PROXY {
            return;
        }
        let slot = Rc::clone(slot);
        slot.joining.set(slot.joining.get() + 1);
        self.apart("NDISWAN", move |_| {
            if let Some(vc) = slot.vc() {
                let _use = Use::of(&slot.family);
                wan::join(&vc);
            }
            slot.joining.set(slot.joining.get() - 1);
            ndis::changed();
        });
    }

    pub(crate) fn close(&self, slot: &Rc<VcSlot>) {
        let Some(vc) = slot.vc() else { return };
        let Some(call) = slot.call.get().filter(|_| !slot.dialling.get()) else { return };
        // With the close the driver deletes a VC of its own, which a client must not be about to use.
        let busy = slot.sending.get() != 0 || slot.joining.get() != 0 || slot.changing.get();
        let in_use = vc.creator() == Creator::CallManager && busy;
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
}
