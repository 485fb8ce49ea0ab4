//! `NDIS_STATUS` as a type of its own.
//!
//! Several NDIS codes that mean failure have success-looking severity bits (`NDIS_STATUS_NOT_ACCEPTED`,
//! `NDIS_STATUS_NOT_RECOGNIZED`), so there is no `is_ok` by severity: compare with [`Status::SUCCESS`].

use core::fmt;

use ndis_sys::NDIS_STATUS;

/// A status as NDIS defines it (ndis.h, ntstatus.h).
#[derive(Clone, Copy, PartialEq, Eq)]
#[must_use = "a status that is not looked at hides a failure"]
pub struct Status(NDIS_STATUS);

/// The result of everything fallible in this crate.
pub type Result<T, E = Status> = core::result::Result<T, E>;

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $value:expr;)*) => {
        impl Status {
            $($(#[$doc])* pub const $name: Self = Self::new($value);)*
        }
    };
}

statuses! {
    /// `NDIS_STATUS_SUCCESS`.
    SUCCESS = 0;
    /// `NDIS_STATUS_PENDING`: the answer comes through the matching completion function.
    PENDING = 0x0000_0103;
    /// `NDIS_STATUS_NOT_ACCEPTED`: the object is in no state for this, or the card is gone.
    NOT_ACCEPTED = 0x0001_0003;
    /// `NDIS_STATUS_FAILURE`.
    FAILURE = 0xC000_0001;
    /// `NDIS_STATUS_RESOURCES`.
    RESOURCES = 0xC000_009A;
    /// `NDIS_STATUS_NOT_SUPPORTED`.
    NOT_SUPPORTED = 0xC000_00BB;
    /// `NDIS_STATUS_CLOSING`.
    CLOSING = 0xC001_0002;
    /// `NDIS_STATUS_BAD_VERSION`.
    BAD_VERSION = 0xC001_0004;
    /// `NDIS_STATUS_ADAPTER_NOT_FOUND`.
    ADAPTER_NOT_FOUND = 0xC001_0006;
    /// `NDIS_STATUS_REQUEST_ABORTED`.
    REQUEST_ABORTED = 0xC001_000C;
    /// `NDIS_STATUS_INVALID_LENGTH`.
    INVALID_LENGTH = 0xC001_0014;
    /// `NDIS_STATUS_INVALID_DATA`.
    INVALID_DATA = 0xC001_0015;
    /// `NDIS_STATUS_BUFFER_TOO_SHORT`.
    BUFFER_TOO_SHORT = 0xC001_0016;
    /// `NDIS_STATUS_INVALID_OID`.
    INVALID_OID = 0xC001_0017;
    /// `NDIS_STATUS_SEND_ABORTED`: what a cancelled send ends with.
    SEND_ABORTED = 0xC023_000C;
    /// `NDIS_STATUS_RESOURCE_CONFLICT`: the bus gave no usable resources.
    RESOURCE_CONFLICT = 0xC001_001E;
    /// `NDIS_STATUS_SAP_IN_USE`.
    SAP_IN_USE = 0xC001_0021;
    /// `NDIS_STATUS_VC_NOT_ACTIVATED`.
    VC_NOT_ACTIVATED = 0xC001_0023;
    /// `NDIS_STATUS_MEDIA_DISCONNECTED`: what a send ends with that has no wire to go to.
    MEDIA_DISCONNECTED = 0xC023_001F;
    /// `NDIS_STATUS_PAUSED`: what a send ends with while the adapter is not running.
    PAUSED = 0xC023_002A;
    /// `NDIS_STATUS_LOW_POWER_STATE`: what a send ends with when the card goes to sleep.
    LOW_POWER_STATE = 0xC023_002F;
}

impl Status {
    /// The status with the numeric value that ndis.h gives.
    #[expect(clippy::cast_possible_wrap, reason = "NDIS_STATUS is a signed integer that is written in hex")]
    pub const fn new(code: u32) -> Self {
        Self(code as NDIS_STATUS)
    }

    /// The numeric value.
    pub const fn code(self) -> NDIS_STATUS {
        self.0
    }

    pub(crate) const fn from_raw(raw: NDIS_STATUS) -> Self {
        Self(raw)
    }

    /// `Ok` only for [`Status::SUCCESS`].
    pub fn ok(self) -> Result<()> {
        if self == Self::SUCCESS { Ok(()) } else { Err(self) }
    }
}

impl From<Result<()>> for Status {
    fn from(result: Result<()>) -> Self {
        match result {
            Ok(()) => Self::SUCCESS,
            Err(status) => status,
        }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NDIS_STATUS {:#010x}", self.0)
    }
}
