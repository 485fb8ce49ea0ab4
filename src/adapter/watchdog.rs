//! What nobody reports: a link change whose interrupt was lost, counters about to saturate, a card that has gone.

use core::sync::atomic::Ordering;
use core::time::Duration;

use ndis::{Dispatch, Ref, TimerHandler};

use super::Adapter;

/// How often the watchdog looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// The watchdog's timer, as opposed to that of the discoveries.
#[derive(Debug)]
pub(crate) enum Watchdog {}

impl TimerHandler<Watchdog> for Adapter {
    fn expired(this: &Ref<Self>, _irql: &Dispatch) {
        this.look_after_card();
    }
}

impl Adapter {
    /// Lets the watchdog look again in a while, if the card runs.
    pub(super) fn set_watchdog(&self) {
        if self.is_reachable()
            && let Some(timer) = self.watchdog.get()
        {
            timer.set(INTERVAL);
        }
    }

    fn look_after_card(&self) {
        if !self.is_reachable() {
            return;
        }
        if !self.nic.is_present() {
            self.fail_for_good();
            return;
        }
        let _ = self.nic.update_statistics(&mut self.hardware_statistics.lock());
        self.link_changed();
        self.set_watchdog();
    }

    /// The card does not answer any more, and no removal was announced: NDIS shall take the adapter down.
    fn fail_for_good(&self) {
        if self.reachable.swap(false, Ordering::AcqRel) {
            self.removed();
            self.handle.log_error(ndis::ErrorCode::HARDWARE_FAILURE, GONE);
            self.handle.remove();
        }
    }
}

/// What the error-log entry says of a card that has gone, beside the steps of initialisation.
const GONE: u32 = 100;
