//! Every OID that a client or NDIS may ask, as the documentation has it.

/// How long the answer to a query is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Query {
    /// So many bytes, whatever the buffer holds.
    Exactly(u32),
    /// 8 bytes, or 4 if there are no 8.
    Counter,
    /// As long as the driver says when it is asked without a buffer.
    Told,
    /// A structure for which the client says how much room it has, at this offset; this long at least.
    Sized(usize, u32),
    /// It cannot be queried.
    Never,
}

use Query::{Counter, Exactly, Never, Sized, Told};

/// Where an OID is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paths {
    /// `MiniportOidRequest` and `MiniportCoOidRequest`.
    Miniport,
    /// `MiniportOidRequest` only: power.
    Power,
    /// `MiniportCoOidRequest` with a VC.
    MiniportVc,
    /// `ProtocolCmOidRequest` of TAPI proxies.
    Tapi,
    /// `ProtocolCmOidRequest` of any client, with a VC.
    CallVc,
    /// Nowhere: known to the documents, and not for this driver.
    Nowhere,
}

use Paths::{CallVc, Miniport, MiniportVc, Nowhere, Power, Tapi};

/// One OID: number, paths, query, bytes of a set (0: cannot be set).
pub(crate) type Entry = (u32, Paths, Query, usize);

pub(crate) const OIDS: &[Entry] = &[
    // OID_GEN_(CO_)*: general operation.
    (0x0001_0101, Miniport, Told, 0),
    (0x0001_0102, Miniport, Exactly(4), 0),
    (0x0001_0103, Miniport, Exactly(4), 0),
    (0x0001_0104, Miniport, Exactly(4), 0),
    (0x0001_0105, Miniport, Exactly(4), 0),
    (0x0001_0106, Miniport, Exactly(4), 0),
    (0x0001_0107, Miniport, Exactly(8), 0),
    (0x0001_0108, Miniport, Exactly(4), 0),
    (0x0001_0109, Miniport, Exactly(4), 0),
    (0x0001_010A, Miniport, Exactly(4), 0),
    (0x0001_010B, Miniport, Exactly(4), 0),
    (0x0001_010C, Miniport, Exactly(4), 0),
    (0x0001_010D, Miniport, Told, 0),
    (0x0001_010E, Miniport, Exactly(4), 4),
    (0x0001_010F, Miniport, Exactly(4), 4),
    (0x0001_0110, Miniport, Exactly(2), 0),
    (0x0001_0111, Miniport, Exactly(4), 0),
    (0x0001_0112, Miniport, Never, 4),
    (0x0001_0113, Miniport, Exactly(4), 0),
    (0x0001_0114, Miniport, Exactly(4), 0),
    (0x0001_0116, Miniport, Exactly(4), 0),
    (0x0002_0120, Miniport, Exactly(4), 0),
    // Statistics.
    (0x0002_0101, Miniport, Counter, 0),
    (0x0002_0102, Miniport, Counter, 0),
    (0x0002_0103, Miniport, Counter, 0),
    (0x0002_0104, Miniport, Counter, 0),
    (0x0002_0105, Miniport, Counter, 0),
    (0x0002_0106, Miniport, Exactly(152), 0),
    (0x0002_0201, Miniport, Counter, 0),
    (0x0002_0207, Miniport, Counter, 0),
    (0x0002_020D, Miniport, Counter, 0),
    // OID_802_3_*, OID_WAN_*.
    (0x0101_0101, Miniport, Exactly(6), 0),
    (0x0101_0102, Miniport, Exactly(6), 0),
    (0x0401_0101, Miniport, Exactly(6), 0),
    (0x0401_0102, Miniport, Exactly(6), 0),
    (0x0401_0105, Miniport, Exactly(4), 0),
    (0x0401_0106, Miniport, Exactly(4), 0),
    (0x0401_010A, Miniport, Exactly(4), 0),
    (0x0401_0180, Miniport, Exactly(16), 0),
    (0x0401_0181, MiniportVc, Never, 32),
    (0x0401_0182, MiniportVc, Exactly(32), 0),
    (0x0401_0282, MiniportVc, Exactly(116), 0),
    // OID_PNP_*: to be asked whether to sleep, and to wake.
    (0xFD01_0101, Power, Never, 4),
    (0xFD01_0102, Power, Exactly(4), 0),
    // OID_CO_TAPI_*.
    (0xFE00_1001, Tapi, Exactly(12), 0),
    (0xFE00_1002, Tapi, Sized(8, 300), 0),
    (0xFE00_1003, Tapi, Sized(12, 240), 0),
    (0xFE00_1007, CallVc, Told, 0),
    // Known, and not for this driver: QoS and protocol type of WAN links, compression, translations for
    // CO_ADDRESS_FAMILY_TAPI, digits, PVCs, addresses, signalling; link parameters; time of day.
    (0x0401_0103, Nowhere, Never, 0),
    (0x0401_0104, Nowhere, Never, 0),
    (0x0401_0280, Nowhere, Never, 0),
    (0x0401_0281, Nowhere, Never, 0),
    (0xFE00_1004, Nowhere, Never, 0),
    (0xFE00_1005, Nowhere, Never, 0),
    (0xFE00_1006, Nowhere, Never, 0),
    (0xFE00_1008, Nowhere, Never, 0),
    (0xFE00_1009, Nowhere, Never, 0),
    (0xFE00_0001, Nowhere, Never, 0),
    (0xFE00_0002, Nowhere, Never, 0),
    (0xFE00_0003, Nowhere, Never, 0),
    (0xFE00_0004, Nowhere, Never, 0),
    (0xFE00_0005, Nowhere, Never, 0),
    (0xFE00_0006, Nowhere, Never, 0),
    (0xFE00_0007, Nowhere, Never, 0),
    (0xFE00_0008, Nowhere, Never, 0),
    (0xFE00_0009, Nowhere, Never, 0),
    (0xFE00_000A, Nowhere, Never, 0),
    (0x0001_0208, Nowhere, Never, 0),
    (0x0002_0221, Nowhere, Never, 0),
    (0x0002_0222, Nowhere, Never, 0),
    // Unknown to everybody.
    (0, Nowhere, Never, 0),
    (0x0001_0100, Nowhere, Never, 0),
    (0x0001_FFFF, Nowhere, Never, 0),
    (0xFE00_1000, Nowhere, Never, 0),
    (0xFFFF_FFFF, Nowhere, Never, 0),
];
