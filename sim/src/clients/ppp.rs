//! A kernel client of `CO_ADDRESS_FAMILY_PPP`: the blocks of its calls and SAPs, whose format the call manager defines.
//!
//! Both begin with the letters `PPoE`, version and fixed size (16 bits each), the size of the whole and flags; names are
//! pairs of offset and length from the start of the block.

use crate::ndis::parameters::CallParameters;

/// `ParamType` and `SapType`: the letters `PPoE`.
pub const TYPE: u32 = u32::from_le_bytes(*b"PPoE");
/// The version of the format.
const VERSION: u32 = 1;
/// Bytes per second.
const GIGABIT: u32 = 125_000_000;

/// What to call. Empty names stand for any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destination {
    /// The service's name.
    pub service: String,
    /// The access concentrator's name.
    pub access_concentrator: String,
    /// Host-Uniq to use; empty for the driver's choice.
    pub host_uniq: Vec<u8>,
    /// Largest PPP payload wanted in bytes; zero for 1492.
    pub max_payload: u32,
}

/// Parameters of a call.
pub fn call(to: &Destination) -> CallParameters {
    let names = [to.service.as_bytes(), to.access_concentrator.as_bytes(), &to.host_uniq];
    super::call_parameters(GIGABIT, TYPE, block(&[to.max_payload], &names))
}

/// `CO_SAP.Sap`: incoming sessions for a service, empty for any. The type is [`TYPE`].
pub fn sap(service: &str) -> Vec<u8> {
    block(&[], &[service.as_bytes()])
}

/// The head, further words, the pairs of the names, the names.
fn block(words: &[u32], names: &[&[u8]]) -> Vec<u8> {
    let fixed = 16 + 4 * words.len() + 8 * names.len();
    let size = fixed + names.iter().map(|name| name.len()).sum::<usize>();
    let number = |it: usize| u32::try_from(it).expect("a short block");
    let mut head = vec![TYPE, VERSION | number(fixed) << 16, number(size), 0];
    head.extend(words);
    let mut at = fixed;
    for name in names {
        head.extend([number(at), number(name.len())]);
        at += name.len();
    }
    let mut block: Vec<u8> = head.into_iter().flat_map(u32::to_le_bytes).collect();
    block.extend(names.concat());
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_fixed_part() {
        let to = Destination { service: "isp".to_owned(), max_payload: 1500, ..Destination::default() };
        let specific = call(&to).media.expect("media parameters").specific;
        assert_eq!(specific.param_type, 0x456F_5050);
        assert_eq!(&specific.parameters[..8], b"PPoE\x01\x00\x2C\x00");
        assert_eq!(specific.parameters[8..20], [47, 0, 0, 0, 0, 0, 0, 0, 0xDC, 5, 0, 0]);
        assert_eq!(&specific.parameters[44..], b"isp");
        assert_eq!(sap("")[6..12], [24, 0, 24, 0, 0, 0]);
    }
}
