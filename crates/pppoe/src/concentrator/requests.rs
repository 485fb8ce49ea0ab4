//! The requests of Hosts: those that wait for an answer, and those answered lately.

use alloc::vec::Vec;
use core::num::NonZeroU64;
use core::time::Duration;

use super::answer::Returned;
use super::cookie::Cookie;
use super::event::{Refusal, RequestId};
use crate::credit;
use crate::error::OutOfMemory;
use crate::ethernet::Address;
use crate::instant::Instant;
use crate::memory;
use crate::table::Table;
use crate::wheel::{TimerId, Wheel};

/// The wheel's resolution, and its slots: a quarter of a second, a minute around.
const TICK: Duration = Duration::from_millis(250);
const WHEEL_SLOTS: u16 = 256;

/// A request: what a duplicate of its PADR is known by, and what answers it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) peer: Address,
    pub(super) cookie: Cookie,
    pub(super) returned: Returned,
    /// PPP-Max-Payload of the PADS.
    pub(super) max_payload: Option<u16>,
    /// Credits of the PADS.
    pub(super) credits: Option<credit::Answer>,
    pub(super) state: State,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Waits for the caller.
    Waiting,
    /// The session with this id.
    Accepted(u16),
    /// Refused.
    Rejected(Refusal),
    /// The session is over. A late PADR must not open another.
    Over,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    held: Option<(Entry, TimerId)>,
}

/// All requests, each found by its cookie and by its station, and each with a timer.
#[derive(Debug)]
pub(super) struct Requests {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_cookie: Table,
    by_station: Table,
    wheel: Wheel,
    waiting: usize,
}

/// A station as the key of a [`Table`]; its address is unicast, so it is not zero.
pub(super) fn station(address: Address) -> NonZeroU64 {
    let number = address.0.into_iter().fold(0, |number: u64, octet| number << 8 | u64::from(octet));
    NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN)
}

fn number(cookie: &Cookie) -> NonZeroU64 {
    NonZeroU64::new(cookie.fingerprint()).unwrap_or(NonZeroU64::MIN)
}

impl Requests {
    pub(super) fn new(random: [u64; 2], now: Instant) -> Self {
        let [first, second] = random;
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_cookie: Table::new(first),
            by_station: Table::new(second),
            wheel: Wheel::new(TICK, now),
            waiting: 0,
        }
    }

    /// Gets the memory without which there can be no request.
    pub(super) fn try_fill(&mut self) -> Result<(), OutOfMemory> {
        self.wheel.try_fill(WHEEL_SLOTS)
    }

    /// All requests.
    pub(super) fn len(&self) -> usize {
        self.by_cookie.len()
    }

    /// Those that wait for an answer.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Requests of `peer`.
    pub(super) fn count_of(&self, peer: Address) -> usize {
        self.by_station.get(station(peer)).count()
    }

    /// Those of them that wait for an answer.
    pub(super) fn waiting_of(&self, peer: Address) -> usize {
        let entries = self.by_station.get(station(peer)).filter_map(|index| self.at(index));
        entries.filter(|(_, entry)| entry.state == State::Waiting).count()
    }

    /// The request of `peer` that this cookie served.
    pub(super) fn find(&self, peer: Address, cookie: &Cookie) -> Option<(RequestId, &Entry)> {
        let mut found = self.by_cookie.get(number(cookie)).filter_map(|index| self.at(index));
        found.find(|(_, entry)| entry.peer == peer && entry.cookie == *cookie)
    }

    /// The accepted request of the session `id` with `peer`.
    pub(super) fn of_session(&self, peer: Address, id: u16) -> Option<RequestId> {
        self.by_station.get(station(peer)).find_map(|index| {
            let (request, entry) = self.at(index)?;
            (entry.state == State::Accepted(id)).then_some(request)
        })
    }

    /// Adds a request that waits until `deadline`.
    pub(super) fn try_insert(&mut self, entry: Entry, deadline: Instant) -> Result<RequestId, OutOfMemory> {
        self.by_cookie.try_reserve(1)?;
        self.by_station.try_reserve(1)?;
        let index = self.allocate()?;
        let (cookie, peer) = (number(&entry.cookie), station(entry.peer));
        let timer = self.wheel.try_insert(deadline, index);
        let slot = self.slots.get_mut(usize::try_from(index).unwrap_or(usize::MAX));
        let (Ok(timer), Some(slot)) = (timer, slot) else {
            let _ = memory::push(&mut self.free, index);
            return Err(OutOfMemory);
        };
        slot.held = Some((entry, timer));
        let id = RequestId { index, generation: slot.generation };
        // Room is reserved.
        let _ = self.by_cookie.try_insert(cookie, index);
        let _ = self.by_station.try_insert(peer, index);
        self.waiting = self.waiting.saturating_add(1);
        Ok(id)
    }

    /// The request `id`.
    pub(super) fn get(&self, id: RequestId) -> Option<&Entry> {
        self.at(id.index).filter(|(found, _)| *found == id).map(|(_, entry)| entry)
    }

    /// Gives the request `id` a new state, other than waiting.
    pub(super) fn settle(&mut self, id: RequestId, state: State) {
        let slot = usize::try_from(id.index).ok().and_then(|index| self.slots.get_mut(index));
        if let Some((entry, _)) = slot.filter(|slot| slot.generation == id.generation).and_then(held) {
            let before = core::mem::replace(&mut entry.state, state);
            if before == State::Waiting {
                self.waiting = self.waiting.saturating_sub(1);
            }
        }
    }

    /// Lets the request `id` be forgotten at `deadline`.
    pub(super) fn keep_until(&mut self, id: RequestId, deadline: Instant) {
        let slot = usize::try_from(id.index).ok().and_then(|index| self.slots.get_mut(index));
        if let Some((_, timer)) = slot.filter(|slot| slot.generation == id.generation).and_then(held) {
            self.wheel.cancel(*timer);
            // The cancelled timer left its place, so there is no allocation that could fail.
            if let Ok(new) = self.wheel.try_insert(deadline, id.index) {
                *timer = new;
            }
        }
    }

    /// Takes out a request whose time is up.
    pub(super) fn expire(&mut self, now: Instant) -> Option<(RequestId, Entry)> {
        loop {
            let index = self.wheel.expire(now)?;
            let Some(slot) = usize::try_from(index).ok().and_then(|at| self.slots.get_mut(at)) else {
                continue;
            };
            let Some((entry, _)) = slot.held.take() else { continue };
            let id = RequestId { index, generation: slot.generation };
            slot.generation = slot.generation.wrapping_add(1);
            self.by_cookie.remove(number(&entry.cookie), index);
            self.by_station.remove(station(entry.peer), index);
            // Room was reserved with the slot.
            let _ = memory::push(&mut self.free, index);
            if entry.state == State::Waiting {
                self.waiting = self.waiting.saturating_sub(1);
            }
            return Some((id, entry));
        }
    }

    /// When to call [`expire`](Self::expire).
    pub(super) fn wake(&self) -> Option<Instant> {
        self.wheel.wake()
    }

    /// A free slot, with room in the free list for its return.
    fn allocate(&mut self) -> Result<u32, OutOfMemory> {
        if let Some(index) = self.free.pop() {
            return Ok(index);
        }
        let index = u32::try_from(self.slots.len()).map_err(|_| OutOfMemory)?;
        self.free.try_reserve(self.slots.len().saturating_add(1))?;
        memory::push(&mut self.slots, Slot { generation: 0, held: None })?;
        Ok(index)
    }

    fn at(&self, index: u32) -> Option<(RequestId, &Entry)> {
        let slot = self.slots.get(usize::try_from(index).ok()?)?;
        let (entry, _) = slot.held.as_ref()?;
        Some((RequestId { index, generation: slot.generation }, entry))
    }
}

fn held(slot: &mut Slot) -> Option<&mut (Entry, TimerId)> {
    slot.held.as_mut()
}

#[cfg(test)]
mod tests {
    use super::super::cookie::Jar;
    use super::*;
    use crate::packet::Code;
    use crate::repr::Repr;
    use crate::secret::Key;

    /// What comes and goes takes the same memory again.
    #[test]
    fn slots_and_places_are_used_again() {
        let own = Address([2, 0, 0, 0, 0, 1]);
        let mut jar = Jar::new(&Key::new(&[1; 16]), Duration::from_secs(8), Instant::ZERO);
        let mut requests = Requests::new([1, 2], Instant::ZERO);
        requests.try_fill().unwrap();
        let mut memory = None;
        for round in 0..100 {
            let now = Instant::from_millis(round * 10_000);
            for last in 0..20 {
                let mut padr = Repr::new(own, Address([2, 0, 0, 0, 1, last % 3]), Code::Padr);
                padr.host_uniq = Some(core::slice::from_ref(&last));
                let cookie = jar.issue(now, own, &padr);
                let returned = Returned::try_new(&padr).unwrap();
                let entry = Entry {
                    peer: padr.source,
                    cookie,
                    returned,
                    max_payload: None,
                    credits: None,
                    state: State::Waiting,
                };
                let id = requests.try_insert(entry, now.saturating_add(Duration::from_secs(5))).unwrap();
                assert!(requests.find(padr.source, &cookie).is_some_and(|(found, _)| found == id));
                if last % 2 == 0 {
                    requests.settle(id, State::Over);
                    requests.keep_until(id, now.saturating_add(Duration::from_secs(7)));
                }
            }
            assert_eq!((requests.len(), requests.waiting()), (20, 10));
            let later = now.saturating_add(Duration::from_secs(9));
            assert_eq!(core::iter::from_fn(|| requests.expire(later)).count(), 20);
            assert_eq!((requests.len(), requests.waiting(), requests.by_station.len()), (0, 0, 0));
            let taken = (requests.slots.len(), requests.free.capacity());
            assert_eq!(*memory.get_or_insert(taken), taken);
        }
    }
}
