//! The link.

use core::sync::atomic::Ordering;

use condis::call_failure::CallFailure;
use ndis::{Before, Locked, Status, Unlocked};

use super::hardware::Stall;
use super::{Adapter, settings};
use crate::level;

impl Adapter {
    /// Bits per second, while there is a link.
    pub(crate) fn link_speed(&self, locks: &mut Locked<impl Before<level::Link>>) -> Option<u64> {
        self.link.lock(locks).map(|(speed, _)| speed)
    }

    /// How the link is set up.
    pub(super) fn link_config(&self) -> e1000::LinkConfig {
        settings::link_config(&self.settings)
    }

    /// Whether this look and the one before found the PHY as one is that hangs. To be asked once a second.
    pub(super) fn phy_hangs(&self, locks: &mut Unlocked) -> bool {
        // Held while the PHY is asked, which two must not do at once.
        let _link = self.link.lock(locks);
        // One that does not answer is found out when it is needed.
        let hung = self.nic.phy_is_hung(&Stall).unwrap_or(false);
        self.phy_hung.swap(hung, Ordering::Relaxed) && hung
    }

    /// Takes from the card what it could not send before the link went: nobody is to hear of it when the link returns.
    fn forget_sends(&self, locks: &mut Unlocked) {
        if !self.transmit.lock(locks).is_idle()
            && let Some(item) = self.recovery.get()
        {
            item.queue();
        }
    }

    /// The card reports a change: tells NDIS, and ends calls that have lost their wire.
    pub(super) fn link_changed(&self, locks: &mut Unlocked) {
        let Some(access) = self.card.access() else { return };
        let now = {
            // Held while the PHY is asked, which two must not do at once.
            let mut known = self.link.lock(locks);
            let Ok(state) = self.nic.link() else { return };
            let now = state.up.then(|| (state.speed.bits_per_second(), state.full_duplex));
            if *known == now || self.nic.link_changed(&Stall, self.link_config()).is_err() {
                return;
            }
            *known = now;
            now
        };
        drop(access);
        let full_duplex = now.is_some_and(|(_, full_duplex)| full_duplex);
        self.handle.indicate_link_state(now.map(|(speed, _)| speed), full_duplex, locks);
        if now.is_none() {
            self.end_all_calls(CallFailure::LinkDown, locks);
            self.disown_sends(Status::MEDIA_DISCONNECTED, locks);
            self.forget_sends(locks);
        } else {
            self.renew_grants(locks);
        }
    }
}
