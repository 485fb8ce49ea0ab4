//! QEMU's models of the same three cards, as a second opinion: hardware that nobody here wrote.
//!
//! One QEMU process plays one card; its processor halts at once and stays halted. The simulator is the other masters
//! of that computer: it configures the bus and accesses registers through QEMU's test protocol (`qtest`), sees
//! interrupts as QEMU reports them, shares memory with the card, so that DMA is seen where it happens, and holds the
//! other end of its cable (`cable`). [`Card`] makes a [`crate::pci::Device`] of it.
//!
//! What QEMU's models do otherwise than the cards is corrected where registers pass by ([`Fidelity`]).
//!
//! A run is not promised to be a function of its seed: QEMU is another process with threads of its own. It is waited
//! for after each access and each frame, and its timers fire at once, so that runs seldom differ.

mod audit;
mod bus;
mod cable;
mod card;
mod configuration;
mod faulty;
mod fidelity;
mod interrupts;
mod messages;
mod process;
mod qmp;
mod qtest;
mod receive;
mod registers;
mod reset;
mod shadow;
#[cfg(test)]
mod tests;
mod transmit;

pub use card::Card;
pub(crate) use card::RULES;
pub use faulty::Faulty;
pub use fidelity::{Correction, Fidelity};
pub use process::StartError;
