//! `ndis-sim` loads an NDIS miniport driver, the very image that ships, into a Linux process and plays Windows, the
//! PCI bus, the network card and the network to it, checking at each step the rules a driver has to keep.
//!
//! The layers, from the bottom:
//!
//! - [`machine`]: virtual processors, threads, DPCs, interrupts, virtual time. One seed, one run.
//! - [`memory`]: pool with guard pages, DMA memory at bus addresses, opaque handles.
//! - [`image`]: the loader of the driver's PE image.
//! - [`verifier`]: the rules and the findings.
//! - [`nt`]: what the kernel exports; [`ndis`]: what `ndis.sys` exports.
//! - [`pci`], [`nic`], [`wire`]: the bus, the card and what it is plugged into; [`qemu`]: the card once more, played by
//!   QEMU.
//! - [`traffic`]: what the driver says of frames, held against the wire.
//! - [`clients`]: the call-manager clients that drive the adapter from above.
//! - [`scenario`], [`report`], [`cli`]: whole runs, what they came to, and the command that makes them.

pub mod abi;
pub mod cli;
pub mod clients;
pub mod image;
pub mod machine;
pub mod memory;
pub mod ndis;
pub mod nic;
pub mod nt;
pub mod pci;
pub mod qemu;
pub mod report;
pub mod scenario;
pub mod traffic;
pub mod verifier;
pub mod wire;
