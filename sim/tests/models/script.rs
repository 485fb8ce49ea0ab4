//! What both models are told.

mod configuration;
mod interrupts;
mod receive;
mod registers;
mod transmit;

use crate::bench::Bench;

/// Name and what to do.
pub(crate) type Script = (&'static str, fn(&mut Bench));

/// Every script, each for a card after power-on.
pub(crate) const ALL: &[Script] = &[
    ("configuration", configuration::configuration),
    ("reset", registers::reset),
    ("master-disable", registers::master_disable),
    ("storage", registers::storage),
    ("eeprom", registers::eeprom),
    ("phy", registers::phy),
    ("link", registers::link),
    ("causes", interrupts::causes),
    ("auto-mask", interrupts::auto_mask),
    ("messages", interrupts::messages),
    ("transmit", transmit::transmit),
    ("no-link", transmit::without_link),
    ("transmit-counters", transmit::counters),
    ("receive", receive::receive),
    ("filter", receive::filter),
    ("length", receive::length),
    ("full-ring", receive::full_ring),
    ("receive-counters", receive::counters),
];
