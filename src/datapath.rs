//! Frames: from a VC to the wire, and back.

mod backlog;
mod credit;
mod health;
mod outgoing;
mod receive;
mod receive_queue;
mod receivers;
mod send;
mod shaper;
mod transmit;

pub(crate) use self::backlog::Place;
pub(crate) use self::health::Health;
pub(crate) use self::outgoing::Outgoing;
pub(crate) use self::receive::Left;
pub(crate) use self::receive_queue::ReceiveQueue;
pub(crate) use self::receivers::Receivers;
pub(crate) use self::send::Pacer;
pub(crate) use self::transmit::Transmit;
