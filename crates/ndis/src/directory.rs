//! A table of references that is read without waiting.
//!
//! Readers announce themselves, and never wait: not for a writer, not for memory. Writers take turns. What a writer takes
//! out, an entry or an array that has become too small, may still be looked at by those who read at that moment, so it
//! is kept until nobody reads: [`Directory::collect`] drops it if nobody does, otherwise the last reader that leaves.
//!
//! The table is open addressing with linear probing in an array of words. In one array a slot has no key or one key for
//! ever; removal only takes its value. So whoever has found the key of a slot need not look at it again, and a probe never
//! meets an entry that moves. An array that is soon full of keys is replaced by one with those keys that have values. The
//! successor is made ready little by little, by those who insert: first its slots, then the entries, while writers keep both
//! arrays up to date and readers look into the old one. So no insertion takes long, however many entries there are.

use core::num::NonZeroU64;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::memory::{boxed, push_reserved};
use crate::reference::{Ref, prefetch};
use crate::spin_lock::Leaf;
use crate::status::{Result, Status};

/// Slots of the smallest array.
const MIN_SLOTS: usize = 16;
/// Slots of the largest array that is kept without entries.
const KEPT_SLOTS: usize = 1024;
/// The part of an array's slots that can still get keys when its successor is begun.
const LEAD: usize = 8;
/// Slots of a successor that one insertion makes, and slots that one looks through for entries to move. A successor has no
/// more than four times the slots of its array, so it is complete after a sixteenth and a thirty-second of these.
const MADE: usize = 64;
const MOVED: usize = 32;

/// How keys are spread over the slots. Where peers choose the keys, it should depend on a secret.
pub trait Spread: Send + Sync {
    /// A number of which the low bits depend on all of the key.
    fn spread(&self, key: NonZeroU64) -> u64;
}

/// References by number.
pub struct Directory<T, S> {
    /// The array that readers look into; null while there is none.
    array: AtomicPtr<Array>,
    readers: AtomicUsize,
    /// Whether the last reader has something to drop.
    retired: AtomicBool,
    writer: Leaf<Writer<T>>,
    spread: S,
}

/// A power of two of slots, or on its way there.
struct Array(Vec<Slot>);

#[derive(Default)]
struct Slot {
    /// 0: none. Written once.
    key: AtomicU64,
    /// The context of a counted `Ref<T>`, or null.
    value: AtomicPtr<core::ffi::c_void>,
}

/// What writers know.
struct Writer<T> {
    /// Keys in the array, and those of them that have values.
    keys: usize,
    live: usize,
    /// What is out of the table. There is room for every value that is in it.
    values: Vec<Ref<T>>,
    #[expect(clippy::vec_box, reason = "readers may still look at an array where it is")]
    arrays: Vec<Box<Array>>,
    next: Option<Next>,
    /// Slots that no array has less of.
    least: usize,
}

/// The successor of the array. Its values are those of the array, which counts them.
struct Next {
    /// Of `slots` slots in the end.
    array: Box<Array>,
    slots: usize,
    keys: usize,
    /// Slots of the old array whose entries are here.
    moved: usize,
}

impl Next {
    /// Has an entry that the array has, once all slots are there: before that it will be moved like the others.
    fn insert(&mut self, key: NonZeroU64, value: *mut core::ffi::c_void, spread: &impl Spread) {
        if self.array.0.len() < self.slots {
            return;
        }
        let Some((slot, found)) = self.array.find(key, spread) else { return };
        // Nobody reads it.
        slot.value.store(value, Ordering::Relaxed);
        if !found {
            slot.key.store(key.get(), Ordering::Relaxed);
            self.keys = self.keys.wrapping_add(1);
        }
    }

    /// Has no value any more for a key.
    fn remove(&self, key: NonZeroU64, spread: &impl Spread) {
        if let Some((slot, true)) = self.array.find(key, spread) {
            slot.value.store(ptr::null_mut(), Ordering::Relaxed);
        }
    }

    /// Goes on; whether it is complete.
    fn advance(&mut self, old: &Array, spread: &impl Spread) -> bool {
        let missing = self.slots.saturating_sub(self.array.0.len());
        for _ in 0..missing.min(MADE) {
            push_reserved(&mut self.array.0, Slot::default());
        }
        if missing != 0 {
            return false;
        }
        for from in old.0.iter().skip(self.moved).take(MOVED) {
            let value = from.value.load(Ordering::Relaxed);
            let key = NonZeroU64::new(from.key.load(Ordering::Relaxed)).filter(|_| !value.is_null());
            if let Some(key) = key {
                self.insert(key, value, spread);
            }
        }
        self.moved = self.moved.saturating_add(MOVED);
        self.moved >= old.0.len()
    }
}

// SAFETY: the values are references that are shared and dropped by any thread, the rest are atomic words.
unsafe impl<T: Send + Sync, S: Send> Send for Directory<T, S> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync, S: Sync> Sync for Directory<T, S> {}

impl<T, S: Spread> Directory<T, S> {
    /// An empty table without memory.
    pub const fn new(spread: S) -> Self {
        let writer =
            Writer { keys: 0, live: 0, values: Vec::new(), arrays: Vec::new(), next: None, least: MIN_SLOTS };
        Self {
            array: AtomicPtr::new(ptr::null_mut()),
            readers: AtomicUsize::new(0),
            retired: AtomicBool::new(false),
            writer: Leaf::new(writer),
            spread,
        }
    }

    /// Makes room for so many entries, and keeps it. Takes 40 bytes for each; IRQL <= `DISPATCH_LEVEL`, but better below.
    pub fn try_reserve(&self, entries: usize) -> Result<()> {
        let mut writer = self.writer.acquire();
        writer.least =
            entries.saturating_mul(2).checked_next_power_of_two().ok_or(Status::RESOURCES)?.max(MIN_SLOTS);
        writer.values.try_reserve(entries).map_err(|_| Status::RESOURCES)?;
        self.make_room(&mut writer)
    }

    /// Begins to read. IRQL <= `DISPATCH_LEVEL`; what is removed meanwhile lives until the reader is dropped.
    pub fn read(&self) -> Reader<'_, T, S> {
        // Before any load of this reader in the order that all processors agree on: a writer that sees no reader has
        // unlinked before what it drops.
        self.readers.fetch_add(1, Ordering::SeqCst);
        Reader { directory: self }
    }

    /// Adds an entry; false if there is one with this key. IRQL <= `DISPATCH_LEVEL`.
    pub fn insert(&self, key: NonZeroU64, value: &Ref<T>) -> Result<bool> {
        let mut writer = self.writer.acquire();
        let live = writer.live.saturating_add(1);
        let kept = writer.values.len();
        writer.values.try_reserve(live.saturating_add(kept)).map_err(|_| Status::RESOURCES)?;
        self.make_room(&mut writer)?;
        let Some((slot, found)) = self.array().and_then(|array| array.find(key, &self.spread)) else {
            return Err(Status::RESOURCES);
        };
        let vacant = slot.value.load(Ordering::Relaxed).is_null();
        if vacant {
            let value = Ref::into_raw(Ref::clone(value));
            slot.value.store(value, Ordering::Release);
            writer.live = live;
            if let Some(next) = &mut writer.next {
                next.insert(key, value, &self.spread);
            }
            if !found {
                // Whoever sees the key sees the value.
                slot.key.store(key.get(), Ordering::Release);
                writer.keys = writer.keys.wrapping_add(1);
            }
        }
        Ok(vacant)
    }

    /// Removes an entry; false if there was none. IRQL <= `DISPATCH_LEVEL`.
    pub fn remove(&self, key: NonZeroU64) -> bool {
        let mut writer = self.writer.acquire();
        let Some((slot, true)) = self.array().and_then(|array| array.find(key, &self.spread)) else {
            return false;
        };
        let value = slot.value.swap(ptr::null_mut(), Ordering::SeqCst);
        if value.is_null() {
            return false;
        }
        // SAFETY: put there by `insert`, taken out once.
        let value = unsafe { Ref::from_raw(value) };
        writer.live = writer.live.wrapping_sub(1);
        if let Some(next) = &writer.next {
            next.remove(key, &self.spread);
        }
        push_reserved(&mut writer.values, value);
        let kept = writer.least.max(KEPT_SLOTS);
        let is_large = self.array().is_some_and(|array| array.0.len() > kept);
        if writer.live == 0 && is_large && writer.arrays.try_reserve(1).is_ok() {
            writer.next = None;
            self.switch(&mut writer, ptr::null_mut(), 0);
        }
        self.retired.store(true, Ordering::SeqCst);
        true
    }

    /// The array, to one who keeps it from being dropped: a writer with the lock, or a reader.
    fn array(&self) -> Option<&Array> {
        // SAFETY: null, or an array from a box; it is dropped only when no reader and no writer can see it.
        unsafe { self.array.load(Ordering::SeqCst).as_ref() }
    }

    /// Sees to it that the array has room for one more key, and a successor in time.
    fn make_room(&self, writer: &mut Writer<T>) -> Result<()> {
        let Some(array) = self.array() else {
            let next = Self::successor(writer, 0)?;
            writer.next = Some(next);
            return self.advance(writer, &Array(Vec::new()), true);
        };
        let spare = array.most_keys().saturating_sub(writer.keys);
        let lead = array.0.len() / LEAD;
        if writer.next.is_none() && spare <= lead {
            match Self::successor(writer, lead) {
                Ok(next) => writer.next = Some(next),
                // There will be memory another time.
                Err(_) if spare != 0 => {}
                Err(status) => return Err(status),
            }
        }
        self.advance(writer, array, spare == 0)
    }

    /// A successor for twice as many entries as are live, or will be until it is complete. It has no slots yet.
    fn successor(writer: &Writer<T>, lead: usize) -> Result<Next> {
        let most = writer.live.saturating_add(lead).saturating_add(1);
        let slots = most.saturating_mul(2).next_power_of_two().max(writer.least);
        let mut array = Vec::new();
        array.try_reserve_exact(slots).map_err(|_| Status::RESOURCES)?;
        Ok(Next { array: boxed(Array(array))?, slots, keys: 0, moved: 0 })
    }

    /// Lets the successor go on, if there is one, or to its end.
    fn advance(&self, writer: &mut Writer<T>, array: &Array, to_its_end: bool) -> Result<()> {
        while let Some(next) = &mut writer.next {
            if !next.advance(array, &self.spread) {
                if to_its_end {
                    continue;
                }
                break;
            }
            if writer.arrays.try_reserve(1).is_err() {
                return if to_its_end { Err(Status::RESOURCES) } else { Ok(()) };
            }
            if let Some(Next { array, keys, .. }) = writer.next.take() {
                self.switch(writer, Box::into_raw(array), keys);
            }
        }
        Ok(())
    }

    /// Has readers look into another array from now on. There is room for the old one in the list.
    fn switch(&self, writer: &mut Writer<T>, array: *mut Array, keys: usize) {
        writer.keys = keys;
        let old = self.array.swap(array, Ordering::SeqCst);
        if !old.is_null() {
            // SAFETY: made by `Box::into_raw` here, taken out once.
            push_reserved(&mut writer.arrays, unsafe { Box::from_raw(old) });
        }
        self.retired.store(true, Ordering::SeqCst);
    }

    /// Drops what has been taken out, unless somebody reads: then the last reader does it. To be called after
    /// [`Directory::insert`] and [`Directory::remove`], with no lock held that the drop of a `T` takes.
    pub fn collect(&self) {
        while self.retired.load(Ordering::SeqCst) {
            let mut writer = self.writer.acquire();
            // What is in the lists was unlinked under this lock: who begins to read from now on cannot find it.
            if self.readers.load(Ordering::SeqCst) != 0 {
                return;
            }
            let garbage = (writer.values.pop(), writer.arrays.pop());
            let more = !writer.values.is_empty() || !writer.arrays.is_empty();
            if !more && writer.live == 0 && writer.values.capacity() > writer.least.max(KEPT_SLOTS) {
                writer.values = Vec::new();
            }
            self.retired.store(more, Ordering::SeqCst);
            drop(writer);
            drop(garbage);
        }
    }
}

/// The right to look entries up.
pub struct Reader<'a, T, S: Spread> {
    directory: &'a Directory<T, S>,
}

impl<T, S: Spread> Reader<'_, T, S> {
    /// Asks for the memory in which a key is about to be looked for.
    pub fn prefetch(&self, key: NonZeroU64) {
        let slot = self.directory.array().and_then(|array| array.home(key, &self.directory.spread));
        if let Some(slot) = slot {
            prefetch(ptr::from_ref(slot).cast());
        }
    }

    /// Asks for the memory of a key's value, which is about to be needed.
    pub fn prefetch_value(&self, key: NonZeroU64) {
        let found = self.directory.array().and_then(|array| array.find(key, &self.directory.spread));
        if let Some((slot, true)) = found {
            Ref::<T>::prefetch(slot.value.load(Ordering::Relaxed));
        }
    }

    /// The value of a key.
    pub fn get(&self, key: NonZeroU64) -> Option<Ref<T>> {
        let (slot, found) = self.directory.array()?.find(key, &self.directory.spread)?;
        // A slot that had no key when it was looked at may be getting one, and another's value, right now.
        if !found {
            return None;
        }
        let value = slot.value.load(Ordering::SeqCst);
        if value.is_null() {
            return None;
        }
        Ref::<T>::prefetch(value);
        // SAFETY: put there by `insert`. Its count is not given up as long as this reader reads.
        let value = unsafe { Ref::<T>::borrow_raw(value) };
        Some(Ref::clone(&value))
    }
}

impl<T, S: Spread> Drop for Reader<'_, T, S> {
    fn drop(&mut self) {
        if self.directory.readers.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.directory.collect();
        }
    }
}

impl Array {
    /// Keys that it may have: three quarters, so that a probe soon comes to a slot without one.
    fn most_keys(&self) -> usize {
        self.0.len().saturating_sub(self.0.len() >> 2)
    }

    /// Where looking for a key begins.
    fn home(&self, key: NonZeroU64, spread: &impl Spread) -> Option<&Slot> {
        let mask = self.0.len().wrapping_sub(1);
        self.0.get(usize::try_from(spread.spread(key) & u64::from(u32::MAX)).unwrap_or(0) & mask)
    }

    /// The slot of a key, or the one that it would get; whether it has it.
    fn find(&self, key: NonZeroU64, spread: &impl Spread) -> Option<(&Slot, bool)> {
        let mask = self.0.len().wrapping_sub(1);
        let home = usize::try_from(spread.spread(key) & u64::from(u32::MAX)).unwrap_or(0);
        let probe = (0..self.0.len()).filter_map(|step| self.0.get(home.wrapping_add(step) & mask));
        probe
            .map(|slot| (slot, slot.key.load(Ordering::Acquire)))
            .find_map(|(slot, found)| (found == 0 || found == key.get()).then_some((slot, found != 0)))
    }
}

impl<T, S> Drop for Directory<T, S> {
    fn drop(&mut self) {
        let array = *self.array.get_mut();
        if array.is_null() {
            return;
        }
        // SAFETY: made by `Box::into_raw` in `advance`; nobody reads or writes any more.
        let array = unsafe { Box::from_raw(array) };
        for slot in &array.0 {
            let value = slot.value.load(Ordering::Relaxed);
            if !value.is_null() {
                // SAFETY: put there by `insert`, taken out once.
                drop(unsafe { Ref::<T>::from_raw(value) });
            }
        }
    }
}

impl<T, S> core::fmt::Debug for Directory<T, S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Directory")
    }
}

impl<T, S: Spread> core::fmt::Debug for Reader<'_, T, S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Reader")
    }
}
