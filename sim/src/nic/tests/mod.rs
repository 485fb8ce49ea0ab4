//! Register scripts against the datasheet. Offsets and bits are written out here on purpose: a constant shared
//! with the model would hide a wrong one.

#![allow(clippy::cast_possible_truncation, reason = "test values are small by construction")]

mod bench;
mod faults;
mod interrupts;
mod link;
mod management;
mod receive;
mod transmit;
mod vlan;
