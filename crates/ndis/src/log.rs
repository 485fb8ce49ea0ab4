//! The system event log.

use ndis_sys::NdisWriteErrorLogEntry;

use crate::miniport::AdapterHandle;

/// What happened, in the codes that the event viewer knows (ndis.h, `NDIS_ERROR_CODE_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode(u32);

impl ErrorCode {
    /// `NDIS_ERROR_CODE_RESOURCE_CONFLICT`.
    pub const RESOURCE_CONFLICT: Self = Self(0xC000_1388);
    /// `NDIS_ERROR_CODE_OUT_OF_RESOURCES`.
    pub const OUT_OF_RESOURCES: Self = Self(0xC000_1389);
    /// `NDIS_ERROR_CODE_HARDWARE_FAILURE`.
    pub const HARDWARE_FAILURE: Self = Self(0xC000_138A);
    /// `NDIS_ERROR_CODE_ADAPTER_NOT_FOUND`.
    pub const ADAPTER_NOT_FOUND: Self = Self(0xC000_138B);
    /// `NDIS_ERROR_CODE_INTERRUPT_CONNECT`.
    pub const INTERRUPT_CONNECT: Self = Self(0xC000_138C);
    /// `NDIS_ERROR_CODE_UNSUPPORTED_CONFIGURATION`.
    pub const UNSUPPORTED_CONFIGURATION: Self = Self(0xC000_1392);
}

impl AdapterHandle {
    /// `NdisWriteErrorLogEntry` with one value that tells the places apart. IRQL <= `DISPATCH_LEVEL`.
    pub fn log_error(&self, code: ErrorCode, detail: u32) {
        // SAFETY: the count says how many values follow.
        unsafe { NdisWriteErrorLogEntry(self.0, code.0, 1, detail) };
    }
}
