//! Sends: from `MiniportCoSendNetBufferLists` to `NdisMCoSendNetBufferListsComplete`.
//!
//! While the driver has a list, the first slot of its `MiniportReserved` holds a reference to its VC.

use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};

use ndis_sys::{NET_BUFFER_LIST, NdisMCoSendNetBufferListsComplete};

use crate::lock_order::Unlocked;
use crate::net_buffer_list::{Chain, NetBufferList, next_of, set_status, vc_context};
use crate::reference::Ref;
use crate::status::Status;
use crate::vc::Vc;

impl<V: Vc> Chain<V> {
    /// Takes over a chain that a client sends on `vc`. Its lists are to be completed with success unless they are given
    /// another status.
    ///
    /// # Safety
    /// The chain must be the one that NDIS passed to the send handler of that VC.
    pub(crate) unsafe fn from_send(vc: &Ref<V>, chain: *mut NET_BUFFER_LIST) -> Self {
        let context = Ref::as_context(vc);
        let (mut tail, mut next, mut count) = (ptr::null_mut(), chain, 0_u32);
        while let Some(raw) = NonNull::new(next) {
            // SAFETY: a list of the chain, ours from here on.
            let list = unsafe { &mut *raw.as_ptr() };
            let [slot, _] = &mut list.MiniportReserved;
            *slot = context;
            set_status(list, Status::SUCCESS);
            tail = next;
            next = next_of(list);
            count = count.wrapping_add(1);
        }
        Ref::count_contexts(vc, count);
        // SAFETY: the chain that NDIS passed, walked to its end.
        unsafe { Self::from_raw(chain, tail, count, context) }
    }

    /// Completes the lists at the front of the chain that are of one VC, each with the status it carries; that VC, and how
    /// many they were, once NDIS has them. IRQL <= `DISPATCH_LEVEL`; a completion may send again.
    pub fn complete_sends(&mut self, _locks: &mut Unlocked) -> Option<(Ref<V>, u32)> {
        let first = NonNull::new(self.head())?;
        // SAFETY: a list of this chain is valid and owned.
        let context = vc_context(unsafe { first.as_ref() });
        let run = if self.context() == context {
            core::mem::take(self)
        } else {
            self.take_while_raw(|list| vc_context(list) == context)
        };
        let count = run.len();
        // SAFETY: the slot of each list of the run holds a counted reference, put there by `from_send`. This takes the
        // first one's.
        let vc = unsafe { Ref::<V>::from_raw(context) };
        // SAFETY: all lists of the run were sent on this VC and are given back once; the VC stays alive, since its call
        // cannot end before its sends are counted out by the caller.
        unsafe { NdisMCoSendNetBufferListsComplete(vc.handle().raw(), run.into_raw(), 0) };
        // SAFETY: the references of the run's other lists, which are out of the driver.
        unsafe { Ref::discount_contexts(&vc, count.wrapping_sub(1)) };
        Some((vc, count))
    }

    /// Shows each list and the VC that it was sent on.
    pub fn for_each(&self, mut look: impl FnMut(&NetBufferList<V>, &V)) {
        let mut next = self.head();
        while let Some(raw) = NonNull::new(next) {
            // SAFETY: a list of this chain, which is valid and owned; it stays the chain's.
            let list = ManuallyDrop::new(unsafe { NetBufferList::<V>::new(raw) });
            // SAFETY: the slot holds a counted reference, put there by `from_send`, which the list keeps.
            let vc = unsafe { Ref::<V>::borrow_raw(vc_context(list.get())) };
            look(&list, &vc);
            next = next_of(list.get());
        }
    }

    /// Gives all lists the same status.
    pub fn set_status(&mut self, status: Status) {
        let mut next = self.head();
        while let Some(raw) = NonNull::new(next) {
            // SAFETY: a list of this chain is valid and owned.
            let list = unsafe { &mut *raw.as_ptr() };
            set_status(list, status);
            next = next_of(list);
        }
    }
}
