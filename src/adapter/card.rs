//! Who may touch the card: everybody while it runs, only the recovery while it recovers, nobody once it is stopped.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;

use ndis::{Passive, Unlocked};

/// The state, below the number of those who touch the card.
const STATE: u32 = 7;
const USER: u32 = 8;

const STOPPED: u32 = 0;
const RUNNING: u32 = 1;
/// Somebody is about to have it alone, and waits for those who touch it.
const CLOSING: u32 = 2;
const RECOVERING: u32 = 3;
/// It does not do its work, and nobody will reset it.
const FAILED: u32 = 4;

/// How often a stop looks whether a recovery has ended, and either whether everybody has let go of the card. A recovery
/// takes some 50 ms.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);

/// The state of the card. Asked at any IRQL, hence no lock.
///
/// What the rings' locks protect needs no [`Access`]: whoever takes the card acquires these locks once it is no longer
/// running, and [`Card::is_running`] is asked with them held.
#[derive(Debug)]
pub(crate) struct Card {
    state: AtomicU32,
    /// Whether what is given to it can leave.
    link: AtomicBool,
}

/// Leave to touch the card. Held for a moment, and never while waiting: a recovery or a stop waits for its end.
#[derive(Debug)]
pub(crate) struct Access<'card> {
    card: &'card Card,
    runs: bool,
}

impl Access<'_> {
    /// Whether the card ran when this was given. Otherwise it may be masked, and nothing else.
    pub(super) fn runs(&self) -> bool {
        self.runs
    }
}

impl Drop for Access<'_> {
    #[inline]
    fn drop(&mut self) {
        self.card.state.fetch_sub(USER, Ordering::Release);
    }
}

impl Card {
    /// A card that was not started yet.
    pub(super) const fn new(link: bool) -> Self {
        Self { state: AtomicU32::new(STOPPED), link: AtomicBool::new(link) }
    }

    /// Whether frames may be given to it: it runs and has a link.
    pub(super) fn may_send(&self) -> bool {
        self.is_running() && self.has_link()
    }

    /// Whether it had a link when somebody looked last.
    pub(super) fn has_link(&self) -> bool {
        self.link.load(Ordering::Acquire)
    }

    /// From here on nobody gives it frames, or everybody may again.
    pub(super) fn set_link(&self, up: bool) {
        self.link.store(up, Ordering::Release);
    }

    fn state(&self) -> u32 {
        self.state.load(Ordering::Acquire) & STATE
    }

    /// Whether registers may be touched.
    pub(super) fn is_running(&self) -> bool {
        self.state() == RUNNING
    }

    /// Whether nothing that waits for the card will ever be served: it is gone, asleep, halted or given up.
    pub(super) fn is_stopped(&self) -> bool {
        matches!(self.state(), STOPPED | FAILED)
    }

    /// Leave to touch a card that runs.
    #[inline]
    pub(crate) fn access(&self) -> Option<Access<'_>> {
        self.enter(|state| state == RUNNING)
    }

    /// The same for a service routine, which also masks a card that somebody is about to take, or that has been given up:
    /// a line that nobody takes back would keep its processor from everything else.
    #[inline]
    pub(super) fn access_to_mask(&self) -> Option<Access<'_>> {
        self.enter(|state| matches!(state, RUNNING | CLOSING | FAILED))
    }

    /// Counts somebody in, if the state allows it.
    #[inline]
    fn enter(&self, may: impl Fn(u32) -> bool) -> Option<Access<'_>> {
        let state = self.state.fetch_add(USER, Ordering::AcqRel) & STATE;
        let access = Access { card: self, runs: state == RUNNING };
        may(state).then_some(access)
    }

    /// The card is set up, at first or again: everybody may touch it, and the caller before anybody can take it away.
    pub(super) fn started(&self) -> Access<'_> {
        let enter = |now: u32| Some((now & !STATE | RUNNING).wrapping_add(USER));
        let _ = self.state.fetch_update(Ordering::AcqRel, Ordering::Relaxed, enter);
        Access { card: self, runs: true }
    }

    /// From here on only the recovery touches the card, which ends with [`Card::started`] or [`Card::given_up`]; false
    /// if the card is not running. `let_go` masks the card when nobody will unmask it any more.
    pub(super) fn begin_recovery(&self, irql: &mut Passive, let_go: impl FnOnce(&mut Unlocked)) -> bool {
        self.take(RECOVERING, irql, let_go)
    }

    /// The recovery has failed.
    pub(super) fn given_up(&self) {
        self.set(STOPPED);
    }

    /// The card does not do its work: from here on it is only masked. False if it was stopped already, or is recovering.
    pub(super) fn fail(&self) -> bool {
        self.change(RUNNING, FAILED)
    }

    /// From here on nobody touches the card but the caller, after a recovery that may be under way; false if it was
    /// stopped already. `let_go` as for [`Card::begin_recovery`].
    pub(super) fn stop(&self, irql: &mut Passive, let_go: impl Fn(&mut Unlocked)) -> bool {
        loop {
            if self.take(STOPPED, irql, &let_go) {
                return true;
            }
            if self.is_stopped() {
                return false;
            }
            ndis::sleep(LOOK_INTERVAL, irql);
        }
    }

    /// Takes a card that runs. Up to the second wait the service routine may still mask it.
    fn take(&self, state: u32, irql: &mut Passive, let_go: impl FnOnce(&mut Unlocked)) -> bool {
        if !self.change(RUNNING, CLOSING) {
            return false;
        }
        self.wait_for_users(irql);
        let_go(irql);
        self.set(state);
        self.wait_for_users(irql);
        true
    }

    fn wait_for_users(&self, irql: &Passive) {
        while self.state.load(Ordering::Acquire) >= USER {
            ndis::sleep(LOOK_INTERVAL, irql);
        }
    }

    fn change(&self, from: u32, to: u32) -> bool {
        let change = |now: u32| (now & STATE == from).then_some(now & !STATE | to);
        self.state.fetch_update(Ordering::AcqRel, Ordering::Relaxed, change).is_ok()
    }

    fn set(&self, to: u32) {
        let _ = self.state.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |now| Some(now & !STATE | to));
    }
}
