//! The `NDIS_STATUS` values NDIS and its clients exchange with a driver, and their names for the log.
//!
//! Some statuses that mean refusal have success bits (`NOT_ACCEPTED`, `NOT_RECOGNIZED`), so a status is
//! only ever compared for equality.

/// `NDIS_STATUS`.
pub type Status = i32;

macro_rules! table {
    ($($name:ident = $value:literal;)*) => {
        $(
            #[doc = concat!("`NDIS_STATUS_", stringify!($name), "`.")]
            pub const $name: Status = ($value as u32).cast_signed();
        )*

        /// The name of a status without its prefix, or its number.
        pub fn name(status: Status) -> String {
            match status {
                $($name => stringify!($name).to_owned(),)*
                other => format!("{other:#010X}"),
            }
        }
    };
}

table! {
    SUCCESS = 0;
    PENDING = 0x103;
    NOT_RECOGNIZED = 0x0001_0001;
    NOT_ACCEPTED = 0x0001_0003;
    FAILURE = 0xC000_0001;
    INVALID_PARAMETER = 0xC000_000D;
    RESOURCES = 0xC000_009A;
    NOT_SUPPORTED = 0xC000_00BB;
    CLOSING = 0xC001_0002;
    BAD_VERSION = 0xC001_0004;
    BAD_CHARACTERISTICS = 0xC001_0005;
    ADAPTER_NOT_FOUND = 0xC001_0006;
    OPEN_FAILED = 0xC001_0007;
    REQUEST_ABORTED = 0xC001_000C;
    RESET_IN_PROGRESS = 0xC001_000D;
    INVALID_PACKET = 0xC001_000F;
    INVALID_LENGTH = 0xC001_0014;
    INVALID_DATA = 0xC001_0015;
    BUFFER_TOO_SHORT = 0xC001_0016;
    INVALID_OID = 0xC001_0017;
    FILE_NOT_FOUND = 0xC001_001B;
    RESOURCE_CONFLICT = 0xC001_001E;
    MEDIA_DISCONNECTED = 0xC023_001F;
    SEND_ABORTED = 0xC023_000C;
    PAUSED = 0xC023_002A;
    LOW_POWER_STATE = 0xC023_002F;
    INVALID_SAP = 0xC001_0020;
    SAP_IN_USE = 0xC001_0021;
    INVALID_ADDRESS = 0xC001_0022;
    VC_NOT_ACTIVATED = 0xC001_0023;
    TAPI_INUSE = 0xC001_2008;
    TAPI_INVALCALLPARAMS = 0xC001_200E;
    TAPI_RESOURCEUNAVAIL = 0xC001_2018;
    TAPI_STRUCTURETOOSMALL = 0xC001_2019;
    TAPI_INVALPARAM = 0xC001_201D;
    TAPI_DISCONNECTMODE_NORMAL = 0xC001_2020;
    TAPI_DISCONNECTMODE_UNKNOWN = 0xC001_2021;
    TAPI_DISCONNECTMODE_REJECT = 0xC001_2022;
    TAPI_DISCONNECTMODE_BUSY = 0xC001_2025;
    TAPI_DISCONNECTMODE_NOANSWER = 0xC001_2026;
    TAPI_DISCONNECTMODE_BADADDRESS = 0xC001_2027;
    TAPI_DISCONNECTMODE_UNREACHABLE = 0xC001_2028;
    TAPI_DISCONNECTMODE_CONGESTION = 0xC001_2029;
    TAPI_DISCONNECTMODE_INCOMPATIBLE = 0xC001_202A;
    TAPI_DISCONNECTMODE_UNAVAIL = 0xC001_202B;
}
