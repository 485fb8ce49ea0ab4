//! The link.

use core::sync::atomic::Ordering;

use condis::call_failure::CallFailure;
use ndis::{Before, Chain, Locked, Status, Unlocked};

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

    /// The card may have reported a change: tells NDIS, and ends calls that have lost their wire.
    pub(super) fn link_changed(&self, locks: &mut Unlocked) {
        // One processor at a time, or the news would overtake each other. Whoever comes meanwhile has it look once more.
        if self.link_looks.fetch_add(1, Ordering::AcqRel) != 0 {
            return;
        }
        loop {
            let wanted = self.link_looks.load(Ordering::Acquire);
            self.look_at_link(locks);
            if self.link_looks.fetch_sub(wanted, Ordering::AcqRel) == wanted {
                return;
            }
        }
    }

    fn look_at_link(&self, locks: &mut Unlocked) {
        let Some(access) = self.card.access() else { return };
        let unclean = self.transmit.lock(locks).is_unclean();
        let now = {
            // Held while the PHY is asked, which two must not do at once.
            let mut known = self.link.lock(locks);
            let Ok(state) = self.nic.link() else { return };
            let now = state.up.then(|| (state.speed.bits_per_second(), state.full_duplex));
            // A link that returns before the card is rid of what was meant for the last one is for the recovery to find.
            if *known == now || now.is_some() && unclean {
                return;
            }
            if self.nic.link_changed(&Stall, self.link_config()).is_err() {
                return;
            }
            *known = now;
            now
        };
        self.card.set_link(now.is_some());
        // What the card has of it stays there until a reset: nobody is to hear of it when the link returns. A recovery that is
        // about to begin waits until this is known.
        let (mut done, mut lost) = (Chain::new(), Chain::new());
        if now.is_none() {
            lost = self.transmit.lock(locks).lose(&self.nic, &mut done);
        }
        drop(access);
        lost.set_status(Status::MEDIA_DISCONNECTED);
        done.append(lost);
        self.complete(done, locks);
        self.clean_up(locks);
        let full_duplex = now.is_some_and(|(_, full_duplex)| full_duplex);
        self.handle.indicate_link_state(now.map(|(speed, _)| speed), full_duplex, locks);
        if now.is_none() {
            self.end_all_calls(CallFailure::LinkDown, locks);
        } else {
            self.renew_grants(locks);
        }
    }

    /// Has the card reset if it holds frames that must not leave any more.
    pub(super) fn clean_up(&self, locks: &mut Unlocked) {
        if self.transmit.lock(locks).is_unclean()
            && let Some(item) = self.recovery.get()
        {
            item.queue();
        }
    }
}
