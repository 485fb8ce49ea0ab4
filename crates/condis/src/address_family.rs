//! `CO_ADDRESS_FAMILY`: which signalling protocol a client speaks with the call manager.

use crate::bytes::{put_u32, u32_at};

/// Bytes of a `CO_ADDRESS_FAMILY`.
pub const SIZE: usize = 12;

/// `CO_ADDRESS_FAMILY_PROXY`: set by NDIS or a proxy beside the family's number.
const PROXY: u32 = 0x8000_0000;

/// The address families this call manager offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressFamily {
    /// `CO_ADDRESS_FAMILY_PPP`, for kernel clients that know PPP: parameters as in [`crate::ppp`].
    Ppp,
    /// `CO_ADDRESS_FAMILY_TAPI_PROXY`, for NDPROXY: parameters as in [`crate::tapi`].
    TapiProxy,
}

impl AddressFamily {
    /// Both families, in the order in which they are registered.
    pub const ALL: [Self; 2] = [Self::TapiProxy, Self::Ppp];

    /// The family's number in `ndis.h`.
    pub const fn number(self) -> u32 {
        match self {
            Self::Ppp => 0x6,
            Self::TapiProxy => 0x801,
        }
    }

    /// The family of a number, with or without `CO_ADDRESS_FAMILY_PROXY`.
    pub const fn from_number(number: u32) -> Option<Self> {
        match number & !PROXY {
            0x6 => Some(Self::Ppp),
            0x801 => Some(Self::TapiProxy),
            _ => None,
        }
    }

    /// The family a `CO_ADDRESS_FAMILY` names. The version is not looked at: none is prescribed.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        Self::from_number(u32_at(bytes, 0)?)
    }

    /// The `CO_ADDRESS_FAMILY` to register, version 1.0.
    pub fn to_bytes(self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        let _ = put_u32(&mut bytes, 0, self.number());
        let _ = put_u32(&mut bytes, 4, 1);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_back() {
        for family in AddressFamily::ALL {
            assert_eq!(AddressFamily::parse(&family.to_bytes()), Some(family));
        }
        assert_eq!(AddressFamily::TapiProxy.to_bytes(), [1, 8, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn the_proxy_flag_does_not_count_and_strangers_are_refused() {
        assert_eq!(AddressFamily::from_number(0x8000_0801), Some(AddressFamily::TapiProxy));
        assert_eq!(AddressFamily::from_number(0x800), None);
        assert_eq!(AddressFamily::parse(&[6, 0, 0]), None);
    }
}
