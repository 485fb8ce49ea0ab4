//! What the driver sees as memory: pool ([`pool`]), DMA memory ([`dma`]), and handles, which are addresses that nothing
//! may touch ([`handles`]).

pub mod dma;
pub mod handles;
pub mod pages;
pub mod pool;
#[cfg(test)]
mod tests;

pub use handles::{BadHandle, Handles, ObjectId};
pub use pool::{Leak, Pool};
