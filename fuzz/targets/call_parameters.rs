//! The parameters of any call are refused, or point-to-point, and flow specifications come back as they were.
//!
//! The input: flags, whether there are media parameters and a party, the length that the client claims, and a flow
//! specification.

use condis::call_parameters::{Fixed, FlowSpec, MAX_SPECIFIC, flags as flag};

/// Judges one input.
pub(crate) fn run(input: &[u8]) {
    let Some((&flags, rest)) = input.split_first_chunk() else { return };
    let Some((&[has], rest)) = rest.split_first_chunk() else { return };
    let Some((&length, rest)) = rest.split_first_chunk() else { return };
    let fixed = Fixed {
        flags: u32::from_le_bytes(flags),
        has_media: has & 1 != 0,
        has_party: has & 2 != 0,
        specific_length: u32::from_le_bytes(length),
    };
    match fixed.check() {
        Ok(()) => {
            let never = flag::QUERY_CALL_PARAMETERS | flag::BROADCAST_VC | flag::MULTIPOINT_VC;
            assert!(fixed.flags & never == 0 && fixed.has_media && !fixed.has_party);
            assert!(fixed.specific_length <= MAX_SPECIFIC);
        }
        Err(status) => assert!(status.to_ndis() < 0),
    }
    match FlowSpec::parse(rest) {
        Some(flow) => assert_eq!(flow.to_bytes()[..], rest[..FlowSpec::SIZE]),
        None => assert!(rest.len() < FlowSpec::SIZE),
    }
}
