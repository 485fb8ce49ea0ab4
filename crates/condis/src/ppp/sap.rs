//! The SAP of `CO_ADDRESS_FAMILY_PPP`: which incoming sessions a client accepts.
//!
//! `CO_SAP.SapType` is [`super::TYPE`], `.SapLength` the size of the block, and `.Sap` holds:
//!
//! | Offset | Size | Field |
//! |---|---|---|
//! | 0 | 4 | type, [`super::TYPE`] |
//! | 4 | 2 | version, 1 |
//! | 6 | 2 | size of the fixed part, 24 |
//! | 8 | 4 | size of the whole block, at most `SapLength` |
//! | 12 | 4 | flags, 0 |
//! | 16 | 4 + 4 | service name: offset from the start of the block, length; length 0: any service |
//! | 24 | | the name's bytes, UTF-8, not terminated |

use super::{TYPE, open};
use crate::name::Name;

/// Bytes of the fixed part in version 1.
pub const FIXED: u16 = 24;

/// Where the service name lies.
pub const SERVICE_NAME: usize = super::head::LEN;

/// The service name of a SAP, empty for any; `None` when the SAP is malformed.
pub fn parse(sap_type: u32, sap: &[u8]) -> Option<Name> {
    if sap_type != TYPE {
        return None;
    }
    Name::from_bytes(open(sap, FIXED)?.data(SERVICE_NAME)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn sap(name: &[u8]) -> Vec<u8> {
        let length = u32::try_from(name.len()).unwrap();
        let fixed = [TYPE, 0x0018_0001, 24 + length, 0, 24, length];
        fixed.into_iter().flat_map(u32::to_le_bytes).chain(name.iter().copied()).collect()
    }

    #[test]
    fn names() {
        assert_eq!(parse(TYPE, &sap(b"isp")).unwrap().as_bytes(), b"isp");
        assert!(parse(TYPE, &sap(b"")).unwrap().is_empty());
    }

    #[test]
    fn refusals() {
        assert_eq!(parse(0x8000, &sap(b"isp")), None);
        assert_eq!(parse(TYPE, &sap(b"isp")[..26]), None);
        assert_eq!(parse(TYPE, &sap(&[b'x'; 129])), None);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = parse(TYPE, &bytes);
        }
    }
}
