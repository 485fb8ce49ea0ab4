//! mcm.sys: an NDIS 6 miniport call manager for Intel 8254x and 82574L network cards, whose calls are PPPoE sessions.
//!
//! The driver is wiring: what NDIS wants is in the crate `ndis`, what CoNDIS means in `condis`, the protocol in
//! `pppoe`, the card in `e1000`.
//!
//! - [`adapter`]: one card, from `MiniportInitializeEx` to `MiniportHaltEx`, its OIDs and statistics;
//! - [`call_manager`]: address families, SAPs, VCs, and the calls on them;
//! - [`datapath`]: frames from a VC to the wire and back;
//! - [`level`]: the locks, and their order.
#![no_std]
#![deny(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![deny(clippy::arithmetic_side_effects)]

extern crate alloc;
extern crate wdk_panic;

mod adapter;
mod call_manager;
mod datapath;
mod level;

use wdk_alloc::WdkAllocator;
use wdk_sys::{DRIVER_OBJECT, NTSTATUS, PCUNICODE_STRING};

#[global_allocator]
static ALLOCATOR: WdkAllocator = WdkAllocator;

/// The version in the driver's registration, its INF and its OIDs.
const VERSION: ndis::driver::Version = ndis::driver::Version { major: 0, minor: 1 };

/// Pool tag of everything that NDIS allocates for the driver: "mcm " in memory order.
const POOL_TAG: u32 = u32::from_ne_bytes(*b"mcm ");

/// `DriverEntry`: registers the miniport call manager; everything else happens in its handlers.
///
/// # Safety
/// Called once by the I/O manager, at `PASSIVE_LEVEL`, with valid arguments.
#[expect(unsafe_code, reason = "the one symbol that the I/O manager looks for, with the arguments it passes")]
// SAFETY: no other symbol of the image has this name.
#[unsafe(export_name = "DriverEntry")]
pub unsafe extern "system" fn driver_entry(
    driver: &mut DRIVER_OBJECT,
    registry_path: PCUNICODE_STRING,
) -> NTSTATUS {
    // SAFETY: these are the arguments of DriverEntry.
    unsafe { ndis::driver::register::<adapter::Adapter>(driver, registry_path, VERSION) }
}
