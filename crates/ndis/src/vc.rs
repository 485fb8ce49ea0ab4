//! Virtual circuits.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use ndis_sys::{
    NDIS_HANDLE, NDIS_STATUS, NdisCmDispatchCallConnected, NdisCmDispatchIncomingCall,
    NdisCmDispatchIncomingCallQoSChange, NdisCmDispatchIncomingCloseCall, NdisMCmActivateVc, NdisMCmCreateVc,
    NdisMCmDeactivateVc, NdisMCmDeleteVc,
};

use crate::address_family::AddressFamilyHandle;
use crate::call::CallParameters;
use crate::incoming::{IncomingCall, Lent};
use crate::lock_order::Unlocked;
use crate::miniport::AdapterHandle;
use crate::reference::Ref;
use crate::sap::SapHandle;
use crate::status::{Result, Status};

/// The driver's VC context: gives the layer the handle.
pub trait Vc: Send + Sync + 'static {
    /// The handle that [`crate::CallManager::create_vc`] received, or one for [`create`].
    fn handle(&self) -> &VcHandle;
}

/// Whether NDIS has done what it was asked, or will tell later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// Done.
    Done,
    /// PENDING: the completion handler is called, perhaps before this was returned.
    Pending,
}

impl Progress {
    fn of(status: NDIS_STATUS) -> Result<Self> {
        let status = Status::from_raw(status);
        if status == Status::PENDING { Ok(Self::Pending) } else { status.ok().map(|()| Self::Done) }
    }
}

/// What a client says to an offered call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// It takes the call.
    Accepted,
    /// It does not, for this reason.
    Rejected(Status),
    /// It will say so through [`crate::CallManager::incoming_call_complete`], perhaps before this was returned.
    Pending,
}

impl Verdict {
    pub(crate) fn of(status: Status) -> Self {
        match status {
            Status::SUCCESS => Self::Accepted,
            Status::PENDING => Self::Pending,
            reason => Self::Rejected(reason),
        }
    }
}

/// `NdisMCmCreateVc`: a VC for an incoming call, towards the client that opened the family. `vc` is its context from
/// then on, until [`delete`]; its handle comes to life. The client may refuse. IRQL <= `DISPATCH_LEVEL`.
pub fn create<V: Vc>(
    adapter: &AdapterHandle,
    family: &AddressFamilyHandle,
    vc: &Ref<V>,
    _locks: &mut Unlocked,
) -> Result<()> {
    let context = Ref::into_raw(Ref::clone(vc));
    let mut handle: NDIS_HANDLE = ptr::null_mut();
    // SAFETY: the adapter lives and the family is open; the context is a count of the reference.
    let status = Status::from_raw(unsafe { NdisMCmCreateVc(adapter.0, family.0, context, &raw mut handle) });
    if let Err(status) = status.ok() {
        // SAFETY: the count made above; without a VC NDIS does not keep it.
        drop(unsafe { Ref::<V>::from_raw(context) });
        return Err(status);
    }
    vc.handle().raw.store(handle, Ordering::Release);
    Ok(())
}

/// `NdisMCmDeleteVc`: the end of a VC that [`create`] made; it is inactive and has no call.
/// IRQL <= `DISPATCH_LEVEL`.
pub fn delete<V: Vc>(vc: &Ref<V>, _locks: &mut Unlocked) -> Result<()> {
    let raw = vc.handle().raw.swap(ptr::null_mut(), Ordering::AcqRel);
    if raw.is_null() {
        return Err(Status::CLOSING);
    }
    // SAFETY: the VC lives; this driver created it.
    Status::from_raw(unsafe { NdisMCmDeleteVc(raw) }).ok()?;
    // SAFETY: the count that `create` handed to NDIS, which does not use the context after the deletion.
    drop(unsafe { Ref::<V>::from_raw(Ref::as_raw(vc)) });
    Ok(())
}

/// `NdisVcHandle` of a VC. It dies with the VC, after which all functions fail.
#[derive(Debug)]
pub struct VcHandle {
    raw: AtomicPtr<c_void>,
    /// What NDIS activates it with.
    activating: Lent,
    /// What the client was offered.
    offered: Lent,
}

impl VcHandle {
    pub(crate) const fn new(raw: NDIS_HANDLE) -> Self {
        Self { raw: AtomicPtr::new(raw), activating: Lent::new(), offered: Lent::new() }
    }

    /// The handle of a VC that is yet to be made by [`create`].
    pub const fn unborn() -> Self {
        Self::new(ptr::null_mut())
    }

    pub(crate) fn raw(&self) -> NDIS_HANDLE {
        self.raw.load(Ordering::Acquire)
    }

    /// `CmDeleteVc` succeeded.
    pub(crate) fn delete(&self) {
        self.raw.store(ptr::null_mut(), Ordering::Release);
    }

    fn live(&self) -> Result<NDIS_HANDLE> {
        let raw = self.raw();
        if raw.is_null() { Err(Status::CLOSING) } else { Ok(raw) }
    }

    /// `NdisMCmActivateVc`: data may flow with these parameters, of which the VC keeps a reference until the activation is
    /// complete. Fails while another activation with such is under way. IRQL <= `DISPATCH_LEVEL`.
    pub fn activate(&self, call: &IncomingCall, locks: &mut Unlocked) -> Result<Progress> {
        self.activating.lend(call)?;
        let progress = self.activate_with(call.parameters(), locks);
        if progress != Ok(Progress::Pending) {
            self.activating.give_back_this(call);
        }
        progress
    }

    /// The same with parameters that somebody else keeps.
    pub(crate) fn activate_with(
        &self,
        parameters: &CallParameters,
        _locks: &mut Unlocked,
    ) -> Result<Progress> {
        let vc = self.live()?;
        // SAFETY: the VC lives, and so do the parameters until the activation is complete: they are lent, or a client's.
        Progress::of(unsafe { NdisMCmActivateVc(vc, parameters.raw()) })
    }

    /// `CmActivateVcComplete`: what the VC was activated with, if that was the driver's.
    pub(crate) fn activation_completed(&self) -> Option<IncomingCall> {
        self.activating.give_back()
    }

    /// `CmIncomingCallComplete`: what was offered, unless the offer had been answered before.
    pub(crate) fn offer_answered(&self) -> Option<IncomingCall> {
        self.offered.give_back()
    }

    /// `NdisMCmDeactivateVc`, after the last send was completed and the last receive returned.
    /// IRQL <= `DISPATCH_LEVEL`.
    pub fn deactivate(&self, _locks: &mut Unlocked) -> Result<Progress> {
        let vc = self.live()?;
        // SAFETY: the VC lives.
        Progress::of(unsafe { NdisMCmDeactivateVc(vc) })
    }

    /// `NdisMCmDispatchIncomingCall`: offers a call on an active VC that [`create`] made, which keeps a reference to the
    /// parameters until the client has answered. IRQL <= `DISPATCH_LEVEL`.
    pub fn dispatch_incoming_call(
        &self,
        sap: &SapHandle,
        call: &IncomingCall,
        _locks: &mut Unlocked,
    ) -> Verdict {
        let lent = self.live().and_then(|vc| self.offered.lend(call).map(|()| vc));
        let vc = match lent {
            Ok(vc) => vc,
            Err(status) => return Verdict::Rejected(status),
        };
        let parameters = call.parameters().raw();
        // SAFETY: the VC lives, the SAP is registered, and the parameters live until the client has answered.
        let verdict =
            Verdict::of(Status::from_raw(unsafe { NdisCmDispatchIncomingCall(sap.0, vc, parameters) }));
        if verdict != Verdict::Pending {
            self.offered.give_back_this(call);
        }
        verdict
    }

    /// `NdisMCmDispatchCallConnected`: the call that the client accepted is up.
    /// IRQL <= `DISPATCH_LEVEL`.
    pub fn dispatch_call_connected(&self, _locks: &mut Unlocked) {
        if let Ok(vc) = self.live() {
            // SAFETY: the VC lives.
            unsafe { NdisCmDispatchCallConnected(vc) };
        }
    }

    /// `NdisMCmDispatchIncomingCallQoSChange`: the call goes on with these parameters, with which the VC was activated.
    /// IRQL <= `DISPATCH_LEVEL`.
    pub fn dispatch_qos_change(&self, call: &IncomingCall, _locks: &mut Unlocked) {
        if let Ok(vc) = self.live() {
            let parameters = call.parameters().raw();
            // SAFETY: the VC lives, and so do the parameters for the duration of the call.
            unsafe { NdisCmDispatchIncomingCallQoSChange(vc, parameters) };
        }
    }

    /// `NdisMCmDispatchIncomingCloseCall`: the call is over for the given reason; the client will close it.
    /// IRQL <= `DISPATCH_LEVEL`.
    pub fn dispatch_incoming_close(&self, reason: Status, _locks: &mut Unlocked) {
        if let Ok(vc) = self.live() {
            // SAFETY: the VC lives; there is no close data.
            unsafe { NdisCmDispatchIncomingCloseCall(reason.code(), vc, ptr::null_mut(), 0) };
        }
    }

    /// `NdisMCoIndicateStatusEx` for this VC; NDIS copies the data. IRQL <= `DISPATCH_LEVEL`.
    pub fn indicate_status(
        &self,
        adapter: &AdapterHandle,
        code: Status,
        data: &mut [u8],
        locks: &mut Unlocked,
    ) {
        if let Ok(vc) = self.live() {
            adapter.indicate_co_status(Some(vc), code, data, locks);
        }
    }
}
