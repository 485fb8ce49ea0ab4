//! The driver logic against a card that lives in arrays, written from the datasheets with its own register offsets.

mod bring_up;
mod device;
mod faults;
mod interrupts;
mod link_and_filter;
mod memory;
mod receive;
mod statistics;
mod transmit;
