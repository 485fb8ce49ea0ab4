//! Frames: from a VC to the wire, and back.

mod batch;
mod receive;
mod receive_queue;
mod send;
mod transmit;

pub(crate) use self::receive_queue::ReceiveQueue;
pub(crate) use self::transmit::{Health, Transmit};
