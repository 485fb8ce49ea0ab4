//! Stories that tests tell with their own cards, seeds and families, and that [`crate::set`] tells to damaged drivers.
//!
//! Each asserts what it is about and returns its run, so that the caller judges findings and leftovers.

#![expect(clippy::missing_panics_doc, reason = "every story panics when it does not go as told")]

mod calls;
mod ends;
mod lifecycle;
mod saps;

use std::time::Duration;

use ndis_sim::wire::{
    access_concentrator::{self, Mode},
    frame::{BROADCAST, DISCOVERY, Frame, code},
};

use crate::Card;

pub use self::{
    calls::{calls, cancelled_sends, closed_under_way, hostile, vc_used_again},
    ends::{cancelled, cancelled_before_confirmation, ended_by_peer, link_lost, refused},
    lifecycle::{halted_while_open, paused, paused_with_frames_out, pulled_out, shut_down, slept},
    saps::saps,
};

/// Sizes of frames, from the PPP protocol field on: the smallest, around Ethernet's minimum, the largest.
pub const SIZES: [usize; 7] = [42, 43, 60, 64, 511, 1493, 1494];

/// Sooner than the driver's watchdog looks, which makes up for much, but late.
const AT_ONCE: Duration = Duration::from_millis(50);

/// A card whose peer refuses as `mode` says.
fn peer(card: Card, mode: Mode) -> Card {
    Card { peer: access_concentrator::Settings { mode, ..card.peer }, ..card }
}

/// Somebody else's PADI, which every card on the segment receives.
pub(crate) fn strange_padi() -> Vec<u8> {
    let source = [2, 0, 0, 0, 0, 0x77];
    let payload = vec![0x01, 0x01, 0, 0];
    Frame { destination: BROADCAST, source, ethertype: DISCOVERY, code: code::PADI, session: 0, payload }
        .to_bytes()
}
