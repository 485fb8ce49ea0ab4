//! What clients put into their calls and SAPs, good and bad.

use ndis_sim::ndis::{
    Family,
    parameters::{CallParameters, FlowSpec},
};
use scenarios::blocks::{self, Destination};

use crate::op::{Flow, Wish};

/// `MULTIPOINT_VC`.
const MULTIPOINT: u32 = 0x10;

/// `SapType` and `Sap`; a bad one ends too early.
pub(crate) fn sap(family: u32, good: bool) -> (u32, Vec<u8>) {
    let (kind, mut bytes) = blocks::sap(family);
    if family == Family::TAPI_PROXY {
        // Any line: one that is named takes one call at a time.
        bytes[..4].fill(0xff);
    }
    if !good {
        bytes.truncate(8);
    }
    (kind, bytes)
}

/// Parameters of the call of this number.
pub(crate) fn call(family: u32, wish: Wish, call: u32) -> CallParameters {
    let ac = if wish == Wish::Elsewhere { "nowhere" } else { "" };
    let to = Destination { ac: ac.to_owned(), service: wish.service(call) };
    let mut parameters = blocks::call(family, &to);
    match wish {
        Wish::NoMedia => parameters.media = None,
        Wish::Multipoint => parameters.flags |= MULTIPOINT,
        Wish::Short => cut(&mut parameters, |block| block.truncate(20)),
        Wish::Outside => cut(&mut parameters, |block| {
            // The offset of the destination, or of the service's name.
            let at = if family == Family::TAPI_PROXY { 24 } else { 20 };
            block[at..at + 4].copy_from_slice(&0x00ff_fff0_u32.to_le_bytes());
        }),
        _ => {}
    }
    parameters
}

/// Parameters that change the flows of a call.
pub(crate) fn change(family: u32, flow: Flow) -> CallParameters {
    const UNSPECIFIED: u32 = u32::MAX;
    const GUARANTEED: u32 = 3;
    let open = FlowSpec {
        token_rate: UNSPECIFIED,
        peak_bandwidth: UNSPECIFIED,
        minimum_policed_size: UNSPECIFIED,
        ..FlowSpec::best_effort(UNSPECIFIED)
    };
    let (mut transmit, mut receive) = (open, open);
    match flow {
        Flow::Slow | Flow::Fast => {
            let (rate, burst) = flow.rate().expect("a rate");
            (transmit.token_rate, transmit.token_bucket_size) = (rate, burst);
        }
        Flow::Open | Flow::Bare => {}
        Flow::TooFast => transmit.token_rate = 2_000_000_000,
        Flow::Contradiction => (transmit.token_rate, transmit.token_bucket_size) = (10_000, 1_000),
        Flow::Guaranteed => transmit.service_type = GUARANTEED,
        Flow::Receive => receive.token_rate = 10_000,
    }
    let mut parameters = blocks::call(family, &Destination::default());
    match &mut parameters.call_manager {
        Some(_) if flow == Flow::Bare => parameters.call_manager = None,
        Some(flows) => (flows.transmit, flows.receive) = (transmit, receive),
        None => {}
    }
    parameters
}

fn cut(parameters: &mut CallParameters, f: impl FnOnce(&mut Vec<u8>)) {
    if let Some(media) = &mut parameters.media {
        f(&mut media.specific.parameters);
    }
}
