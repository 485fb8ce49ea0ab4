//! Calls: parameters, and the requests to make and to close one.

use core::ptr::{self, NonNull};
use core::slice;

use ndis_sys::{
    CO_CALL_MANAGER_PARAMETERS, CO_CALL_PARAMETERS, CO_MEDIA_PARAMETERS, CO_SPECIFIC_PARAMETERS, FLOWSPEC,
    NDIS_HANDLE, NdisCmCloseCallComplete, NdisCmMakeCallComplete, NdisCmModifyCallQoSComplete,
};

use crate::answer::Answer;
use crate::lock_order::Unlocked;
use crate::status::{Result, Status};
use crate::supplied::ManagerParameters;
use crate::vc::{Progress, VcHandle};

/// Where `CO_SPECIFIC_PARAMETERS.Parameters` begins; `sizeof` is four bytes more.
pub(crate) const SPECIFIC_DATA: usize = core::mem::offset_of!(CO_SPECIFIC_PARAMETERS, Parameters);

/// `CALL_PARAMETERS_CHANGED`.
const CHANGED: u32 = 2;

/// Fields of a `FLOWSPEC`.
pub const FLOW_FIELDS: usize = 8;

/// The client's call parameters, lent to the call manager until the make call is completed. All of it was shaped by
/// the client, which may even change it meanwhile: values are read once and checked on the copy.
///
/// Or those of an incoming call ([`crate::IncomingCall`]), lent to the client.
#[derive(Debug)]
pub struct CallParameters(NonNull<CO_CALL_PARAMETERS>);

// SAFETY: plain memory that the call manager may use from any processor until the call is completed.
unsafe impl Send for CallParameters {}

/// What the call manager grants, in units of `FLOWSPEC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Of received data: `PeakBandwidth` and `TokenRate`, bytes per second.
    pub bytes_per_second: u32,
    /// Of sent data.
    pub transmit: TransmitRate,
    /// `MaxSduSize`, bytes.
    pub max_sdu: u32,
}

/// What data is sent at, in units of `FLOWSPEC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransmitRate {
    /// `TokenRate`, bytes per second.
    pub rate: u32,
    /// `PeakBandwidth`, bytes per second.
    pub peak: u32,
    /// `TokenBucketSize`, bytes; all ones if there is no limit.
    pub burst: u32,
}

impl CallParameters {
    pub(crate) const fn new(parameters: NonNull<CO_CALL_PARAMETERS>) -> Self {
        Self(parameters)
    }

    pub(crate) const fn raw(&self) -> *mut CO_CALL_PARAMETERS {
        self.0.as_ptr()
    }

    fn media(&self) -> Option<NonNull<CO_MEDIA_PARAMETERS>> {
        // SAFETY: valid until the make call is completed.
        NonNull::new(unsafe { (*self.0.as_ptr()).MediaParameters })
    }

    /// `Flags` (`PERMANENT_VC`, `MULTIPOINT_VC`, ...).
    pub fn flags(&self) -> u32 {
        // SAFETY: valid until the make call is completed.
        let flags = unsafe { &raw const (*self.0.as_ptr()).Flags };
        // SAFETY: as above; read once.
        unsafe { flags.read_volatile() }
    }

    /// `ParamType` and a copy of the media-specific block in `storage`, cut to what fits; the length is the one that
    /// the client gave, so that the caller sees when the block was too long. `None` without media parameters.
    pub fn media_specific<'a>(&self, storage: &'a mut [u8]) -> Option<(u32, &'a [u8], usize)> {
        let media = self.media()?.as_ptr();
        // SAFETY: media parameters are as valid as the call parameters that point to them.
        let kind = unsafe { &raw const (*media).MediaSpecific.ParamType };
        // SAFETY: as above.
        let length = unsafe { &raw const (*media).MediaSpecific.Length };
        // SAFETY: a field of the media parameters; read once.
        let kind = unsafe { kind.read_volatile() };
        // SAFETY: a field of the media parameters; read once.
        let length = unsafe { length.read_volatile() } as usize;
        let copied = length.min(storage.len());
        // SAFETY: inside the structure.
        let specific = unsafe { &raw const (*media).MediaSpecific }.cast::<u8>();
        // SAFETY: `Length` bytes follow at this offset (CO_SPECIFIC_PARAMETERS).
        let data = unsafe { specific.add(SPECIFIC_DATA) };
        let target = storage.get_mut(..copied)?;
        // SAFETY: `copied` bytes are readable there, and the storage is ours.
        unsafe { ptr::copy_nonoverlapping(data, target.as_mut_ptr(), copied) };
        Some((kind, target, length))
    }

    /// Copies of the flows that the client asks for, sent and received, as the fields of `FLOWSPEC` in order. `None` without
    /// call-manager parameters.
    pub fn flows(&self) -> Option<[[u32; FLOW_FIELDS]; 2]> {
        const { assert!(size_of::<FLOWSPEC>() == size_of::<[u32; FLOW_FIELDS]>()) };
        // SAFETY: valid until the call is completed.
        let manager = unsafe { &raw const (*self.0.as_ptr()).CallMgrParameters };
        // SAFETY: as above; read once.
        let manager = NonNull::new(unsafe { manager.read_volatile() })?.as_ptr();
        // SAFETY: as valid as the call parameters that point to them.
        let transmit = unsafe { &raw const (*manager).Transmit }.cast::<[u32; FLOW_FIELDS]>();
        // SAFETY: as above.
        let receive = unsafe { &raw const (*manager).Receive }.cast::<[u32; FLOW_FIELDS]>();
        // SAFETY: a field of the parameters, all of u32s.
        let transmit = unsafe { transmit.read_volatile() };
        // SAFETY: as above.
        let receive = unsafe { receive.read_volatile() };
        Some([transmit, receive])
    }

    /// Whether there are call-manager parameters.
    pub fn has_manager(&self) -> bool {
        // SAFETY: valid until the call is completed.
        let manager = unsafe { &raw const (*self.0.as_ptr()).CallMgrParameters };
        // SAFETY: as above; read once.
        !unsafe { manager.read_volatile() }.is_null()
    }

    /// Has a client without call-manager parameters use the driver's ("Making Outgoing Calls"), which the driver keeps for as
    /// long as the VC: the client may look at them after the call is completed. They say nothing yet.
    pub fn supply(&mut self, own: &mut ManagerParameters) {
        if !self.has_manager() {
            // SAFETY: valid until the make call is completed, and ours to change until then.
            unsafe { (*self.0.as_ptr()).CallMgrParameters = own.begin() };
        }
    }

    /// Writes the granted rates and says that parameters changed, if there is room for them.
    pub fn grant(&mut self, granted: Granted) {
        // SAFETY: valid until the make call is completed, and ours to change until then.
        let parameters = unsafe { self.0.as_mut() };
        // SAFETY: NULL or valid as the call parameters.
        let manager: Option<&mut CO_CALL_MANAGER_PARAMETERS> =
            unsafe { parameters.CallMgrParameters.as_mut() };
        if let Some(manager) = manager {
            parameters.Flags |= CHANGED;
            manager.Transmit.PeakBandwidth = granted.transmit.peak;
            manager.Transmit.TokenRate = granted.transmit.rate;
            if granted.transmit.burst != u32::MAX {
                manager.Transmit.TokenBucketSize = granted.transmit.burst;
            }
            manager.Receive.PeakBandwidth = granted.bytes_per_second;
            manager.Receive.TokenRate = granted.bytes_per_second;
            for flow in [&mut manager.Transmit, &mut manager.Receive] {
                flow.MaxSduSize = granted.max_sdu;
            }
        }
    }
}

/// `CmMakeCall`: a client wants a call. Answer now, or keep it.
#[derive(Debug)]
pub struct MakeCall {
    vc: NDIS_HANDLE,
    parameters: CallParameters,
    multipoint: bool,
}

impl MakeCall {
    pub(crate) const fn new(
        vc: NDIS_HANDLE,
        parameters: NonNull<CO_CALL_PARAMETERS>,
        multipoint: bool,
    ) -> Self {
        Self { vc, parameters: CallParameters(parameters), multipoint }
    }

    /// What the client asks for.
    pub const fn parameters(&self) -> &CallParameters {
        &self.parameters
    }

    /// Whether the call comes with a party, that is, point-to-multipoint.
    pub const fn is_multipoint(&self) -> bool {
        self.multipoint
    }

    /// The call is refused.
    pub fn refuse(self, status: Status) -> Answer {
        Answer::now(status)
    }

    /// The call is being set up; its end is told with the token, perhaps before the handler returns.
    pub fn pend(self) -> (PendedMakeCall, Answer) {
        (PendedMakeCall { vc: self.vc, parameters: Some(self.parameters) }, Answer::pending())
    }
}

/// A call being set up. Dropping it fails the call, which is an error of the driver in debug builds.
#[derive(Debug)]
pub struct PendedMakeCall {
    vc: NDIS_HANDLE,
    parameters: Option<CallParameters>,
}

// SAFETY: a handle and lent memory, both usable from any processor.
unsafe impl Send for PendedMakeCall {}

impl PendedMakeCall {
    /// The client's parameters, until the call is completed.
    pub const fn parameters(&mut self) -> Option<&mut CallParameters> {
        self.parameters.as_mut()
    }

    /// [`VcHandle::activate`] with the client's parameters, which stay lent until the call is completed: keep the token until
    /// the activation is.
    pub fn activate(&mut self, vc: &VcHandle, locks: &mut Unlocked) -> Result<Progress> {
        vc.activate_with(self.parameters.as_ref().ok_or(Status::FAILURE)?, locks)
    }

    /// `NdisMCmMakeCallComplete`: SUCCESS after the VC was activated, or why there is no call.
    /// IRQL <= `DISPATCH_LEVEL`; the client may use or delete the VC from within.
    pub fn complete(mut self, status: Status, _locks: &mut Unlocked) {
        self.finish(status);
    }

    fn finish(&mut self, status: Status) {
        if let Some(parameters) = self.parameters.take() {
            let (vc, party) = (self.vc, ptr::null_mut());
            // SAFETY: the handler answered PENDING for this VC; taking the parameters makes this the only completion.
            unsafe { NdisCmMakeCallComplete(status.code(), vc, party, ptr::null_mut(), parameters.raw()) };
        }
    }
}

impl Drop for PendedMakeCall {
    fn drop(&mut self) {
        debug_assert!(self.parameters.is_none(), "a pended make call was dropped");
        self.finish(Status::FAILURE);
    }
}

/// `CmModifyCallQoS`: a client wants other rates for its call. Answer now, or keep it.
#[derive(Debug)]
pub struct ModifyCall {
    vc: NDIS_HANDLE,
    parameters: CallParameters,
}

impl ModifyCall {
    pub(crate) const fn new(vc: NDIS_HANDLE, parameters: NonNull<CO_CALL_PARAMETERS>) -> Self {
        Self { vc, parameters: CallParameters(parameters) }
    }

    /// What the client asks for.
    pub const fn parameters(&self) -> &CallParameters {
        &self.parameters
    }

    /// The change is refused; the call stays as it is.
    pub fn refuse(self, status: Status) -> Answer {
        Answer::now(status)
    }

    /// The change is being made; its end is told with the token, perhaps before the handler returns.
    pub fn pend(self) -> (PendedModifyCall, Answer) {
        (PendedModifyCall { vc: self.vc, parameters: Some(self.parameters) }, Answer::pending())
    }
}

/// A change of a call that is being made. Dropping it fails the change, which is an error of the driver in debug builds.
#[derive(Debug)]
pub struct PendedModifyCall {
    vc: NDIS_HANDLE,
    parameters: Option<CallParameters>,
}

// SAFETY: a handle and lent memory, both usable from any processor.
unsafe impl Send for PendedModifyCall {}

impl PendedModifyCall {
    /// The client's parameters, until the change is completed.
    pub const fn parameters(&mut self) -> Option<&mut CallParameters> {
        self.parameters.as_mut()
    }

    /// [`VcHandle::activate`] with the client's parameters, which stay lent until the change is completed: keep the token until
    /// the activation is.
    pub fn activate(&mut self, vc: &VcHandle, locks: &mut Unlocked) -> Result<Progress> {
        vc.activate_with(self.parameters.as_ref().ok_or(Status::FAILURE)?, locks)
    }

    /// `NdisMCmModifyCallQoSComplete`: SUCCESS after the VC was activated with the parameters, or why the call stays as it
    /// was. IRQL <= `DISPATCH_LEVEL`.
    pub fn complete(mut self, status: Status, _locks: &mut Unlocked) {
        self.finish(status);
    }

    fn finish(&mut self, status: Status) {
        if let Some(parameters) = self.parameters.take() {
            // SAFETY: the handler answered PENDING for this VC; taking the parameters makes this the only completion.
            unsafe { NdisCmModifyCallQoSComplete(status.code(), self.vc, parameters.raw()) };
        }
    }
}

impl Drop for PendedModifyCall {
    fn drop(&mut self) {
        debug_assert!(self.parameters.is_none(), "a pended change of a call was dropped");
        self.finish(Status::FAILURE);
    }
}

/// `CmCloseCall`: a client ends its call. Answer now, or keep it.
#[derive(Debug)]
pub struct CloseCall {
    vc: NDIS_HANDLE,
    data: Option<(NonNull<u8>, u32)>,
}

impl CloseCall {
    pub(crate) const fn new(vc: NDIS_HANDLE, data: Option<(NonNull<u8>, u32)>) -> Self {
        Self { vc, data }
    }

    /// Data that the client wants sent with the close; empty for none.
    pub fn data(&self) -> &[u8] {
        self.data.map_or(&[], |(bytes, length)| {
            // SAFETY: the client's buffer is valid until the handler returns, and the token does not outlive that
            // without giving the data up (`pend`).
            unsafe { slice::from_raw_parts(bytes.as_ptr(), length as usize) }
        })
    }

    /// The close is refused; the call stays as it is.
    pub fn refuse(self, status: Status) -> Answer {
        Answer::now(status)
    }

    /// The call is being closed; its end is told with the token, perhaps before the handler returns.
    pub fn pend(self) -> (PendedCloseCall, Answer) {
        (PendedCloseCall { vc: Some(self.vc) }, Answer::pending())
    }
}

/// A call being closed. Dropping it completes the close, which is an error of the driver in debug builds.
#[derive(Debug)]
pub struct PendedCloseCall {
    vc: Option<NDIS_HANDLE>,
}

// SAFETY: an opaque handle, usable from any processor.
unsafe impl Send for PendedCloseCall {}

impl PendedCloseCall {
    /// `NdisMCmCloseCallComplete`. IRQL <= `DISPATCH_LEVEL`; the client may use or delete the VC from
    /// within.
    pub fn complete(mut self, status: Status, _locks: &mut Unlocked) {
        self.finish(status);
    }

    fn finish(&mut self, status: Status) {
        if let Some(vc) = self.vc.take() {
            // SAFETY: the handler answered PENDING for this VC; taking the handle makes this the only completion.
            unsafe { NdisCmCloseCallComplete(status.code(), vc, ptr::null_mut()) };
        }
    }
}

impl Drop for PendedCloseCall {
    fn drop(&mut self) {
        debug_assert!(self.vc.is_none(), "a pended close was dropped");
        self.finish(Status::SUCCESS);
    }
}
