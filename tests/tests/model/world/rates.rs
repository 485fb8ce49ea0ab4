//! Changes of calls that are up.

use std::rc::Rc;

use ndis_sim::ndis::{
    self, CallState, client,
    status::{self, Status},
};

use super::{Use, VcSlot, World};
use crate::{op::Flow, parameters, reference::Event};

impl World {
    /// Changes the flows of the nth call that is up, one change at a time.
    pub(crate) fn modify(&self, nth: u64, flow: Flow) {
        let is_up = |slot: &Rc<VcSlot>| {
            let connected = slot.vc().is_some_and(|vc| vc.call_state() == CallState::Connected);
            connected
                && slot.up.get()
                && !slot.closing.get()
                && slot.modifying.get().is_none()
                && !slot.changing.get()
        };
        let slots: Vec<_> = self.vcs.borrow().iter().filter(|slot| is_up(slot)).cloned().collect();
        let Ok(at) = usize::try_from(nth % slots.len().max(1) as u64) else { return };
        let Some(slot) = slots.get(at) else { return };
        let (Some(vc), Some(call)) = (slot.vc(), slot.call.get()) else { return };
        slot.modifying.set(Some(call));
        slot.changing.set(true);
        self.tell(Event::Modify { call, flow });
        let _use = Use::of(&slot.family);
        let status = client::modify_call(&vc, &parameters::change(slot.family.family, flow));
        slot.changing.set(false);
        if status != status::PENDING {
            self.modified(slot, status);
        }
    }

    pub(crate) fn modified(&self, slot: &Rc<VcSlot>, status: Status) {
        match slot.modifying.take() {
            Some(call) => self.tell(Event::Modified { call, status }),
            None => self.disagree("a change of no call is completed"),
        }
        ndis::changed();
    }
}
