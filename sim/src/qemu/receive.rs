//! Frames in: QEMU is given one when its ring has room for it, and waited for until it has taken it.

use super::{
    Correction,
    card::Card,
    registers::{CAUSE_RXO, ICS, PBA, RDH, RDLEN, RDT},
};
use crate::pci::Platform;

/// Longest frame without FCS while long packets are not enabled.
const LONGEST: usize = 1518;
/// Bytes of the FCS, which take room in the FIFO.
const FCS: usize = 4;

impl Card {
    /// A frame arrives.
    pub(super) fn arrive(&mut self, p: &dyn Platform, frame: &[u8]) {
        let corrected = |correction| self.fidelity.has(correction);
        let deaf = corrected(Correction::Link) && !self.link()
            || corrected(Correction::Overrun) && !self.shadow.receives();
        let long = corrected(Correction::LongFrames) && frame.len() > LONGEST && !self.shadow.receives_long();
        if deaf || long {
            return;
        }
        if corrected(Correction::Overrun) && !self.fifo.is_empty() {
            let room = usize::try_from(self.read_window(PBA) & 0xffff).unwrap_or(0) * 1024;
            if self.fifo_bytes + frame.len() + FCS > room {
                self.shadow.missed = self.shadow.missed.saturating_add(1);
                self.write_window(ICS, CAUSE_RXO);
                return;
            }
        }
        self.fifo_bytes += frame.len() + FCS;
        self.fifo.push_back(frame.to_vec());
        self.deliver(p);
        if !self.fifo.is_empty() {
            self.shadow.no_buffer = self.shadow.no_buffer.saturating_add(1);
        }
    }

    /// Gives QEMU the frames that its ring has room for.
    pub(super) fn deliver(&mut self, p: &dyn Platform) {
        if self.cable.pending() || !self.shadow.receives() || !self.shadow.masters() {
            return;
        }
        while let Some(len) = self.fifo.front().map(Vec::len) {
            if self.shadow.hung || !self.has_room(p, len) {
                break;
            }
            let Some(frame) = self.fifo.pop_front() else { break };
            self.fifo_bytes -= len + FCS;
            if !self.cable.send(&frame) || !self.wait_taken() {
                break;
            }
        }
    }

    /// Enough descriptors are free for a frame of `len` bytes, and they are good.
    fn has_room(&mut self, p: &dyn Platform, len: usize) -> bool {
        let count = self.shadow.get(RDLEN) / 16;
        let (mut head, tail) = (self.read_window(RDH), self.shadow.get(RDT));
        if head >= count || tail >= count {
            return false;
        }
        let free = if tail >= head { tail - head } else { count - head + tail };
        let needed = u32::try_from(len.div_ceil(self.shadow.buffer_size())).unwrap_or(u32::MAX);
        if free < needed {
            return false;
        }
        for _ in 0..needed {
            if !self.audit_receive(p, head) {
                self.shadow.hung = true;
                return false;
            }
            head = if head + 1 >= count { 0 } else { head + 1 };
        }
        true
    }

    /// Waits until QEMU has read what it was sent, and, if it may hold it back, until it has received it.
    fn wait_taken(&mut self) -> bool {
        let head = self.receive_held.then(|| self.read_window(RDH));
        let taken = self.wait(|card| !card.cable.pending());
        self.qtest.barrier();
        if let Some(head) = head {
            // A frame that the filter does not let in is waited for in vain, but once only.
            self.wait(|card| card.read_window(RDH) != head);
            self.receive_held = false;
        }
        taken
    }
}
