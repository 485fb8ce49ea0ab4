//! The card misbehaves, the cable misbehaves, the bus misbehaves: what the driver has to survive. Each case ends
//! without a finding, with nothing left over.

mod board;
mod bursts;
mod common;
mod frames;
mod interrupts;
mod keywords;
mod link;
mod memory;
mod power;
mod rebalance;
mod recovery;
mod removal;
mod start;
mod statistics;
mod transmit;
mod vlan;
