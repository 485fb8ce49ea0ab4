//! The link.

use condis::call_failure::CallFailure;

use super::Adapter;

impl Adapter {
    /// Bits per second, while there is a link.
    pub(crate) fn link_speed(&self) -> Option<u64> {
        self.link.lock().map(|(speed, _)| speed)
    }

    /// The card reports a change: tells NDIS, and ends calls that have lost their wire.
    pub(super) fn link_changed(&self) {
        if !self.is_reachable() {
            return;
        }
        let Ok(state) = self.nic.link_changed() else { return };
        let now = state.up.then(|| (state.speed.bits_per_second(), state.full_duplex));
        let before = core::mem::replace(&mut *self.link.lock(), now);
        if before == now {
            return;
        }
        let full_duplex = now.is_some_and(|(_, full_duplex)| full_duplex);
        self.handle.indicate_link_state(now.map(|(speed, _)| speed), full_duplex);
        if now.is_none() {
            self.end_all_calls(CallFailure::LinkDown);
        }
    }
}
