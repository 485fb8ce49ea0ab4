//! The receiver: address filter, packet buffer and descriptor ring (SDM sections 3.2 and 13.5).

use std::{collections::VecDeque, time::Duration};

use super::{
    E1000,
    fcs::fcs,
    filter::Match,
    registers::{PBA, RADV, RCTL, RDBAH, RDBAL, RDH, RDLEN, RDT, RDTR, cause, rctl},
    statistics as count,
    timers::Timer,
};
use crate::pci::Platform;

/// Unit of RDTR and RADV.
const DELAY_UNIT: Duration = Duration::from_nanos(1024);
/// Shortest and longest frame, with FCS, when long packets are not enabled; the longest when they are.
const MINIMUM: usize = 64;
const MAXIMUM: usize = 1522;
const MAXIMUM_LONG: usize = 16_384;

const DD: u8 = 1;
const EOP: u8 = 1 << 1;
/// Passed the inexact filter only.
const PIF: u8 = 1 << 7;

/// What the receiver remembers beside its registers.
#[derive(Clone, Debug, Default)]
pub(super) struct Receiver {
    /// Frames in the packet buffer, with how they passed the filter.
    fifo: VecDeque<(Vec<u8>, Match)>,
    fifo_bytes: usize,
    /// The driver gave the card memory that it may not write: nothing moves until reset.
    hung: bool,
    /// When the oldest frame not yet reported must be (RADV).
    report_by: Option<Duration>,
}

impl E1000 {
    /// A frame, without FCS, arrives from the wire.
    pub(super) fn receive_frame(&mut self, p: &dyn Platform, frame: &[u8]) {
        if !self.regs.has(RCTL, rctl::EN) || !self.link_up() || frame.len() < 6 {
            return;
        }
        let octets = frame.len() + 4;
        self.stats.add(count::TPR, 1);
        self.stats.add_wide(count::TOR, octets as u64);
        let Some(matched) = self.filter(frame) else { return };
        let limit = if self.regs.has(RCTL, rctl::LPE) { MAXIMUM_LONG } else { MAXIMUM };
        if octets < MINIMUM {
            self.stats.add(count::RUC, 1);
        } else if octets > limit {
            self.stats.add(count::ROC, 1);
        } else {
            self.buffer(frame, octets, matched);
            self.drain(p);
        }
    }

    fn buffer(&mut self, frame: &[u8], octets: usize, matched: Match) {
        if self.regs.get(RDH) == self.regs.get(RDT) {
            self.stats.add(count::RNBC, 1);
        }
        let room = (self.regs.get(PBA) & 0xffff) as usize * 1024;
        if self.rx.fifo_bytes + octets > room {
            self.stats.add(count::MPC, 1);
            self.raise(cause::RXO);
            return;
        }
        self.count_received(frame, octets);
        let mut stored = frame.to_vec();
        if !self.regs.has(RCTL, rctl::SECRC) {
            stored.extend_from_slice(&fcs(frame));
        }
        self.rx.fifo_bytes += stored.len();
        self.rx.fifo.push_back((stored, matched));
    }

    fn count_received(&mut self, frame: &[u8], octets: usize) {
        self.stats.add(count::GPRC, 1);
        self.stats.add_wide(count::GORC, octets as u64);
        self.stats.received_length(octets);
        if frame.starts_with(&[0xff; 6]) {
            self.stats.add(count::BPRC, 1);
        } else if frame[0] & 1 != 0 {
            self.stats.add(count::MPRC, 1);
        }
    }

    /// Moves frames from the packet buffer to the ring as long as there are descriptors.
    pub(super) fn drain(&mut self, p: &dyn Platform) {
        if !self.regs.has(RCTL, rctl::EN) || !self.may_master() || self.regs.get(RDLEN) < 128 {
            return;
        }
        let mut moved = false;
        while !self.rx.hung && self.rx.fifo.front().is_some_and(|(frame, _)| self.room_for(frame.len())) {
            let Some((frame, matched)) = self.rx.fifo.pop_front() else { break };
            self.rx.fifo_bytes -= frame.len();
            self.rx.hung = !self.store(p, &frame, matched);
            moved |= !self.rx.hung;
        }
        if moved {
            self.report_received(p.now());
        }
    }

    /// Free descriptors: from head up to, not including, tail.
    fn free(&self) -> usize {
        let count = (self.regs.get(RDLEN) / 16) as usize;
        let (head, tail) = (self.regs.get(RDH) as usize, self.regs.get(RDT) as usize);
        if tail >= head { tail - head } else { count - head + tail }
    }

    fn room_for(&self, len: usize) -> bool {
        self.free() >= len.div_ceil(self.buffer_size())
    }

    fn buffer_size(&self) -> usize {
        let control = self.regs.get(RCTL);
        let shift = control >> 16 & 3;
        if control & rctl::BSEX != 0 && shift != 0 { 0x8000 >> shift } else { 2048 >> shift }
    }

    /// Writes one frame to as many descriptors as it needs; `false` when the bus refused.
    fn store(&mut self, p: &dyn Platform, frame: &[u8], matched: Match) -> bool {
        let size = self.buffer_size();
        let mut parts = frame.chunks(size).peekable();
        while let Some(part) = parts.next() {
            let mut status = DD;
            if parts.peek().is_none() {
                status |= EOP;
            }
            if matched == Match::Inexact {
                status |= PIF;
            }
            if !self.store_part(p, part, status) {
                return false;
            }
        }
        self.watch_threshold();
        true
    }

    fn store_part(&mut self, p: &dyn Platform, part: &[u8], status: u8) -> bool {
        let head = self.regs.get(RDH);
        let count = self.regs.get(RDLEN) / 16;
        let at = self.regs.wide(RDBAL, RDBAH) + 16 * u64::from(head);
        let mut desc = [0; 16];
        if !p.dma_read(at, &mut desc) {
            p.finding("NIC.Dma", format!("receive descriptor {head} at bus address {at:#x} is not mapped"));
            return false;
        }
        let address = u64::from_le_bytes(desc[..8].try_into().unwrap_or_default());
        if !p.dma_write(address, part) {
            p.finding("NIC.Dma", format!("receive buffer {address:#x}+{} is not mapped", part.len()));
            return false;
        }
        desc[8..10].copy_from_slice(&u16::try_from(part.len()).unwrap_or(u16::MAX).to_le_bytes());
        desc[10..].copy_from_slice(&[0, 0, status, 0, 0, 0]);
        if !p.dma_write(at + 8, &desc[8..]) {
            p.finding("NIC.Dma", format!("receive descriptor {head} at {at:#x} cannot be written back"));
            return false;
        }
        self.regs.set(RDH, if head + 1 >= count { 0 } else { head + 1 });
        true
    }

    /// RCTL.RDMTS: half, a quarter or an eighth of the ring is left.
    fn watch_threshold(&mut self) {
        let count = (self.regs.get(RDLEN) / 16) as usize;
        let fraction = self.regs.get(RCTL) >> 8 & 3;
        if self.free() <= count >> (fraction + 1) {
            self.raise(cause::RXDMT0);
        }
    }

    fn report_received(&mut self, now: Duration) {
        let delay = self.regs.get(RDTR) & 0xffff;
        if delay == 0 {
            self.raise(cause::RXT0);
            return;
        }
        let absolute = self.regs.get(RADV) & 0xffff;
        let mut at = now + DELAY_UNIT * delay;
        if absolute != 0 {
            let by = *self.rx.report_by.get_or_insert(now + DELAY_UNIT * absolute);
            at = at.min(by);
        }
        self.timers.set(Timer::ReceiveDelay, at);
    }

    /// The receive delay is over.
    pub(super) fn receive_delay_over(&mut self) {
        self.rx.report_by = None;
        self.raise(cause::RXT0);
    }
}
