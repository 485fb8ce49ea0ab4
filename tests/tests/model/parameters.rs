//! What clients put into their calls and SAPs, good and bad.

use ndis_sim::ndis::{Family, parameters::CallParameters};
use scenarios::blocks::{self, Destination};

use crate::op::Wish;

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

fn cut(parameters: &mut CallParameters, f: impl FnOnce(&mut Vec<u8>)) {
    if let Some(media) = &mut parameters.media {
        f(&mut media.specific.parameters);
    }
}
