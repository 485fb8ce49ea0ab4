//! `NDIS_STATUS` codes, with the numbers of `ndis.h`.

use core::fmt;

/// A status code of NDIS.
///
/// Compare with [`Status::SUCCESS`], never by the severity bits: [`Status::NOT_ACCEPTED`] and
/// [`Status::CALL_ACTIVE`] are refusals whose severity says "success".
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Status(u32);

impl Status {
    /// A status from its number.
    pub const fn new(code: u32) -> Self {
        Self(code)
    }

    /// The number, unsigned as documentation prints it.
    pub const fn code(self) -> u32 {
        self.0
    }

    /// The number as C's `NDIS_STATUS` holds it, a signed 32-bit integer.
    pub const fn to_ndis(self) -> i32 {
        self.0.cast_signed()
    }

    /// The status for C's signed number.
    pub const fn from_ndis(code: i32) -> Self {
        Self(code.cast_unsigned())
    }

    /// Whether this is exactly [`Status::SUCCESS`].
    pub const fn is_success(self) -> bool {
        self.0 == Self::SUCCESS.0
    }
}

/// Defines each constant, and the names for `Debug`.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        impl Status {
            $($(#[$doc])* pub const $name: Self = Self($code);)*

            /// The name in `ndis.h` without its `NDIS_STATUS_` prefix.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }

        #[cfg(test)]
        const ALL: &[(&str, Status)] = &[$((stringify!($name), Status($code)),)*];
    };
}

codes! {
    /// Done.
    SUCCESS = 0x0000_0000;
    /// The completion comes later, through the completion function of the entry point.
    PENDING = 0x0000_0103;
    /// The device is gone, or the object is in use. Its severity bits say success.
    NOT_ACCEPTED = 0x0001_0003;
    /// A call is active on the VC. Its severity bits say success.
    CALL_ACTIVE = 0x0001_0007;
    /// The adapter's link state changed (status indication).
    LINK_STATE = 0x4001_0017;
    /// A damaged frame came on a VC (status indication).
    WAN_CO_FRAGMENT = 0x4001_0015;
    /// Speed and window of a VC (status indication).
    WAN_CO_LINKPARAMS = 0x4001_0016;
    /// Speed, window and MTU of a VC (status indication, NDIS 6.20).
    WAN_CO_MTULINKPARAMS = 0x4001_0025;
    /// Part of the data fitted.
    BUFFER_OVERFLOW = 0x8000_0005;
    /// Any failure without a better name.
    FAILURE = 0xC000_0001;
    /// A parameter is wrong.
    INVALID_PARAMETER = 0xC000_000D;
    /// No memory or no room in a table.
    RESOURCES = 0xC000_009A;
    /// Known, and not offered here.
    NOT_SUPPORTED = 0xC000_00BB;
    /// Not in this state.
    INVALID_STATE = 0xC000_0184;
    /// The object is being closed.
    CLOSING = 0xC001_0002;
    /// The driver asks for a newer NDIS than there is.
    BAD_VERSION = 0xC001_0004;
    /// The characteristics of a registration are wrong.
    BAD_CHARACTERISTICS = 0xC001_0005;
    /// The card is there and does not work.
    DEVICE_FAILED = 0xC001_0008;
    /// The request was given up.
    REQUEST_ABORTED = 0xC001_000C;
    /// A reset is under way.
    RESET_IN_PROGRESS = 0xC001_000D;
    /// A set request's buffer has the wrong length; a frame is too long.
    INVALID_LENGTH = 0xC001_0014;
    /// The contents of a structure are wrong.
    INVALID_DATA = 0xC001_0015;
    /// A query's buffer is too short.
    BUFFER_TOO_SHORT = 0xC001_0016;
    /// No such OID here.
    INVALID_OID = 0xC001_0017;
    /// The SAP is malformed.
    INVALID_SAP = 0xC001_0020;
    /// Another registration holds the SAP.
    SAP_IN_USE = 0xC001_0021;
    /// The destination is malformed.
    INVALID_ADDRESS = 0xC001_0022;
    /// Data on a VC without a call.
    VC_NOT_ACTIVATED = 0xC001_0023;
    /// No VC is left.
    VC_NOT_AVAILABLE = 0xC001_0025;
    /// The call has no room left on the line or address.
    TAPI_INUSE = 0xC001_2008;
    /// No such address on the line.
    TAPI_INVALADDRESSID = 0xC001_200A;
    /// The call parameters are malformed or ask too much.
    TAPI_INVALCALLPARAMS = 0xC001_200E;
    /// No such line.
    TAPI_INVALLINEHANDLE = 0xC001_2011;
    /// No memory for the call.
    TAPI_RESOURCEUNAVAIL = 0xC001_2018;
    /// `ulTotalSize` is less than the fixed part of the structure.
    TAPI_STRUCTURETOOSMALL = 0xC001_2019;
    /// A parameter is wrong.
    TAPI_INVALPARAM = 0xC001_201D;
    /// No such line device.
    TAPI_NODEVICE = 0xC001_201E;
    /// The peer ended the call.
    TAPI_DISCONNECTMODE_NORMAL = 0xC001_2020;
    /// The call ended for a reason nobody told.
    TAPI_DISCONNECTMODE_UNKNOWN = 0xC001_2021;
    /// The peer refused the call.
    TAPI_DISCONNECTMODE_REJECT = 0xC001_2022;
    /// The peer has no room for the call.
    TAPI_DISCONNECTMODE_BUSY = 0xC001_2025;
    /// Nobody answered.
    TAPI_DISCONNECTMODE_NOANSWER = 0xC001_2026;
    /// The peer does not know the destination.
    TAPI_DISCONNECTMODE_BADADDRESS = 0xC001_2027;
    /// There is no way to the peer.
    TAPI_DISCONNECTMODE_UNREACHABLE = 0xC001_2028;
    /// The peer is short of resources.
    TAPI_DISCONNECTMODE_CONGESTION = 0xC001_2029;
    /// The peer cannot do what the call asks for.
    TAPI_DISCONNECTMODE_INCOMPATIBLE = 0xC001_202A;
    /// The line is out of service.
    TAPI_DISCONNECTMODE_UNAVAIL = 0xC001_202B;
    /// The send was cancelled (`STATUS_NDIS_REQUEST_ABORTED`).
    SEND_ABORTED = 0xC023_000C;
    /// The link is down.
    MEDIA_DISCONNECTED = 0xC023_001F;
    /// The adapter is paused.
    PAUSED = 0xC023_002A;
    /// The adapter sleeps.
    LOW_POWER_STATE = 0xC023_002F;
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#010x}", self.0),
        }
    }
}

impl From<Status> for u32 {
    fn from(status: Status) -> Self {
        status.code()
    }
}

impl From<Status> for i32 {
    fn from(status: Status) -> Self {
        status.to_ndis()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::format;

    #[test]
    fn numbers_are_unique_and_survive_the_signed_type() {
        let codes: BTreeSet<u32> = ALL.iter().map(|(_, status)| status.code()).collect();
        assert_eq!(codes.len(), ALL.len());
        for &(name, status) in ALL {
            assert_eq!(Status::from_ndis(status.to_ndis()), status);
            assert_eq!(format!("{status:?}"), name);
        }
    }

    #[test]
    fn refusals_with_success_severity_are_no_success() {
        assert!(!Status::NOT_ACCEPTED.is_success());
        assert!(Status::NOT_ACCEPTED.to_ndis() > 0);
        assert!(Status::FAILURE.to_ndis() < 0);
        assert_eq!(format!("{:?}", Status::new(0x1234)), "0x00001234");
    }
}
