//! Sends: from `MiniportCoSendNetBufferLists` to `NdisMCoSendNetBufferListsComplete`.

use core::ptr::NonNull;

use ndis_sys::{NET_BUFFER_LIST, NdisMCoSendNetBufferListsComplete};

use crate::net_buffer_list::{Chain, NetBufferList, next_of, set_status};
use crate::reference::Ref;
use crate::status::Status;
use crate::vc::Vc;

/// The slot of `MiniportReserved` in which a list being sent keeps a reference to its VC.
const VC_SLOT: usize = 0;

impl<V: Vc> Chain<V> {
    /// Takes over a chain that a client sends on `vc`.
    ///
    /// # Safety
    /// The chain must be the one that NDIS passed to the send handler of that VC.
    pub(crate) unsafe fn from_send(vc: &Ref<V>, chain: *mut NET_BUFFER_LIST) -> Self {
        let mut sends = Self::new();
        let mut next = chain;
        while let Some(raw) = NonNull::new(next) {
            // SAFETY: a list of the chain, ours from here on.
            let mut list = unsafe { NetBufferList::<V>::new(raw) };
            next = next_of(list.get());
            let reference = Ref::into_raw(Ref::clone(vc));
            if let Some(slot) = list.get_mut().MiniportReserved.get_mut(VC_SLOT) {
                *slot = reference;
            }
            sends.push(list);
        }
        sends
    }

    /// Completes every list of the chain with the status it carries, VC by VC, and reports to `completed` how many
    /// each VC got back, after NDIS has them. IRQL <= `DISPATCH_LEVEL`, no lock held: a completion may send again.
    pub fn complete_sends(mut self, mut completed: impl FnMut(&Ref<V>, u32)) {
        while let Some(first) = self.pop() {
            let vc = first.take_vc();
            let mut run = Self::new();
            run.push(first);
            while let Some(list) = self.pop() {
                if !list.is_on(&vc) {
                    self.push_front(list);
                    break;
                }
                drop(list.take_vc());
                run.push(list);
            }
            let count = run.len();
            let head = run.into_raw();
            // SAFETY: all lists of the run were sent on this VC and are given back once; the VC stays alive, since
            // its call cannot end before its sends are counted out by `completed`.
            unsafe { NdisMCoSendNetBufferListsComplete(vc.handle().raw(), head, 0) };
            completed(&vc, count);
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

impl<V> NetBufferList<V> {
    /// Whether the list is sent on this VC.
    pub fn is_on(&self, vc: &V) -> bool {
        self.with_vc(|own| core::ptr::eq(&raw const **own, vc))
    }

    /// The VC on which the list is sent.
    pub fn with_vc<R>(&self, look: impl FnOnce(&Ref<V>) -> R) -> R {
        // SAFETY: the slot holds a reference to a `V` (see `from_send`), which stays counted.
        let vc = unsafe { Ref::<V>::borrow_raw(self.vc_context()) };
        look(&vc)
    }

    /// A number that the driver keeps with a list while it has it.
    pub fn set_note(&mut self, note: u64) {
        let [_, slot] = &mut self.get_mut().MiniportReserved;
        const { assert!(size_of::<usize>() == size_of::<u64>()) };
        #[expect(clippy::cast_possible_truncation, reason = "asserted above")]
        let address = note as usize;
        *slot = core::ptr::without_provenance_mut(address);
    }

    /// What [`NetBufferList::set_note`] kept.
    pub fn note(&self) -> u64 {
        let [_, slot] = &self.get().MiniportReserved;
        slot.addr() as u64
    }

    fn vc_context(&self) -> *mut core::ffi::c_void {
        self.get().MiniportReserved.get(VC_SLOT).copied().unwrap_or(core::ptr::null_mut())
    }

    /// Takes the reference out, just before the list leaves the driver.
    fn take_vc(&self) -> Ref<V> {
        // SAFETY: put there by `from_send`, taken once: the list is completed right after.
        unsafe { Ref::from_raw(self.vc_context()) }
    }
}
