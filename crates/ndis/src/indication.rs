//! Status indications.

use core::ptr;

use ndis_sys::{NDIS_HANDLE, NDIS_LINK_STATE, NDIS_STATUS_INDICATION, NdisMCoIndicateStatusEx};

use crate::header::header;
use crate::lock_order::Unlocked;
use crate::miniport::AdapterHandle;
use crate::status::Status;

/// `NDIS_STATUS_LINK_STATE`.
const LINK_STATE: Status = Status::new(0x4001_0017);

fn indication(
    adapter: &AdapterHandle,
    code: Status,
    buffer: *mut u8,
    length: usize,
) -> NDIS_STATUS_INDICATION {
    NDIS_STATUS_INDICATION {
        Header: header(
            ndis_sys::NDIS_OBJECT_TYPE_STATUS_INDICATION,
            ndis_sys::NDIS_STATUS_INDICATION_REVISION_1,
            ndis_sys::NDIS_SIZEOF_STATUS_INDICATION_REVISION_1,
        ),
        SourceHandle: adapter.0,
        StatusCode: code.code(),
        StatusBuffer: buffer.cast(),
        StatusBufferSize: u32::try_from(length).unwrap_or(0),
        ..Default::default()
    }
}

impl AdapterHandle {
    /// `NdisMCoIndicateStatusEx` for the adapter or, with a handle, for one of its VCs; NDIS copies the data.
    /// IRQL <= `DISPATCH_LEVEL`.
    pub(crate) fn indicate_co_status(
        &self,
        vc: Option<NDIS_HANDLE>,
        code: Status,
        data: &mut [u8],
        _locks: &mut Unlocked,
    ) {
        self.indicate(vc, code, data.as_mut_ptr(), data.len());
    }

    fn indicate(&self, vc: Option<NDIS_HANDLE>, code: Status, buffer: *mut u8, length: usize) {
        let mut status = indication(self, code, buffer, length);
        // SAFETY: the indication and its buffer live across the call.
        unsafe { NdisMCoIndicateStatusEx(self.0, vc.unwrap_or(ptr::null_mut()), &raw mut status) };
    }

    /// `NDIS_STATUS_LINK_STATE`: the speed in bits per second of a full-duplex link, or that there is none. A connection-oriented
    /// miniport indicates the status of its card with `NdisMCoIndicateStatusEx` too, without a VC.
    /// IRQL <= `DISPATCH_LEVEL`.
    pub fn indicate_link_state(&self, speed: Option<u64>, full_duplex: bool, _locks: &mut Unlocked) {
        use ndis_sys::{_NET_IF_MEDIA_CONNECT_STATE as Connect, _NET_IF_MEDIA_DUPLEX_STATE as Duplex};
        let mut state = NDIS_LINK_STATE {
            Header: header(
                ndis_sys::NDIS_OBJECT_TYPE_DEFAULT,
                ndis_sys::NDIS_LINK_STATE_REVISION_1,
                ndis_sys::NDIS_SIZEOF_LINK_STATE_REVISION_1,
            ),
            MediaConnectState: match speed {
                Some(_) => Connect::MediaConnectStateConnected,
                None => Connect::MediaConnectStateDisconnected,
            },
            MediaDuplexState: match (speed, full_duplex) {
                (Some(_), true) => Duplex::MediaDuplexStateFull,
                (Some(_), false) => Duplex::MediaDuplexStateHalf,
                (None, _) => Duplex::MediaDuplexStateUnknown,
            },
            XmitLinkSpeed: speed.unwrap_or(u64::MAX),
            RcvLinkSpeed: speed.unwrap_or(u64::MAX),
            PauseFunctions: ndis_sys::_NDIS_SUPPORTED_PAUSE_FUNCTIONS::NdisPauseFunctionsUnsupported,
            ..Default::default()
        };
        let size = usize::from(ndis_sys::NDIS_SIZEOF_LINK_STATE_REVISION_1);
        self.indicate(None, LINK_STATE, ptr::from_mut(&mut state).cast(), size);
    }
}
