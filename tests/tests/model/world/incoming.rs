//! Calls that come in, on VCs of the driver's.

use std::rc::Rc;

use ndis_sim::ndis::{self, CallState, Vc, client, status};

use super::{FamilySlot, Use, VcSlot, World};
use crate::reference::Event;

impl World {
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

    pub(crate) fn connected(self: &Rc<Self>, slot: &Rc<VcSlot>) {
        let Some(call) = slot.call.get() else { return self.disagree("connected without a call") };
        self.tell(Event::Connected { call });
        slot.up.set(true);
        self.join(slot);
        ndis::changed();
    }
}
