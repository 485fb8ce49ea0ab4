//! The OIDs, sorted by number.

use super::Path;
use crate::address_family::AddressFamily;

/// Whom a request may concern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The adapter; a VC makes no difference.
    Adapter,
    /// A VC when one is given, otherwise the adapter.
    Either,
    /// A VC must be given.
    Vc,
}

/// How long the answer to a query is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// This many bytes.
    Bytes(u32),
    /// A 64-bit counter: 8 bytes, or its low 4 when the buffer has no room for more.
    Counter,
    /// It depends: strings, lists and structures with a variable part.
    Variable,
    /// The request cannot be queried.
    NotQueried,
}

/// One OID.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The number.
    pub oid: u32,
    /// The name in the headers, without `OID_`.
    pub name: &'static str,
    /// Whom it concerns.
    pub scope: Scope,
    /// The answer to a query.
    pub query: Size,
    /// The fewest bytes of a set; 0 when it cannot be set.
    pub set: u32,
    paths: Paths,
}

/// On which of the paths an OID is answered.
#[derive(Clone, Copy, Debug)]
enum Paths {
    Miniport,
    Co,
    Both,
    /// Clients of TAPI proxies.
    Tapi,
    /// Clients of any address family.
    Cm,
}

impl Entry {
    /// Whether the OID means something on this path. Those of TAPI mean nothing to PPP clients, but for what became of a
    /// call.
    pub const fn is_on(&self, path: Path) -> bool {
        matches!(
            (self.paths, path),
            (Paths::Miniport | Paths::Both, Path::Miniport)
                | (Paths::Co | Paths::Both, Path::Co)
                | (Paths::Tapi, Path::Cm(AddressFamily::TapiProxy))
                | (Paths::Cm, Path::Cm(_))
        )
    }
}

/// Defines [`number`] and [`TABLE`] from one list.
macro_rules! oids {
    ($($name:ident $number:literal $paths:ident $scope:ident $query:expr, $set:literal;)*) => {
        /// The numbers, named as in the headers without `OID_`.
        #[expect(missing_docs, reason = "the names are those of ntddndis.h and ndis.h")]
        pub mod number {
            $(pub const $name: u32 = $number;)*
        }

        /// Every OID that is answered, sorted by number.
        pub const TABLE: &[Entry] = &[$(Entry {
            oid: $number,
            name: stringify!($name),
            scope: Scope::$scope,
            query: $query,
            set: $set,
            paths: Paths::$paths,
        },)*];
    };
}

use Size::{Bytes, Counter, NotQueried, Variable};

oids! {
    GEN_SUPPORTED_LIST          0x0001_0101 Both Adapter Variable, 0;
    GEN_HARDWARE_STATUS         0x0001_0102 Both Adapter Bytes(4), 0;
    GEN_MEDIA_SUPPORTED         0x0001_0103 Both Adapter Bytes(4), 0;
    GEN_MEDIA_IN_USE            0x0001_0104 Both Adapter Bytes(4), 0;
    GEN_MAXIMUM_LOOKAHEAD       0x0001_0105 Both Adapter Bytes(4), 0;
    GEN_MAXIMUM_FRAME_SIZE      0x0001_0106 Both Adapter Bytes(4), 0;
    GEN_LINK_SPEED              0x0001_0107 Both Adapter Bytes(8), 0;
    GEN_TRANSMIT_BUFFER_SPACE   0x0001_0108 Both Adapter Bytes(4), 0;
    GEN_RECEIVE_BUFFER_SPACE    0x0001_0109 Both Adapter Bytes(4), 0;
    GEN_TRANSMIT_BLOCK_SIZE     0x0001_010A Both Adapter Bytes(4), 0;
    GEN_RECEIVE_BLOCK_SIZE      0x0001_010B Both Adapter Bytes(4), 0;
    GEN_VENDOR_ID               0x0001_010C Both Adapter Bytes(4), 0;
    GEN_VENDOR_DESCRIPTION      0x0001_010D Both Adapter Variable, 0;
    GEN_CURRENT_PACKET_FILTER   0x0001_010E Both Adapter Bytes(4), 4;
    GEN_CURRENT_LOOKAHEAD       0x0001_010F Both Adapter Bytes(4), 4;
    GEN_DRIVER_VERSION          0x0001_0110 Both Adapter Bytes(2), 0;
    GEN_MAXIMUM_TOTAL_SIZE      0x0001_0111 Both Adapter Bytes(4), 0;
    GEN_PROTOCOL_OPTIONS        0x0001_0112 Both Adapter NotQueried, 4;
    GEN_MAC_OPTIONS             0x0001_0113 Both Adapter Bytes(4), 0;
    GEN_MEDIA_CONNECT_STATUS    0x0001_0114 Both Adapter Bytes(4), 0;
    GEN_VENDOR_DRIVER_VERSION   0x0001_0116 Both Adapter Bytes(4), 0;
    GEN_INTERRUPT_MODERATION    0x0001_0209 Both Adapter Bytes(12), 12;
    GEN_XMIT_OK                 0x0002_0101 Both Either Counter, 0;
    GEN_RCV_OK                  0x0002_0102 Both Either Counter, 0;
    GEN_XMIT_ERROR              0x0002_0103 Both Either Counter, 0;
    GEN_RCV_ERROR               0x0002_0104 Both Either Counter, 0;
    GEN_RCV_NO_BUFFER           0x0002_0105 Both Either Counter, 0;
    GEN_STATISTICS              0x0002_0106 Both Adapter Bytes(152), 0;
    GEN_CO_MINIMUM_LINK_SPEED   0x0002_0120 Both Adapter Bytes(4), 0;
    GEN_DIRECTED_BYTES_XMIT     0x0002_0201 Both Either Counter, 0;
    GEN_DIRECTED_BYTES_RCV      0x0002_0207 Both Either Counter, 0;
    GEN_RCV_CRC_ERROR           0x0002_020D Both Either Counter, 0;
    _802_3_PERMANENT_ADDRESS    0x0101_0101 Both Adapter Bytes(6), 0;
    _802_3_CURRENT_ADDRESS      0x0101_0102 Both Adapter Bytes(6), 0;
    WAN_PERMANENT_ADDRESS       0x0401_0101 Both Adapter Bytes(6), 0;
    WAN_CURRENT_ADDRESS         0x0401_0102 Both Adapter Bytes(6), 0;
    WAN_MEDIUM_SUBTYPE          0x0401_0105 Both Adapter Bytes(4), 0;
    WAN_HEADER_FORMAT           0x0401_0106 Both Adapter Bytes(4), 0;
    WAN_LINE_COUNT              0x0401_010A Both Adapter Bytes(4), 0;
    WAN_CO_GET_INFO             0x0401_0180 Both Adapter Bytes(16), 0;
    WAN_CO_SET_LINK_INFO        0x0401_0181 Co Vc NotQueried, 32;
    WAN_CO_GET_LINK_INFO        0x0401_0182 Co Vc Bytes(32), 0;
    WAN_CO_GET_STATS_INFO       0x0401_0282 Co Vc Bytes(116), 0;
    PNP_SET_POWER               0xFD01_0101 Miniport Adapter NotQueried, 4;
    PNP_QUERY_POWER             0xFD01_0102 Miniport Adapter Bytes(4), 0;
    CO_TAPI_CM_CAPS             0xFE00_1001 Tapi Adapter Bytes(12), 0;
    CO_TAPI_LINE_CAPS           0xFE00_1002 Tapi Adapter Variable, 0;
    CO_TAPI_ADDRESS_CAPS        0xFE00_1003 Tapi Adapter Variable, 0;
    CO_TAPI_GET_CALL_DIAGNOSTICS 0xFE00_1007 Cm Vc Variable, 0;
}

/// The entry of an OID.
pub fn find(oid: u32) -> Option<&'static Entry> {
    TABLE.binary_search_by_key(&oid, |entry| entry.oid).ok().and_then(|index| TABLE.get(index))
}

/// How many of the table's entries the miniport answers, as distinct from the call manager.
const SUPPORTED: usize = {
    let mut count = 0;
    let mut rest = TABLE;
    while let [entry, tail @ ..] = rest {
        if !matches!(entry.paths, Paths::Tapi | Paths::Cm) {
            count += 1;
        }
        rest = tail;
    }
    count
};

/// The miniport's OIDs in ascending order: the answer to `OID_GEN_SUPPORTED_LIST`, and
/// `SupportedOidList` of the general attributes. The call manager's are not among them.
pub fn supported() -> &'static [u32; SUPPORTED] {
    static LIST: [u32; SUPPORTED] = {
        let mut list = [0; SUPPORTED];
        let mut index = 0;
        let mut rest = TABLE;
        while let [entry, tail @ ..] = rest {
            if !matches!(entry.paths, Paths::Tapi | Paths::Cm) {
                // Evaluated at compile time: an index out of bounds would not compile.
                list[index] = entry.oid;
                index += 1;
            }
            rest = tail;
        }
        list
    };
    &LIST
}
