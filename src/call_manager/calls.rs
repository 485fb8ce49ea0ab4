//! All calls of an adapter that have something on the wire: discoveries and sessions.

use core::num::NonZeroU64;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use alloc::boxed::Box;
use alloc::vec::Vec;
use ndis::directory::{Reader, Spread};
use ndis::memory::{push, push_reserved};
use ndis::{Before, Directory, Locked, Ref, Result, SpinLock, Status, Unlocked};
use pppoe::{Discovery, HostUniqTable, Instant, KeyedHash, Random, SessionKey, SessionTable, TimerId, Wheel};

use super::offered::Offered;
use super::{AddressFamily, Vc};
use crate::level;

/// The wheel's resolution and its slots: an eighth of a second, half a minute around.
const TICK: Duration = Duration::from_millis(125);
const WHEEL_SLOTS: u16 = 256;

/// The tables.
pub(crate) struct Calls {
    pub(super) discoveries: SpinLock<Discoveries, level::Discoveries>,
    /// Calls that come in, until they have a session.
    pub(super) offered: SpinLock<Offered, level::Offered>,
    sessions: SpinLock<Sessions, level::Sessions>,
    /// The same sessions once more, for received frames to look up without a lock.
    routes: Directory<Vc, Keyed>,
    /// Calls that are being taken off the wire.
    leaving: AtomicU32,
}

/// A call that is being taken off the wire.
pub(super) struct Leaving<'a>(&'a AtomicU32);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// Peers choose keys: where these go in the table depends on a secret.
struct Keyed(KeyedHash);

impl Spread for Keyed {
    fn spread(&self, key: NonZeroU64) -> u64 {
        self.0.of(key)
    }
}

/// Calls being set up, and those that a late PADS may still concern.
pub(super) struct Discoveries {
    slots: Vec<Option<Setup>>,
    free: Vec<u32>,
    by_host_uniq: HostUniqTable,
    wheel: Wheel,
    random: Random,
}

/// One call being set up. Without a VC it only lingers, to terminate a session that comes too late.
pub(super) struct Setup {
    pub(super) vc: Option<Ref<Vc>>,
    pub(super) discovery: Box<Discovery>,
    timer: Option<TimerId>,
}

struct Sessions {
    table: SessionTable,
    vcs: Vec<Option<Ref<Vc>>>,
    free: Vec<u32>,
}

/// The time as the protocol engine counts it.
pub(super) fn now() -> Instant {
    Instant::from_millis(u64::try_from(ndis::now().as_millis()).unwrap_or(u64::MAX))
}

fn out_of_memory<E>(_: E) -> Status {
    Status::RESOURCES
}

impl Calls {
    /// Empty tables. `secret` comes from a cryptographic generator. There is room for the sessions of `endpoints` calls from
    /// the start, 84 bytes for each: a table that grew with them would do so at `DISPATCH_LEVEL`, under a lock.
    #[inline(never)]
    pub(crate) fn new(secret: &[u8; 16], endpoints: u32) -> Result<Box<Self>> {
        let mut random = Random::new(secret);
        let endpoints = usize::try_from(endpoints).map_err(out_of_memory)?;
        let secret = random.secret();
        let [routes, sessions, setups] = [random.number(), random.number(), random.number()];
        let mut calls = ndis::memory::boxed_with(|| Self {
            offered: SpinLock::new(Offered::new(secret)),
            routes: Directory::new(Keyed(KeyedHash::new(routes))),
            sessions: SpinLock::new(Sessions::new(sessions)),
            discoveries: SpinLock::new(Discoveries {
                slots: Vec::new(),
                free: Vec::new(),
                by_host_uniq: HostUniqTable::new(setups),
                wheel: Wheel::new(TICK, now()),
                random,
            }),
            leaving: AtomicU32::new(0),
        })?;
        calls.discoveries.get_mut().wheel.try_fill(WHEEL_SLOTS).map_err(out_of_memory)?;
        calls.routes.try_reserve(endpoints)?;
        calls.sessions.get_mut().try_reserve(endpoints)?;
        Ok(calls)
    }

    /// A call is taken off the wire until the value is dropped: its session is nobody's, and its PADT may not be sent yet.
    pub(super) fn leave(&self) -> Leaving<'_> {
        self.leaving.fetch_add(1, Ordering::Relaxed);
        Leaving(&self.leaving)
    }

    /// Whether a PADT may be on its way to the card.
    pub(crate) fn are_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire) != 0
    }

    /// Begins to look sessions up, for received frames.
    pub(crate) fn routes(&self) -> Routes<'_> {
        Routes(self.routes.read())
    }

    /// Whether a session exists.
    pub(super) fn in_use(&self, key: SessionKey, locks: &mut Locked<impl Before<level::Sessions>>) -> bool {
        self.sessions.lock(locks).table.contains(key)
    }

    /// The VC of a session.
    pub(super) fn session(&self, key: SessionKey) -> Option<Ref<Vc>> {
        self.routes().find(key)
    }

    /// Adds the session of a VC.
    pub(super) fn add_session(
        &self,
        key: SessionKey,
        vc: &Ref<Vc>,
        locks: &mut Locked<impl Before<level::Sessions>>,
    ) -> Result<()> {
        let added = self.sessions.lock(locks).add(key, vc, &self.routes);
        self.routes.collect();
        added
    }

    /// Removes the session of a VC; false if it is gone, and its id perhaps another VC's by now.
    pub(super) fn remove_session_of(&self, key: SessionKey, vc: &Vc, locks: &mut Unlocked) -> bool {
        let mut sessions = self.sessions.lock(locks);
        let index = sessions.table.get(key);
        let owner = index.and_then(|index| sessions.vcs.get(index as usize)?.as_ref());
        if !owner.is_some_and(|owner| core::ptr::eq(&raw const **owner, vc)) {
            return false;
        }
        let removed = sessions.remove(key);
        self.routes.remove(key.as_number());
        drop(sessions);
        self.routes.collect();
        removed.is_some()
    }

    /// Removes a session; its VC, if there was one.
    pub(super) fn remove_session(
        &self,
        key: SessionKey,
        locks: &mut Locked<impl Before<level::Sessions>>,
    ) -> Option<Ref<Vc>> {
        let mut sessions = self.sessions.lock(locks);
        let removed = sessions.remove(key);
        self.routes.remove(key.as_number());
        drop(sessions);
        self.routes.collect();
        removed
    }

    /// A session is over: its id is free again, if it came from here.
    pub(super) fn session_ended(&self, key: SessionKey, locks: &mut Unlocked) {
        self.offered.lock(locks).session_ended(key);
    }

    /// A call that is being offered, to a client or to any, which is being ended.
    pub(super) fn take_offered(
        &self,
        client: Option<&AddressFamily>,
        locks: &mut Unlocked,
    ) -> Option<Ref<Vc>> {
        self.offered.lock(locks).take(client)
    }

    /// When a request of a peer has waited too long.
    pub(super) fn requests_wake(&self, locks: &mut Locked<impl Before<level::Offered>>) -> Option<Instant> {
        self.offered.lock(locks).deadline()
    }

    /// The first session at or behind a place of the table: for going through all of them with no lock held meanwhile.
    pub(super) fn session_from(&self, place: usize, locks: &mut Unlocked) -> Option<(usize, Ref<Vc>)> {
        let sessions = self.sessions.lock(locks);
        let mut rest = sessions.vcs.iter().enumerate().skip(place);
        rest.find_map(|(at, vc)| Some((at, vc.clone()?)))
    }

    /// The same for calls being set up.
    pub(super) fn setup_from(&self, place: usize, locks: &mut Unlocked) -> Option<(usize, Ref<Vc>)> {
        let discoveries = self.discoveries.lock(locks);
        let mut rest = discoveries.slots.iter().enumerate().skip(place);
        rest.find_map(|(at, setup)| Some((at, setup.as_ref()?.vc.clone()?)))
    }
}

/// Looks sessions up while others come and go.
pub(crate) struct Routes<'a>(Reader<'a, Vc, Keyed>);

impl Routes<'_> {
    /// A session is going to be looked up.
    pub(crate) fn prefetch(&self, key: SessionKey) {
        self.0.prefetch(key.as_number());
    }

    /// A session's VC is going to be needed.
    pub(crate) fn prefetch_vc(&self, key: SessionKey) {
        self.0.prefetch_value(key.as_number());
    }

    /// The VC of a session.
    pub(crate) fn find(&self, key: SessionKey) -> Option<Ref<Vc>> {
        self.0.get(key.as_number())
    }
}

impl Sessions {
    fn new(random: u64) -> Self {
        Self { table: SessionTable::new(random), vcs: Vec::new(), free: Vec::new() }
    }

    /// Makes room for so many.
    fn try_reserve(&mut self, endpoints: usize) -> Result<()> {
        self.table.try_reserve(endpoints).map_err(out_of_memory)?;
        self.vcs.try_reserve_exact(endpoints).map_err(out_of_memory)?;
        self.free.try_reserve_exact(endpoints).map_err(out_of_memory)
    }

    fn add(&mut self, key: SessionKey, vc: &Ref<Vc>, routes: &Directory<Vc, Keyed>) -> Result<()> {
        let index = allocate(&mut self.vcs, &mut self.free)?;
        let added = matches!(self.table.try_insert(key, index), Ok(true));
        let known = added && matches!(routes.insert(key.as_number(), vc), Ok(true));
        if added && !known {
            self.table.remove(key);
        }
        match self.vcs.get_mut(index as usize) {
            Some(slot) if known => {
                *slot = Some(Ref::clone(vc));
                Ok(())
            }
            _ => {
                let _ = push_reserved(&mut self.free, index);
                Err(Status::RESOURCES)
            }
        }
    }

    fn remove(&mut self, key: SessionKey) -> Option<Ref<Vc>> {
        let index = self.table.remove(key)?;
        let vc = self.vcs.get_mut(index as usize)?.take();
        let _ = push_reserved(&mut self.free, index);
        vc
    }
}

impl Discoveries {
    /// A number that no peer can foresee.
    pub(super) fn random(&mut self) -> u64 {
        self.random.number()
    }

    /// Adds a call; its slot.
    pub(super) fn add(&mut self, vc: &Ref<Vc>, discovery: Box<Discovery>) -> Result<u32> {
        self.wheel.try_reserve(1).map_err(out_of_memory)?;
        let index = allocate(&mut self.slots, &mut self.free)?;
        if self.by_host_uniq.try_insert(discovery.host_uniq(), index).is_err() {
            push_reserved(&mut self.free, index);
            return Err(Status::RESOURCES);
        }
        if let Some(slot) = self.slots.get_mut(index as usize) {
            *slot = Some(Setup { vc: Some(Ref::clone(vc)), discovery, timer: None });
        }
        Ok(index)
    }

    /// The call in a slot.
    pub(super) fn get(&mut self, index: u32) -> Option<&mut Setup> {
        self.slots.get_mut(index as usize)?.as_mut()
    }

    /// Removes a call.
    pub(super) fn remove(&mut self, index: u32) -> Option<Setup> {
        let setup = self.slots.get_mut(index as usize)?.take()?;
        if let Some(timer) = setup.timer {
            self.wheel.cancel(timer);
        }
        self.by_host_uniq.remove(setup.discovery.host_uniq(), index);
        let _ = push_reserved(&mut self.free, index);
        Some(setup)
    }

    /// Ends a call's interest in its discovery, which lingers while a PADS may come for a session that nobody wants;
    /// the VC, if there was one.
    pub(super) fn release(&mut self, index: u32) -> Option<Ref<Vc>> {
        let setup = self.get(index)?;
        setup.discovery.cancel();
        let vc = setup.vc.take();
        match setup.discovery.linger().filter(|&until| until > now()) {
            Some(until) => self.set_timer(index, Some(until)),
            None => drop(self.remove(index)),
        }
        vc
    }

    /// Sets the timer of a slot to a deadline, in place of the one it had.
    pub(super) fn set_timer(&mut self, index: u32, deadline: Option<Instant>) {
        let Some(setup) = self.slots.get_mut(index as usize).and_then(Option::as_mut) else { return };
        if let Some(timer) = setup.timer.take() {
            self.wheel.cancel(timer);
        }
        // Room was reserved with the slot; without a timer a call would only miss its repetitions.
        setup.timer = deadline.and_then(|deadline| self.wheel.try_insert(deadline, index).ok());
    }

    /// A slot whose deadline has passed.
    pub(super) fn expire(&mut self, now: Instant) -> Option<u32> {
        let index = self.wheel.expire(now)?;
        if let Some(setup) = self.get(index) {
            setup.timer = None;
        }
        Some(index)
    }

    /// When the wheel wants to be looked at next.
    pub(super) fn wake(&self) -> Option<Instant> {
        self.wheel.wake()
    }

    /// The calls that a PADO or PADS with this Host-Uniq may concern: the n-th.
    pub(super) fn candidate(&self, host_uniq: &[u8], nth: usize) -> Option<u32> {
        self.by_host_uniq.get(host_uniq).nth(nth)
    }
}

/// A free place in `slots`, and room in `free` for its return.
fn allocate<T>(slots: &mut Vec<Option<T>>, free: &mut Vec<u32>) -> Result<u32> {
    if let Some(index) = free.pop() {
        return Ok(index);
    }
    let index = u32::try_from(slots.len()).map_err(out_of_memory)?;
    free.try_reserve(slots.len().saturating_add(1)).map_err(out_of_memory)?;
    push(slots, None)?;
    Ok(index)
}
