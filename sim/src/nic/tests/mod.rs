//! Register scripts against the datasheet. Offsets and bits are written out here on purpose: a constant shared
//! with the model would hide a wrong one.

#![allow(clippy::cast_possible_truncation, reason = "test values are small by construction")]

mod bench;
mod board;
mod faults;
mod interrupts;
mod link;
mod management;
mod receive;
mod told;
mod transmit;
mod vlan;

use crate::verifier::trips::Trip;

/// The rules that are tripped by tests of this part.
pub(crate) const TRIPS: &[Trip] = &[
    ("NIC.Address64", board::plain_pci_hangs_above_4_gib),
    ("NIC.AccessSize", management::accesses_that_are_no_dword_are_reported),
    ("NIC.DeadLink", link::frames_for_a_link_that_is_gone_are_reported),
    ("NIC.DeadSession", link::frames_of_dead_sessions_are_reported_when_they_leave),
    ("NIC.Dma", transmit::wild_buffer_stops_the_ring_and_is_reported),
    ("NIC.CauseRead", interrupts::a_read_that_may_miss_a_cause_is_reported),
    ("NIC.LinkPower", board::transmitter_hangs_with_aspm),
    ("NIC.NotModelled", management::extended_descriptors_are_reported),
    ("NIC.ResetTouched", management::a_register_touched_too_early_breaks_the_reset),
    ("NIC.RingLength", transmit::ring_registers_are_checked),
    ("NIC.RingTail", transmit::ring_registers_are_checked),
    ("NIC.RingWhileEnabled", transmit::ring_registers_are_checked),
    ("NIC.Told", told::what_is_told_no_more_is_reported),
    ("NIC.TransmitFrame", transmit::frame_without_fcs_is_reported),
    ("NIC.TransmitLength", transmit::frame_that_does_not_fit_is_reported),
];
