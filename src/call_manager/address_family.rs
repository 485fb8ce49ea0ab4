//! Open address families.

use core::mem::ManuallyDrop;
use core::sync::atomic::{AtomicBool, Ordering};

use alloc::vec::Vec;
use condis::address_family::AddressFamily as Family;
use ndis::{
    AddressFamilyHandle, AddressFamilyId, Answer, CloseAddressFamily, Passive, PendedCloseAddressFamily, Ref,
    Result, SpinLock, Status, Tie, Unlocked,
};

use crate::adapter::Adapter;
use crate::level;

/// One open of an address family by one client.
pub(crate) struct AddressFamily {
    adapter: Tie<Adapter>,
    handle: AddressFamilyHandle,
    kind: Family,
    open: SpinLock<Open, level::Open>,
    /// Its client was asked to close it.
    asked_to_close: AtomicBool,
}

struct Open {
    /// VCs and SAPs of this client.
    objects: u32,
    saps: Vec<condis::sap::Sap>,
    /// A close that waits for them. It counts as a reference to this family, which so does not end with it in there.
    closing: Option<ManuallyDrop<PendedCloseAddressFamily<AddressFamily>>>,
    /// It is closed: NDIS does not know its handle any more.
    closed: bool,
}

impl ndis::AddressFamily for AddressFamily {
    fn handle(&self) -> &AddressFamilyHandle {
        &self.handle
    }
}

impl AddressFamily {
    /// `CmOpenAf`.
    pub(super) fn open(
        adapter: &Ref<Adapter>,
        id: AddressFamilyId,
        handle: AddressFamilyHandle,
        locks: &mut Unlocked,
    ) -> Result<Ref<Self>> {
        let kind = Family::from_number(id.0).ok_or(Status::NOT_SUPPORTED)?;
        let family = Ref::new(Self {
            adapter: Tie::new(adapter),
            handle,
            kind,
            open: SpinLock::new(Open { objects: 0, saps: Vec::new(), closing: None, closed: false }),
            asked_to_close: AtomicBool::new(false),
        })?;
        adapter.family_opened(&family, locks)?;
        Ok(family)
    }

    /// `CmCloseAf`: at once, or when the last VC and the last SAP are gone. Calls that are being offered to the client end
    /// here, since it will not take them.
    pub(super) fn close(&self, request: CloseAddressFamily<Self>, locks: &mut Unlocked) -> Answer {
        let mut open = self.open.lock(locks);
        if open.objects != 0 {
            let (pended, answer) = request.pend();
            open.closing = Some(ManuallyDrop::new(pended));
            drop(open);
            self.adapter.end_offers_to(self, locks);
            return answer;
        }
        open.closed = true;
        drop(open);
        self.adapter.family_closed(self, locks);
        request.finish()
    }

    /// Whether its client is still to be asked to close it; true once.
    pub(crate) fn ask_to_close(&self) -> bool {
        !self.asked_to_close.swap(true, Ordering::Relaxed)
    }

    /// Asks its client to close it, unless that does so. Counted as an object, so that a close waits for NDIS to return from
    /// the handle.
    pub(crate) fn notify_close(&self, irql: &mut Passive) {
        if self.object_added(irql).is_ok() {
            self.handle.notify_close(irql);
            self.object_removed(irql);
        }
    }

    /// A VC or SAP is to be added; not while the family is closing.
    pub(super) fn object_added(&self, locks: &mut Unlocked) -> Result<()> {
        let mut open = self.open.lock(locks);
        if open.closed || open.closing.is_some() {
            return Err(Status::CLOSING);
        }
        open.objects = open.objects.saturating_add(1);
        Ok(())
    }

    /// A VC or SAP is gone; the last one lets a close go on.
    pub(super) fn object_removed(&self, locks: &mut Unlocked) {
        let mut open = self.open.lock(locks);
        open.objects = open.objects.saturating_sub(1);
        let closing = if open.objects == 0 { open.closing.take() } else { None };
        open.closed |= closing.is_some();
        drop(open);
        if let Some(pended) = closing {
            self.adapter.family_closed(self, locks);
            ManuallyDrop::into_inner(pended).complete(locks);
        }
    }

    /// Remembers a SAP, unless this client has as many of the same already as it may.
    pub(super) fn sap_added(&self, sap: condis::sap::Sap, locks: &mut Unlocked) -> Result<()> {
        let mut open = self.open.lock(locks);
        let (open, locks) = open.parts();
        let same = open.saps.iter().filter(|other| sap == **other).count();
        if same >= usize::try_from(sap.most(self.adapter.lines(locks).count)).unwrap_or(usize::MAX) {
            return Err(Status::SAP_IN_USE);
        }
        ndis::memory::push(&mut open.saps, sap)
    }

    /// Forgets a SAP.
    pub(super) fn sap_removed(&self, sap: &condis::sap::Sap, locks: &mut Unlocked) {
        let mut open = self.open.lock(locks);
        if let Some(index) = open.saps.iter().position(|other| other == sap) {
            open.saps.swap_remove(index);
        }
    }

    /// The adapter on which the family is open.
    pub(crate) fn owner(&self) -> &Ref<Adapter> {
        &self.adapter
    }

    /// Which family it is.
    pub(crate) fn kind(&self) -> Family {
        self.kind
    }
}
