//! What the driver sees as memory: pool ([`pool`]), DMA memory ([`dma`]), which a device in another process can share
//! ([`shared`]), and handles, which are addresses that nothing may touch ([`handles`]).

pub mod dma;
pub mod handles;
pub mod pages;
pub mod pool;
pub mod shared;
#[cfg(test)]
mod tests;

pub use handles::{BadHandle, Handles, ObjectId};
pub use pool::{Leak, Pool};
