//! The driver logic against a card that lives in arrays, written from the datasheets with its own register offsets.

mod bring_up;
mod device;
mod faults;
mod filter;
mod interrupts;
mod link;
mod memory;
mod receive;
mod recovery;
mod reset;
mod statistics;
mod transmit;
mod vlan;
