//! PAUSE frames: obeyed with `CTRL.RFCE`, sent with `CTRL.TFCE` (SDM section 8.7; IEEE 802.3 annex 31B).

use std::time::Duration;

use super::{
    E1000,
    registers::{CTRL, FCAH, FCAL, FCRTH, FCRTL, FCT, FCTTV, RAH0, RAL0, ctrl},
    statistics as count,
    timers::Timer,
};
use crate::pci::Platform;

/// The one opcode of MAC control frames.
const PAUSE: [u8; 2] = [0, 1];
/// `FCRTL.XONE`.
const XON_ENABLE: u32 = 1 << 31;
/// Bits of a threshold.
const THRESHOLD: u32 = 0xfff8;
/// Bits of a quantum.
const QUANTUM: u32 = 512;

/// What flow control remembers beside its registers.
#[derive(Clone, Debug, Default)]
pub(super) struct FlowControl {
    /// The transmitter is silent until then.
    until: Option<Duration>,
    /// Until when it was, or is.
    held: Option<Duration>,
    /// The peer was told to be silent.
    told: bool,
}

impl FlowControl {
    /// Until when the peer wants silence, or wanted it.
    pub(super) fn held_until(&self) -> Option<Duration> {
        self.held
    }
}

impl E1000 {
    /// The peer wants silence.
    pub(super) fn is_paused(&self) -> bool {
        self.flow.until.is_some()
    }

    /// Takes a PAUSE frame, if this is one and they are obeyed.
    pub(super) fn take_pause(&mut self, now: Duration, frame: &[u8]) -> bool {
        let mut address = [0; 8];
        address[..4].copy_from_slice(&self.regs.get(FCAL).to_le_bytes());
        address[4..].copy_from_slice(&self.regs.get(FCAH).to_le_bytes());
        let ethertype = u16::try_from(self.regs.get(FCT) & 0xffff).unwrap_or(0).to_be_bytes();
        let is_pause = frame.starts_with(&address[..6])
            && frame.get(12..14) == Some(&ethertype)
            && frame.get(14..16) == Some(&PAUSE);
        if !is_pause || !self.regs.has(CTRL, ctrl::RFCE) {
            return false;
        }
        let quanta = frame.get(16..18).map_or(0, |bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
        if quanta == 0 {
            self.stats.add(count::XONRXC, 1);
            self.pause_over();
        } else {
            self.stats.add(count::XOFFRXC, 1);
            let until = now + self.bit_time() * QUANTUM * u32::from(quanta);
            self.flow.until = Some(until);
            self.flow.held = Some(until);
            self.timers.set(Timer::Pause, until);
        }
        true
    }

    /// The transmitter may go on.
    pub(super) fn pause_over(&mut self) {
        self.flow.until = None;
        self.timers.cancel(Timer::Pause);
    }

    /// Tells the peer to be silent, or not to be, by how full the packet buffer is.
    pub(super) fn watch_fifo(&mut self, p: &dyn Platform) {
        let high = self.regs.get(FCRTH) & THRESHOLD;
        if !self.regs.has(CTRL, ctrl::TFCE) || high == 0 {
            return;
        }
        let low = self.regs.get(FCRTL);
        let filled = u32::try_from(self.rx.filled()).unwrap_or(u32::MAX);
        if filled >= high && !self.flow.told {
            self.flow.told = true;
            self.stats.add(count::XOFFTXC, 1);
            self.send_pause(p, self.regs.get(FCTTV) & 0xffff);
        } else if filled <= low & THRESHOLD && self.flow.told {
            self.flow.told = false;
            if low & XON_ENABLE != 0 {
                self.stats.add(count::XONTXC, 1);
                self.send_pause(p, 0);
            }
        }
    }

    fn send_pause(&self, p: &dyn Platform, quanta: u32) {
        let mut frame = Vec::from(self.regs.get(FCAL).to_le_bytes());
        frame.extend(&self.regs.get(FCAH).to_le_bytes()[..2]);
        frame.extend(self.regs.get(RAL0).to_le_bytes());
        frame.extend(&self.regs.get(RAH0).to_le_bytes()[..2]);
        frame.extend(&self.regs.get(FCT).to_be_bytes()[2..]);
        frame.extend(PAUSE);
        frame.extend(&quanta.to_be_bytes()[2..]);
        frame.resize(60, 0);
        p.transmit(&frame);
    }
}
