//! A safe layer over NDIS 6 for miniport call managers.
//!
//! A driver implements [`Miniport`] and [`CallManager`] for its adapter and registers it from `DriverEntry` with
//! [`driver::register`]. The shims that NDIS calls, the handles it gives out and the structures it shares stay in here:
//!
//! - every handle has an owner that gives it back in Drop;
//! - contexts are reference-counted ([`Ref`], [`Weak`]), never bare pointers;
//! - a request that may be answered later is a token whose only ways out are its completions
//!   ([`MakeCall`], [`CloseCall`], [`PauseRequest`], ...);
//! - the IRQL that a function needs is an argument ([`Passive`], [`Dispatch`]), and so is what it needs of the locks that
//!   are held ([`Locked`], [`Unlocked`]);
//! - allocation can fail, and nothing panics.
//!
//! Names are those of the NDIS documentation. This is the only crate of the driver with `unsafe` code: one operation a
//! block, each with the reason why it is sound.
#![no_std]

extern crate alloc;

pub mod address_family;
pub mod answer;
pub mod attributes;
mod bus;
pub mod call;
pub mod call_manager;
pub mod config;
pub mod directory;
pub mod dma;
pub mod driver;
mod header;
pub mod incoming;
mod indication;
pub mod initialize;
pub mod interrupt;
pub mod io_ports;
pub mod io_space;
pub mod irql;
pub mod lock_order;
pub mod log;
pub mod memory;
pub mod miniport;
pub mod net_buffer_list;
pub mod oid;
pub mod once;
pub mod random;
pub mod receive;
pub mod reference;
pub mod resources;
pub mod rooms;
pub mod sap;
mod send;
pub mod spin_lock;
pub mod status;
mod supplied;
mod time;
pub mod timer;
pub mod vc;
pub mod work_item;

pub use address_family::{
    AddressFamily, AddressFamilyHandle, AddressFamilyId, CloseAddressFamily, PendedCloseAddressFamily,
};
pub use answer::Answer;
pub use attributes::CoWanAttributes;
pub use call::{
    CallParameters, CloseCall, Granted, MakeCall, ModifyCall, PendedCloseCall, PendedMakeCall,
    PendedModifyCall, TransmitRate,
};
pub use call_manager::CallManager;
pub use config::Configuration;
pub use directory::Directory;
pub use dma::{ScatterGatherDma, SharedMemory};
pub use incoming::IncomingCall;
pub use initialize::Initialize;
pub use interrupt::{Interrupt, InterruptHandler, Serviced, Throttle};
pub use io_ports::IoPorts;
pub use io_space::IoSpace;
pub use irql::{Dispatch, Passive};
pub use lock_order::{Before, Locked, Unlocked};
pub use log::ErrorCode;
pub use miniport::{AdapterHandle, HaltAction, Miniport, PauseRequest, PendedPause, PnpEvent};
pub use net_buffer_list::{Chain, NetBuffer, NetBufferList};
pub use oid::{OidRequest, RequestKind};
pub use once::Once;
pub use random::random;
pub use receive::{Arrivals, ReceivePool, ReturnedChain};
pub use reference::{Ref, Tie, Weak};
pub use resources::Resource;
pub use rooms::Rooms;
pub use sap::{DeregisterSap, PendedDeregisterSap, Sap, SapHandle};
pub use spin_lock::{Leaf, SpinLock};
pub use status::{Result, Status};
pub use supplied::ManagerParameters;
pub use time::{now, sleep, stall, ticks};
pub use timer::{Timer, TimerHandler};
pub use vc::{Progress, Vc, VcHandle, Verdict};
pub use work_item::{WorkHandler, WorkItem};
