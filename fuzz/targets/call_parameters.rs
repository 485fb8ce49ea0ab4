//! The parameters of any call are refused, or point-to-point; flow specifications come back as they were, and what is
//! granted of them is no more than the link has.
//!
//! The input: flags, whether there are media parameters and a party, the length that the client claims, and two flow
//! specifications, for a call and for a change of it.

use condis::call_parameters::{Fixed, FlowSpec, MAX_SPECIFIC, flags as flag};
use condis::flow::{self, Grant, Limits};

const LIMITS: Limits = Limits { link_rate: 12_500_000, longest: 1496 };

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
    let Some(transmit) = FlowSpec::parse(rest) else {
        assert!(rest.len() < FlowSpec::SIZE);
        return;
    };
    assert_eq!(transmit.to_bytes()[..], rest[..FlowSpec::SIZE]);
    let present = flow::grant(&transmit, &LIMITS);
    granted(&present);
    if let Some(receive) = FlowSpec::parse(&rest[FlowSpec::SIZE..]) {
        match flow::change(&transmit, &receive, &present, &LIMITS) {
            Ok(changed) => granted(&changed),
            Err(status) => assert!(status.to_ndis() < 0),
        }
        let _ = flow::change(&receive, &transmit, &present, &LIMITS).inspect(granted);
    }
}

/// A grant is no more than the link, and lets every frame through.
fn granted(grant: &Grant) {
    assert!((1..=LIMITS.link_rate).contains(&grant.rate(&LIMITS)));
    assert!((grant.rate(&LIMITS)..=LIMITS.link_rate).contains(&grant.peak(&LIMITS)));
    if let Some(shape) = grant.shape {
        assert!(shape.burst >= LIMITS.longest && shape.least <= LIMITS.longest);
    }
}
