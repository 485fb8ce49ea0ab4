//! The parameters of a call that comes in: memory of the driver's, lent to the client with the offer.

use alloc::vec::Vec;
use core::ffi::c_void;
use core::mem::{offset_of, size_of};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};

use ndis_sys::{
    CO_CALL_MANAGER_PARAMETERS, CO_CALL_PARAMETERS, CO_MEDIA_PARAMETERS, FLOWSPEC, RECEIVE_VC, TRANSMIT_VC,
};

use crate::call::{CallParameters, Granted, SPECIFIC_DATA, TransmitRate};
use crate::memory;
use crate::reference::Ref;
use crate::status::{Result, Status};

/// Everything that the parameters point to, in one block: each part on an 8-byte boundary.
#[repr(C)]
struct Parts {
    call: CO_CALL_PARAMETERS,
    manager: CO_CALL_MANAGER_PARAMETERS,
    /// Its last field is the first byte of what follows.
    media: CO_MEDIA_PARAMETERS,
}

/// Where `MediaSpecific.Parameters` begins.
const SPECIFIC: usize =
    offset_of!(Parts, media) + offset_of!(CO_MEDIA_PARAMETERS, MediaSpecific) + SPECIFIC_DATA;

/// `QOS_NOT_SPECIFIED`.
pub(crate) const NOT_SPECIFIED: u32 = u32::MAX;
/// `SERVICETYPE_BESTEFFORT`.
const BEST_EFFORT: u32 = 1;

/// The `CO_CALL_PARAMETERS` of an incoming call, with what they point to. A VC that is activated with it, or offered, keeps a
/// reference to it until NDIS and the client are done with it: they may write to it until then.
#[derive(Clone, Debug)]
pub struct IncomingCall(Ref<Block>);

#[derive(Debug)]
struct Block {
    parameters: CallParameters,
    _memory: Vec<u64>,
}

// SAFETY: the block is plain memory; the driver only hands its address to NDIS, from any processor.
unsafe impl Sync for Block {}

impl IncomingCall {
    /// Parameters with what is granted, and a media-specific block of the given type.
    /// Callable at IRQL <= `DISPATCH_LEVEL`.
    pub fn new(granted: Granted, kind: u32, specific: &[u8]) -> Result<Self> {
        const { assert!(align_of::<Parts>() <= align_of::<u64>()) };
        let length = size_of::<Parts>().max(SPECIFIC.saturating_add(specific.len()));
        let mut block = memory::filled(length.div_ceil(size_of::<u64>()), |_| Ok(0_u64))?;
        let start = NonNull::new(block.as_mut_ptr()).ok_or(Status::RESOURCES)?;
        let parts: NonNull<Parts> = start.cast();
        let TransmitRate { rate, peak, burst } = granted.transmit;
        let transmit = flow(rate, burst, peak, granted.max_sdu);
        let rate = granted.bytes_per_second;
        let receive = flow(rate, NOT_SPECIFIED, rate, granted.max_sdu);
        // SAFETY: inside the block.
        let manager = unsafe { &raw mut (*parts.as_ptr()).manager };
        // SAFETY: inside the block.
        let media = unsafe { &raw mut (*parts.as_ptr()).media };
        let mut fresh = Parts {
            call: CO_CALL_PARAMETERS { Flags: 0, CallMgrParameters: manager, MediaParameters: media },
            manager: CO_CALL_MANAGER_PARAMETERS {
                Transmit: transmit,
                Receive: receive,
                ..Default::default()
            },
            media: CO_MEDIA_PARAMETERS { Flags: TRANSMIT_VC | RECEIVE_VC, ..Default::default() },
        };
        fresh.media.MediaSpecific.ParamType = kind;
        fresh.media.MediaSpecific.Length = u32::try_from(specific.len()).map_err(|_| Status::RESOURCES)?;
        // SAFETY: the block is large enough for the parts, aligned, and nobody else's.
        unsafe { parts.write(fresh) };
        // SAFETY: the block goes on for at least as long as `specific`.
        let data = unsafe { start.cast::<u8>().add(SPECIFIC) };
        // SAFETY: as above; the block is ours alone.
        unsafe { data.copy_from_nonoverlapping(NonNull::from(specific).cast(), specific.len()) };
        Ref::new(Block { parameters: CallParameters::new(parts.cast()), _memory: block }).map(Self)
    }

    /// The parameters.
    pub fn parameters(&self) -> &CallParameters {
        &self.0.parameters
    }
}

/// What a VC has lent to NDIS, and keeps meanwhile.
#[derive(Debug)]
pub(crate) struct Lent(AtomicPtr<c_void>);

impl Lent {
    /// Nothing.
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Keeps the parameters; fails while others are lent.
    pub(crate) fn lend(&self, call: &IncomingCall) -> Result<()> {
        let context = Ref::into_raw(Ref::clone(&call.0));
        let nothing = ptr::null_mut();
        if self.0.compare_exchange(nothing, context, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            // SAFETY: the reference made above.
            drop(unsafe { Ref::<Block>::from_raw(context) });
            return Err(Status::FAILURE);
        }
        Ok(())
    }

    /// NDIS is done with what it has, if it has anything.
    pub(crate) fn give_back(&self) -> Option<IncomingCall> {
        let context = self.0.swap(ptr::null_mut(), Ordering::AcqRel);
        // SAFETY: put there by `lend`, taken out once.
        (!context.is_null()).then(|| IncomingCall(unsafe { Ref::from_raw(context) }))
    }

    /// NDIS is done with these parameters, if it was not before.
    pub(crate) fn give_back_this(&self, call: &IncomingCall) {
        let (context, nothing) = (Ref::as_raw(&call.0), ptr::null_mut());
        if self.0.compare_exchange(context, nothing, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            // SAFETY: put there by `lend`, taken out once.
            drop(unsafe { Ref::<Block>::from_raw(context) });
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        drop(self.give_back());
    }
}

/// Best effort at a rate.
pub(crate) const fn flow(rate: u32, burst: u32, peak: u32, max_sdu: u32) -> FLOWSPEC {
    FLOWSPEC {
        TokenRate: rate,
        TokenBucketSize: burst,
        PeakBandwidth: peak,
        Latency: NOT_SPECIFIED,
        DelayVariation: NOT_SPECIFIED,
        ServiceType: BEST_EFFORT,
        MaxSduSize: max_sdu,
        MinimumPolicedSize: NOT_SPECIFIED,
    }
}
