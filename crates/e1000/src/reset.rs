//! Resetting the card and the corrections it needs afterwards (SDM 14.3 and 13.4.1, 82574 4).

use crate::phy::Patience;
use crate::registers::{Ctrl, CtrlExt, Eecd, Gcr, Gcr2, Icr, Itr, Register, Status, Tarc0, Tipg, Txdctl};
use crate::wait::poll;
use crate::{Delay, Error, Family, Nic, Registers};

/// Time for bus transactions and frames under way to end once receiver and transmitter are off.
const SETTLE_US: u32 = 10_000;
/// Time without any register access that CTRL.RST needs (the manuals ask for 1 us and more).
const RESET_US: u32 = 10_000;
/// An interval in ITR that is not there after a reset, which makes it 0 (SDM 13.4.18). Interrupts are masked meanwhile.
const UNRESET: u32 = 0x5A5A;
/// How long the reset of a PHY is held, and how long it takes the PHY to be set up afterwards.
const PHY_RESET_US: u32 = 100;
const PHY_CONFIGURED_US: u32 = 10_000;
/// Time until the reset is over and, on the 82574, the EEPROM loaded.
const READY_US: u32 = 10_000;
/// 82574: time for PCI Express requests that are outstanding to end.
const MASTER_US: u32 = 80_000;
/// 82574: time after the EEPROM's load until PHY and EEPROM may be used.
const CONFIGURED_US: u32 = 25_000;

impl<R: Registers> Nic<R> {
    /// Masks interrupts, stops all DMA and resets everything but the PHY and the PCI configuration.
    ///
    /// `PASSIVE_LEVEL`; takes some 20 ms (8254x) or 45 ms (82574).
    ///
    /// # Errors
    /// [`Error::Gone`], [`Error::ResetTimeout`], [`Error::EepromAutoRead`], [`Error::SemaphoreTimeout`].
    pub fn reset(&self, delay: &impl Delay) -> Result<(), Error> {
        self.quiesce();
        self.bus.flush()?;
        delay.microseconds(SETTLE_US);
        let ownership = match self.model.family {
            Family::I8254x => Ok(()),
            Family::I82574 => {
                self.disable_master(delay)?;
                // The PHY must not be in the middle of an access by firmware; ownership ends with the reset.
                self.acquire_phy(delay, Patience::Sleeping)
            }
        };
        match self.model.family {
            Family::I8254x => self.reset_8254x(delay)?,
            Family::I82574 => {
                self.bus.modify::<Ctrl>(|control| control.set(Ctrl::RST))?;
                delay.microseconds(RESET_US);
            }
        }
        self.wait_for_reset(delay)?;
        if self.model.family == Family::I82574 {
            self.release_phy()?;
            self.wait_for_eeprom(delay)?;
            delay.microseconds(CONFIGURED_US);
        }
        self.disable_interrupts();
        self.bus.read::<Icr>()?;
        ownership
    }

    /// 8254x: writes CTRL.RST through the I/O window. A write through memory may not be acknowledged by a card that it
    /// resets, so other systems' drivers use the window, too; but not every host has it, and not every implementation of the
    /// card. What a reset does to ITR tells whether there was one.
    fn reset_8254x(&self, delay: &impl Delay) -> Result<(), Error> {
        let control = self.bus.read::<Ctrl>()?.set(Ctrl::RST);
        self.bus.write(Itr::default().with(Itr::INTERVAL, UNRESET));
        self.bus.flush()?;
        if self.bus.write_by_port(control) {
            delay.microseconds(RESET_US);
            if self.was_reset()? {
                return Ok(());
            }
        }
        self.bus.write(control);
        delay.microseconds(RESET_US);
        if self.was_reset()? { Ok(()) } else { Err(Error::ResetTimeout) }
    }

    /// Whether ITR has been reset.
    fn was_reset(&self) -> Result<bool, Error> {
        Ok(self.bus.read::<Itr>()?.get(Itr::INTERVAL) != UNRESET)
    }

    /// 82574: resets the PHY, which begins to negotiate. `PASSIVE_LEVEL`; takes some 20 ms.
    pub(crate) fn reset_phy(&self, delay: &impl Delay) -> Result<(), Error> {
        self.with_phy(delay, Patience::Sleeping, || {
            self.bus.modify::<Ctrl>(|control| control.set(Ctrl::PHY_RST))?;
            self.bus.flush()?;
            delay.microseconds(PHY_RESET_US);
            self.bus.modify::<Ctrl>(|control| control.clear(Ctrl::PHY_RST))?;
            self.bus.flush()
        })?;
        delay.microseconds(PHY_CONFIGURED_US);
        Ok(())
    }

    /// 82574: waits until no PCI Express request is outstanding. One that never ends does not keep us from the reset.
    fn disable_master(&self, delay: &impl Delay) -> Result<(), Error> {
        // A reset that is not over is not to begin anew, behind our back.
        self.bus.modify::<Ctrl>(|control| control.set(Ctrl::MASTER_DISABLE).clear(Ctrl::RST))?;
        poll(delay, MASTER_US, || {
            Ok((!self.bus.read::<Status>()?.is_set(Status::MASTER_ENABLE)).then_some(()))
        })?;
        Ok(())
    }

    fn wait_for_reset(&self, delay: &impl Delay) -> Result<(), Error> {
        poll(delay, READY_US, || Ok((!self.bus.read::<Ctrl>()?.is_set(Ctrl::RST)).then_some(())))?
            .ok_or(Error::ResetTimeout)
    }

    /// 82574: nothing may be accessed before the card has loaded its EEPROM.
    fn wait_for_eeprom(&self, delay: &impl Delay) -> Result<(), Error> {
        poll(delay, READY_US, || Ok(self.bus.read::<Eecd>()?.is_set(Eecd::AUTO_RD).then_some(())))?
            .ok_or(Error::EepromAutoRead)
    }

    /// Sets what the reset leaves unsuitable: errata bits (82574) and the inter-packet gap.
    pub(crate) fn correct_defaults(&self) -> Result<(), Error> {
        // IEEE 802.3 gaps with the internal copper PHY (SDM 13.4.34); on the 82574 (10.2.6.2) those of Intel's own drivers.
        let ipgt = match self.model.family {
            Family::I8254x => 10,
            Family::I82574 => 8,
        };
        self.bus.write(Tipg::default().with(Tipg::IPGT, ipgt).with(Tipg::IPGR1, 8).with(Tipg::IPGR2, 6));
        if self.model.family == Family::I8254x {
            return Ok(());
        }
        self.bus.modify::<Ctrl>(|control| control.clear(Ctrl::RESERVED29))?;
        self.bus.modify::<CtrlExt>(|control| control.clear(CtrlExt::RESERVED23).set(CtrlExt::RESERVED22))?;
        self.bus.modify::<Gcr>(|control| control.set(Gcr::ERRATA22).set(Gcr::L1_WITHOUT_L0S_RX))?;
        self.bus.modify::<Gcr2>(|control| control.set(Gcr2::COMPLETION_ERRATUM))?;
        self.bus.modify::<Tarc0>(|arbitration| {
            arbitration.clear(Tarc0::RESERVED27).set(Tarc0::ERRATA26).set(Tarc0::ENABLE)
        })?;
        for queue in 0..Txdctl::ROW.count {
            let control: Txdctl = self.bus.read_at(queue)?;
            self.bus.write_at(queue, control.set(Txdctl::COUNT_DESC));
        }
        Ok(())
    }
}
