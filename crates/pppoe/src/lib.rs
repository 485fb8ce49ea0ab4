//! PPP over Ethernet without I/O.
//!
//! The crate turns received frames and the time into frames to send, events and the next deadline. It owns no
//! socket, no clock and no lock, so the same code runs in a miniport driver and in a test on any host.
//! References are to RFC 2516 (PPPoE) and RFC 4638 (PPP-Max-Payload) unless said otherwise; metrics ([`extension`]) and
//! credits ([`credit`]) are those of RFC 5578.
//!
//! # From the wire
//!
//! [`Inbound::parse`] classifies a received Ethernet frame. What it returns goes
//! - to a [`Discovery`], one per call being set up, found by Host-Uniq in a [`HostUniqTable`]: PADO and PADS;
//! - to the [`Concentrator`], if calls are to come in: PADI and PADR;
//! - to whatever [`SessionTable`] finds under the [`SessionKey`]: PADT ([`Padt`]) and session frames
//!   ([`Data`]).
//!
//! # To the wire
//!
//! [`Discovery::poll`] writes PADI and PADR, [`Padt::emit`] a PADT, [`Header`] the 20 octets before a PPP
//! packet. All deadlines of all calls hang on one [`Wheel`], which needs one timer.
//!
//! # Panics and allocation
//!
//! Nothing here panics, whatever the input: the lints below keep indexing, `unwrap` and unchecked arithmetic
//! out. Only [`Table`], [`Wheel`] and [`Concentrator`] allocate, and only through `try_reserve`, whose failure is
//! returned or answered. No function blocks or touches pageable state of its own; all may be called at
//! `IRQL <= DISPATCH_LEVEL` if the arguments are resident and, for those that allocate, if the global allocator is
//! usable there.
//!
//! # Roles
//!
//! [`Discovery`] is the Host of one call, [`Concentrator`] the Access Concentrator of one interface. An interface may
//! be both at once. The parts below them (`packet`, `tag`, `repr`, `padt`, `session`, `table`, `wheel`) know both
//! roles, and a session does not tell who began it.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

extern crate alloc;

#[macro_use]
mod number;

pub mod bounded;
pub mod concentrator;
pub mod config;
pub mod credit;
pub mod discovery;
pub mod error;
pub mod ethernet;
pub mod extension;
pub mod head;
pub mod inbound;
pub mod instant;
mod memory;
pub mod packet;
pub mod padt;
mod random;
pub mod repr;
mod secret;
pub mod session;
pub mod table;
pub mod tag;
pub mod wheel;

pub use concentrator::Concentrator;
pub use config::{Backoff, Config, Timing};
pub use discovery::{Discovery, Event, Ignored, State, Transmit};
pub use error::{Error, Malformed, OutOfMemory};
pub use ethernet::Address;
pub use extension::Extension;
pub use head::{Beginning, Head, InBand, Prefix};
pub use inbound::Inbound;
pub use instant::Instant;
pub use packet::{Code, Packet, Stage};
pub use padt::Padt;
pub use repr::Repr;
pub use secret::Random;
pub use session::{Data, Header, Session, SessionKey};
pub use table::{HostUniqTable, KeyedHash, SessionTable, Table};
pub use tag::{Tag, TagType, Tags};
pub use wheel::{TimerId, Wheel};
