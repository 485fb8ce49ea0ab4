//! Calls: parameters, and the requests to make and to close one.

use core::ptr::{self, NonNull};
use core::slice;

use ndis_sys::{
    CO_CALL_MANAGER_PARAMETERS, CO_CALL_PARAMETERS, CO_MEDIA_PARAMETERS, CO_SPECIFIC_PARAMETERS, NDIS_HANDLE,
    NdisCmCloseCallComplete, NdisCmMakeCallComplete,
};

use crate::answer::Answer;
use crate::status::Status;

/// Where `CO_SPECIFIC_PARAMETERS.Parameters` begins; `sizeof` is four bytes more.
pub(crate) const SPECIFIC_DATA: usize = core::mem::offset_of!(CO_SPECIFIC_PARAMETERS, Parameters);

/// `CALL_PARAMETERS_CHANGED`.
const CHANGED: u32 = 2;

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
    /// `PeakBandwidth` and `TokenRate`, bytes per second.
    pub bytes_per_second: u32,
    /// `MaxSduSize`, bytes.
    pub max_sdu: u32,
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

    /// Writes the granted rates, if the client gave room for them, and says that parameters changed.
    pub fn grant(&mut self, granted: Granted) {
        // SAFETY: valid until the make call is completed, and ours to change until then.
        let parameters = unsafe { self.0.as_mut() };
        parameters.Flags |= CHANGED;
        // SAFETY: NULL or valid as the call parameters.
        let manager: Option<&mut CO_CALL_MANAGER_PARAMETERS> =
            unsafe { parameters.CallMgrParameters.as_mut() };
        if let Some(manager) = manager {
            for flow in [&mut manager.Transmit, &mut manager.Receive] {
                flow.PeakBandwidth = granted.bytes_per_second;
                flow.TokenRate = granted.bytes_per_second;
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

    /// `NdisMCmMakeCallComplete`: SUCCESS after the VC was activated, or why there is no call.
    /// IRQL <= `DISPATCH_LEVEL`, no lock held: the client may use or delete the VC from within.
    pub fn complete(mut self, status: Status) {
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
    /// `NdisMCmCloseCallComplete`. IRQL <= `DISPATCH_LEVEL`, no lock held: the client may use or delete the VC from
    /// within.
    pub fn complete(mut self, status: Status) {
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
