//! Sends that wait for their rate, or for credits of their peer.
//!
//! A VC with a shape, or with an account of credits, is known by its [`Place`](super::Place), which the data path looks at
//! anyway: others pay nothing for it. Its lists are held here until its token buckets let them go and its credits pay for
//! them, both; then they take turns with everybody's.

use alloc::vec::Vec;
use core::time::Duration;

use condis::token_bucket::{Shape, Shaper};
use ndis::memory::push_reserved;
use ndis::{Chain, NetBufferList, Ref, Result, Status};
use pppoe::credit::{Account, Agreement, Unanswered};
use pppoe::extension::Flow;
use pppoe::{Instant, SessionKey, TimerId, Wheel};

use super::outgoing::{self, Outgoing};
use crate::call_manager::Vc;

/// The wheel's resolution and its slots.
const TICK: Duration = Duration::from_millis(1);
const WHEEL_SLOTS: u16 = 256;

/// How long at least, and half of how long at most, a list waits for credits: Driver Verifier calls a send that takes half a
/// minute lost (`NdisTimedDataSend`), and by then it is of no use to whoever it is for.
const STALE: Duration = Duration::from_secs(12);

/// All VCs with a shape or an account.
#[derive(Default)]
pub(super) struct Shapers {
    shaped: Vec<Option<Shaped>>,
    free: Vec<u32>,
    /// Made with the first VC; one timer serves all.
    wheel: Option<Wheel>,
}

/// A VC with a shape or an account.
pub(super) struct Shaped {
    pub(super) vc: Ref<Vc>,
    shaper: Option<Shaper>,
    account: Option<Account>,
    held: Chain<Vc>,
    /// When the first lists that are held, and how many of them, have waited too long for credits.
    stale: Option<(Instant, u32)>,
    pub(super) outgoing: Option<Outgoing>,
    timer: Option<TimerId>,
    /// Where it waits for room in the ring.
    pub(super) waiting: Option<usize>,
}

/// The time as token buckets count it, and as the wheel does.
fn clock() -> (u64, Instant) {
    let now = ndis::now();
    let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    (u64::try_from(now.as_nanos()).unwrap_or(u64::MAX), Instant::from_millis(millis))
}

impl Shapers {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.shaped.len() == self.free.len()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.shaped.len().wrapping_sub(self.free.len())
    }

    /// Adds a VC, which is held to nothing yet; its place here.
    pub(super) fn add(&mut self, vc: &Ref<Vc>, waiting: Option<usize>) -> Result<usize> {
        let (_, instant) = clock();
        let wheel = match &mut self.wheel {
            Some(wheel) => wheel,
            none => none.insert(Wheel::try_new(WHEEL_SLOTS, TICK, instant).map_err(|_| Status::RESOURCES)?),
        };
        wheel.try_reserve(1).map_err(|_| Status::RESOURCES)?;
        let place = if let Some(place) = self.free.pop() {
            place as usize
        } else {
            self.free.try_reserve(self.shaped.len().saturating_add(1)).map_err(|_| Status::RESOURCES)?;
            ndis::memory::push(&mut self.shaped, None)?;
            self.shaped.len().wrapping_sub(1)
        };
        if let Some(slot) = self.shaped.get_mut(place) {
            let (vc, held) = (Ref::clone(vc), Chain::new());
            let (shaper, account, stale, outgoing, timer) = (None, None, None, None, None);
            *slot = Some(Shaped { vc, shaper, account, held, stale, outgoing, timer, waiting });
        }
        Ok(place)
    }

    /// Gives a VC a shape, or another one, or none.
    pub(super) fn change(&mut self, place: usize, shape: Option<&Shape>) {
        let (now, _) = clock();
        if let Some(shaped) = self.get(place) {
            shaped.shaper = shape.map(|shape| match shaped.shaper.take() {
                Some(shaper) => shaper.changed(shape, now),
                None => Shaper::new(shape, now),
            });
        }
    }

    /// Gives the session of a VC an account.
    pub(super) fn open(&mut self, place: usize, key: SessionKey, agreement: Agreement) {
        if let Some(shaped) = self.get(place) {
            shaped.account = Some(Account::new(key, agreement, clock().1));
        }
    }

    /// Whether a VC has an account.
    pub(super) fn has_account(&self, place: usize) -> bool {
        self.shaped.get(place).is_some_and(|it| it.as_ref().is_some_and(|shaped| shaped.account.is_some()))
    }

    /// Does something to the account of a session, and says which PADG is due then. `None`: the VC has none for this
    /// session.
    pub(super) fn with_account<R>(
        &mut self,
        place: usize,
        key: SessionKey,
        act: impl FnOnce(&mut Account, Instant) -> R,
    ) -> Option<(R, Option<Flow>)> {
        let (_, now) = clock();
        let account = self.get(place)?.account.as_mut().filter(|account| account.key() == key)?;
        let result = act(account, now);
        // A peer that does not answer is for the timer.
        Some((result, account.poll(now).unwrap_or_default()))
    }

    /// The PADG of a VC that is due, if any; an error for a session to be ended.
    pub(super) fn grant(&mut self, place: usize) -> core::result::Result<Option<Flow>, SessionKey> {
        let Some(account) = self.get(place).and_then(|shaped| shaped.account.as_mut()) else {
            return Ok(None);
        };
        account.poll(clock().1).map_err(|Unanswered| account.key())
    }

    /// Takes a VC out, with what was held.
    pub(super) fn remove(&mut self, place: usize) -> Option<(Shaped, Chain<Vc>)> {
        let mut shaped = self.shaped.get_mut(place)?.take()?;
        if let (Some(wheel), Some(timer)) = (&mut self.wheel, shaped.timer.take()) {
            wheel.cancel(timer);
        }
        let _ = push_reserved(&mut self.free, u32::try_from(place).unwrap_or(u32::MAX));
        let held = core::mem::take(&mut shaped.held);
        Some((shaped, held))
    }

    /// The VC at a place.
    pub(super) fn get(&mut self, place: usize) -> Option<&mut Shaped> {
        self.shaped.get_mut(place)?.as_mut()
    }

    /// Holds lists of a VC behind what it holds already. Those that no peer can grant enough credits for stay in `lists`.
    pub(super) fn hold(&mut self, place: usize, outgoing: &Outgoing, lists: &mut Chain<Vc>) {
        if let Some(shaped) = self.get(place) {
            shaped.outgoing = Some(*outgoing);
            let too_dear = match &shaped.account {
                Some(account) => lists.extract(|list| cost(account, list) > u16::MAX.into()),
                None => Chain::new(),
            };
            shaped.held.append(core::mem::replace(lists, too_dear));
        }
    }

    /// Puts lists back that were let go and found no memory to wait in. They try again soon.
    pub(super) fn put_back(&mut self, place: usize, mut lists: Chain<Vc>) {
        let Some(shaped) = self.get(place).filter(|_| !lists.is_empty()) else { return };
        if let Some(account) = &mut shaped.account {
            lists = lists.take_while(|list| {
                account.pay_back(cost(account, list));
                true
            });
        }
        lists.append(core::mem::take(&mut shaped.held));
        shaped.held = lists;
        self.set_timer(place, clock().1.saturating_add(TICK));
    }

    /// Has a VC looked at again at some time.
    fn set_timer(&mut self, place: usize, deadline: Instant) {
        let Self { shaped, wheel, .. } = self;
        let (Some(Some(shaped)), Some(wheel)) = (shaped.get_mut(place), wheel) else { return };
        if let Some(timer) = shaped.timer.take() {
            wheel.cancel(timer);
        }
        // Rounded up: whoever comes too early comes twice. There is room for the timer of each VC.
        let deadline = deadline.saturating_add(TICK);
        shaped.timer = wheel.try_insert(deadline, u32::try_from(place).unwrap_or(u32::MAX)).ok();
    }

    /// What a VC may send now; the timer is set for the rest, and for the next grant.
    pub(super) fn let_go(&mut self, place: usize) -> Chain<Vc> {
        let (now, instant) = clock();
        let Self { shaped, wheel, .. } = self;
        let (Some(Some(shaped)), Some(wheel)) = (shaped.get_mut(place), wheel) else { return Chain::new() };
        if let Some(timer) = shaped.timer.take() {
            wheel.cancel(timer);
        }
        let Shaped { shaper, account, held, stale, .. } = shaped;
        let mut wait = None;
        let free = held.take_while(|list| {
            let cost = account.as_ref().map_or(0, |account| cost(account, list));
            if account.as_mut().is_some_and(|account| !account.affords(cost, instant)) {
                return false;
            }
            if let Some(Err(nanoseconds)) = shaper.as_mut().map(|shaper| shaper.pass(length(list), now)) {
                wait = Some(nanoseconds);
                return false;
            }
            if let Some(account) = account {
                account.pay(cost);
            }
            true
        });
        *stale = match *stale {
            _ if account.is_none() || held.is_empty() => None,
            Some((when, count)) => Some((when, count.saturating_sub(free.len()))),
            None => Some((instant.saturating_add(STALE), held.len())),
        };
        let rate = wait.map(|nanoseconds| instant.saturating_add(Duration::from_nanos(nanoseconds)));
        let grant = account.as_ref().and_then(Account::deadline);
        let lost = stale.map(|(when, _)| when);
        if let Some(deadline) = [rate, grant, lost].into_iter().flatten().min() {
            self.set_timer(place, deadline);
        }
        free
    }

    /// The lists of a VC that have waited too long for credits.
    pub(super) fn stale(&mut self, place: usize) -> Chain<Vc> {
        let (_, now) = clock();
        let Some(shaped) = self.get(place) else { return Chain::new() };
        let Some((_, mut count)) = shaped.stale.filter(|(when, _)| *when <= now) else { return Chain::new() };
        shaped.stale = None;
        let stale = shaped.held.take_while(|_| {
            let more = count != 0;
            count = count.saturating_sub(1);
            more
        });
        stale.for_each(|list, vc| vc.count_send_errors(list.net_buffers().count() as u64));
        stale
    }

    /// The place of a VC whose time has come.
    pub(super) fn expired(&mut self) -> Option<usize> {
        let place = self.wheel.as_mut()?.expire(clock().1)? as usize;
        if let Some(shaped) = self.get(place) {
            shaped.timer = None;
        }
        Some(place)
    }

    /// In how long to look again.
    pub(super) fn wake(&self) -> Option<Duration> {
        let wake = self.wheel.as_ref()?.wake()?.as_millis();
        Some(Duration::from_millis(wake.saturating_sub(clock().1.as_millis())).max(TICK))
    }

    /// Takes out the held lists that `choose` picks.
    pub(super) fn extract(&mut self, choose: &mut impl FnMut(&NetBufferList<Vc>) -> bool) -> Chain<Vc> {
        let mut removed = Chain::new();
        for shaped in self.shaped.iter_mut().flatten() {
            removed.append(shaped.extract(&mut *choose));
        }
        removed
    }

    /// Takes out what one VC holds.
    pub(super) fn take_held(&mut self, place: usize) -> Chain<Vc> {
        self.get(place).map(|shaped| shaped.extract(|_| true)).unwrap_or_default()
    }
}

impl Shaped {
    /// Takes out the held lists that `choose` picks.
    fn extract(&mut self, mut choose: impl FnMut(&NetBufferList<Vc>) -> bool) -> Chain<Vc> {
        let (mut place, mut old) = (0, self.stale.map_or(0, |(_, count)| count));
        let counted = old;
        let removed = self.held.extract(|list| {
            let chosen = choose(list);
            old = old.saturating_sub(u32::from(chosen && place < counted));
            place = u32::saturating_add(place, 1);
            chosen
        });
        // Those that come later are not as old.
        self.stale = self.stale.filter(|_| !self.held.is_empty()).map(|(when, _)| (when, old));
        removed
    }
}

/// What a list counts: the bytes that the client gave.
fn length(list: &NetBufferList<Vc>) -> u32 {
    let bytes = list.net_buffers().fold(0_usize, |sum, frame| sum.saturating_add(frame.len()));
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// The credits that a list costs: those of each of its packets.
fn cost(account: &Account, list: &NetBufferList<Vc>) -> u32 {
    let costs = list.net_buffers().map(|frame| account.cost(outgoing::octets(&frame)));
    costs.fold(0, u32::saturating_add)
}
