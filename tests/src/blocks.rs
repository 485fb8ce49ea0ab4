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
pub const TAPI_SAP: u32 = 0x8000;
/// `PPoE`, type of the blocks of the PPP address family.
pub const PPP_TYPE: u32 = u32::from_le_bytes(*b"PPoE");
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

/// `Sap` of NDPROXY for a line.
pub fn tapi_sap(line: u32) -> Vec<u8> {
    words(&[line, 0, DIGITAL_DATA])
}

/// `Sap` of a client of the PPP address family that takes calls for a service.
pub fn ppp_sap(service: &str) -> Vec<u8> {
    let name = service.as_bytes();
    let mut sap = words(&[PPP_TYPE, 0x0018_0001, 24 + len(name), 0, 24, len(name)]);
    sap.extend(name);
    sap
}

fn word(block: &[u8], at: usize) -> usize {
    let bytes = block[at..at + 4].try_into().expect("four bytes");
    usize::try_from(u32::from_le_bytes(bytes)).expect("a small number")
}

/// Checks `CO_AF_TAPI_INCOMING_CALL_PARAMETERS` of a call on a line.
///
/// # Panics
/// If it is not what ndistapi.h says.
pub fn check_tapi_offer(block: &[u8], line: usize, caller: [u8; 6], service: &str) {
    assert_eq!([word(block, 0), word(block, 4), word(block, 8)], [line, 0, 2], "line, address, flags");
    let length = usize::from(u16::from_le_bytes([block[16], block[17]]));
    let offset =
        usize::try_from(u64::from_le_bytes(block[24..32].try_into().expect("eight"))).expect("small");
    let info = &block[16 + offset..][..length];
    assert_eq!([word(info, 0), word(info, 4), word(info, 8)], [length; 3], "sizes of LINE_CALL_INFO");
    assert!(length >= 344);
    assert_eq!([word(info, 16), word(info, 20), word(info, 24), word(info, 32)], [line, 0, 8, 0x100]);
    assert_eq!((word(info, 80), word(info, 84)), (0x80, 1), "inbound, direct");
    let party = |at: usize| {
        assert_eq!(word(info, at), 8, "LINECALLPARTYID_ADDRESS");
        let bytes = &info[word(info, at + 8)..][..word(info, at + 4)];
        let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        char::decode_utf16(units).map(|it| it.expect("UTF-16")).collect::<String>()
    };
    let address = caller.map(|octet| format!("{octet:02X}")).join("-");
    assert_eq!((party(108), party(128)), (format!("{address}\0"), format!("{service}\0")));
}

/// Checks the offer of the PPP address family (`include/mcm_ppp.h`).
///
/// # Panics
/// If it is not what is documented.
pub fn check_ppp_offer(block: &[u8], caller: [u8; 6], service: &str, max_payload: usize) {
    assert_eq!(word(block, 0), usize::try_from(PPP_TYPE).expect("a number"));
    assert_eq!((word(block, 4), word(block, 8), word(block, 12)), (36 << 16 | 1, block.len(), 0));
    assert_eq!((word(block, 16), &block[20..26]), (max_payload, &caller[..]));
    assert_eq!(&block[word(block, 28)..][..word(block, 32)], service.as_bytes());
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

/// The same in the PPP address family, for a largest payload.
pub fn call_for_payload(octets: u32) -> CallParameters {
    let mut parameters = call(Family::PPP, &Destination::default());
    if let Some(media) = &mut parameters.media {
        media.specific.parameters[16..20].copy_from_slice(&octets.to_le_bytes());
    }
    parameters
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
