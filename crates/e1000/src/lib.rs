//! Driver logic for Intel's 82540EM, 82545EM and 82574L Ethernet controllers.
//!
//! The crate knows registers, EEPROM, PHY, descriptor rings and interrupts, and no operating system: it reaches the card
//! through [`Registers`], waits through [`Delay`] and shares memory through [`DmaMemory`] and [`FrameMemory`], all of which the host lends.
//! It allocates nothing, has no `unsafe` code and does not panic, whatever the card answers; what the card writes is
//! checked before it is used, and a card that reads as all ones is reported as [`Error::Gone`].
//!
//! The way up: [`Nic::identify`], [`Nic::bring_up`], [`Nic::self_test`], then [`Nic::start_receive`] and
//! [`Nic::start_transmit`] with a [`ReceiveRing`] and a [`TransmitRing`], then [`Nic::enable_interrupts`]. The way down
//! is [`Nic::stop`], after which the card touches no memory. A card that has stopped sending
//! ([`TransmitRing::is_hung`]) is set going again by [`Nic::recover`].
//!
//! [`Nic`] has only `&self` methods and no state but the registers, so interrupt and other code may share it; the rings
//! are `&mut` and belong under the host's locks, one each. Methods that take a [`Delay`] must not run twice at once.
//!
//! # Sources
//!
//! "SDM" is Intel's *PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual*, 317453, revision 4.0
//! (March 2009); "82574" is the *82574 `GbE` Controller Family Datasheet*, 317694, revision 3.4 (June 2014). Older
//! revisions of the latter have TXDCTL as 10.2.6.10.
//!
//! How the numbers were checked: those of the SDM against its pages, each heading read or fixed by the headings before
//! and after it. Of the 82574 datasheet only some pages could be read; its numbers are those on which other drivers
//! written from it agree, or which their neighbours or the datasheet of its sibling, the 82583V, leave no choice about.
//! Where that was not enough, the section of the whole group is given.

#![no_std]
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![deny(clippy::arithmetic_side_effects, clippy::string_slice)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects,
        reason = "a test may panic: that is how it fails"
    )
)]

#[cfg(test)]
extern crate std;

mod burst;
mod descriptor;
mod eeprom;
mod error;
mod flow_control;
mod hang;
mod host;
mod interrupt;
mod link;
mod mac;
mod model;
mod moderation;
mod nic;
mod phy;
mod receive;
pub mod registers;
mod reset;
mod semaphore;
mod statistics;
mod transmit;
mod vlan;
mod wait;

pub use burst::Burst;
pub use error::Error;
pub use flow_control::FlowControl;
pub use hang::Progress;
pub use host::{Delay, DmaMemory, FrameMemory, Registers};
pub use interrupt::{Causes, Delivery, Vector};
pub use link::{LinkConfig, LinkState, Speed, SpeedDuplex};
pub use mac::{Filter, MacAddress};
pub use model::{EerdLayout, Family, MODELS, Model, VENDOR};
pub use moderation::{LatencyClass, Moderation};
pub use nic::Nic;
pub use receive::{Buffer, PlainFrames, ReceiveConfig, ReceiveDrops, ReceiveRing, Received, Vacancies};
pub use statistics::Statistics;
pub use transmit::{Finished, FrameNote, Slot, TransmitRing, TransmitStatus};
pub use vlan::{Tag, VlanId};

/// Bytes of every receive and transmit buffer. The card cuts received frames at this length (RCTL.BSIZE = 0).
pub const BUFFER_SIZE: usize = 2048;

/// Bytes of the shortest Ethernet frame without FCS. Shorter ones are padded with zeros.
pub const MIN_FRAME: usize = 60;
