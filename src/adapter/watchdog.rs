//! What nobody reports: work whose interrupt was lost, a transmitter, a receiver or a PHY that hangs, counters about to saturate,
//! a card that has gone.

use core::sync::atomic::Ordering;
use core::time::Duration;

use e1000::MacAddress;
use ndis::{Dispatch, ErrorCode, Passive, Ref, Status, TimerHandler, Unlocked, WorkHandler};

use super::Adapter;
use super::hardware::Wait;
use crate::datapath::Health;

/// How often the watchdog looks. A frame that waits longer than twice this is stuck.
const INTERVAL: Duration = Duration::from_secs(1);

/// What error-log entries say beside the steps of initialisation.
const GONE: u32 = 100;
const TRANSMITTER_HUNG: u32 = 101;
const RECEIVER_HUNG: u32 = 102;
const PHY_HUNG: u32 = 103;

/// The watchdog's timer, as opposed to that of the discoveries.
#[derive(Debug)]
pub(crate) enum Watchdog {}

impl TimerHandler<Watchdog> for Adapter {
    fn expired(this: &Ref<Self>, irql: &mut Dispatch) {
        this.look_after_card(irql);
    }
}

impl WorkHandler for Adapter {
    fn work(this: &Ref<Self>, irql: &mut Passive) {
        this.recover(irql);
    }
}

impl Adapter {
    /// Lets the watchdog look again in a while.
    pub(super) fn set_watchdog(&self) {
        if let Some(timer) = self.watchdog.get() {
            timer.set(INTERVAL);
        }
    }

    fn look_after_card(&self, irql: &mut Dispatch) {
        // Stopped, or recovering: whoever starts the card sets the watchdog again.
        let Some(access) = self.card.access() else { return };
        if !self.nic.is_present() {
            self.fail_for_good(irql);
            return;
        }
        let _ = self.nic.update_statistics(&mut self.hardware_statistics.lock(irql));
        self.prod();
        self.mask_unless_running();
        self.link_changed(irql);
        self.sends_done(irql);
        self.clean_up(irql);
        let transmitter = self.transmit.lock(irql).health(&self.nic);
        let receiver = self.receive.lock(irql).health(&self.nic);
        let phy = if self.phy_hangs(irql) { Health::Hung } else { Health::Good };
        drop(access);
        for (health, hung) in [(transmitter, TRANSMITTER_HUNG), (receiver, RECEIVER_HUNG), (phy, PHY_HUNG)] {
            if matches!(health, Health::Hung | Health::Lost) {
                self.handle.log_error(ErrorCode::HARDWARE_FAILURE, hung);
            }
        }
        match [transmitter, receiver, phy] {
            [Health::Good, Health::Good, Health::Good] => {}
            // Closes and pauses wait for sends, and must not wait for a peer's mercy.
            [Health::Held, Health::Good, Health::Good] => self.disown_sends(Status::REQUEST_ABORTED, irql),
            [Health::Lost, ..] | [_, Health::Lost, _] => return self.fail_for_good(irql),
            _ => {
                if let Some(item) = self.recovery.get() {
                    item.queue();
                }
            }
        }
        self.set_watchdog();
    }

    /// Resets the card and goes on where it stopped: frames that wait are sent, calls stay up. A PHY that hangs is reset too,
    /// which takes the link for a while, and the calls if that is long.
    fn recover(&self, irql: &mut Passive) {
        // What the card has counted is lost with the reset.
        self.hardware_statistics(irql);
        if !self.card.begin_recovery(irql, |locks| self.let_go_of_card(locks)) {
            return;
        }
        let station = MacAddress(self.station.0);
        let phy = self.phy_hung.swap(false, Ordering::Relaxed);
        let recovered = self.nic.recover(&Wait(irql), station, self.link_config(), phy);
        // What the card had sent before it hung must not be sent again.
        self.complete_finished_sends(irql);
        if self.transmit.lock(irql).is_unclean() {
            // The calls have ended with the link.
            self.abandon_sends(Status::MEDIA_DISCONNECTED, irql);
        }
        if recovered.is_err() || self.start_card(irql).is_err() {
            self.card.given_up();
            self.give_up(irql);
        }
    }

    /// The card does not answer any more, with no removal announced, or does not do its work.
    fn fail_for_good(&self, locks: &mut Unlocked) {
        if self.card.fail() {
            self.nic.quiesce();
            self.give_up(locks);
        }
    }

    /// Ends everything on a card that is lost, and lets NDIS take the adapter down.
    fn give_up(&self, locks: &mut Unlocked) {
        self.end_everything(locks);
        self.handle.log_error(ErrorCode::HARDWARE_FAILURE, GONE);
        self.handle.remove(locks);
    }
}
