//! Which call a received packet belongs to.

use alloc::vec::Vec;
use core::num::NonZeroU64;

use crate::error::OutOfMemory;
use crate::memory;
use crate::random::Random;
use crate::session::SessionKey;

/// Slots of the smallest table with entries.
const MIN_SLOTS: usize = 16;
/// Slots that an empty table keeps: so few calls come and go without an allocation.
const KEPT_SLOTS: usize = 1024;

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
    hash: KeyedHash,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: NonZeroU64,
    value: u32,
}

impl Table {
    /// An empty table without memory. `random` must not be guessable by a peer.
    pub fn new(random: u64) -> Self {
        Self { slots: Vec::new(), len: 0, hash: KeyedHash::new(random) }
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
        let slots = memory::filled(count, None)?;
        let old = core::mem::replace(&mut self.slots, slots);
        for entry in old.into_iter().flatten() {
            self.place(entry);
        }
        Ok(())
    }

    /// Gives back the memory of an empty table, unless it is little; whether it did.
    pub fn shrink(&mut self) -> bool {
        let large = self.len == 0 && self.slots.len() > KEPT_SLOTS;
        if large {
            self.slots = Vec::new();
        }
        large
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

    fn home(&self, key: NonZeroU64) -> usize {
        usize::try_from(self.hash.of(key) & u64::from(u32::MAX)).unwrap_or_default() & self.mask()
    }
}

/// A hash of numbers that peers choose, which depends on a secret.
#[derive(Clone, Copy, Debug)]
pub struct KeyedHash([u64; 2]);

impl KeyedHash {
    /// `random` must not be guessable by a peer.
    pub fn new(random: u64) -> Self {
        let mut random = Random::new(random);
        Self([random.next(), random.next() | 1])
    }

    /// Folded multiplication (as in wyhash), twice with the secret.
    pub fn of(&self, key: NonZeroU64) -> u64 {
        let [a, b] = self.0;
        fold(fold(key.get() ^ a, b) ^ b, a | 1)
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

    /// Gives back the memory of a table without sessions, unless it is little; whether it did.
    pub fn shrink(&mut self) -> bool {
        self.0.shrink()
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
        let KeyedHash([a, b]) = self.0.hash;
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

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use crate::ethernet::Address;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn key(number: u64) -> NonZeroU64 {
        NonZeroU64::new(number).unwrap()
    }

    fn sorted(values: impl Iterator<Item = u32>) -> Vec<u32> {
        let mut values: Vec<_> = values.collect();
        values.sort_unstable();
        values
    }

    #[test]
    fn an_empty_table_has_nothing_and_no_memory() {
        let mut table = Table::new(1);
        assert_eq!(table.get(key(1)).next(), None);
        assert!(!table.remove(key(1), 1));
        assert_eq!(table.slots.capacity(), 0);
    }

    #[test]
    fn reserved_room_is_enough() {
        let mut table = Table::new(1);
        table.try_reserve(1000).unwrap();
        let slots = table.slots.len();
        for number in 1..=1000 {
            table.try_insert(key(number), 0).unwrap();
        }
        assert_eq!(table.slots.len(), slots);
    }

    #[test]
    fn an_empty_table_keeps_little() {
        let mut table = Table::new(1);
        for (count, kept) in [(KEPT_SLOTS / 4, KEPT_SLOTS / 2), (KEPT_SLOTS, 0)] {
            for number in 1..=count {
                table.try_insert(key(number as u64), 7).unwrap();
                assert!(!table.shrink());
            }
            for number in 1..=count {
                assert!(table.remove(key(number as u64), 7));
            }
            assert_eq!((table.shrink(), table.slots.capacity()), (kept == 0, kept));
        }
        table.try_insert(key(1), 7).unwrap();
        assert_eq!(table.get(key(1)).next(), Some(7));
    }

    #[test]
    fn too_much_is_refused_and_harmless() {
        let mut table = Table::new(1);
        table.try_insert(key(1), 7).unwrap();
        assert_eq!(table.try_reserve(usize::MAX), Err(OutOfMemory));
        assert_eq!(table.try_reserve(usize::MAX >> 6), Err(OutOfMemory));
        assert_eq!(sorted(table.get(key(1))), [7]);
    }

    /// All ids of one peer, as an Access Concentrator hands them out: no lookup may degenerate.
    #[test]
    fn all_sessions_of_a_peer() {
        let mut table = SessionTable::new(0x5EED);
        let peer = Address([2, 0, 0, 0, 0, 1]);
        for id in 1..0xFFFF {
            assert_eq!(table.try_insert(SessionKey::new(peer, id).unwrap(), id.into()), Ok(true));
        }
        let longest = (1..0xFFFF_u16)
            .map(|id| {
                let key = SessionKey::new(peer, id).unwrap().as_number();
                table.0.probe(key).position(|at| table.0.slots[at].unwrap().key == key).unwrap()
            })
            .max();
        assert!(longest < Some(200), "{longest:?}");
        for id in (1..0xFFFF).rev() {
            let key = SessionKey::new(peer, id).unwrap();
            assert_eq!(table.try_insert(key, 1), Ok(false));
            assert_eq!(table.remove(key), Some(id.into()));
            assert!(!table.contains(key));
        }
        assert!(table.is_empty());
    }

    #[test]
    fn the_same_id_of_two_peers_is_two_sessions() {
        let mut table = SessionTable::new(2);
        let [a, b] = [1, 2].map(|last| SessionKey::new(Address([2, 0, 0, 0, 0, last]), 1).unwrap());
        table.try_insert(a, 10).unwrap();
        assert_eq!(table.get(b), None);
        table.try_insert(b, 20).unwrap();
        assert_eq!((table.get(a), table.get(b)), (Some(10), Some(20)));
    }

    #[test]
    fn calls_may_share_a_host_uniq() {
        let mut table = HostUniqTable::new(3);
        for (host_uniq, index) in [(&b"isp"[..], 1), (b"isp", 2), (b"", 3), (b"\0", 4), (b"isp\0", 5)] {
            table.try_insert(host_uniq, index).unwrap();
        }
        assert_eq!(sorted(table.get(b"isp")), [1, 2]);
        assert_eq!(sorted(table.get(b"")), [3]);
        assert_eq!(sorted(table.get(b"\0")), [4]);
        assert!(table.remove(b"isp", 1) && !table.remove(b"isp", 1) && !table.remove(b"isp", 3));
        assert_eq!(sorted(table.get(b"isp")), [2]);
    }

    proptest! {
        /// Against an ordered map, with few enough keys to collide and wrap around.
        #[test]
        fn as_a_map(
            seed: u64,
            steps in proptest::collection::vec((any::<bool>(), 1..40_u64, 0..4_u32), 0..400),
        ) {
            let mut table = Table::new(seed);
            let mut model = BTreeMap::<u64, Vec<u32>>::new();
            for (insert, number, value) in steps {
                let values = model.entry(number).or_default();
                if insert {
                    table.try_insert(key(number), value).unwrap();
                    values.push(value);
                } else {
                    let at = values.iter().position(|&v| v == value);
                    prop_assert_eq!(table.remove(key(number), value), at.is_some());
                    at.map(|at| values.remove(at));
                }
            }
            for number in 1..40 {
                let want = model.remove(&number).unwrap_or_default();
                prop_assert_eq!(sorted(table.get(key(number))), sorted(want.into_iter()));
            }
        }
    }
}
