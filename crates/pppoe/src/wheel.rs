//! One timer for all deadlines.

use alloc::vec::Vec;
use core::num::NonZeroU64;
use core::time::Duration;

use crate::error::OutOfMemory;
use crate::instant::{Instant, millis};
use crate::memory;

/// No node.
const NIL: u32 = u32::MAX;
/// Bits of a word.
const WORD: usize = 64;

/// A timer in a [`Wheel`]. It outlives the timer harmlessly: a number in use again is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerId {
    node: u32,
    generation: u32,
}

/// A hashed timer wheel (Varghese and Lauck, SOSP 1987, scheme 6): a ring of slots of one tick each; a timer
/// sits in the slot of its deadline, whichever round of the ring that falls in. Insertion and cancellation
/// are O(1).
///
/// A timer never expires early and at most one tick late, if [`expire`](Self::expire) is called at
/// [`wake`](Self::wake). Not synchronised.
#[derive(Debug)]
pub struct Wheel {
    /// The first node of each slot.
    slots: Vec<u32>,
    /// A bit for each slot, set if there are nodes in it.
    occupied: Vec<u64>,
    nodes: Vec<Node>,
    free: u32,
    len: usize,
    /// Milliseconds of a tick.
    tick: NonZeroU64,
    /// The next tick to look at; all before have expired.
    current: u64,
    /// Whether part of the current tick has been looked at, up to the cursor.
    sweeping: bool,
    cursor: u32,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    /// The tick to expire in.
    due: u64,
    value: u32,
    generation: u32,
    armed: bool,
    next: u32,
    /// The node before; [`NIL`] for the first of a slot.
    previous: u32,
}

impl Wheel {
    /// A wheel of at least `slots` slots of `tick` (at least 1 ms) each, at `now`. Slots times tick should
    /// exceed most delays; longer ones work, at the price of waking once a round.
    pub fn try_new(slots: u16, tick: Duration, now: Instant) -> Result<Self, OutOfMemory> {
        let mut wheel = Self::new(tick, now);
        wheel.try_fill(slots)?;
        Ok(wheel)
    }

    /// The same without its slots, which [`try_fill`](Self::try_fill) makes; of no use before. It cannot fail, so that it can
    /// be made where it is to be.
    pub fn new(tick: Duration, now: Instant) -> Self {
        let tick = NonZeroU64::new(millis(tick)).unwrap_or(NonZeroU64::MIN);
        let current = now.as_millis() / tick;
        Self {
            slots: Vec::new(),
            occupied: Vec::new(),
            nodes: Vec::new(),
            free: NIL,
            len: 0,
            tick,
            current,
            sweeping: false,
            cursor: NIL,
        }
    }

    /// Makes the slots, at least so many, once.
    pub fn try_fill(&mut self, slots: u16) -> Result<(), OutOfMemory> {
        let count = usize::from(slots.max(2)).next_power_of_two();
        self.slots = memory::filled(count, NIL)?;
        self.occupied = memory::filled(count.div_ceil(WORD), 0)?;
        Ok(())
    }

    /// Armed timers.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no timer is armed.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Makes room for `additional` more timers, so that arming them does not allocate.
    pub fn try_reserve(&mut self, additional: usize) -> Result<(), OutOfMemory> {
        let free = self.nodes.len().saturating_sub(self.len);
        Ok(self.nodes.try_reserve(additional.saturating_sub(free))?)
    }

    /// Arms a timer for `deadline` that yields `value`.
    pub fn try_insert(&mut self, deadline: Instant, value: u32) -> Result<TimerId, OutOfMemory> {
        let id = self.allocate()?;
        // What is put before the cursor would not be seen for a round.
        let earliest = self.current.saturating_add(u64::from(self.sweeping));
        let due = self.tick_from(deadline).max(earliest);
        let head = self.head(due);
        if let Some(node) = self.node_mut(id.node) {
            node.due = due;
            node.value = value;
            node.armed = true;
            node.previous = NIL;
            node.next = head;
        }
        if let Some(next) = self.node_mut(head) {
            next.previous = id.node;
        }
        self.set_head(due, id.node);
        self.len = self.len.saturating_add(1);
        Ok(id)
    }

    /// Disarms a timer; `false` if it has expired or was cancelled.
    pub fn cancel(&mut self, id: TimerId) -> bool {
        match self.node(id.node) {
            Some(node) if node.armed && node.generation == id.generation => self.release(id.node, node),
            _ => return false,
        }
        true
    }

    /// When to call [`expire`](Self::expire) next: not after the tick of the earliest deadline, but perhaps a
    /// round or more before. `None` without timers. Looks at a bit for each slot, a word at a time.
    pub fn wake(&self) -> Option<Instant> {
        if self.len == 0 {
            return None;
        }
        let ahead = self.first_occupied(self.slot(self.current))?;
        Some(Instant::from_millis(self.current.saturating_add(ahead).saturating_mul(self.tick.get())))
    }

    /// Disarms a timer whose deadline is not after `now` and yields its value; `None` if there are no more.
    /// Between two calls timers may be armed and cancelled; one armed for the past expires with the next
    /// tick.
    pub fn expire(&mut self, now: Instant) -> Option<u32> {
        let last = now.as_millis() / self.tick;
        // After a long sleep each slot still needs one look only: a node is due by its tick, not by the
        // slot's.
        self.current = self.current.max(last.saturating_sub(self.round()));
        while self.current <= last && self.len != 0 {
            let mut at = if self.sweeping { self.cursor } else { self.head(self.current) };
            while let Some(node) = self.node(at) {
                if node.due <= last {
                    self.sweeping = true;
                    self.cursor = at;
                    self.release(at, node);
                    return Some(node.value);
                }
                at = node.next;
            }
            self.sweeping = false;
            self.current = self.current.saturating_add(1);
        }
        self.sweeping = false;
        self.current = self.current.max(last.saturating_add(1));
        None
    }

    /// Slots from `from` to the first with nodes in it.
    fn first_occupied(&self, from: usize) -> Option<u64> {
        let bits = |word: usize| self.occupied.get(word).copied().unwrap_or_default();
        let (first, count) = (from / WORD, self.occupied.len());
        let rest = bits(first) & (u64::MAX << (from % WORD));
        // Last the bits of the first word that come before.
        let words = (1..=count).map(|ahead| first.wrapping_add(ahead) & count.wrapping_sub(1));
        let mut found = core::iter::once((first, rest)).chain(words.map(|word| (word, bits(word))));
        let (word, bits) = found.find(|&(_, bits)| bits != 0)?;
        let bit = usize::try_from(bits.trailing_zeros()).unwrap_or_default();
        let slot = word.wrapping_mul(WORD).wrapping_add(bit);
        u64::try_from(slot.wrapping_sub(from) & self.slots.len().wrapping_sub(1)).ok()
    }

    /// The first tick that starts no earlier than `deadline`.
    fn tick_from(&self, deadline: Instant) -> u64 {
        let started = deadline.as_millis() / self.tick;
        let early = started.saturating_mul(self.tick.get()) < deadline.as_millis();
        started.saturating_add(early.into())
    }

    /// Slots, that is ticks in a round.
    fn round(&self) -> u64 {
        u64::try_from(self.slots.len()).unwrap_or(u64::MAX)
    }

    /// A node off the free list, or a new one.
    fn allocate(&mut self) -> Result<TimerId, OutOfMemory> {
        if let Some(node) = self.node(self.free) {
            let id = TimerId { node: self.free, generation: node.generation };
            self.free = node.next;
            return Ok(id);
        }
        let id = u32::try_from(self.nodes.len()).ok().filter(|&id| id != NIL).ok_or(OutOfMemory)?;
        let node = Node { due: 0, value: 0, generation: 0, armed: false, next: NIL, previous: NIL };
        memory::push(&mut self.nodes, node)?;
        Ok(TimerId { node: id, generation: 0 })
    }

    /// Unlinks the armed node `id`, of which `node` is a copy, and frees it.
    fn release(&mut self, id: u32, node: Node) {
        if self.cursor == id {
            self.cursor = node.next;
        }
        if let Some(previous) = self.node_mut(node.previous) {
            previous.next = node.next;
        } else {
            self.set_head(node.due, node.next);
        }
        if let Some(next) = self.node_mut(node.next) {
            next.previous = node.previous;
        }
        let free = core::mem::replace(&mut self.free, id);
        if let Some(node) = self.node_mut(id) {
            node.armed = false;
            node.generation = node.generation.wrapping_add(1);
            node.next = free;
        }
        self.len = self.len.saturating_sub(1);
    }

    fn node(&self, id: u32) -> Option<Node> {
        self.nodes.get(usize::try_from(id).ok()?).copied()
    }

    fn node_mut(&mut self, id: u32) -> Option<&mut Node> {
        self.nodes.get_mut(usize::try_from(id).ok()?)
    }

    fn head(&self, tick: u64) -> u32 {
        self.slots.get(self.slot(tick)).copied().unwrap_or(NIL)
    }

    fn set_head(&mut self, tick: u64, id: u32) {
        let slot = self.slot(tick);
        if let Some(head) = self.slots.get_mut(slot) {
            *head = id;
        }
        if let Some(word) = self.occupied.get_mut(slot / WORD) {
            let bit = 1 << (slot % WORD);
            *word = if id == NIL { *word & !bit } else { *word | bit };
        }
    }

    fn slot(&self, tick: u64) -> usize {
        usize::try_from(tick & self.round().wrapping_sub(1)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn drain(wheel: &mut Wheel, now: u64) -> Vec<u32> {
        let mut values: Vec<_> = core::iter::from_fn(|| wheel.expire(at(now))).collect();
        values.sort_unstable();
        values
    }

    /// The bits in all words, and those of the first word before the current slot, are found.
    #[test]
    fn wakes_for_whichever_slot() {
        for start in [0, 5, 63, 64, 70, 255] {
            for slots in [2, 16, 64, 256] {
                let mut wheel = Wheel::try_new(slots, Duration::from_millis(1), at(start)).unwrap();
                for ahead in 0..u64::from(slots) {
                    let timer = wheel.try_insert(at(start + ahead), 1).unwrap();
                    assert_eq!(wheel.wake(), Some(at(start + ahead)), "{ahead} of {slots} from {start}");
                    assert!(wheel.cancel(timer));
                    assert_eq!(wheel.wake(), None);
                }
            }
        }
    }

    #[test]
    fn expires_once_and_not_early() {
        let mut wheel = Wheel::try_new(16, Duration::from_millis(10), at(1003)).unwrap();
        assert_eq!(wheel.wake(), None);
        wheel.try_insert(at(1041), 1).unwrap();
        wheel.try_insert(at(1050), 2).unwrap();
        let third = wheel.try_insert(at(1045), 3).unwrap();
        assert!(wheel.cancel(third));
        assert!(!wheel.cancel(third));
        assert_eq!(wheel.wake(), Some(at(1050)));
        assert_eq!(drain(&mut wheel, 1049), []);
        assert_eq!(drain(&mut wheel, 1050), [1, 2]);
        assert_eq!(drain(&mut wheel, 9999), []);
        assert!(wheel.is_empty());
    }

    #[test]
    fn an_old_id_does_not_cancel_a_new_timer() {
        let mut wheel = Wheel::try_new(4, Duration::from_millis(1), at(0)).unwrap();
        let old = wheel.try_insert(at(1), 1).unwrap();
        assert_eq!(drain(&mut wheel, 1), [1]);
        let new = wheel.try_insert(at(5), 2).unwrap();
        assert!(!wheel.cancel(old));
        assert!(wheel.cancel(new));
    }

    #[test]
    fn later_rounds_stay() {
        let mut wheel = Wheel::try_new(4, Duration::from_millis(1), at(0)).unwrap();
        for value in 0..10 {
            wheel.try_insert(at(2 + u64::from(value) * 4), value).unwrap();
        }
        for value in 0..10 {
            assert_eq!(drain(&mut wheel, 2 + u64::from(value) * 4), [value]);
        }
    }

    #[test]
    fn a_timer_for_the_past_armed_while_expiring_waits_a_tick_not_a_round() {
        let mut wheel = Wheel::try_new(4, Duration::from_millis(10), at(0)).unwrap();
        wheel.try_insert(at(10), 1).unwrap();
        wheel.try_insert(at(10), 2).unwrap();
        assert!(wheel.expire(at(10)).is_some());
        wheel.try_insert(at(5), 3).unwrap();
        assert_eq!(drain(&mut wheel, 10).len(), 1);
        assert_eq!(wheel.wake(), Some(at(20)));
        assert_eq!(drain(&mut wheel, 20), [3]);
    }

    #[test]
    fn the_end_of_time() {
        let mut wheel = Wheel::try_new(4, Duration::from_millis(1), at(0)).unwrap();
        wheel.try_insert(at(u64::MAX), 1).unwrap();
        wheel.try_insert(at(3), 2).unwrap();
        assert_eq!(drain(&mut wheel, u64::MAX - 1), [2]);
        assert!(wheel.wake().is_some());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64),
        Cancel(usize),
        Sleep(u64),
        ExpireOne,
    }

    proptest! {
        /// Against an ordered map: all that is due expires, nothing else, and `wake` never oversleeps.
        #[test]
        fn as_a_map(
            tick in 1..20_u64,
            slots in 1..32_u16,
            steps in proptest::collection::vec(
                prop_oneof![
                    (0..900_u64).prop_map(Step::Insert),
                    any::<usize>().prop_map(Step::Cancel),
                    (0..400_u64).prop_map(Step::Sleep),
                    Just(Step::ExpireOne),
                ],
                1..200,
            ),
        ) {
            let mut now = 777;
            let mut wheel = Wheel::try_new(slots, Duration::from_millis(tick), at(now)).unwrap();
            let mut model = BTreeMap::new();
            let mut ids = Vec::new();
            for (value, step) in (0..).zip(steps) {
                match step {
                    Step::Insert(delay) => {
                        let id = wheel.try_insert(at(now + delay), value).unwrap();
                        model.insert(value, now + delay);
                        ids.push((id, value));
                    }
                    Step::Cancel(which) if !ids.is_empty() => {
                        let (id, value) = ids[which % ids.len()];
                        prop_assert_eq!(wheel.cancel(id), model.remove(&value).is_some());
                    }
                    Step::Cancel(_) => {}
                    Step::ExpireOne => {
                        if let Some(value) = wheel.expire(at(now)) {
                            prop_assert!(model.remove(&value).unwrap() <= now);
                        }
                    }
                    Step::Sleep(delay) => {
                        now += delay;
                        while let Some(value) = wheel.expire(at(now)) {
                            prop_assert!(model.remove(&value).unwrap() <= now);
                        }
                        // Armed in a tick already swept, a timer waits for the next.
                        prop_assert!(model.values().all(|&deadline| deadline + tick > now));
                        if let Some(&first) = model.values().min() {
                            prop_assert!(wheel.wake().unwrap().as_millis() < first.max(now) + 2 * tick);
                        }
                    }
                }
                prop_assert_eq!(wheel.len(), model.len());
            }
        }
    }
}
