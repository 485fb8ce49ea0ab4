//! OID requests, on all three paths that reach a miniport call manager.

use core::slice;

use ndis_sys::_NDIS_REQUEST_TYPE as Type;
use ndis_sys::{NDIS_OID_REQUEST, PNDIS_OID_REQUEST};

use crate::irql::Passive;
use crate::lock_order::Unlocked;

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// `NdisRequestQueryInformation` and `NdisRequestQueryStatistics`.
    Query,
    /// `NdisRequestSetInformation`.
    Set,
    /// `NdisRequestMethod`.
    Method,
}

/// A request that NDIS lent to a handler. The buffer is the requester's and was not checked by anybody.
pub struct OidRequest<'a> {
    raw: &'a mut NDIS_OID_REQUEST,
    kind: RequestKind,
    caller: Caller,
}

/// The token of the handler that got a request.
pub(crate) enum Caller {
    /// `MiniportOidRequest`.
    Passive(Passive),
    /// The CoNDIS handlers.
    Any(Unlocked),
}

impl OidRequest<'_> {
    /// Wraps a request; `None` for a kind that does not reach a miniport.
    ///
    /// # Safety
    /// `request` must be NULL or valid and ours until the wrapper is dropped.
    pub(crate) unsafe fn new(request: PNDIS_OID_REQUEST, caller: Caller) -> Option<Self> {
        // SAFETY: by the caller's promise.
        let raw = unsafe { request.as_mut() }?;
        let kind = match raw.RequestType {
            Type::NdisRequestQueryInformation | Type::NdisRequestQueryStatistics => RequestKind::Query,
            Type::NdisRequestSetInformation => RequestKind::Set,
            Type::NdisRequestMethod => RequestKind::Method,
            _ => return None,
        };
        Some(Self { raw, kind, caller })
    }

    /// What the request wants.
    pub const fn kind(&self) -> RequestKind {
        self.kind
    }

    /// `PASSIVE_LEVEL`, on the path that guarantees it: `MiniportOidRequest`.
    pub const fn passive(&mut self) -> Option<&mut Passive> {
        match &mut self.caller {
            Caller::Passive(irql) => Some(irql),
            Caller::Any(_) => None,
        }
    }

    /// The handler was called with no lock held.
    pub fn locks(&mut self) -> &mut Unlocked {
        match &mut self.caller {
            Caller::Passive(irql) => irql,
            Caller::Any(locks) => locks,
        }
    }

    /// The object identifier.
    pub fn oid(&self) -> u32 {
        // SAFETY: the identifier is the first member of every variant of the union.
        unsafe { self.raw.DATA.QUERY_INFORMATION.Oid }
    }

    /// The requester's buffer; empty where there is none.
    pub fn buffer(&mut self) -> &mut [u8] {
        // SAFETY: buffer and length stand at the same place in every variant of the union.
        let query = unsafe { self.raw.DATA.QUERY_INFORMATION };
        if query.InformationBuffer.is_null() {
            return &mut [];
        }
        let length = query.InformationBufferLength as usize;
        // SAFETY: a buffer that is not NULL has the length beside it (NDIS_OID_REQUEST), and is ours until the
        // handler answers.
        unsafe { slice::from_raw_parts_mut(query.InformationBuffer.cast::<u8>(), length) }
    }

    /// `BytesWritten` of a query, `BytesRead` of a set.
    pub fn set_done(&mut self, bytes: u32) {
        match self.kind {
            RequestKind::Query => self.raw.DATA.QUERY_INFORMATION.BytesWritten = bytes,
            RequestKind::Set => self.raw.DATA.SET_INFORMATION.BytesRead = bytes,
            RequestKind::Method => self.raw.DATA.METHOD_INFORMATION.BytesWritten = bytes,
        }
    }

    /// `BytesNeeded`: how long the buffer should have been.
    pub fn set_needed(&mut self, bytes: u32) {
        match self.kind {
            RequestKind::Query => self.raw.DATA.QUERY_INFORMATION.BytesNeeded = bytes,
            RequestKind::Set => self.raw.DATA.SET_INFORMATION.BytesNeeded = bytes,
            RequestKind::Method => self.raw.DATA.METHOD_INFORMATION.BytesNeeded = bytes,
        }
    }
}
