//! What the card is plugged into: an access concentrator inside the simulator, a Linux interface, or a real
//! access concentrator behind one.

pub mod access_concentrator;
pub mod burst;
pub mod credits;
pub(crate) mod describe;
pub mod frame;
pub mod host;
pub mod hub;
pub mod impair;
pub mod linux_interface;
mod pcapng;
pub mod rp_pppoe;

use std::{os::fd::RawFd, time::Duration};

pub use access_concentrator::AccessConcentrator;
pub use burst::Burst;
pub use host::Hosts;
pub use hub::Hub;
pub use impair::Impaired;
pub use linux_interface::LinuxInterface;
pub use pcapng::PcapTee;
pub use rp_pppoe::{LinuxHost, RpPppoe, RpPppoeHosts};

/// The far end of the cable.
///
/// Frames run from the destination address to the last payload byte, without FCS. A wire never calls back: the
/// slot polls [`Wire::receive`] when [`Wire::deadline`] passes, after every [`Wire::send`], and, when there is
/// an [`Wire::fd`], when that becomes readable.
pub trait Wire {
    /// Takes a frame the card transmitted at `now` (virtual time).
    fn send(&mut self, now: Duration, frame: &[u8]);

    /// The next frame that has arrived at the card by `now`.
    fn receive(&mut self, now: Duration) -> Option<Vec<u8>>;

    /// When the next frame arrives or the far end next has something to do; `None` when nothing is due.
    fn deadline(&self) -> Option<Duration>;

    /// A descriptor that becomes readable when a frame arrives, for wires that lead out of the process; they
    /// need a machine in real-time mode.
    fn fd(&self) -> Option<RawFd>;
}

/// A cable that ends nowhere: what is sent is lost and nothing ever arrives.
#[derive(Debug, Default)]
pub struct Unconnected;

impl Wire for Unconnected {
    fn send(&mut self, _now: Duration, _frame: &[u8]) {}

    fn receive(&mut self, _now: Duration) -> Option<Vec<u8>> {
        None
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }

    fn fd(&self) -> Option<RawFd> {
        None
    }
}
