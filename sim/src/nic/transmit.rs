//! The transmitter: the descriptor ring, the frame under assembly, and what leaves for the wire.
//!
//! SDM section 3.3 and 3.4. Descriptors are fetched some time after the tail is written, one frame at a time, at
//! the pace of the wire: a driver cannot take it for granted that a frame is gone when the write returns.

use std::{collections::BTreeSet, time::Duration};

use super::{
    E1000, Fault, WriteBack,
    fcs::fcs,
    registers::{TARC0, TCTL, TDBAH, TDBAL, TDH, TDLEN, TDT, TIDV, cause, tctl},
    statistics as count,
    timers::Timer,
    write_back::WriteBacks,
};
use crate::{pci::Platform, traffic::Doubt};

/// From the tail write to the first descriptor fetch.
const FETCH: Duration = Duration::from_nanos(800);
/// Unit of TIDV.
const DELAY_UNIT: Duration = Duration::from_nanos(1024);
/// Bytes of preamble, start delimiter and inter-packet gap.
const OVERHEAD: usize = 8 + 12;
/// Shortest frame without FCS.
const MINIMUM: usize = 60;
/// Bytes of the FCS.
const FCS: usize = 4;
/// Longest frame the transmit FIFO is specified for.
const MAXIMUM: usize = 16_288;
/// Frames after which a transmitter hangs whose link saves power.
const POWER_SAVED: u32 = 16;
/// Queue 0 takes part in arbitration.
const TARC_ENABLE: u32 = 1 << 10;

const EOP: u8 = 1;
const IFCS: u8 = 1 << 1;
const RS: u8 = 1 << 3;
const DEXT: u8 = 1 << 5;
const VLE: u8 = 1 << 6;
const IDE: u8 = 1 << 7;
const DD: u8 = 1;
/// Excess and late collisions.
const EC: u8 = 1 << 1;
const LC: u8 = 1 << 2;

/// What the transmitter remembers beside its registers.
#[derive(Clone, Debug, Default)]
pub(super) struct Transmitter {
    frame: Vec<u8>,
    /// A descriptor or buffer could not be read, or the link's power saving was too much for it: nothing moves until reset.
    hung: bool,
    /// Frames sent since the reset.
    sent: u32,
    pub(super) write_backs: WriteBacks,
    /// Frames that the card had when the driver told that the link was gone.
    dead: BTreeSet<Vec<u8>>,
}

/// `ETHER_TYPE` of the Session stage, and of the Discovery stage with `CODE` 0xA7: a PADT.
const SESSION: [u8; 2] = [0x88, 0x64];
const DISCOVERY: [u8; 2] = [0x88, 0x63];
const PADT: u8 = 0xA7;

/// Whether a frame belongs to a session.
fn is_of_session(frame: &[u8]) -> bool {
    frame.get(12..14).is_some_and(|it| it == SESSION)
        || frame.get(12..14).is_some_and(|it| it == DISCOVERY) && frame.get(15) == Some(&PADT)
}

/// The bus refused an access.
struct Refused;

impl E1000 {
    fn can_transmit(&self) -> bool {
        let (head, tail) = (self.regs.get(TDH), self.regs.get(TDT));
        self.regs.has(TCTL, tctl::EN)
            && head != tail
            && self.regs.get(TDLEN) != 0
            && !self.tx.hung
            && self.link_up()
            && self.may_master()
            && (!self.model.is_82574() || self.regs.has(TARC0, TARC_ENABLE))
            && !self.is_paused()
            && !self.faults.has(Fault::TransmitStuck)
            && !self.faults.has(Fault::TransmitStuckUntilReset)
    }

    /// NIC.DeadLink: the driver, which has told that there is no link, gives the card frames all the same.
    pub(super) fn check_tail(&self, p: &dyn Platform, tail: u32) {
        if p.told_link() == Some(false) && !self.link_up() && tail != self.regs.get(TDT) {
            p.finding("NIC.DeadLink", format!("the transmit tail is moved to {tail} without a link"));
        }
    }

    /// Remembers what must not leave when the link returns: its sessions are over.
    pub(super) fn remember_dead(&mut self, p: &dyn Platform) {
        let (mut head, tail, count) = (self.regs.get(TDH), self.regs.get(TDT), self.regs.get(TDLEN) / 16);
        while head != tail && count != 0 && head < count {
            let mut desc = [0; 16];
            p.dma_read(self.regs.wide(TDBAL, TDBAH) + 16 * u64::from(head), &mut desc);
            let mut frame = vec![0; usize::from(u16::from_le_bytes([desc[8], desc[9]]))];
            let address = u64::from_le_bytes(desc[..8].try_into().unwrap_or_default());
            if p.dma_read(address, &mut frame) && is_of_session(&frame) {
                self.tx.dead.insert(frame);
            }
            head = if head + 1 >= count { 0 } else { head + 1 };
        }
    }

    /// Something that may have made transmission possible happened.
    pub(super) fn kick_transmitter(&mut self, p: &dyn Platform) {
        if self.can_transmit() && !self.timers.is_set(Timer::Transmit) {
            self.timers.set(Timer::Transmit, p.now() + FETCH);
        }
    }

    /// Sends one frame, or what there is of it.
    pub(super) fn transmit_step(&mut self, p: &dyn Platform) {
        while self.can_transmit() {
            match self.fetch_descriptor(p) {
                Err(Refused) => self.tx.hung = true,
                Ok(None) => {}
                Ok(Some(octets)) => {
                    let bits = u32::try_from(8 * (octets + OVERHEAD)).unwrap_or(u32::MAX);
                    self.timers.set(Timer::Transmit, p.now() + self.bit_time() * bits);
                    return;
                }
            }
        }
    }

    /// Handles the descriptor at the head. `Ok(Some(octets))` when it ended a frame.
    fn fetch_descriptor(&mut self, p: &dyn Platform) -> Result<Option<usize>, Refused> {
        let head = self.regs.get(TDH);
        let count = self.regs.get(TDLEN) / 16;
        let at = self.regs.wide(TDBAL, TDBAH) + 16 * u64::from(head);
        let mut desc = [0; 16];
        if self.hangs_on(p, at) {
            return Err(Refused);
        }
        if !p.dma_read(at, &mut desc) {
            p.finding("NIC.Dma", format!("transmit descriptor {head} at bus address {at:#x} is not mapped"));
            return Err(Refused);
        }
        let command = desc[11];
        let context = command & DEXT != 0 && desc[10] & 0xf0 == 0;
        if !context && !self.fetch_buffer(p, &desc) {
            return Err(Refused);
        }
        let frame = (!context && command & EOP != 0).then(|| self.finish_frame(p, &desc));
        let ended = frame.as_ref().map(|frame| frame.len() + FCS);
        self.regs.set(TDH, if head + 1 >= count { 0 } else { head + 1 });
        if command & RS != 0 {
            desc[12] |= DD;
            let how = if context { WriteBack::Good } else { self.faults.next_sent() };
            Self::tell_of(p, how, frame.as_deref());
            if let WriteBack::Errors(bits) = how {
                desc[12] |= bits;
                self.stats.add(count::ECOL, u32::from(bits & EC != 0));
                self.stats.add(count::LATECOL, u32::from(bits & LC != 0));
            }
            if how == WriteBack::Unposted {
                self.finish_unposted(p);
            }
            let part = (at + 12, desc[12..].to_vec());
            if !self.write_back(p, |card| &mut card.tx.write_backs, part, how) {
                p.finding("NIC.Dma", format!("transmit descriptor {head} at {at:#x} cannot be written back"));
                return Err(Refused);
            }
            self.deeds.sent(p.now());
            self.report_done(p, command);
        }
        if self.regs.get(TDH) == self.regs.get(TDT) {
            self.raise(cause::TXQE);
        }
        Ok(ended)
    }

    /// A fault: what of it is not the driver's.
    fn tell_of(p: &dyn Platform, how: WriteBack, frame: Option<&[u8]>) {
        match how {
            WriteBack::Late | WriteBack::Lost => p.doubt(Doubt::NotSent),
            WriteBack::Twice => p.doubt(Doubt::SentTwice),
            WriteBack::Errors(_) => p.went_badly(frame.unwrap_or_default()),
            _ => {}
        }
    }

    /// A fault: marks the descriptor at the tail as done, which is the driver's.
    fn finish_unposted(&self, p: &dyn Platform) {
        let at = self.regs.wide(TDBAL, TDBAH) + 16 * u64::from(self.regs.get(TDT));
        p.dma_write(at + 12, &[DD, 0, 0, 0]);
    }

    fn fetch_buffer(&mut self, p: &dyn Platform, desc: &[u8; 16]) -> bool {
        let address = u64::from_le_bytes(desc[..8].try_into().unwrap_or_default());
        let extended = desc[11] & DEXT != 0;
        let high = if extended { usize::from(desc[10] & 0xf) << 16 } else { 0 };
        let len = usize::from(u16::from_le_bytes([desc[8], desc[9]])) | high;
        if address == 0 || len == 0 {
            return true;
        }
        let old = self.tx.frame.len();
        if old + len > MAXIMUM {
            p.finding("NIC.TransmitLength", format!("frame of {} bytes or more", old + len));
            return false;
        }
        if self.hangs_on(p, address) {
            return false;
        }
        self.tx.frame.resize(old + len, 0);
        let mapped = p.dma_read(address, &mut self.tx.frame[old..]);
        if !mapped {
            p.finding("NIC.Dma", format!("transmit buffer {address:#x}+{len} is not mapped"));
        }
        mapped
    }

    /// Puts the frame on the wire; gives it, without FCS.
    fn finish_frame(&mut self, p: &dyn Platform, desc: &[u8; 16]) -> Vec<u8> {
        let command = desc[11];
        let mut frame = std::mem::take(&mut self.tx.frame);
        if self.regs.has(TCTL, tctl::PSP) && frame.len() < MINIMUM {
            frame.resize(MINIMUM, 0);
        }
        let mut good = true;
        if command & IFCS == 0 {
            // The host supplies the FCS; a receiver throws the frame away if it is wrong.
            let end = frame.len().saturating_sub(4);
            good = fcs(&frame[..end]) == frame[end..];
            frame.truncate(end);
        }
        if self.tx.dead.contains(&frame) {
            let text = "a frame of a session that ended with the link leaves when it returns";
            p.finding("NIC.DeadSession", text.to_owned());
        }
        if command & VLE != 0 {
            self.insert_tag(&mut frame, u16::from_le_bytes([desc[14], desc[15]]));
        }
        let octets = frame.len() + FCS;
        self.count_transmitted(&frame, octets);
        self.tx.sent = self.tx.sent.saturating_add(1);
        self.tx.hung |= self.saves_link_power() && self.tx.sent >= POWER_SAVED;
        if good && frame.len() >= MINIMUM {
            if !self.faults.has(Fault::PhyHung) {
                p.transmit(&frame);
            }
        } else {
            p.finding(
                "NIC.TransmitFrame",
                format!(
                    "{octets} octets with a {} FCS: no receiver takes it",
                    if good { "good" } else { "bad" }
                ),
            );
        }
        frame
    }

    fn count_transmitted(&mut self, frame: &[u8], octets: usize) {
        self.stats.add(count::GPTC, 1);
        self.stats.add(count::TPT, 1);
        self.stats.add_wide(count::GOTC, octets as u64);
        self.stats.add_wide(count::TOT, octets as u64);
        self.stats.transmitted_length(octets);
        if frame.starts_with(&[0xff; 6]) {
            self.stats.add(count::BPTC, 1);
        } else if frame.first().is_some_and(|byte| byte & 1 != 0) {
            self.stats.add(count::MPTC, 1);
        }
    }

    fn report_done(&mut self, p: &dyn Platform, command: u8) {
        let delay = self.regs.get(TIDV) & 0xffff;
        if command & IDE != 0 && delay != 0 {
            self.timers.set(Timer::TransmitDelay, p.now() + DELAY_UNIT * delay);
        } else {
            self.raise(cause::TXDW);
        }
    }
}
