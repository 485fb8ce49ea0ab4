//! The copper PHY behind MDIC (IEEE 802.3 clause 22 registers and Marvell's specific status).

use std::time::Duration;

use super::Model;

/// Address the internal PHY answers at.
pub(super) const ADDRESS: u32 = 1;
/// From the start of auto-negotiation to link.
pub(super) const AUTONEGOTIATION: Duration = Duration::from_millis(500);

const CONTROL: usize = 0;
const STATUS: usize = 1;
const ID1: usize = 2;
const ID2: usize = 3;
const ADVERTISEMENT: usize = 4;
const PARTNER: usize = 5;
const GIGABIT_CONTROL: usize = 9;
const GIGABIT_STATUS: usize = 10;
const EXTENDED_STATUS: usize = 15;
const SPECIFIC_STATUS: usize = 17;
const RECEIVE_ERRORS: usize = 21;

const ABLE_10: u16 = 1 << 5;
const ABLE_10_FULL: u16 = 1 << 6;
const ABLE_100: u16 = 1 << 7;
const ABLE_100_FULL: u16 = 1 << 8;
const ABLE_1000_FULL: u16 = 1 << 9;
const CONTROL_SPEED_1000: u16 = 1 << 6;
const CONTROL_FULL: u16 = 1 << 8;
const CONTROL_SPEED_100: u16 = 1 << 13;
const CONTROL_RESET: u16 = 1 << 15;
const CONTROL_AUTONEGOTIATE: u16 = 1 << 12;
const CONTROL_POWER_DOWN: u16 = 1 << 11;
const CONTROL_RESTART: u16 = 1 << 9;
const STATUS_LINK: u16 = 1 << 2;
const STATUS_COMPLETE: u16 = 1 << 5;

/// What the partner advertises: everything, both kinds of PAUSE too.
const PARTNER_ABILITIES: u16 = 0xcde1;

/// Whether writing `value` to register `reg` resets the PHY.
pub(super) fn is_reset(reg: usize, value: u16) -> bool {
    reg == CONTROL && value & CONTROL_RESET != 0
}

/// What a PHY that hangs shows in register `reg` besides: the counts of receive errors and of idle errors are full.
pub(super) fn hung(reg: usize) -> u16 {
    match reg {
        RECEIVE_ERRORS => 0xffff,
        GIGABIT_STATUS => 0x00ff,
        _ => 0,
    }
}

/// Speed of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Speed {
    /// 10 Mb/s.
    Mbps10,
    /// 100 Mb/s.
    Mbps100,
    /// 1000 Mb/s.
    Mbps1000,
}

impl Speed {
    /// The speed as CTRL and STATUS hold it; higher bits are cut off.
    pub(super) fn from_bits(bits: u32) -> Self {
        match bits & 3 {
            0 => Self::Mbps10,
            1 => Self::Mbps100,
            _ => Self::Mbps1000,
        }
    }

    /// The same in the other direction.
    pub(super) fn bits(self) -> u32 {
        self as u32
    }
}

/// The PHY of one card.
#[derive(Clone, Debug)]
pub(super) struct Phy {
    regs: [u16; 32],
    cable: bool,
    link: bool,
    /// The link was down since software last read the status register.
    latched: bool,
    negotiated_at: Option<Duration>,
    mode: (Speed, bool),
}

impl Phy {
    /// A PHY that has already found its partner, as firmware leaves it.
    pub(super) fn new(model: Model) -> Self {
        let mut phy = Self {
            regs: [0; 32],
            cable: true,
            link: true,
            latched: false,
            negotiated_at: None,
            mode: (Speed::Mbps1000, true),
        };
        phy.regs[ID1] = 0x0141;
        phy.regs[ID2] = if model.is_82574() { 0x0cb1 } else { 0x0c20 };
        phy.defaults();
        phy
    }

    fn defaults(&mut self) {
        self.regs[CONTROL] = 0x1140;
        self.regs[STATUS] = 0x7949;
        self.regs[ADVERTISEMENT] = 0x0de1;
        self.regs[GIGABIT_CONTROL] = 0x0e00;
        self.regs[EXTENDED_STATUS] = 0x3000;
    }

    /// Both ends agree and the cable is in.
    pub(super) fn link(&self) -> bool {
        self.link
    }

    /// Speed and duplex mode (true is full) of the link, while there is one.
    pub(super) fn mode(&self) -> (Speed, bool) {
        self.mode
    }

    /// What comes of the registers: what is forced, on a partner set likewise, or the best that both can do.
    fn outcome(&self) -> Option<(Speed, bool)> {
        let control = self.regs[CONTROL];
        if control & CONTROL_AUTONEGOTIATE == 0 {
            let speed = match (control & CONTROL_SPEED_1000 != 0, control & CONTROL_SPEED_100 != 0) {
                (false, false) => Speed::Mbps10,
                (false, true) => Speed::Mbps100,
                // 1000BASE-T needs negotiation.
                (true, _) => return None,
            };
            return Some((speed, control & CONTROL_FULL != 0));
        }
        if self.regs[GIGABIT_CONTROL] & ABLE_1000_FULL != 0 {
            return Some((Speed::Mbps1000, true));
        }
        let common = self.regs[ADVERTISEMENT] & PARTNER_ABILITIES;
        [
            (ABLE_100_FULL, Speed::Mbps100, true),
            (ABLE_100, Speed::Mbps100, false),
            (ABLE_10_FULL, Speed::Mbps10, true),
            (ABLE_10, Speed::Mbps10, false),
        ]
        .into_iter()
        .find(|(bit, ..)| common & bit != 0)
        .map(|(_, speed, full)| (speed, full))
    }

    /// When the link comes up, if that is under way.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.negotiated_at
    }

    /// Time passes.
    pub(super) fn tick(&mut self, now: Duration) {
        if self.negotiated_at.is_some_and(|at| now >= at) {
            self.negotiated_at = None;
            if let Some(mode) = self.outcome() {
                self.mode = mode;
                self.link = true;
            }
        }
    }

    /// The cable is plugged in or pulled.
    pub(super) fn set_cable(&mut self, now: Duration, cable: bool) {
        self.cable = cable;
        self.negotiate(now);
    }

    /// A hardware reset of the PHY (`CTRL.PHY_RST`).
    pub(super) fn reset(&mut self, now: Duration) {
        self.defaults();
        self.negotiate(now);
    }

    fn negotiate(&mut self, now: Duration) {
        self.link = false;
        self.latched = true;
        let able = self.cable && self.regs[CONTROL] & CONTROL_POWER_DOWN == 0;
        self.negotiated_at = able.then_some(now + AUTONEGOTIATION);
    }

    /// Reads register `reg` (0 to 31).
    pub(super) fn read(&mut self, reg: usize) -> u16 {
        let stored = self.regs[reg & 31];
        match reg {
            STATUS if self.link => {
                // The link bit latches low: one read shows the fall, the next one today's state.
                let link = if std::mem::take(&mut self.latched) { 0 } else { STATUS_LINK };
                let negotiates = self.regs[CONTROL] & CONTROL_AUTONEGOTIATE != 0;
                stored | link | if negotiates { STATUS_COMPLETE } else { 0 }
            }
            PARTNER if self.link => PARTNER_ABILITIES,
            GIGABIT_STATUS if self.link => 0x7800,
            // Speed, duplex mode, resolved, link.
            SPECIFIC_STATUS if self.link => {
                let (speed, full) = self.mode;
                (speed as u16) << 14 | u16::from(full) << 13 | 0x0c00
            }
            _ => stored,
        }
    }

    /// Writes register `reg` (0 to 31).
    pub(super) fn write(&mut self, now: Duration, reg: usize, value: u16) {
        match reg & 31 {
            CONTROL => {
                let before = self.regs[CONTROL];
                // Marvell's PHYs take up their settings with the reset, and keep them through it.
                self.regs[CONTROL] = value & !(CONTROL_RESTART | CONTROL_RESET);
                let restart = value & CONTROL_RESTART != 0 && value & CONTROL_AUTONEGOTIATE != 0;
                let forced = value & CONTROL_AUTONEGOTIATE == 0;
                let changed = (before ^ value) & (CONTROL_POWER_DOWN | CONTROL_AUTONEGOTIATE) != 0;
                if restart || changed || value & CONTROL_RESET != 0 || forced && before != value {
                    self.negotiate(now);
                }
            }
            STATUS | ID1 | ID2 | PARTNER | GIGABIT_STATUS | EXTENDED_STATUS | SPECIFIC_STATUS => {}
            other => self.regs[other] = value,
        }
    }
}
