//! The receiver: address filter, packet buffer and descriptor ring (SDM sections 3.2 and 13.5).

use std::{collections::VecDeque, time::Duration};

use super::{
    E1000, Fault, WriteBack,
    fcs::fcs,
    filter::Match,
    registers::{CTRL, PBA, RADV, RCTL, RDBAH, RDBAL, RDH, RDLEN, RDT, RDTR, cause, ctrl, rctl},
    statistics as count,
    timers::Timer,
    write_back::WriteBacks,
};
use crate::{pci::Platform, traffic::Doubt};

/// Unit of RDTR and RADV.
const DELAY_UNIT: Duration = Duration::from_nanos(1024);
/// Shortest and longest frame, with FCS, when long packets are not enabled; the longest when they are.
const MINIMUM: usize = 64;
const MAXIMUM: usize = 1522;
const MAXIMUM_LONG: usize = 16_384;

const DD: u8 = 1;
const EOP: u8 = 1 << 1;
/// The tag is in the special field.
const VP: u8 = 1 << 3;
/// Passed the inexact filter only.
const PIF: u8 = 1 << 7;

/// What the receiver remembers beside its registers.
#[derive(Clone, Debug, Default)]
pub(super) struct Receiver {
    /// Frames in the packet buffer.
    fifo: VecDeque<Stored>,
    fifo_bytes: usize,
    /// The driver gave the card memory that it may not write: nothing moves until reset.
    hung: bool,
    /// When the oldest frame not yet reported must be (RADV).
    report_by: Option<Duration>,
    pub(super) write_backs: WriteBacks,
}

impl Receiver {
    /// Bytes in the packet buffer.
    pub(super) fn filled(&self) -> usize {
        self.fifo_bytes
    }
}

/// A frame in the packet buffer.
#[derive(Clone, Debug)]
struct Stored {
    bytes: Vec<u8>,
    /// How it passed the filter.
    matched: Match,
    /// The tag that was taken off.
    tag: Option<u16>,
}

impl E1000 {
    /// A frame, without FCS, arrives from the wire.
    pub(super) fn receive_frame(&mut self, p: &dyn Platform, frame: &[u8]) {
        if !self.regs.has(RCTL, rctl::EN) || !self.link_up() || frame.len() < 6 {
            return;
        }
        if self.faults.has(Fault::PhyHung) {
            self.stats.add(count::RXERRC, 1);
            return;
        }
        let octets = frame.len() + 4;
        self.stats.add(count::TPR, 1);
        self.stats.add_wide(count::TOR, octets as u64);
        if self.take_pause(p.now(), frame) {
            return;
        }
        let Some(matched) = self.filter(frame).filter(|_| self.vlan_passes(frame)) else { return };
        let limit = if self.regs.has(RCTL, rctl::LPE) { MAXIMUM_LONG } else { MAXIMUM };
        if octets < MINIMUM {
            self.stats.add(count::RUC, 1);
        } else if octets > limit {
            self.stats.add(count::ROC, 1);
        } else {
            p.taken_in(frame);
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
        let mut bytes = frame.to_vec();
        if !self.regs.has(RCTL, rctl::SECRC) {
            bytes.extend_from_slice(&fcs(frame));
        }
        let tag = self.strip_tag(&mut bytes);
        self.rx.fifo_bytes += bytes.len();
        self.rx.fifo.push_back(Stored { bytes, matched, tag });
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
        while !self.rx.hung && self.rx.fifo.front().is_some_and(|it| self.room_for(it.bytes.len())) {
            let Some(stored) = self.rx.fifo.pop_front() else { break };
            self.rx.fifo_bytes -= stored.bytes.len();
            self.rx.hung = !self.store(p, &stored);
            moved |= !self.rx.hung;
        }
        if moved {
            self.report_received(p.now());
        }
        self.watch_fifo(p);
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
    fn store(&mut self, p: &dyn Platform, stored: &Stored) -> bool {
        let size = self.buffer_size();
        let mut parts = stored.bytes.chunks(size).peekable();
        while let Some(part) = parts.next() {
            let last = parts.peek().is_none();
            let mut status = if last { DD | EOP } else { DD };
            if stored.matched == Match::Inexact {
                status |= PIF;
            }
            if stored.tag.is_some() {
                status |= VP;
            }
            let how = if last { self.faults.next_received() } else { WriteBack::Good };
            if !self.store_part(p, part, status, stored.tag.unwrap_or(0), how) {
                return false;
            }
        }
        self.watch_threshold();
        true
    }

    fn store_part(
        &mut self,
        p: &dyn Platform,
        part: &[u8],
        mut status: u8,
        tag: u16,
        how: WriteBack,
    ) -> bool {
        let head = self.regs.get(RDH);
        let count = self.regs.get(RDLEN) / 16;
        let at = self.regs.wide(RDBAL, RDBAH) + 16 * u64::from(head);
        let mut desc = [0; 16];
        if self.hangs_on(p, at) {
            return false;
        }
        if !p.dma_read(at, &mut desc) {
            p.finding("NIC.Dma", format!("receive descriptor {head} at bus address {at:#x} is not mapped"));
            return false;
        }
        let address = u64::from_le_bytes(desc[..8].try_into().unwrap_or_default());
        if self.hangs_on(p, address) {
            return false;
        }
        if !p.dma_write(address, part) {
            p.finding("NIC.Dma", format!("receive buffer {address:#x}+{} is not mapped", part.len()));
            return false;
        }
        let (mut length, mut errors) = (u16::try_from(part.len()).unwrap_or(u16::MAX), 0);
        match how {
            WriteBack::Length(false_length) => length = false_length,
            WriteBack::Errors(bits) => errors = bits,
            WriteBack::Endless => {
                status &= !EOP;
                p.doubt(Doubt::ReceivedLess);
            }
            WriteBack::Unposted => {
                self.finish_unposted_receive(p);
                p.doubt(Doubt::ReceivedLess);
            }
            WriteBack::Twice => p.doubt(Doubt::ReceivedTwice),
            WriteBack::Lost => p.doubt(Doubt::ReceivedLess),
            _ => {}
        }
        desc[8..10].copy_from_slice(&length.to_le_bytes());
        desc[10..14].copy_from_slice(&[0, 0, status, errors]);
        desc[14..].copy_from_slice(&tag.to_le_bytes());
        if !self.write_back(p, |card| &mut card.rx.write_backs, (at + 8, desc[8..].to_vec()), how) {
            p.finding("NIC.Dma", format!("receive descriptor {head} at {at:#x} cannot be written back"));
            return false;
        }
        self.deeds.received(address, p.now());
        self.regs.set(RDH, if head + 1 >= count { 0 } else { head + 1 });
        true
    }

    /// A fault: marks the descriptor at the tail, which is the driver's, as a frame.
    fn finish_unposted_receive(&self, p: &dyn Platform) {
        let at = self.regs.wide(RDBAL, RDBAH) + 16 * u64::from(self.regs.get(RDT));
        p.dma_write(at + 8, &[60, 0, 0, 0, DD | EOP, 0, 0, 0]);
    }

    /// A fault: what the receiver keeps through a reset.
    pub(super) fn save_receiver(&self) -> Vec<(u64, u32)> {
        if !self.faults.has(Fault::ReceiverUnstoppable) {
            return Vec::new();
        }
        let mut kept: Vec<_> =
            [RCTL, RDBAL, RDBAH, RDLEN, RDH, RDT].map(|off| (off, self.regs.get(off))).into();
        kept.push((CTRL, self.regs.get(CTRL) & ctrl::SLU));
        kept
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
