//! A table of references that is read without waiting.
//!
//! Readers announce themselves, and never wait: not for a writer, not for memory. Writers take turns. What a writer takes
//! out, an entry or an array that has become too small, may still be looked at by those who read at that moment, so it
//! is kept until nobody reads: [`Directory::collect`] drops it if nobody does, otherwise the last reader that leaves.
//!
//! The table is open addressing with linear probing in an array of words. In one array a slot has no key or one key for
//! ever; removal only takes its value. So whoever has found the key of a slot need not look at it again, and a probe never
//! meets an entry that moves. An array that is full of keys is replaced by one with those keys that have values.

use core::num::NonZeroU64;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::memory::{boxed, filled, push_reserved};
use crate::reference::{Ref, prefetch};
use crate::spin_lock::SpinLock;
use crate::status::{Result, Status};

/// Slots of the smallest array.
const MIN_SLOTS: usize = 16;

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
    writer: SpinLock<Writer<T>>,
    spread: S,
}

/// A power of two of slots.
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
}

// SAFETY: the values are references that are shared and dropped by any thread, the rest are atomic words.
unsafe impl<T: Send + Sync, S: Send> Send for Directory<T, S> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync, S: Sync> Sync for Directory<T, S> {}

impl<T, S: Spread> Directory<T, S> {
    /// An empty table without memory.
    pub const fn new(spread: S) -> Self {
        let writer = Writer { keys: 0, live: 0, values: Vec::new(), arrays: Vec::new() };
        Self {
            array: AtomicPtr::new(ptr::null_mut()),
            readers: AtomicUsize::new(0),
            retired: AtomicBool::new(false),
            writer: SpinLock::new(writer),
            spread,
        }
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
        let mut writer = self.writer.lock();
        let live = writer.live.saturating_add(1);
        let kept = writer.values.len();
        writer.values.try_reserve(live.saturating_add(kept)).map_err(|_| Status::RESOURCES)?;
        if self.array().is_none_or(|array| writer.keys >= array.most_keys()) {
            self.replace_array(&mut writer)?;
        }
        let Some((slot, found)) = self.array().and_then(|array| array.find(key, &self.spread)) else {
            return Err(Status::RESOURCES);
        };
        let vacant = slot.value.load(Ordering::Relaxed).is_null();
        if vacant {
            slot.value.store(Ref::into_raw(Ref::clone(value)), Ordering::Release);
            writer.live = live;
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
        let mut writer = self.writer.lock();
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
        push_reserved(&mut writer.values, value);
        self.retired.store(true, Ordering::SeqCst);
        true
    }

    /// The array, to one who keeps it from being dropped: a writer with the lock, or a reader.
    fn array(&self) -> Option<&Array> {
        // SAFETY: null, or an array from a box; it is dropped only when no reader and no writer can see it.
        unsafe { self.array.load(Ordering::SeqCst).as_ref() }
    }

    /// Replaces the array by one with room for at least as many entries again as live.
    fn replace_array(&self, writer: &mut Writer<T>) -> Result<()> {
        let count = writer.live.saturating_add(1).saturating_mul(2).next_power_of_two().max(MIN_SLOTS);
        let array = boxed(Array(filled(count, |_| Ok(Slot::default()))?))?;
        writer.arrays.try_reserve(1).map_err(|_| Status::RESOURCES)?;
        for from in self.array().into_iter().flat_map(|old| &old.0) {
            let value = from.value.load(Ordering::Relaxed);
            let key = NonZeroU64::new(from.key.load(Ordering::Relaxed)).filter(|_| !value.is_null());
            let Some((key, (to, _))) = key.and_then(|key| Some((key, array.find(key, &self.spread)?))) else {
                continue;
            };
            // The count moves to the new array: the old one does not drop its values.
            to.value.store(value, Ordering::Relaxed);
            to.key.store(key.get(), Ordering::Relaxed);
        }
        writer.keys = writer.live;
        let old = self.array.swap(Box::into_raw(array), Ordering::SeqCst);
        if !old.is_null() {
            // SAFETY: made by `Box::into_raw` here, taken out once.
            push_reserved(&mut writer.arrays, unsafe { Box::from_raw(old) });
        }
        self.retired.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Drops what has been taken out, unless somebody reads: then the last reader does it. To be called after
    /// [`Directory::insert`] and [`Directory::remove`], with no lock held that the drop of a `T` takes.
    pub fn collect(&self) {
        while self.retired.load(Ordering::SeqCst) {
            let mut writer = self.writer.lock();
            // What is in the lists was unlinked under this lock: who begins to read from now on cannot find it.
            if self.readers.load(Ordering::SeqCst) != 0 {
                return;
            }
            let garbage = (writer.values.pop(), writer.arrays.pop());
            let more = !writer.values.is_empty() || !writer.arrays.is_empty();
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
        // SAFETY: made by `Box::into_raw` in `replace_array`; nobody reads or writes any more.
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
