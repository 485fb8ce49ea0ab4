//! Work at `PASSIVE_LEVEL` for code that found it at a higher one.

use core::ffi::c_void;
use core::sync::atomic::{AtomicBool, Ordering};

use alloc::boxed::Box;
use ndis_sys::{NDIS_HANDLE, NdisAllocateIoWorkItem, NdisFreeIoWorkItem, NdisMSleep, NdisQueueIoWorkItem};

use crate::initialize::Initialize;
use crate::irql::Passive;
use crate::memory::boxed;
use crate::reference::{Ref, Weak};
use crate::status::{Result, Status};

/// What a work item does.
pub trait WorkHandler: Send + Sync + 'static {
    /// `NDIS_IO_WORKITEM_FUNCTION`.
    fn work(this: &Ref<Self>, irql: &mut Passive)
    where
        Self: Sized;
}

struct Context<T> {
    target: Weak<T>,
    /// Set when the item is queued, cleared when its function has ended.
    busy: AtomicBool,
}

/// A work item; freed by Drop at `PASSIVE_LEVEL`, which waits for its function.
pub struct WorkItem<T> {
    handle: NDIS_HANDLE,
    context: *mut Context<T>,
}

// SAFETY: an opaque handle and a context of atomics.
unsafe impl<T: Send + Sync> Send for WorkItem<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for WorkItem<T> {}

impl<T: WorkHandler> WorkItem<T> {
    /// `NdisAllocateIoWorkItem`. The item keeps only a weak reference to its target.
    pub fn new(init: &Initialize<'_>, target: &Ref<T>) -> Result<Self> {
        let context = boxed(Context { target: Ref::downgrade(target), busy: AtomicBool::new(false) })?;
        let adapter = init.handle();
        // SAFETY: the handle is that of the adapter being initialised.
        let handle = unsafe { NdisAllocateIoWorkItem(adapter.0) };
        if handle.is_null() {
            return Err(Status::RESOURCES);
        }
        Ok(Self { handle, context: Box::into_raw(context) })
    }

    /// Lets the function run soon, unless it is queued or running already. IRQL <= `DISPATCH_LEVEL`.
    pub fn queue(&self) {
        // SAFETY: lives until Drop.
        let context = unsafe { &*self.context };
        if !context.busy.swap(true, Ordering::AcqRel) {
            // SAFETY: the item is allocated and not queued, as the flag says; the context outlives the function.
            unsafe { NdisQueueIoWorkItem(self.handle, Some(run::<T>), self.context.cast()) };
        }
    }
}

impl<T> Drop for WorkItem<T> {
    fn drop(&mut self) {
        // SAFETY: lives until the end of this function.
        while unsafe { &*self.context }.busy.load(Ordering::Acquire) {
            // SAFETY: work items are dropped at PASSIVE_LEVEL.
            unsafe { NdisMSleep(100) };
        }
        // SAFETY: neither queued nor running.
        unsafe { NdisFreeIoWorkItem(self.handle) };
        // SAFETY: made by `new`; no function refers to it any more.
        drop(unsafe { Box::from_raw(self.context) });
    }
}

impl<T> core::fmt::Debug for WorkItem<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("WorkItem")
    }
}

/// `NDIS_IO_WORKITEM_FUNCTION`. After the last line the context may be gone.
unsafe extern "C" fn run<T: WorkHandler>(context: *mut c_void, _item: NDIS_HANDLE) {
    // SAFETY: the context of the item, alive while it is busy.
    let context = unsafe { &*context.cast_const().cast::<Context<T>>() };
    if let Some(target) = context.target.upgrade() {
        T::work(&target, &mut Passive::documented());
    }
    context.busy.store(false, Ordering::Release);
}
