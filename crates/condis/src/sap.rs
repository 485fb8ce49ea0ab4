//! SAPs of either address family, and which of them can be registered side by side.

use crate::address_family::AddressFamily;
use crate::config::Concentrator;
use crate::name::Name;
use crate::ppp;
use crate::status::Status;
use crate::tapi;

/// Longest SAP that is looked at, in bytes; a driver need not copy more.
pub const MAX_LENGTH: u32 = 1024;

/// What incoming calls a client registered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sap {
    /// A line, from NDPROXY.
    Tapi(tapi::sap::Sap),
    /// A service name, from a PPP client; empty for any.
    Ppp(Name),
}

impl Sap {
    /// Parses a `CO_SAP`: its type, and the `SapLength` bytes at `Sap`.
    ///
    /// Errors: `INVALID_DATA`.
    pub fn parse(
        family: AddressFamily,
        sap_type: u32,
        sap: &[u8],
        lines: &tapi::Lines,
    ) -> Result<Self, Status> {
        match family {
            AddressFamily::TapiProxy => tapi::sap::parse(sap_type, sap, lines).map(Self::Tapi),
            AddressFamily::Ppp => ppp::sap::parse(sap_type, sap).map(Self::Ppp).ok_or(Status::INVALID_DATA),
        }
    }

    /// How many SAPs that ask for the same calls in the same words a client may have at a time, with so many lines. One
    /// more gets [`Status::SAP_IN_USE`]. Overlap alone is no conflict: calls are offered to the first SAP that fits.
    pub const fn most(&self, lines: u32) -> u32 {
        match self {
            Self::Tapi(sap) => sap.most(lines),
            Self::Ppp(_) => 1,
        }
    }

    /// The service that the SAP names; `None` if it takes any.
    pub fn service(&self) -> Option<&[u8]> {
        match self {
            Self::Ppp(name) if !name.is_empty() => Some(name.as_bytes()),
            _ => None,
        }
    }

    /// Whether a session asking for `service` (empty: any) may be offered to this SAP's client.
    pub fn accepts(&self, service: &[u8], concentrator: &Concentrator) -> bool {
        match self {
            Self::Tapi(sap) => sap.call_mode().is_some() && concentrator.offers(service),
            Self::Ppp(name) => name.is_empty() || service.is_empty() || name.as_bytes() == service,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(line: Option<u32>, media_modes: u32) -> Sap {
        Sap::Tapi(tapi::sap::Sap { line, address: None, media_modes })
    }

    fn service(name: &[u8]) -> Sap {
        Sap::Ppp(Name::from_bytes(name).unwrap())
    }

    #[test]
    fn one_of_each_kind() {
        assert_eq!((line(Some(0), 0x100).most(9), line(None, 0x100).most(9)), (1, 9));
        assert_eq!(service(b"isp").most(9), 1);
        assert_ne!(line(Some(0), 0x100), line(None, 0x100));
        assert_ne!(line(Some(0), 0x100), line(Some(0), 0x2));
        assert_ne!(service(b"isp"), service(b""));
    }

    #[test]
    fn acceptance() {
        let mut offered = Concentrator::new();
        assert!(service(b"").accepts(b"isp", &offered));
        assert!(service(b"isp").accepts(b"", &offered));
        assert!(service(b"isp").accepts(b"isp", &offered));
        assert!(!service(b"isp").accepts(b"other", &offered));
        assert!(line(None, 0x100).accepts(b"isp", &offered));
        assert!(!line(None, 0).accepts(b"isp", &offered));
        // The list is for clients of TAPI, whose SAPs name no service.
        offered.services.push(b"voice").unwrap();
        assert!(service(b"isp").accepts(b"isp", &offered));
        assert!(line(None, 0x100).accepts(b"voice", &offered) && line(None, 0x100).accepts(b"", &offered));
        assert!(!line(None, 0x100).accepts(b"isp", &offered));
    }

    #[test]
    fn each_family_has_its_own() {
        let lines = tapi::Lines { count: 1, calls_per_line: 1, bits_per_second: 0, permanent_id: 0 };
        let bytes = [0; 12];
        assert!(Sap::parse(AddressFamily::TapiProxy, tapi::sap::TYPE, &bytes, &lines).is_ok());
        assert_eq!(
            Sap::parse(AddressFamily::Ppp, tapi::sap::TYPE, &bytes, &lines),
            Err(Status::INVALID_DATA)
        );
    }
}
