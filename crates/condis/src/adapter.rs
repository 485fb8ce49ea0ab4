//! The state of the adapter as NDIS defines it: paused, running and what lies between.
//!
//! As with [`crate::call`], the driver keeps an [`Adapter`] under its lock and acts after letting go
//! of it. `P` is the driver's pended `MiniportPause`.
//!
//! ```text
//!  Initializing ──initialized──▶ Paused ──restart──▶ Restarting ──restarted──▶ Running
//!                                  ▲ ▲                   │                        │ pause
//!                                  │ └───────────────────┘ failed                 ▼
//!                                  └────────────── nothing in flight ───────── Pausing
//! ```
//! Halting leaves from Paused. A card that was pulled keeps these states; [`Adapter::is_present`]
//! then says that its registers must not be touched.

use crate::status::Status;

/// Where the adapter stands (Windows driver documentation, "Miniport Adapter States and Operations").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// `MiniportInitializeEx` runs.
    Initializing,
    /// No data; OIDs, address families, calls and status indications work.
    Paused,
    /// `MiniportRestart` runs; receives may be indicated.
    Restarting,
    /// Data flows.
    Running,
    /// No new data; waiting for what is in flight.
    Pausing,
    /// `MiniportHaltEx` runs.
    Halting,
}

/// What to do after [`Adapter::pause`], once queued sends have been completed.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Pause<P> {
    /// Nothing is in flight: complete the pause (or return SUCCESS).
    Complete(P),
    /// Return PENDING; [`Adapter::end`] hands the pause out.
    Wait,
}

/// The adapter's state machine.
#[derive(Debug)]
pub struct Adapter<P> {
    state: State,
    pause: Option<P>,
    in_flight: u32,
    removed: bool,
    asleep: bool,
}

impl<P> Default for Adapter<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P> Adapter<P> {
    /// An adapter whose `MiniportInitializeEx` has begun.
    pub const fn new() -> Self {
        Self { state: State::Initializing, pause: None, in_flight: 0, removed: false, asleep: false }
    }

    /// Where the adapter stands.
    pub const fn state(&self) -> State {
        self.state
    }

    /// `MiniportInitializeEx` is about to succeed.
    pub fn initialized(&mut self) {
        if self.state == State::Initializing {
            self.state = State::Paused;
        }
    }

    /// `MiniportRestart` begins. Start receiving, then call [`Adapter::restarted`].
    pub fn restart(&mut self) -> Result<(), Status> {
        match self.state {
            State::Paused => {
                self.state = State::Restarting;
                Ok(())
            }
            _ => Err(Status::INVALID_STATE),
        }
    }

    /// `MiniportRestart` is about to succeed (`true`) or to fail.
    pub fn restarted(&mut self, success: bool) {
        if self.state == State::Restarting {
            self.state = if success { State::Running } else { State::Paused };
        }
    }

    /// `MiniportPause` begins: from here on no data is taken. `MiniportPause` cannot fail, so any
    /// state is accepted.
    pub fn pause(&mut self, pause: P) -> Pause<P> {
        if self.in_flight == 0 {
            self.state = State::Paused;
            return Pause::Complete(pause);
        }
        self.state = State::Pausing;
        self.pause = Some(pause);
        Pause::Wait
    }

    /// `MiniportHaltEx` begins.
    pub fn halt(&mut self) {
        self.state = State::Halting;
    }

    /// The card was pulled (`NetDevicePnPEventSurpriseRemoved`, or its registers read all ones).
    pub fn remove(&mut self) {
        self.removed = true;
    }

    /// `OID_PNP_SET_POWER`: the card sleeps, or is awake again.
    pub fn set_asleep(&mut self, asleep: bool) {
        self.asleep = asleep;
    }

    /// Whether the card is there and awake: its registers may be touched.
    pub const fn is_present(&self) -> bool {
        !self.removed && !self.asleep
    }

    /// Whether the card was pulled.
    pub const fn is_removed(&self) -> bool {
        self.removed
    }

    /// Whether received frames may be indicated.
    pub const fn can_receive(&self) -> bool {
        matches!(self.state, State::Restarting | State::Running)
    }

    /// The status to complete a send with that cannot be taken now, or `None` when it can.
    pub const fn send_refusal(&self) -> Option<Status> {
        if self.removed {
            return Some(Status::NOT_ACCEPTED);
        }
        if self.asleep {
            return Some(Status::LOW_POWER_STATE);
        }
        match self.state {
            State::Running => None,
            _ => Some(Status::PAUSED),
        }
    }

    /// Whether calls can be made: the states in which NDIS lets a client signal, and a card to do it
    /// with.
    pub const fn can_call(&self) -> bool {
        self.is_present() && !matches!(self.state, State::Initializing | State::Halting)
    }

    /// Counts `count` net buffer lists in: sends taken or receives to be indicated. `false`: too many.
    /// Ask [`Adapter::send_refusal`] or [`Adapter::can_receive`] first, under the same lock.
    #[must_use]
    pub fn begin(&mut self, count: u32) -> bool {
        match self.in_flight.checked_add(count) {
            Some(sum) => {
                self.in_flight = sum;
                true
            }
            None => false,
        }
    }

    /// `count` net buffer lists are complete or came back. The pause to complete, if one waited for
    /// the last of them.
    #[must_use]
    pub fn end(&mut self, count: u32) -> Option<P> {
        self.in_flight = self.in_flight.saturating_sub(count);
        if self.in_flight != 0 || self.state != State::Pausing {
            return None;
        }
        self.state = State::Paused;
        self.pause.take()
    }

    /// Net buffer lists in flight.
    pub const fn in_flight(&self) -> u32 {
        self.in_flight
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn running() -> Adapter<&'static str> {
        let mut adapter = Adapter::new();
        adapter.initialized();
        adapter.restart().unwrap();
        adapter.restarted(true);
        assert_eq!((adapter.state(), adapter.send_refusal()), (State::Running, None));
        adapter
    }

    #[test]
    fn a_pause_waits_for_what_is_in_flight() {
        let mut adapter = running();
        assert!(adapter.begin(3));
        assert_eq!(adapter.pause("pause"), Pause::Wait);
        assert_eq!((adapter.state(), adapter.send_refusal()), (State::Pausing, Some(Status::PAUSED)));
        assert!(!adapter.can_receive() && adapter.can_call());
        assert_eq!(adapter.end(2), None);
        assert_eq!(adapter.end(1), Some("pause"));
        assert_eq!(adapter.end(0), None);
        assert_eq!(adapter.state(), State::Paused);
    }

    #[test]
    fn an_idle_adapter_pauses_at_once_and_restarts() {
        let mut adapter = running();
        assert_eq!(adapter.pause("pause"), Pause::Complete("pause"));
        adapter.restart().unwrap();
        assert!(adapter.can_receive());
        assert_eq!(adapter.restart(), Err(Status::INVALID_STATE));
        adapter.restarted(false);
        assert_eq!(adapter.state(), State::Paused);
    }

    #[test]
    fn only_a_paused_adapter_restarts() {
        let mut adapter = Adapter::<()>::new();
        assert!(!adapter.can_call());
        assert_eq!(adapter.restart(), Err(Status::INVALID_STATE));
        adapter.restarted(true);
        assert_eq!(adapter.state(), State::Initializing);
        adapter.halt();
        assert_eq!(adapter.restart(), Err(Status::INVALID_STATE));
        assert!(!adapter.can_call());
    }

    #[test]
    fn removal_and_sleep_shut_the_hardware_off() {
        let mut adapter = running();
        adapter.set_asleep(true);
        assert_eq!((adapter.send_refusal(), adapter.is_present()), (Some(Status::LOW_POWER_STATE), false));
        adapter.set_asleep(false);
        adapter.remove();
        assert_eq!((adapter.send_refusal(), adapter.is_present()), (Some(Status::NOT_ACCEPTED), false));
        assert!(adapter.is_removed() && !adapter.can_call());
    }

    proptest! {
        /// A pause is handed out exactly once, when nothing is in flight, in any history.
        #[test]
        fn pauses_are_completed_exactly_once(events in prop::collection::vec((0_u8..6, 0_u32..4), 0..100)) {
            let mut adapter = Adapter::new();
            adapter.initialized();
            let (mut begun, mut ended, mut pausing) = (0, 0, false);
            for (event, count) in events {
                match event {
                    0 => drop(adapter.restart()),
                    1 => adapter.restarted(count != 0),
                    2 if !pausing && adapter.state() == State::Running => {
                        begun += 1;
                        match adapter.pause(()) {
                            Pause::Complete(()) => ended += 1,
                            Pause::Wait => pausing = true,
                        }
                    }
                    3 if adapter.can_receive() => prop_assert!(adapter.begin(count)),
                    _ => {
                        let done = count.min(adapter.in_flight());
                        if adapter.end(done).is_some() {
                            ended += 1;
                            pausing = false;
                            prop_assert_eq!(adapter.in_flight(), 0);
                        }
                    }
                }
            }
            if adapter.end(adapter.in_flight()).is_some() {
                ended += 1;
            }
            prop_assert_eq!(begun, ended);
            prop_assert!(adapter.state() != State::Pausing);
        }
    }
}
