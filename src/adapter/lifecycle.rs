//! Restart, pause, sleep, removal and halt.

use core::time::Duration;

use condis::adapter::Pause;
use condis::call_failure::CallFailure;
use condis::oid::PowerState;
use ndis::{Answer, Passive, PauseRequest, Result, Status, Unlocked};

use super::Adapter;
use super::hardware::Wait;
use super::initialize::hardware_status;
use crate::call_manager::from_condis;

/// How often the halt looks for what it waits for.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);
/// How long a halt or sleep waits for the last frames, PADTs among them, to leave the card.
const LAST_FRAMES: Duration = Duration::from_millis(50);

impl Adapter {
    /// `MiniportRestart`: data may flow.
    pub(super) fn restart(&self, locks: &mut Unlocked) -> Status {
        let mut state = self.state.lock(locks);
        if let Err(status) = state.restart() {
            return from_condis(status);
        }
        state.restarted(true);
        Status::SUCCESS
    }

    /// `MiniportPause`: no new data; complete when what is in flight has come back.
    pub(super) fn pause(&self, request: PauseRequest, locks: &mut Unlocked) -> Answer {
        let (pended, answer) = request.pend();
        // From here on sends are refused, so the backlog only shrinks.
        let pause = self.state.lock(locks).pause(pended);
        self.abort_backlog(Status::PAUSED, |_| true, locks);
        if let Pause::Complete(pended) = pause {
            pended.complete(locks);
        }
        answer
    }

    /// Counts sends or receives out, and completes a pause that waited for the last of them.
    pub(crate) fn end_in_flight(&self, count: u32, locks: &mut Unlocked) {
        let paused = self.state.lock(locks).end(count);
        if let Some(pended) = paused {
            pended.complete(locks);
        }
    }

    /// Counts sends in, unless they must be refused with the status returned.
    pub(crate) fn begin_sends(&self, count: u32, locks: &mut Unlocked) -> Result<()> {
        let mut state = self.state.lock(locks);
        if let Some(refusal) = state.send_refusal() {
            return Err(from_condis(refusal));
        }
        if state.begin(count) { Ok(()) } else { Err(Status::RESOURCES) }
    }

    /// Why sends are refused now, if they are.
    pub(crate) fn send_refusal(&self, locks: &mut Unlocked) -> Option<Status> {
        self.state.lock(locks).send_refusal().map(from_condis)
    }

    /// What sends end in whose call ends.
    pub(crate) fn aborted(&self, locks: &mut Unlocked) -> Status {
        let asleep = self.send_refusal(locks).filter(|status| *status == Status::LOW_POWER_STATE);
        asleep.unwrap_or(Status::REQUEST_ABORTED)
    }

    /// Counts receives in; false if they must be dropped.
    pub(crate) fn begin_receives(&self, count: u32, locks: &mut Unlocked) -> bool {
        let mut state = self.state.lock(locks);
        state.can_receive() && state.begin(count)
    }

    /// Whether registers may be touched, by those who have a ring's lock; others need [`Card::access`]. Callable at any
    /// IRQL.
    ///
    /// [`Card::access`]: super::card::Card::access
    pub(crate) fn is_reachable(&self) -> bool {
        self.card.is_running()
    }

    /// Whether the card may be given frames: it runs and has a link. Callable at any IRQL.
    pub(crate) fn may_send(&self) -> bool {
        self.card.may_send()
    }

    /// Whether the card had a link when somebody looked last. Callable at any IRQL.
    pub(crate) fn has_link(&self) -> bool {
        self.card.has_link()
    }

    /// Whether nothing that waits for the card will ever be served. Callable at any IRQL.
    pub(crate) fn is_stopped(&self) -> bool {
        self.card.is_stopped()
    }

    /// The card was pulled: nothing on it completes any more, so everything is completed here.
    pub(super) fn removed(&self, irql: &mut Passive) {
        self.card.stop(irql, |_| ());
        self.end_everything(irql);
    }

    /// Completes what a card that is gone cannot.
    pub(super) fn end_everything(&self, locks: &mut Unlocked) {
        self.state.lock(locks).remove();
        self.end_all_calls(CallFailure::Removed, locks);
        self.abandon_sends(Status::NOT_ACCEPTED, locks);
    }

    /// `OID_PNP_SET_POWER`.
    pub(super) fn set_power(&self, state: PowerState, irql: &mut Passive) -> Status {
        let result = if state == PowerState::D0 { self.wake(irql) } else { self.sleep(irql) };
        result.into()
    }

    /// Sessions do not survive sleep: the peers are told, the clients are told, the card is stopped.
    fn sleep(&self, irql: &mut Passive) -> Result<()> {
        // From here on nobody calls.
        self.state.lock(irql).set_asleep(true);
        self.abort_backlog(Status::LOW_POWER_STATE, |_| true, irql);
        self.end_all_calls(CallFailure::GoingDown, irql);
        self.drain_transmit(irql);
        // What the card has counted is lost with the reset.
        self.hardware_statistics(irql);
        let stopped = if self.card.stop(irql, |locks| self.let_go_of_card(locks)) {
            self.nic.stop(&Wait(irql)).map_err(hardware_status)
        } else {
            Ok(())
        };
        self.abandon_sends(Status::LOW_POWER_STATE, irql);
        self.suspend_timers(irql);
        stopped
    }

    /// Cancels all timers, and keeps them from being set.
    fn suspend_timers(&self, irql: &Passive) {
        if let Some(timer) = self.timer.get() {
            timer.suspend(irql);
        }
        if let Some(timer) = self.watchdog.get() {
            timer.suspend(irql);
        }
        if let Some(timer) = self.pacer.get() {
            timer.suspend(irql);
        }
    }

    /// Lets timers be set again. The watchdog's is with the card; nothing else waits, as calls do not survive sleep, but
    /// discoveries that linger.
    fn resume_timers(&self, locks: &mut Unlocked) {
        if let Some(timer) = self.timer.get() {
            timer.resume();
        }
        if let Some(timer) = self.watchdog.get() {
            timer.resume();
        }
        if let Some(timer) = self.pacer.get() {
            timer.resume();
        }
        self.set_discovery_timer(locks);
    }

    fn wake(&self, irql: &mut Passive) -> Result<()> {
        if let Some(link) = self.link_power {
            link.stop_saving(&self.handle)?;
        }
        self.nic.bring_up(&Wait(irql), self.link_config()).map_err(hardware_status)?;
        self.nic.set_station_address(e1000::MacAddress(self.station.0));
        self.state.lock(irql).set_asleep(false);
        self.resume_timers(irql);
        self.start_card(irql)
    }

    /// `MiniportHaltEx`: ends what clients left open, then stops the card. NDIS has unbound the clients before, so
    /// normally nothing is left.
    pub(super) fn go_down(&self, irql: &mut Passive) {
        self.state.lock(irql).halt();
        self.end_all_calls(CallFailure::GoingDown, irql);
        self.close_families(irql);
        self.drain_transmit(irql);
        if self.card.stop(irql, |locks| self.let_go_of_card(locks)) {
            // Fails only if the card is gone or cannot be reset; there is nothing else to try then.
            let _ = self.nic.stop(&Wait(irql));
        }
        self.abandon_sends(Status::REQUEST_ABORTED, irql);
    }

    /// Asks the client of every open family to close it, and waits until all have.
    fn close_families(&self, irql: &mut Passive) {
        loop {
            // Families that were asked come and go in the list while the next one is looked for.
            let (family, left) = {
                let families = self.families.lock(irql);
                (families.iter().find(|family| family.ask_to_close()).cloned(), families.len())
            };
            match family {
                Some(family) => family.notify_close(irql),
                None if left == 0 => return,
                None => ndis::sleep(LOOK_INTERVAL, irql),
            }
        }
    }

    /// Waits a moment for calls to leave and for the transmit ring to run empty.
    fn drain_transmit(&self, irql: &mut Passive) {
        let begun = ndis::now();
        // By the clock: each look costs a tick.
        while !self.is_stopped() && ndis::now().saturating_sub(begun) < LAST_FRAMES {
            self.complete_finished_sends(irql);
            // In this order: a PADT goes into the ring before its call has left.
            if !self.calls.are_leaving() && self.transmit.lock(irql).is_idle() {
                return;
            }
            ndis::sleep(LOOK_INTERVAL, irql);
        }
    }
}
