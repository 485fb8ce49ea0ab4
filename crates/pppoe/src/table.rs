//! Which call a received packet belongs to.

use alloc::vec::Vec;
use core::num::NonZeroU64;

use crate::error::OutOfMemory;
use crate::memory;
use crate::random::Random;
use crate::session::SessionKey;

/// Slots of the smallest table with entries.
const MIN_SLOTS: usize = 16;

/// Slots of a larger array that one insertion makes, and entries or empty slots of the smaller one that it goes on by. So an
/// array of twice the size has its slots after a thirty-second of the smaller one's number of insertions, and its entries
/// after a thirty-sixth of it: in time, since it is begun an eighth before it is needed.
const MADE: usize = 64;
const MOVED: usize = 64;

/// An open-addressing hash table from numbers to indices, in which a key may occur more than once.
///
/// Linear probing with a load of at most 3/4; removal closes the gap, so there are no tombstones and a lookup
/// stays O(1) however many entries came and went. The hash is keyed, since peers choose the keys. 16 octets a
/// slot.
///
/// It grows by little at a time: each insertion does a part, and meanwhile a key is looked for in two arrays. So none
/// takes long, however many entries there are.
///
/// The table is not synchronised: lookups may share it, insertion and removal need it alone.
#[derive(Debug)]
pub struct Table {
    slots: Slots,
    /// The array before, while there are entries in it.
    old: Slots,
    /// Where the next entry of it is, at the earliest: the slots before are empty.
    cursor: usize,
    /// The array after, while it is being made.
    next: Vec<Option<Entry>>,
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
        let hash = KeyedHash::new(random);
        Self { slots: Slots::new(), old: Slots::new(), cursor: 0, next: Vec::new(), len: 0, hash }
    }

    /// Entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Makes room for `additional` more entries, so that their insertion does not fail. O(n) if the table must grow at
    /// once, which it never must for one entry as long as there is memory.
    pub fn try_reserve(&mut self, additional: usize) -> Result<(), OutOfMemory> {
        let entries = self.len.saturating_add(additional);
        let count = self.slots.0.len();
        if entries <= count.saturating_sub(count >> 2) {
            self.grow_on();
            return Ok(());
        }
        let wanted = entries.saturating_add(entries.div_ceil(5).saturating_mul(3)).max(MIN_SLOTS);
        let slots = memory::filled(wanted.checked_next_power_of_two().unwrap_or(usize::MAX), None)?;
        self.next = Vec::new();
        let arrays = [core::mem::take(&mut self.old), core::mem::replace(&mut self.slots, Slots(slots))];
        for entry in arrays.into_iter().flat_map(|array| array.0).flatten() {
            self.slots.place(entry, self.hash);
        }
        Ok(())
    }

    /// Does a part of what there is to do before the table is full. Without memory it is done later.
    fn grow_on(&mut self) {
        let count = self.slots.0.len();
        for _ in 0..if self.old.0.is_empty() { 0 } else { MOVED } {
            match self.old.0.get(self.cursor) {
                Some(&Some(entry)) => {
                    self.old.close(self.cursor, self.hash);
                    self.slots.place(entry, self.hash);
                }
                Some(None) => self.cursor = self.cursor.saturating_add(1),
                None => {
                    self.old = Slots::new();
                    break;
                }
            }
        }
        // Five eighths.
        if self.len < (count >> 1).saturating_add(count >> 3) || !self.old.0.is_empty() {
            return;
        }
        let wanted = count.saturating_mul(2);
        if self.next.capacity() < wanted && self.next.try_reserve_exact(wanted).is_err() {
            return;
        }
        for _ in 0..wanted.saturating_sub(self.next.len()).min(MADE) {
            // As in `memory`: the look at the capacity keeps the growing out.
            if self.next.len() < self.next.capacity() {
                self.next.push(None);
            }
        }
        if self.next.len() == wanted {
            let next = Slots(core::mem::take(&mut self.next));
            self.old = core::mem::replace(&mut self.slots, next);
            self.cursor = 0;
        }
    }

    /// Adds an entry, beside those of the same key. O(1).
    pub fn try_insert(&mut self, key: NonZeroU64, value: u32) -> Result<(), OutOfMemory> {
        self.try_reserve(1)?;
        self.slots.place(Entry { key, value }, self.hash);
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    /// The values of `key`, in no particular order.
    pub fn get(&self, key: NonZeroU64) -> impl Iterator<Item = u32> + '_ {
        let entries = self.slots.chain(key, self.hash).chain(self.old.chain(key, self.hash));
        entries.filter(move |(_, entry)| entry.key == key).map(|(_, entry)| entry.value)
    }

    /// Removes the entry; whether there was one.
    pub fn remove(&mut self, key: NonZeroU64, value: u32) -> bool {
        let removed = self.slots.remove(key, value, self.hash) || self.old.remove(key, value, self.hash);
        if removed {
            self.len = self.len.saturating_sub(1);
        }
        removed
    }
}

/// A power of two of slots, or none.
#[derive(Debug, Default)]
struct Slots(Vec<Option<Entry>>);

impl Slots {
    const fn new() -> Self {
        Self(Vec::new())
    }

    /// The entries that a lookup passes, with their places.
    fn chain(&self, key: NonZeroU64, hash: KeyedHash) -> impl Iterator<Item = (usize, Entry)> + '_ {
        self.probe(key, hash).map_while(|at| Some((at, (*self.0.get(at)?)?)))
    }

    fn place(&mut self, entry: Entry, hash: KeyedHash) {
        let free = self.probe(entry.key, hash).find(|&at| matches!(self.0.get(at), Some(None)));
        if let Some(at) = free {
            self.set(at, Some(entry));
        }
    }

    fn remove(&mut self, key: NonZeroU64, value: u32, hash: KeyedHash) -> bool {
        let found = self.chain(key, hash).find(|(_, entry)| entry.key == key && entry.value == value);
        let Some((at, _)) = found else { return false };
        self.close(at, hash);
        true
    }

    /// Removes the entry at a place: moves back what was displaced past it, or a lookup would stop short of that.
    fn close(&mut self, mut gap: usize, hash: KeyedHash) {
        let mask = self.mask();
        let mut at = gap;
        for _ in 0..self.0.len() {
            at = at.wrapping_add(1) & mask;
            let Some(&Some(entry)) = self.0.get(at) else {
                break;
            };
            let from_home = at.wrapping_sub(self.home(entry.key, hash)) & mask;
            let from_gap = at.wrapping_sub(gap) & mask;
            if from_home >= from_gap {
                self.set(gap, Some(entry));
                gap = at;
            }
        }
        self.set(gap, None);
    }

    fn set(&mut self, at: usize, entry: Option<Entry>) {
        if let Some(slot) = self.0.get_mut(at) {
            *slot = entry;
        }
    }

    fn probe(&self, key: NonZeroU64, hash: KeyedHash) -> impl Iterator<Item = usize> + use<> {
        let (home, mask, count) = (self.home(key, hash), self.mask(), self.0.len());
        (0..count).map(move |step| home.wrapping_add(step) & mask)
    }

    fn mask(&self) -> usize {
        self.0.len().wrapping_sub(1)
    }

    fn home(&self, key: NonZeroU64, hash: KeyedHash) -> usize {
        usize::try_from(hash.of(key) & u64::from(u32::MAX)).unwrap_or_default() & self.mask()
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
        assert_eq!(table.slots.0.capacity(), 0);
    }

    #[test]
    fn reserved_room_is_enough() {
        let mut table = Table::new(1);
        table.try_reserve(1000).unwrap();
        let slots = table.slots.0.len();
        for number in 1..=1000 {
            table.try_insert(key(number), 0).unwrap();
        }
        assert_eq!((table.slots.0.len(), table.next.capacity()), (slots, 0));
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
                let mut chain =
                    table.0.slots.chain(key, table.0.hash).chain(table.0.old.chain(key, table.0.hash));
                chain.position(|(_, entry)| entry.key == key).unwrap()
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

    /// However many there are, an insertion makes or moves no more than a part.
    #[test]
    fn no_insertion_rebuilds_the_table() {
        let left = |table: &Table| table.old.0.iter().flatten().count();
        let mut table = Table::new(4);
        for number in 1..=20_000_u64 {
            let before = (table.next.len(), table.slots.0.len());
            let old = (number % 16 == 0).then(|| left(&table));
            table.try_insert(key(number), 7).unwrap();
            assert!(table.next.len() <= before.0 + MADE);
            if number > 1 && table.slots.0.len() != before.1 {
                assert_eq!((table.slots.0.len(), table.old.0.len()), (2 * before.1, before.1), "at {number}");
            } else if let Some(old) = old {
                assert!(left(&table) + MOVED >= old, "at {number}");
            }
            // The oldest is found wherever it is.
            assert_eq!(table.get(key(1)).next(), Some(7));
        }
        assert!((1..=20_000).all(|number| table.get(key(number)).next() == Some(7)));
    }

    proptest! {
        /// The same with many, so that it grows while entries come and go.
        #[test]
        fn as_a_map_that_grows(seed: u64, steps in proptest::collection::vec((0..10_u8, 1..500_u64), 0..1500)) {
            let mut table = Table::new(seed);
            let mut model = BTreeMap::<u64, u32>::new();
            for (dice, number) in steps {
                if dice < 7 && !model.contains_key(&number) {
                    table.try_insert(key(number), dice.into()).unwrap();
                    model.insert(number, dice.into());
                } else if let Some(value) = model.remove(&number) {
                    prop_assert!(table.remove(key(number), value) && !table.remove(key(number), value));
                }
                prop_assert_eq!(table.get(key(number)).next(), model.get(&number).copied());
                prop_assert_eq!(table.len(), model.len());
            }
            for number in 1..500 {
                prop_assert_eq!(table.get(key(number)).next(), model.get(&number).copied());
            }
        }

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
