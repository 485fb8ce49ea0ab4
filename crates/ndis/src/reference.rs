//! Reference-counted contexts.
//!
//! NDIS keeps a driver's contexts as bare pointers (`MiniportAdapterContext`, `ProtocolVcContext`, ...). Behind each
//! of them stands a [`Ref`]: handing a context to NDIS leaks one count, the callback that ends its life takes the
//! count back. `alloc::sync::Arc` would serve but for its constructors, which cannot fail.

use core::fmt;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering, fence};

use alloc::boxed::Box;

use crate::memory::{allocate, made};
use crate::status::Result;

/// Counts first: what a `T` declares first lies close to them.
#[repr(C)]
struct Counted<T> {
    strong: AtomicUsize,
    /// Weak references, plus one that all strong references hold together.
    weak: AtomicUsize,
    value: ManuallyDrop<T>,
}

/// Asks for a cache line that is about to be needed. `place` need not be valid.
#[inline]
pub(crate) fn prefetch(place: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: asking for memory has no effect but on time, wherever it is.
    unsafe {
        core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(place.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// A strong reference: the value lives while one exists.
pub struct Ref<T> {
    counted: NonNull<Counted<T>>,
}

/// A reference that does not keep the value alive.
pub struct Weak<T> {
    counted: NonNull<Counted<T>>,
}

// SAFETY: as for `alloc::sync::Arc`: the value is shared and may be dropped by any thread.
unsafe impl<T: Send + Sync> Send for Ref<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Ref<T> {}
// SAFETY: a weak reference gives access to the value only through a strong one.
unsafe impl<T: Send + Sync> Send for Weak<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Weak<T> {}

impl<T> Ref<T> {
    /// Allocates the value. Callable at IRQL <= `DISPATCH_LEVEL`.
    pub fn new(value: T) -> Result<Self> {
        Self::new_with(|| value)
    }

    /// The same for a value that is made where it is to be: a large one does not pass over the stack.
    pub fn new_with(make: impl FnOnce() -> T) -> Result<Self> {
        let counted = allocate::<Counted<T>>()?;
        let place = counted.as_ptr();
        // SAFETY: inside the memory, which is fresh, aligned and large enough.
        let value = unsafe { &raw mut (*place).value };
        // SAFETY: as above; `ManuallyDrop` has the layout of what is in it.
        unsafe { value.cast::<T>().write(made(make)) };
        // SAFETY: inside the memory, as above.
        let strong = unsafe { &raw mut (*place).strong };
        // SAFETY: as above.
        unsafe { strong.write(AtomicUsize::new(1)) };
        // SAFETY: inside the memory, as above.
        let weak = unsafe { &raw mut (*place).weak };
        // SAFETY: as above.
        unsafe { weak.write(AtomicUsize::new(1)) };
        Ok(Self { counted })
    }

    fn counted(&self) -> &Counted<T> {
        // SAFETY: a strong reference keeps the allocation alive.
        unsafe { self.counted.as_ref() }
    }

    /// A reference that does not keep the value alive.
    pub fn downgrade(this: &Self) -> Weak<T> {
        this.counted().weak.fetch_add(1, Ordering::Relaxed);
        Weak { counted: this.counted }
    }

    /// Whether both refer to the same value.
    pub fn ptr_eq(a: &Self, b: &Self) -> bool {
        a.counted == b.counted
    }

    /// Ends this reference and drops the value if no other strong reference exists; gives the reference back
    /// otherwise. From the moment it succeeds no [`Weak`] can be upgraded.
    pub fn try_drop_last(this: Self) -> core::result::Result<(), Self> {
        if this.counted().strong.compare_exchange(1, 0, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return Err(this);
        }
        let last = ManuallyDrop::new(this);
        // SAFETY: the count went from one to zero here, so this was the last strong reference.
        unsafe { drop_value(last.counted) };
        Ok(())
    }

    /// The context that [`Ref::into_raw`] makes of this reference and of every other to the same value.
    pub(crate) const fn as_raw(this: &Self) -> *mut core::ffi::c_void {
        this.counted.as_ptr().cast()
    }

    /// Hands the reference to C as a context.
    pub(crate) fn into_raw(this: Self) -> *mut core::ffi::c_void {
        ManuallyDrop::new(this).counted.as_ptr().cast()
    }

    /// The context that stands for this reference. Each copy that is kept must be counted by [`Ref::count_contexts`].
    pub(crate) fn as_context(this: &Self) -> *mut core::ffi::c_void {
        this.counted.as_ptr().cast()
    }

    /// Asks for what is needed of a context first: the counts and the beginning of the value.
    #[inline]
    pub(crate) fn prefetch(context: *mut core::ffi::c_void) {
        /// Bytes of a cache line, and lines to ask for.
        const LINE: usize = 64;
        const LINES: usize = 4;
        for line in 0..LINES {
            prefetch(context.cast::<u8>().wrapping_add(line.wrapping_mul(LINE)));
        }
    }

    /// Counts `number` copies of [`Ref::as_context`] at once, as if each had come from [`Ref::into_raw`].
    pub(crate) fn count_contexts(this: &Self, number: u32) {
        this.counted().strong.fetch_add(number as usize, Ordering::Relaxed);
    }

    /// Takes back at once what [`Ref::count_contexts`] counted.
    ///
    /// # Safety
    /// `number` counts must belong to contexts of this value that are not used any more, `this` not among them.
    pub(crate) unsafe fn discount_contexts(this: &Self, number: u32) {
        // Not the last: that one is `this`.
        this.counted().strong.fetch_sub(number as usize, Ordering::Release);
    }

    /// The reference that [`Ref::into_raw`] handed out, back.
    ///
    /// # Safety
    /// `context` must come from `into_raw` of the same `T`, and that count must not have been taken back yet.
    pub(crate) unsafe fn from_raw(context: *mut core::ffi::c_void) -> Self {
        // SAFETY: not null by the caller's promise.
        Self { counted: unsafe { NonNull::new_unchecked(context.cast()) } }
    }

    /// Borrows the reference behind a context for the duration of a callback.
    ///
    /// # Safety
    /// As for [`Ref::from_raw`], and the count must not be taken back before the borrow ends.
    pub(crate) unsafe fn borrow_raw(context: *mut core::ffi::c_void) -> ManuallyDrop<Self> {
        // SAFETY: passed on; `ManuallyDrop` keeps the count.
        ManuallyDrop::new(unsafe { Self::from_raw(context) })
    }
}

impl<T> Deref for Ref<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.counted().value
    }
}

impl<T> Clone for Ref<T> {
    fn clone(&self) -> Self {
        self.counted().strong.fetch_add(1, Ordering::Relaxed);
        Self { counted: self.counted }
    }
}

impl<T> Drop for Ref<T> {
    fn drop(&mut self) {
        if self.counted().strong.fetch_sub(1, Ordering::Release) == 1 {
            fence(Ordering::Acquire);
            // SAFETY: this was the last strong reference.
            unsafe { drop_value(self.counted) };
        }
    }
}

/// Drops the value, then the weak count that the strong references held together.
///
/// # Safety
/// The strong count must just have reached zero, and only the caller may have seen that.
///
/// Out of line: the data path lets references go all the time, and hardly ever the last one.
#[inline(never)]
unsafe fn drop_value<T>(counted: NonNull<Counted<T>>) {
    // SAFETY: the allocation is alive until the weak count below is given up.
    let value = unsafe { &raw mut (*counted.as_ptr()).value };
    // SAFETY: nobody else refers to the value any more.
    unsafe { ptr::drop_in_place(value.cast::<T>()) };
    drop(Weak { counted });
}

/// A strong reference from what a value keeps back to that value: it keeps the value alive and never ends its life, which
/// is for [`Ref::try_drop_last`] to do. Were it the last all the same, the value would stay for ever.
///
/// Without this the end of each part would contain the code of the end of the whole, which contains that of each part.
pub struct Tie<T>(ManuallyDrop<Ref<T>>);

impl<T> Tie<T> {
    /// One more reference to the same value.
    pub fn new(to: &Ref<T>) -> Self {
        Self(ManuallyDrop::new(Ref::clone(to)))
    }
}

impl<T> Deref for Tie<T> {
    type Target = Ref<T>;

    fn deref(&self) -> &Ref<T> {
        &self.0
    }
}

impl<T> Drop for Tie<T> {
    fn drop(&mut self) {
        self.0.counted().strong.fetch_sub(1, Ordering::Release);
    }
}

impl<T: fmt::Debug> fmt::Debug for Tie<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

impl<T> Weak<T> {
    /// The strong reference, unless the value is gone. Callable at any IRQL.
    pub fn upgrade(&self) -> Option<Ref<T>> {
        // SAFETY: a weak reference keeps the allocation (not the value) alive.
        let strong = unsafe { &(*self.counted.as_ptr()).strong };
        let mut count = strong.load(Ordering::Relaxed);
        while count != 0 {
            match strong.compare_exchange_weak(
                count,
                count.wrapping_add(1),
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(Ref { counted: self.counted }),
                Err(now) => count = now,
            }
        }
        None
    }
}

impl<T> Clone for Weak<T> {
    fn clone(&self) -> Self {
        // SAFETY: a weak reference keeps the allocation alive.
        let weak = unsafe { &(*self.counted.as_ptr()).weak };
        weak.fetch_add(1, Ordering::Relaxed);
        Self { counted: self.counted }
    }
}

impl<T> Drop for Weak<T> {
    fn drop(&mut self) {
        // SAFETY: a weak reference keeps the allocation alive.
        let weak = unsafe { &(*self.counted.as_ptr()).weak };
        if weak.fetch_sub(1, Ordering::Release) == 1 {
            fence(Ordering::Acquire);
            // SAFETY: allocated by the global allocator with this layout; the last reference of either kind is
            // gone, and the value inside, being `ManuallyDrop`, is not dropped again.
            drop(unsafe { Box::from_raw(self.counted.as_ptr()) });
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Ref<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

impl<T> fmt::Debug for Weak<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Weak")
    }
}
