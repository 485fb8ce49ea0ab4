//! Which call a received packet belongs to.

use alloc::vec::Vec;
use core::num::NonZeroU64;

use crate::error::OutOfMemory;
use crate::random::Random;
use crate::session::SessionKey;

/// Slots of the smallest table with entries.
const MIN_SLOTS: usize = 16;

/// An open-addressing hash table from numbers to indices, in which a key may occur more than once.
///
/// Linear probing with a load of at most 3/4; removal closes the gap, so there are no tombstones and a lookup
/// stays O(1) however many entries came and went. The hash is keyed, since peers choose the keys. 16 octets a
/// slot.
///
/// The table is not synchronised: lookups may share it, insertion and removal need it alone.
#[derive(Debug)]
pub struct Table {
    slots: Vec<Option<Entry>>,
    len: usize,
    seed: [u64; 2],
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: NonZeroU64,
    value: u32,
}

impl Table {
    /// An empty table without memory. `random` must not be guessable by a peer.
    pub fn new(random: u64) -> Self {
        let mut random = Random::new(random);
        Self { slots: Vec::new(), len: 0, seed: [random.next(), random.next() | 1] }
    }

    /// Entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Makes room for `additional` more entries, so that their insertion does not allocate. O(n) if the table
    /// must grow.
    pub fn try_reserve(&mut self, additional: usize) -> Result<(), OutOfMemory> {
        let entries = self.len.saturating_add(additional);
        if entries <= self.slots.len().saturating_sub(self.slots.len() >> 2) {
            return Ok(());
        }
        let wanted = entries.saturating_add(entries.div_ceil(3)).max(MIN_SLOTS);
        let count = wanted.checked_next_power_of_two().unwrap_or(usize::MAX);
        let mut slots = Vec::new();
        slots.try_reserve_exact(count)?;
        slots.resize(count, None);
        let old = core::mem::replace(&mut self.slots, slots);
        for entry in old.into_iter().flatten() {
            self.place(entry);
        }
        Ok(())
    }

    /// Adds an entry, beside those of the same key. Amortised O(1).
    pub fn try_insert(&mut self, key: NonZeroU64, value: u32) -> Result<(), OutOfMemory> {
        self.try_reserve(1)?;
        self.place(Entry { key, value });
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    /// The values of `key`, in no particular order.
    pub fn get(&self, key: NonZeroU64) -> impl Iterator<Item = u32> + '_ {
        self.probe(key)
            .map_while(|at| *self.slots.get(at)?)
            .filter(move |entry| entry.key == key)
            .map(|entry| entry.value)
    }

    /// Removes the entry; whether there was one.
    pub fn remove(&mut self, key: NonZeroU64, value: u32) -> bool {
        let found = self
            .probe(key)
            .map_while(|at| Some((at, (*self.slots.get(at)?)?)))
            .find(|(_, entry)| entry.key == key && entry.value == value);
        let Some((mut gap, _)) = found else {
            return false;
        };
        // Moves back what was displaced past the gap, or a lookup would stop short of it.
        let mask = self.mask();
        let mut at = gap;
        for _ in 0..self.slots.len() {
            at = at.wrapping_add(1) & mask;
            let Some(&Some(entry)) = self.slots.get(at) else {
                break;
            };
            let from_home = at.wrapping_sub(self.home(entry.key)) & mask;
            let from_gap = at.wrapping_sub(gap) & mask;
            if from_home >= from_gap {
                self.set(gap, Some(entry));
                gap = at;
            }
        }
        self.set(gap, None);
        self.len = self.len.saturating_sub(1);
        true
    }

    fn place(&mut self, entry: Entry) {
        let free = self.probe(entry.key).find(|&at| matches!(self.slots.get(at), Some(None)));
        if let Some(at) = free {
            self.set(at, Some(entry));
        }
    }

    fn set(&mut self, at: usize, entry: Option<Entry>) {
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = entry;
        }
    }

    fn probe(&self, key: NonZeroU64) -> impl Iterator<Item = usize> + use<> {
        let (home, mask, count) = (self.home(key), self.mask(), self.slots.len());
        (0..count).map(move |step| home.wrapping_add(step) & mask)
    }

    fn mask(&self) -> usize {
        self.slots.len().wrapping_sub(1)
    }

    /// Folded multiplication (as in wyhash), twice with the seed.
    fn home(&self, key: NonZeroU64) -> usize {
        let [a, b] = self.seed;
        let hash = fold(fold(key.get() ^ a, b) ^ b, a | 1);
        usize::try_from(hash & u64::from(u32::MAX)).unwrap_or_default() & self.mask()
    }
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a).wrapping_mul(u128::from(b)).to_le_bytes();
    let (low, high) = product.split_at(8);
    let word = |half: &[u8]| half.try_into().map_or(0, u64::from_le_bytes);
    word(low) ^ word(high)
}

/// Sessions by [`SessionKey`]; each key occurs once.
#[derive(Debug)]
pub struct SessionTable(Table);

impl SessionTable {
    /// An empty table without memory. `random` must not be guessable by a peer.
    pub fn new(random: u64) -> Self {
        Self(Table::new(random))
    }

    /// Sessions.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no sessions.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes room for `additional` more sessions.
    pub fn try_reserve(&mut self, additional: usize) -> Result<(), OutOfMemory> {
        self.0.try_reserve(additional)
    }

    /// Adds a session. `Ok(false)`: there is one with this key, which stays.
    pub fn try_insert(&mut self, key: SessionKey, index: u32) -> Result<bool, OutOfMemory> {
        if self.contains(key) {
            return Ok(false);
        }
        self.0.try_insert(key.as_number(), index).map(|()| true)
    }

    /// The index of the session.
    pub fn get(&self, key: SessionKey) -> Option<u32> {
        self.0.get(key.as_number()).next()
    }

    /// Whether the session exists: the `in_use` of [`Discovery::handle`](crate::Discovery::handle).
    pub fn contains(&self, key: SessionKey) -> bool {
        self.get(key).is_some()
    }

    /// Removes the session and returns its index.
    pub fn remove(&mut self, key: SessionKey) -> Option<u32> {
        let index = self.get(key)?;
        self.0.remove(key.as_number(), index).then_some(index)
    }
}

/// Calls being set up by Host-Uniq.
///
/// Calls with a prescribed Host-Uniq share it, and distinct ones may share a fingerprint, so there may be
/// more than one candidate; [`Discovery::handle`](crate::Discovery::handle) compares octet by octet and
/// ignores what is not its own.
#[derive(Debug)]
pub struct HostUniqTable(Table);

impl HostUniqTable {
    /// An empty table without memory. `random` must not be guessable by a peer.
    pub fn new(random: u64) -> Self {
        Self(Table::new(random))
    }

    /// Calls.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no calls.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes room for `additional` more calls.
    pub fn try_reserve(&mut self, additional: usize) -> Result<(), OutOfMemory> {
        self.0.try_reserve(additional)
    }

    /// Adds the call `index`.
    pub fn try_insert(&mut self, host_uniq: &[u8], index: u32) -> Result<(), OutOfMemory> {
        self.0.try_insert(self.fingerprint(host_uniq), index)
    }

    /// The indices of the calls that may be meant, in no particular order.
    pub fn get(&self, host_uniq: &[u8]) -> impl Iterator<Item = u32> + '_ {
        self.0.get(self.fingerprint(host_uniq))
    }

    /// Removes the call `index`; whether it was there.
    pub fn remove(&mut self, host_uniq: &[u8], index: u32) -> bool {
        self.0.remove(self.fingerprint(host_uniq), index)
    }

    fn fingerprint(&self, host_uniq: &[u8]) -> NonZeroU64 {
        let [a, b] = self.0.seed;
        let hash = host_uniq.chunks(8).fold(a, |hash, chunk| {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            fold(hash ^ u64::from_le_bytes(word), b)
        });
        let len = u64::try_from(host_uniq.len()).unwrap_or(u64::MAX);
        NonZeroU64::new(fold(hash ^ len, b)).unwrap_or(NonZeroU64::MIN)
    }
}
