//! What clients put into their requests, byte by byte: `CO_AF_TAPI_MAKE_CALL_PARAMETERS` and `CO_AF_TAPI_SAP` of
//! ndistapi.h, and the blocks of the driver's own PPP address family. Written out here so that an error in the
//! driver's reading of them cannot cancel out.

use ndis_sim::ndis::{
    Family,
    parameters::{
        CallManagerParameters, CallParameters, FlowSpec, MediaParameters, Specific, TRANSMIT_AND_RECEIVE,
    },
};

/// `AF_TAPI_SAP_TYPE`.
const TAPI_SAP: u32 = 0x8000;
/// `PPoE`, type of the blocks of the PPP address family.
const PPP_TYPE: u32 = u32::from_le_bytes(*b"PPoE");
/// `LINEMEDIAMODE_DIGITALDATA`.
const DIGITAL_DATA: u32 = 0x100;
/// `CO_TAPI_FLAG_OUTGOING_CALL | CO_TAPI_FLAG_USE_DEFAULT_CALLPARAMS`.
const TAPI_FLAGS: u32 = 0x1 | 0x4;
/// A gigabit in bytes a second.
const RATE: u32 = 125_000_000;

/// Whom to call. Empty names stand for any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destination {
    /// Name of the access concentrator.
    pub ac: String,
    /// Name of the service.
    pub service: String,
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn len(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a short block")
}

/// `SapType` and `Sap` of a client that takes any call.
pub fn sap(family: u32) -> (u32, Vec<u8>) {
    if family == Family::TAPI_PROXY {
        return (TAPI_SAP, words(&[0, 0, DIGITAL_DATA]));
    }
    (PPP_TYPE, words(&[PPP_TYPE, 0x0018_0001, 24, 0, 24, 0]))
}

/// Parameters of an outgoing call.
pub fn call(family: u32, to: &Destination) -> CallParameters {
    let specific = if family == Family::TAPI_PROXY {
        Specific { param_type: 0, parameters: tapi(to) }
    } else {
        Specific { param_type: PPP_TYPE, parameters: ppp(to) }
    };
    let flow = FlowSpec::best_effort(RATE);
    let specific_of_manager = Specific::default();
    CallParameters {
        flags: 0,
        call_manager: Some(CallManagerParameters {
            transmit: flow,
            receive: flow,
            specific: specific_of_manager,
        }),
        media: Some(MediaParameters { flags: TRANSMIT_AND_RECEIVE, specific, ..MediaParameters::default() }),
    }
}

/// The fixed part, 48 bytes with the destination's descriptor at 16, and the "phone number".
fn tapi(to: &Destination) -> Vec<u8> {
    let escape = |name: &str| name.replace('%', "%25").replace('\\', "%5C");
    let separator = if to.ac.is_empty() { "" } else { "\\" };
    let number = format!("{}{separator}{}", escape(&to.ac), escape(&to.service));
    let text: Vec<u8> = number.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut block = vec![0; 48];
    // Any line: scenarios make several calls at once.
    block[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    block[8..12].copy_from_slice(&TAPI_FLAGS.to_le_bytes());
    let length = u16::try_from(text.len()).expect("a short number").to_le_bytes();
    block[16..18].copy_from_slice(&length);
    block[18..20].copy_from_slice(&length);
    if !text.is_empty() {
        // The offset counts from the descriptor.
        block[24..32].copy_from_slice(&(48_u64 - 16).to_le_bytes());
    }
    block.extend(text);
    block
}

/// Type, version and size of the fixed part, size of the block, flags, payload, then pairs of offset and length.
fn ppp(to: &Destination) -> Vec<u8> {
    const FIXED: u32 = 44;
    let (service, ac) = (to.service.as_bytes(), to.ac.as_bytes());
    let end = FIXED + len(service) + len(ac);
    let mut block = words(&[PPP_TYPE, FIXED << 16 | 1, end, 0, 0]);
    block.extend(words(&[FIXED, len(service), FIXED + len(service), len(ac), end, 0]));
    block.extend(service);
    block.extend(ac);
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_their_documented_sizes() {
        let to = Destination { ac: "ac".to_owned(), service: "isp".to_owned() };
        assert_eq!(tapi(&to).len(), 48 + 2 * "ac\\isp".len());
        assert_eq!(ppp(&to).len(), 44 + 5);
        assert_eq!(ppp(&to)[8..12], 49_u32.to_le_bytes());
        assert_eq!(sap(Family::TAPI_PROXY).1.len(), 12);
        assert_eq!(sap(Family::PPP).1.len(), 24);
    }
}
