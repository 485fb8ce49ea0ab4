//! What a TAPI client puts into its requests: `CO_AF_TAPI_MAKE_CALL_PARAMETERS` and `CO_AF_TAPI_SAP` (ndistapi.h).

use crate::ndis::parameters::{
    CallManagerParameters, CallParameters, FlowSpec, MediaParameters, Specific, TRANSMIT_AND_RECEIVE,
};

/// `AF_TAPI_SAP_TYPE`.
pub(super) const SAP_TYPE: u32 = 0x8000;
/// `LINEMEDIAMODE_DIGITALDATA`.
const DIGITAL_DATA: u32 = 0x100;
/// `CO_TAPI_FLAG_OUTGOING_CALL | CO_TAPI_FLAG_USE_DEFAULT_CALLPARAMS`.
const FLAGS: u32 = 0x1 | 0x4;
/// Bytes of the fixed part of the make-call parameters, and where its destination's descriptor is.
const FIXED: usize = 48;
const DESTINATION: usize = 16;
/// A gigabit in bytes a second.
const RATE: u32 = 125_000_000;

/// The SAP of line 0, address 0.
pub(super) fn sap() -> Vec<u8> {
    [0, 0, DIGITAL_DATA].into_iter().flat_map(u32::to_le_bytes).collect()
}

/// Parameters of an outgoing call to `destination`, a "phone number".
pub(super) fn call(destination: &str) -> CallParameters {
    let text: Vec<u8> = destination.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut block = vec![0; FIXED];
    block[8..12].copy_from_slice(&FLAGS.to_le_bytes());
    let len = u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes();
    block[DESTINATION..DESTINATION + 2].copy_from_slice(&len);
    block[DESTINATION + 2..DESTINATION + 4].copy_from_slice(&len);
    // The offset counts from the descriptor.
    let offset = if text.is_empty() { 0 } else { (FIXED - DESTINATION) as u64 };
    block[DESTINATION + 8..DESTINATION + 16].copy_from_slice(&offset.to_le_bytes());
    block.extend(text);
    let flow = FlowSpec::best_effort(RATE);
    CallParameters {
        flags: 0,
        call_manager: Some(CallManagerParameters {
            transmit: flow,
            receive: flow,
            specific: Specific::default(),
        }),
        media: Some(MediaParameters {
            flags: TRANSMIT_AND_RECEIVE,
            specific: Specific { param_type: 0, parameters: block },
            ..MediaParameters::default()
        }),
    }
}

/// The "phone number" of a service of an access concentrator, either of which may be empty for any.
pub(super) fn destination(ac: &str, service: &str) -> String {
    let escape = |name: &str| name.replace('%', "%25").replace('\\', "%5C");
    let separator = if ac.is_empty() { "" } else { "\\" };
    format!("{}{separator}{}", escape(ac), escape(service))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destination_lies_behind_the_fixed_part() {
        let parameters = call("ab");
        let block = parameters.media.expect("media parameters").specific.parameters;
        assert_eq!(block.len(), 52);
        assert_eq!(block[16..20], [4, 0, 4, 0]);
        let offset = usize::from(block[24]);
        assert_eq!(block[16 + offset..], *b"a\0b\0");
    }

    #[test]
    fn names_are_escaped() {
        assert_eq!(destination("", ""), "");
        assert_eq!(destination("", "isp"), "isp");
        assert_eq!(destination("AC", ""), "AC\\");
        assert_eq!(destination("A\\C", "100%"), "A%5CC\\100%25");
    }
}
