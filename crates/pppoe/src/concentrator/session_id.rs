//! Session ids to hand out.

use alloc::vec::Vec;

use crate::error::OutOfMemory;
use crate::memory;
use crate::packet::SESSION_ID_RESERVED;
use crate::secret::Sequence;

/// Ids there are: all but 0 and 0xFFFF.
const COUNT: usize = SESSION_ID_RESERVED as usize - 1;

/// The free ids: a queue, from whose older half one is drawn at random.
///
/// So a stranger can neither guess an id nor foresee the next, and an id given back rests while half of the free
/// ones go before it: what is still under way for the old session does not hit the new one. Both operations take
/// constant time. 128 KiB.
#[derive(Debug)]
pub(super) struct SessionIds {
    ring: Vec<u16>,
    /// Where the oldest is.
    head: usize,
    /// How many are free.
    free: usize,
    random: Sequence,
}

impl SessionIds {
    /// None before [`try_fill`](Self::try_fill).
    pub(super) const fn new(random: Sequence) -> Self {
        Self { ring: Vec::new(), head: 0, free: 0, random }
    }

    /// All of them.
    pub(super) fn try_fill(&mut self) -> Result<(), OutOfMemory> {
        self.ring = memory::filled(COUNT, 0)?;
        for (place, id) in self.ring.iter_mut().zip(1..SESSION_ID_RESERVED) {
            *place = id;
        }
        self.free = COUNT;
        Ok(())
    }

    /// Takes an id; `None` if all are in use.
    pub(super) fn allocate(&mut self) -> Option<u16> {
        let last = self.free.checked_sub(1)?;
        let drawn = self.random.up_to(u32::try_from(last >> 1).unwrap_or_default());
        let drawn = self.place(usize::try_from(drawn).unwrap_or_default());
        let oldest = *self.ring.get(self.head)?;
        let id = core::mem::replace(self.ring.get_mut(drawn)?, oldest);
        self.head = self.place(1);
        self.free = last;
        Some(id)
    }

    /// Gives back an id that [`allocate`](Self::allocate) returned, once.
    pub(super) fn free(&mut self, id: u16) {
        let end = self.place(self.free);
        if self.free < COUNT
            && let Some(place) = self.ring.get_mut(end)
        {
            *place = id;
            self.free = self.free.saturating_add(1);
        }
    }

    /// Where the `nth` free id is.
    fn place(&self, nth: usize) -> usize {
        let place = self.head.saturating_add(nth);
        if place < COUNT { place } else { place.saturating_sub(COUNT) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Key;
    extern crate std;
    use proptest::prelude::*;
    use std::collections::{BTreeSet, VecDeque};

    fn ids(seed: u8) -> SessionIds {
        let mut ids = SessionIds::new(Sequence::new(Key::new(&[seed; 16])));
        ids.try_fill().unwrap();
        ids
    }

    #[test]
    fn hands_out_every_id_once() {
        let mut ids = ids(1);
        let all: BTreeSet<u16> = core::iter::from_fn(|| ids.allocate()).collect();
        assert_eq!(all.len(), COUNT);
        assert!(!all.contains(&0) && !all.contains(&0xFFFF));
        assert_eq!(ids.allocate(), None);
        for id in all {
            ids.free(id);
        }
        assert_eq!(core::iter::from_fn(|| ids.allocate()).count(), COUNT);
    }

    #[test]
    fn ids_rest() {
        let mut ids = ids(2);
        let old: BTreeSet<u16> = (0..1000).map_while(|_| ids.allocate()).collect();
        for &id in &old {
            ids.free(id);
        }
        for _ in 0..30_000 {
            let id = ids.allocate().unwrap();
            assert!(!old.contains(&id));
            ids.free(id);
        }
    }

    #[test]
    fn secrets_give_different_orders() {
        let firsts = |seed| {
            let mut ids = ids(seed);
            (0..8).map_while(|_| ids.allocate()).collect::<Vec<_>>()
        };
        assert_ne!(firsts(3), firsts(4));
        let drawn = firsts(5);
        assert!(drawn.windows(2).any(|pair| pair[0].abs_diff(pair[1]) > 64), "{drawn:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]

        /// With few ids left, no id is out twice.
        #[test]
        fn never_twice(left in 0..20_usize, steps in proptest::collection::vec(any::<bool>(), 0..300)) {
            let mut ids = ids(6);
            let mut out: VecDeque<u16> = (left..COUNT).map_while(|_| ids.allocate()).collect();
            let mut in_use: BTreeSet<u16> = out.iter().copied().collect();
            for take in steps {
                if take {
                    let expected = (in_use.len() < COUNT).then_some(true);
                    let new = ids.allocate().map(|id| {
                        out.push_back(id);
                        in_use.insert(id)
                    });
                    prop_assert_eq!(new, expected);
                } else if let Some(id) = out.pop_front() {
                    in_use.remove(&id);
                    ids.free(id);
                }
            }
        }
    }
}
