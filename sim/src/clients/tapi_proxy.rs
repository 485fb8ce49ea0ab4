//! NDPROXY on `CO_ADDRESS_FAMILY_TAPI_PROXY`: the capabilities it asks for when it has opened the address family,
//! its SAP, and the parameters of the calls it makes (ndistapi.h, with `NDIS_TAPI_CURRENT_VERSION` 0x00030000).

use std::rc::Rc;

use super::answers::{finding, must, probe, word};
use crate::ndis::AddressFamily;
use crate::ndis::client;
use crate::ndis::oid::{OidRequest, OidResult};
use crate::ndis::parameters::CallParameters;
use crate::ndis::status;

/// `AF_TAPI_SAP_TYPE`.
pub const SAP_TYPE: u32 = 0x8000;
/// `LINEMEDIAMODE_DIGITALDATA`.
pub const DIGITAL_DATA: u32 = 0x100;
/// `CO_TAPI_LINE_ID_UNSPECIFIED` and `CO_TAPI_ADDRESS_ID_UNSPECIFIED`.
pub const UNSPECIFIED: u32 = u32::MAX;

const OID_CM_CAPS: u32 = 0xFE00_1001;
const OID_LINE_CAPS: u32 = 0xFE00_1002;
const OID_ADDRESS_CAPS: u32 = 0xFE00_1003;
const OID_GET_CALL_DIAGNOSTICS: u32 = 0xFE00_1007;
/// `CO_TAPI_VERSION`.
const VERSION: u32 = 0x0003_0000;
/// `CO_TAPI_FLAG_PER_LINE_CAPS` of the call manager and `CO_TAPI_FLAG_PER_ADDRESS_CAPS` of a line.
const PER_LINE_CAPS: u32 = 1;
const PER_ADDRESS_CAPS: u32 = 1;
/// Fixed sizes of `LINE_DEV_CAPS` and `LINE_ADDRESS_CAPS`, and what precedes them in the OIDs' structures.
const LINE_DEV_CAPS: usize = 292;
const BEFORE_LINE: usize = 8;
const LINE_ADDRESS_CAPS: usize = 228;
const BEFORE_ADDRESS: usize = 12;

/// What a line is, as far as NDPROXY tells it to TAPI.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The first string of `ulProviderInfo`: RAS takes the type of its device from it.
    pub media_name: String,
    /// The second one.
    pub provider_name: String,
    /// `ulLineName`.
    pub name: String,
    /// `ulMaxRate`, bits per second.
    pub max_rate: u32,
    /// `ulMaxNumActiveCalls`.
    pub calls: u32,
    /// `ulMediaModes`.
    pub media_modes: u32,
    /// `ulNumAddresses`.
    pub addresses: u32,
}

/// Asks for the capabilities of the call manager, its lines and their addresses, as NDPROXY does before the first call.
/// What is not consistent is a finding (`CO-322`). `PASSIVE_LEVEL`.
pub fn ask(af: &Rc<AddressFamily>) -> Vec<Line> {
    let ask = |request: OidRequest| client::cm_oid_request(af, None, request);
    let Some(caps) = must("CO-322", OID_CM_CAPS, 12, &ask) else { return Vec::new() };
    let (version, lines, flags) = (word(&caps, 0), word(&caps, 4), word(&caps, 8));
    if version != VERSION || lines == 0 || caps.len() != 12 {
        finding("CO-322", format!("CM_CAPS of {} bytes: version {version:#x}, {lines} lines", caps.len()));
    }
    probe(OID_CM_CAPS, 12, &ask);
    let asked = if flags & PER_LINE_CAPS != 0 { lines } else { 1 };
    let lines = (0..asked.min(16)).filter_map(|line| ask_line(line, &ask)).collect();
    for oid in [0xFE00_1004, 0xFE00_1005, 0xFE00_1006, 0xFE00_0001, 0xFE00_FFFF] {
        if ask(OidRequest::query(oid, 64)).status == status::SUCCESS {
            finding("CO-157", format!("{oid:#010x} does not belong to this address family"));
        }
    }
    let diagnostics = ask(OidRequest::query(OID_GET_CALL_DIAGNOSTICS, 64));
    if diagnostics.status == status::SUCCESS && diagnostics.bytes < 24 {
        finding("CO-322", format!("call diagnostics of {} bytes", diagnostics.bytes));
    }
    lines
}

/// A query whose structure begins with `head` words and is followed by `ulTotalSize`; asked again with the space it
/// says it needs.
fn ask_sized(oid: u32, head: &[u32], fixed: usize, ask: &dyn Fn(OidRequest) -> OidResult) -> Option<Vec<u8>> {
    let before = (head.len() + 1) * 4;
    let mut total = fixed;
    for _ in 0..2 {
        let mut input: Vec<u8> = head.iter().flat_map(|word| word.to_le_bytes()).collect();
        // The flags, which are an output, then ulTotalSize.
        input.extend([0xAA; 4]);
        input.extend(u32::try_from(total).ok()?.to_le_bytes());
        input.resize(before + total, 0xAA);
        let result = ask(OidRequest::query_with(oid, &input));
        if result.status != status::SUCCESS {
            finding("CO-322", format!("{oid:#010x} in {total} bytes: {}", status::name(result.status)));
            return None;
        }
        let (told, needed, used) =
            (word(&result.data, before), word(&result.data, before + 4), word(&result.data, before + 8));
        let consistent = told as usize == total && used <= told && used <= needed.max(told);
        if !consistent || (used as usize) < fixed {
            finding("CO-322", format!("{oid:#010x}: total {told}, needed {needed}, used {used}"));
        }
        if needed as usize <= total {
            return Some(result.data);
        }
        total = needed as usize;
    }
    finding("CO-322", format!("{oid:#010x} needs more than it said"));
    None
}

fn ask_line(line: u32, ask: &dyn Fn(OidRequest) -> OidResult) -> Option<Line> {
    let data = ask_sized(OID_LINE_CAPS, &[line], LINE_DEV_CAPS, ask)?;
    let caps = &data[BEFORE_LINE..];
    let info = strings(caps, 12);
    let it = Line {
        media_name: info.first().cloned().unwrap_or_default(),
        provider_name: info.get(1).cloned().unwrap_or_default(),
        name: strings(caps, 32).into_iter().next().unwrap_or_default(),
        max_rate: word(caps, 56),
        calls: word(caps, 116),
        media_modes: word(caps, 60),
        addresses: word(caps, 48),
    };
    if info.len() < 2 || it.calls == 0 || it.addresses == 0 || it.media_modes & DIGITAL_DATA == 0 {
        finding("CO-322", format!("line {line}: {it:?}"));
    }
    if word(caps, 40) != 3 {
        finding("CO-322", format!("line {line}: ulStringFormat {}", word(caps, 40)));
    }
    let addresses = if word(&data, 4) & PER_ADDRESS_CAPS != 0 { it.addresses } else { 1 };
    for address in 0..addresses.min(4) {
        let data = ask_sized(OID_ADDRESS_CAPS, &[line, address], LINE_ADDRESS_CAPS, ask)?;
        let caps = &data[BEFORE_ADDRESS..];
        if word(caps, 84) == 0 || word(caps, 224) & DIGITAL_DATA == 0 {
            finding("CO-322", format!("address {address} of line {line} carries no calls"));
        }
    }
    Some(it)
}

/// The strings of a size and offset pair, each ended by a zero.
fn strings(caps: &[u8], pair: usize) -> Vec<String> {
    let (size, offset) = (word(caps, pair) as usize, word(caps, pair + 4) as usize);
    let Some(bytes) = offset.checked_add(size).and_then(|end| caps.get(offset..end)) else {
        finding("CO-322", format!("{size} bytes at {offset} lie outside of the {} there are", caps.len()));
        return Vec::new();
    };
    let units: Vec<u16> = bytes.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    let text = String::from_utf16_lossy(&units);
    text.split('\0').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// `CO_AF_TAPI_SAP`: calls to an address of a line, of these media modes.
pub fn sap(line: u32, address: u32, media_modes: u32) -> Vec<u8> {
    [line, address, media_modes].into_iter().flat_map(u32::to_le_bytes).collect()
}

/// A call to `destination` with `LINE_CALL_PARAMS` of a digital data call, as RAS asks for it.
pub fn call(line: u32, address: u32, destination: &str) -> CallParameters {
    let mut line_call_params = vec![0; LINE_CALL_PARAMS];
    // ulTotalSize, ulBearerMode (data), ulMinRate, ulMaxRate, ulMediaMode, ulCallParamFlags, ulAddressMode (id).
    let words = [180, 8, 0, 0, DIGITAL_DATA, 0, 1, address];
    for (at, word) in words.into_iter().enumerate() {
        line_call_params[at * 4..at * 4 + 4].copy_from_slice(&u32::to_le_bytes(word));
    }
    super::call_parameters(GIGABIT, 0, block(line, address, OUTGOING, destination, &line_call_params))
}

/// A call to `destination` that leaves `LINE_CALL_PARAMS` to the call manager.
pub fn default_call(line: u32, address: u32, destination: &str) -> CallParameters {
    let flags = OUTGOING | USE_DEFAULT_CALL_PARAMS;
    super::call_parameters(GIGABIT, 0, block(line, address, flags, destination, &[]))
}

/// `CO_TAPI_FLAG_OUTGOING_CALL` and `CO_TAPI_FLAG_USE_DEFAULT_CALLPARAMS`.
const OUTGOING: u32 = 1;
const USE_DEFAULT_CALL_PARAMS: u32 = 4;
/// Bytes of `LINE_CALL_PARAMS` and of `CO_AF_TAPI_MAKE_CALL_PARAMETERS`.
const LINE_CALL_PARAMS: usize = 180;
const FIXED: usize = 48;
/// Offsets of the two `NDIS_VAR_DATA_DESC`s.
const DESTINATION: usize = 16;
const CALL_PARAMS: usize = 32;
/// Bytes per second.
const GIGABIT: u32 = 125_000_000;

/// `CO_AF_TAPI_MAKE_CALL_PARAMETERS`, then the line's parameters, then the destination in UTF-16.
fn block(line: u32, address: u32, flags: u32, destination: &str, line_call_params: &[u8]) -> Vec<u8> {
    let mut block: Vec<u8> = [line, address, flags, 0].into_iter().flat_map(u32::to_le_bytes).collect();
    block.resize(FIXED, 0);
    let text: Vec<u8> = destination.encode_utf16().flat_map(u16::to_le_bytes).collect();
    append(&mut block, CALL_PARAMS, line_call_params);
    append(&mut block, DESTINATION, &text);
    block
}

/// Appends data on an eight byte boundary and describes it; the offset counts from the descriptor. Nothing is described
/// by a descriptor of zeros.
fn append(block: &mut Vec<u8>, descriptor: usize, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    block.resize(block.len().next_multiple_of(8), 0);
    let len = u16::try_from(data.len()).expect("short data").to_le_bytes();
    let offset = (block.len() - descriptor) as u64;
    block[descriptor..descriptor + 2].copy_from_slice(&len);
    block[descriptor + 2..descriptor + 4].copy_from_slice(&len);
    block[descriptor + 8..descriptor + 16].copy_from_slice(&offset.to_le_bytes());
    block.extend(data);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_count_from_themselves() {
        let parameters = call(0, UNSPECIFIED, "ac\\isp").media.expect("media parameters").specific;
        let block = parameters.parameters;
        assert_eq!((parameters.param_type, word(&block, 4), word(&block, 8)), (0, UNSPECIFIED, 1));
        let at = |descriptor: usize| {
            let start = descriptor + word(&block, descriptor + 8) as usize;
            let len = usize::from(u16::from_le_bytes([block[descriptor], block[descriptor + 1]]));
            &block[start..start + len]
        };
        assert_eq!(at(DESTINATION), b"a\0c\0\\\0i\0s\0p\0");
        assert_eq!((at(CALL_PARAMS).len(), word(at(CALL_PARAMS), 0)), (180, 180));
        assert_eq!(word(at(CALL_PARAMS), 16), DIGITAL_DATA);
    }

    #[test]
    fn a_default_call_has_no_line_parameters() {
        let block = default_call(0, 0, "").media.expect("media parameters").specific.parameters;
        assert_eq!(block.len(), FIXED);
        assert_eq!((word(&block, 8), word(&block, 32)), (5, 0));
    }

    #[test]
    fn strings_stay_inside() {
        let mut caps = vec![0; 16];
        caps.extend(b"P\0P\0\0\0x\0\0\0");
        caps[0] = 10;
        caps[4] = 16;
        assert_eq!(strings(&caps, 0), ["PP", "x"]);
    }
}
