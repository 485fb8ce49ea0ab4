//! Several far ends on one cable.

use std::{os::fd::RawFd, time::Duration};

use super::Wire;

/// A hub: what the card sends reaches all, what anybody sends reaches the card.
pub struct Hub {
    wires: Vec<Box<dyn Wire>>,
}

impl Hub {
    /// Puts wires together; at most one of them may lead out of the process.
    pub fn new(wires: Vec<Box<dyn Wire>>) -> Self {
        Self { wires }
    }
}

impl Wire for Hub {
    fn send(&mut self, now: Duration, frame: &[u8]) {
        for wire in &mut self.wires {
            wire.send(now, frame);
        }
    }

    fn receive(&mut self, now: Duration) -> Option<Vec<u8>> {
        self.wires.iter_mut().find_map(|wire| wire.receive(now))
    }

    fn deadline(&self) -> Option<Duration> {
        self.wires.iter().filter_map(|wire| wire.deadline()).min()
    }

    fn fd(&self) -> Option<RawFd> {
        self.wires.iter().find_map(|wire| wire.fd())
    }
}
