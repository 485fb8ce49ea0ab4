//! What a driver has told the card: after every reset the same as at first, as long as its settings are the same.

use std::time::Duration;

use super::{
    E1000,
    phy::Speed,
    registers::{
        CTRL, EECD, EERD, EITR, EXTCNF_CTRL, ICR, ICS, IMC, IMS, ITR, MDIC, RCTL, RDBAH, RDBAL, RDH, RDLEN,
        RDT, STATISTICS, STATISTICS_END, STATUS, SWSM, TCTL, TDBAH, TDBAL, TDH, TDLEN, TDT, WINDOW, ctrl,
        rctl, tctl,
    },
};
use crate::pci::Platform;

/// What of CTRL depends on the link, and is told when that is up.
const OF_THE_LINK: u32 = ctrl::FD | ctrl::SPEED | ctrl::FRCSPD | ctrl::FRCDPX | ctrl::RFCE | ctrl::TFCE;
/// Time for a driver to hear of a link and to tell the card what follows from it.
const TO_HEAR: Duration = Duration::from_millis(100);
/// Differences that a finding names.
const NAMED: usize = 4;
/// Registers that are no settings: what the card reports, what passes through them, and where memory is.
const PASSING: &[u64] = &[
    STATUS,
    EECD,
    EERD,
    MDIC,
    ICR,
    ICS,
    IMC,
    RDBAL,
    RDBAH,
    RDH,
    RDT,
    TDBAL,
    TDBAH,
    TDH,
    TDT,
    SWSM,
    SWSM + 4,
    EXTCNF_CTRL,
];

/// What was told, and under which settings of the driver.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// The driver's settings, once there is a driver.
    settings: Option<String>,
    first: Option<Vec<u32>>,
    /// `MiniportInitializeEx` runs: how many descriptors there are depends on the memory that is left by now.
    starts: bool,
    /// Receiver or transmitter were turned on, and interrupts were not yet.
    pending: bool,
    /// What CTRL said at first, by the mode of the link.
    control: Vec<((Speed, bool), u32)>,
}

impl E1000 {
    /// The driver is started with these settings.
    pub(super) fn set_settings(&mut self, settings: &str) {
        if self.told.settings.as_deref() != Some(settings) {
            self.told = Told { settings: Some(settings.to_owned()), ..Told::default() };
        }
        self.told.starts = true;
    }

    /// RCTL or TCTL is written.
    pub(super) fn may_be_started(&mut self, off: u64, value: u32) {
        let enable = if off == RCTL { rctl::EN } else { tctl::EN };
        self.told.pending |= value & enable != 0 && !self.regs.has(off, enable);
    }

    /// Interrupts are unmasked: by then all has been told.
    pub(super) fn compare_told(&mut self, p: &dyn Platform) {
        let started = self.regs.has(RCTL, rctl::EN) && self.regs.has(TCTL, tctl::EN);
        if !self.told.pending || !started || self.told.settings.is_none() {
            return;
        }
        self.told.pending = false;
        let told: Vec<u32> = (0..WINDOW).step_by(4).map(|off| self.setting(off)).collect();
        let starts = std::mem::take(&mut self.told.starts);
        let Some(first) = &mut self.told.first else {
            self.told.first = Some(told);
            return;
        };
        if starts {
            let registers = (0_u64..).step_by(4).zip(first.iter_mut().zip(&told));
            for (_, (first, now)) in registers.filter(|(off, _)| [RDLEN, TDLEN].contains(off)) {
                *first = *now;
            }
        }
        let differ =
            (0_u64..).step_by(4).zip(first.iter().zip(&told)).filter(|(_, (first, now))| first != now);
        let named: Vec<String> = differ
            .take(NAMED)
            .map(|(off, (first, now))| format!("{off:#06x} {first:#x}, now {now:#x}"))
            .collect();
        if !named.is_empty() {
            p.finding("NIC.Told", format!("register and value: {}", named.join("; ")));
        }
    }

    /// What software has set a register to, as far as it is a setting.
    fn setting(&self, off: u64) -> u32 {
        match off {
            CTRL => self.regs.get(CTRL) & !OF_THE_LINK,
            // How often the card interrupts depends on the traffic; whether that is limited does not.
            ITR => u32::from(self.regs.get(ITR) != 0),
            _ if (EITR..EITR + 20).contains(&off) => u32::from(self.regs.get(off) != 0),
            IMS => self.mask(),
            // Of the link's duplex mode.
            TCTL => self.regs.get(TCTL) & !tctl::COLD,
            _ if PASSING.contains(&off) || (STATISTICS..=STATISTICS_END).contains(&off) => 0,
            _ => self.regs.get(off),
        }
    }

    /// The card is about to be reset: with a link that the driver has heard of, CTRL says what follows from it.
    pub(super) fn compare_control(&mut self, p: &dyn Platform) {
        let heard = self.deeds.link_since().is_some_and(|since| p.now() >= since + TO_HEAR);
        if !heard || !self.link_up() || self.told.first.is_none() {
            return;
        }
        let (mode, now) = (self.phy.mode(), self.regs.get(CTRL) & OF_THE_LINK);
        match self.told.control.iter().find(|(known, _)| *known == mode) {
            None => self.told.control.push((mode, now)),
            Some((_, first)) if *first != now => {
                p.finding("NIC.Told", format!("of the link in CTRL: {first:#x}, now {now:#x}"));
            }
            Some(_) => {}
        }
    }
}
