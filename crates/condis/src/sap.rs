//! SAPs of either address family, and which of them can be registered side by side.

use crate::address_family::AddressFamily;
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

    /// Whether both cannot be registered at once: they ask for the same calls in the same words. The
    /// later one gets [`Status::SAP_IN_USE`]. Overlap alone is no conflict: calls are offered to the
    /// first SAP that fits.
    pub fn conflicts_with(&self, other: &Self) -> bool {
        self == other
    }

    /// The service that the SAP names; `None` if it takes any.
    pub fn service(&self) -> Option<&[u8]> {
        match self {
            Self::Ppp(name) if !name.is_empty() => Some(name.as_bytes()),
            _ => None,
        }
    }

    /// Whether a session asking for `service` (empty: any) may be offered to this SAP's client.
    pub fn accepts(&self, service: &[u8]) -> bool {
        match self {
            Self::Tapi(_) => true,
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
    fn conflicts() {
        assert!(line(Some(0), 0x100).conflicts_with(&line(Some(0), 0x100)));
        assert!(!line(Some(0), 0x100).conflicts_with(&line(None, 0x100)));
        assert!(!line(Some(0), 0x100).conflicts_with(&line(Some(0), 0x2)));
        assert!(service(b"isp").conflicts_with(&service(b"isp")));
        assert!(!service(b"isp").conflicts_with(&service(b"")));
        assert!(!service(b"isp").conflicts_with(&line(None, 0x100)));
    }

    #[test]
    fn acceptance() {
        assert!(service(b"").accepts(b"isp"));
        assert!(service(b"isp").accepts(b""));
        assert!(service(b"isp").accepts(b"isp"));
        assert!(!service(b"isp").accepts(b"other"));
        assert!(line(None, 0x100).accepts(b"isp"));
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
