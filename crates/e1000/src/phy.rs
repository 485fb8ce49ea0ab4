//! The PHY behind MDIC (SDM 11 and 13.4.7, 82574 10.2.2; IEEE 802.3 clause 22).

use crate::registers::{Mdic, Register};
use crate::{Delay, Error, Nic, Registers};

/// The internal PHY's address on all of these cards.
const ADDRESS: u32 = 1;
/// Polls of MDIC per access, 50 us apart: an access takes 64 us.
const POLLS: u32 = 100;

/// Control register.
pub(crate) const CONTROL: u8 = 0;
/// Control: restart auto-negotiation.
pub(crate) const CONTROL_RESTART: u16 = 1 << 9;
/// Control: power down.
pub(crate) const CONTROL_POWER_DOWN: u16 = 1 << 11;
/// Control: auto-negotiation enable.
pub(crate) const CONTROL_NEGOTIATE: u16 = 1 << 12;
/// Auto-negotiation advertisement register.
pub(crate) const ADVERTISEMENT: u8 = 4;
/// Advertisement: symmetric and asymmetric PAUSE (IEEE 802.3 annex 28B).
pub(crate) const ADVERTISE_PAUSE: u16 = 1 << 10 | 1 << 11;
/// Identifier, high half.
const ID_HIGH: u8 = 2;
/// Identifier, low half: model and revision in the low bits.
const ID_LOW: u8 = 3;

impl<R: Registers> Nic<R> {
    /// Reads a PHY register (0 to 31). `PASSIVE_LEVEL`; at most 25 ms.
    ///
    /// # Errors
    /// [`Error::PhyTimeout`], [`Error::PhyAccess`], [`Error::SemaphoreTimeout`], [`Error::Gone`].
    pub fn read_phy(&self, delay: &impl Delay, register: u8) -> Result<u16, Error> {
        let command = Mdic::default().with(Mdic::OPERATION, 2);
        let answer = self.with_phy(delay, || self.mdic(delay, command, register))?;
        Ok(u16::try_from(answer.get(Mdic::DATA)).unwrap_or(0))
    }

    /// Writes a PHY register (0 to 31). `PASSIVE_LEVEL`; at most 25 ms.
    ///
    /// # Errors
    /// Those of [`Nic::read_phy`].
    pub fn write_phy(&self, delay: &impl Delay, register: u8, value: u16) -> Result<(), Error> {
        let command = Mdic::default().with(Mdic::OPERATION, 1).with(Mdic::DATA, u32::from(value));
        self.with_phy(delay, || self.mdic(delay, command, register)).map(|_| ())
    }

    /// The PHY's identifier, registers 2 and 3. `PASSIVE_LEVEL`.
    ///
    /// # Errors
    /// [`Error::PhyMissing`] if it is all zeros or ones, and those of [`Nic::read_phy`].
    pub fn phy_id(&self, delay: &impl Delay) -> Result<u32, Error> {
        let high = self.read_phy(delay, ID_HIGH)?;
        let low = self.read_phy(delay, ID_LOW)?;
        match u32::from(high) << 16 | u32::from(low) {
            0 | u32::MAX => Err(Error::PhyMissing),
            id => Ok(id),
        }
    }

    fn mdic(&self, delay: &impl Delay, command: Mdic, register: u8) -> Result<Mdic, Error> {
        self.bus.write(command.with(Mdic::PHY, ADDRESS).with(Mdic::REGISTER, u32::from(register)));
        for _ in 0..POLLS {
            let answer: Mdic = self.bus.read()?;
            if answer.is_set(Mdic::ERROR) {
                return Err(Error::PhyAccess { register });
            }
            if answer.is_set(Mdic::READY) {
                return Ok(answer);
            }
            delay.microseconds(50);
        }
        Err(Error::PhyTimeout { register })
    }
}
