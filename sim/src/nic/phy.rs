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

const CONTROL_RESET: u16 = 1 << 15;
const CONTROL_AUTONEGOTIATE: u16 = 1 << 12;
const CONTROL_POWER_DOWN: u16 = 1 << 11;
const CONTROL_RESTART: u16 = 1 << 9;
const STATUS_LINK: u16 = 1 << 2;
const STATUS_COMPLETE: u16 = 1 << 5;

/// The PHY of one card.
#[derive(Clone, Debug)]
pub(super) struct Phy {
    regs: [u16; 32],
    cable: bool,
    link: bool,
    /// The link was down since software last read the status register.
    latched: bool,
    negotiated_at: Option<Duration>,
}

impl Phy {
    /// A PHY that has already found its partner, as firmware leaves it.
    pub(super) fn new(model: Model) -> Self {
        let mut phy = Self { regs: [0; 32], cable: true, link: true, latched: false, negotiated_at: None };
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

    /// When the link comes up, if that is under way.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.negotiated_at
    }

    /// Time passes.
    pub(super) fn tick(&mut self, now: Duration) {
        if self.negotiated_at.is_some_and(|at| now >= at) {
            self.negotiated_at = None;
            self.link = true;
        }
    }

    /// The cable is plugged in or pulled.
    pub(super) fn set_cable(&mut self, now: Duration, cable: bool) {
        self.cable = cable;
        self.negotiate(now);
    }

    /// A hardware reset of the PHY (`CTRL.PHY_RST`) or its own reset bit.
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
                stored | STATUS_COMPLETE | link
            }
            PARTNER if self.link => 0xcde1,
            GIGABIT_STATUS if self.link => 0x7800,
            // 1000 Mb/s, full duplex, resolved, link.
            SPECIFIC_STATUS if self.link => 0xac00,
            _ => stored,
        }
    }

    /// Writes register `reg` (0 to 31).
    pub(super) fn write(&mut self, now: Duration, reg: usize, value: u16) {
        match reg & 31 {
            CONTROL if value & CONTROL_RESET != 0 => self.reset(now),
            CONTROL => {
                let before = self.regs[CONTROL];
                self.regs[CONTROL] = value & !CONTROL_RESTART;
                let restart = value & CONTROL_RESTART != 0 && value & CONTROL_AUTONEGOTIATE != 0;
                if restart || (before ^ value) & CONTROL_POWER_DOWN != 0 {
                    self.negotiate(now);
                }
            }
            STATUS | ID1 | ID2 | PARTNER | GIGABIT_STATUS | EXTENDED_STATUS | SPECIFIC_STATUS => {}
            other => self.regs[other] = value,
        }
    }
}
