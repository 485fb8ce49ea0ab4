//! Any SAP is refused, or means the same each time it is read.
//!
//! The first byte of the input chooses the address family, the second whether the SAP's type is the right one.

use condis::address_family::AddressFamily;
use condis::config::Concentrator;
use condis::sap::Sap;
use condis::status::Status;
use condis::{ppp, tapi};

const LINES: tapi::Lines =
    tapi::Lines { count: 3, calls_per_line: 1, bits_per_second: 1_000_000_000, permanent_id: 7 };

/// Judges one input.
pub(crate) fn run(input: &[u8]) {
    let Some((&[family, right], sap)) = input.split_first_chunk() else { return };
    let (family, kind) = match family & 1 {
        0 => (AddressFamily::TapiProxy, tapi::sap::TYPE),
        _ => (AddressFamily::Ppp, ppp::TYPE),
    };
    let kind = if right & 7 == 7 { !kind } else { kind };
    match Sap::parse(family, kind, sap, &LINES) {
        Ok(parsed) => {
            assert_ne!(right & 7, 7, "a SAP of another type");
            assert_eq!(Ok(parsed), Sap::parse(family, kind, sap, &LINES), "the same again");
            assert!((1..=LINES.count).contains(&parsed.most(LINES.count)));
            let is_for_calls = !matches!(parsed, Sap::Tapi(sap) if sap.call_mode().is_none());
            assert_eq!(parsed.accepts(b"", &Concentrator::new()), is_for_calls);
        }
        Err(status) => assert_eq!(status, Status::INVALID_DATA),
    }
}
