//! The PCI bus as a driver and its device see it: configuration space, base address registers, interrupt
//! routing and surprise removal.
//!
//! [`Device`] is what a card must provide, [`Platform`] what the machine provides to a card, and [`Slot`] joins
//! one card to one machine and one [`crate::wire::Wire`].

mod alone;
mod bar;
mod config_space;
mod deeds;
mod interrupts;
mod link;
mod msix;
mod resources;
mod slot;
#[cfg(test)]
pub(crate) mod tests;
mod window;

use std::time::Duration;

use crate::{memory::dma::Domain, traffic::Doubt};

pub use bar::{Bar, BarKind};
pub use config_space::{ConfigSpace, command, offset};
pub use deeds::Deeds;
pub(crate) use interrupts::RULES;
pub use link::TOO_LATE;
pub use msix::MsixTable;
pub use resources::{BarResource, Line, Message, Resources};
pub use slot::Slot;
pub use window::MapError;

/// A PCI function: what it answers on the bus and what it does with the frames its wire brings.
///
/// Every method runs on the machine's thread and must not block. The caller holds no lock that a [`Platform`]
/// method needs, so a device may call the platform from anywhere.
pub trait Device {
    /// Reads `size` (1, 2 or 4) bytes of configuration space at `off`.
    fn config_read(&mut self, off: u16, size: u8) -> u32;

    /// Writes `size` (1, 2 or 4) bytes of configuration space at `off`; read-only bits keep their value.
    fn config_write(&mut self, p: &dyn Platform, off: u16, size: u8, value: u32);

    /// The memory that it can be given access to. A device outside of this process brings memory that both see.
    fn domain(&self) -> Domain {
        Domain::new()
    }

    /// The base address registers that are implemented, in ascending order of index.
    fn bars(&self) -> &[Bar];

    /// Reads `size` (1, 2, 4 or 8) bytes at `off` of window `bar`, of memory or of ports.
    fn mmio_read(&mut self, p: &dyn Platform, bar: usize, off: u64, size: u8) -> u64;

    /// Writes `size` (1, 2, 4 or 8) bytes at `off` of window `bar`, of memory or of ports.
    fn mmio_write(&mut self, p: &dyn Platform, bar: usize, off: u64, size: u8, value: u64);

    /// A number that grows with every access and event that finds a cause for an interrupt set and enabled, though its
    /// interrupt may wait for the throttle; nothing if the device cannot tell.
    fn causes(&self) -> Option<u64> {
        None
    }

    /// The message that tells of received frames, if messages are in use and the device knows.
    fn receive_message(&self) -> Option<u16> {
        None
    }

    /// Whether it is or was made to misbehave: nobody can say how long anything takes.
    fn is_faulty(&self) -> bool {
        false
    }

    /// Until when the wire's other end has it wait, or had.
    fn held_until(&self) -> Option<Duration> {
        None
    }

    /// The driver has told that there is no link: what it has given the card before is not to leave any more.
    fn link_is_lost(&mut self, _p: &dyn Platform) {}

    /// What it has done and its driver has to notice; nothing if the device cannot tell, or was told to misbehave.
    fn deeds(&mut self) -> Option<&mut Deeds> {
        None
    }

    /// A driver starts it, with settings that read so.
    fn settings(&mut self, _settings: &str) {}

    /// Takes one frame from the wire: destination address to last payload byte, without the FCS.
    fn receive(&mut self, p: &dyn Platform, frame: &[u8]);

    /// The cable is plugged in (`true`) or pulled (`false`).
    fn set_link(&mut self, p: &dyn Platform, up: bool);

    /// The deadline the device gave to [`Platform::schedule`] has passed.
    fn timer(&mut self, p: &dyn Platform);
}

/// What a driver does to a card's interrupt mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// The card may interrupt by this message, or by its line.
    Open(Option<u16>),
    /// The card is reset.
    Reset,
}

/// What the machine provides to a device.
pub trait Platform {
    /// Virtual time since boot.
    fn now(&self) -> Duration;

    /// Reads memory at bus address `bus`; `false` (and `buf` unspecified) where the driver has mapped nothing,
    /// bus mastering is off or the card is gone.
    fn dma_read(&self, bus: u64, buf: &mut [u8]) -> bool;

    /// Writes memory at bus address `bus`; `false` as for [`Platform::dma_read`].
    fn dma_write(&self, bus: u64, data: &[u8]) -> bool;

    /// Drives the `INTx#` pin: `true` asserts it.
    fn set_intx(&self, level: bool);

    /// Sends the MSI-X message of table entry `vector`.
    fn message(&self, vector: u16);

    /// The driver changes what the card may interrupt for.
    fn mask(&self, _change: Mask) {}

    /// Puts one frame, without its FCS, on the wire.
    fn transmit(&self, frame: &[u8]);

    /// The frame put on the wire last that is equal to this one is reported to the driver as not sent.
    fn went_badly(&self, _frame: &[u8]) {}

    /// A frame from the wire is the driver's from now on, though it may be lost in the card: it has passed the filters.
    fn taken_in(&self, _frame: &[u8]) {}

    /// The card was reset.
    fn was_reset(&self) {}

    /// The card misleads the driver from now on, since it was told to.
    fn doubt(&self, _doubt: Doubt) {}

    /// The driver programs the card against its data sheet: reports it under `rule`.
    fn finding(&self, rule: &'static str, detail: String);

    /// Something happened in the card that a reader of the run wants to see.
    fn step(&self, _text: &'static str) {}

    /// The link has come up (`true`) or gone down.
    fn link_is(&self, _up: bool) {}

    /// What the driver has told of the link, while it is up to it to tell.
    fn told_link(&self) -> Option<bool> {
        None
    }

    /// Asks for one [`Device::timer`] call at `at`; replaces what was asked before, `None` cancels it.
    fn schedule(&self, at: Option<Duration>);
}
