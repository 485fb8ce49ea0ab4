//! The PHY behind MDIC (SDM 11 and 13.4.7, 82574 10.2.2.7; IEEE 802.3 clauses 22, 28 and 40).

use crate::registers::{Mdic, Register};
use crate::{Delay, Error, Family, Nic, Registers};

/// The internal PHY's address on all of these cards.
const ADDRESS: u32 = 1;

/// Control register.
pub(crate) const CONTROL: u8 = 0;
/// Control: reset; clears itself.
pub(crate) const CONTROL_RESET: u16 = 1 << 15;
/// Control: 100 Mb/s, without negotiation.
pub(crate) const CONTROL_SPEED_100: u16 = 1 << 13;
/// Control: auto-negotiation enable.
pub(crate) const CONTROL_NEGOTIATE: u16 = 1 << 12;
/// Control: power down.
pub(crate) const CONTROL_POWER_DOWN: u16 = 1 << 11;
/// Control: restart auto-negotiation.
pub(crate) const CONTROL_RESTART: u16 = 1 << 9;
/// Control: full duplex, without negotiation.
pub(crate) const CONTROL_FULL_DUPLEX: u16 = 1 << 8;
/// Status register.
pub(crate) const STATUS: u8 = 1;
/// Status: auto-negotiation has completed.
pub(crate) const STATUS_NEGOTIATED: u16 = 1 << 5;
/// Auto-negotiation advertisement register.
pub(crate) const ADVERTISEMENT: u8 = 4;
/// Auto-negotiation link partner ability register; its bits are those of the advertisement.
pub(crate) const PARTNER: u8 = 5;
/// Advertisement: 10 Mb/s, half duplex.
pub(crate) const ABILITY_HALF_10: u16 = 1 << 5;
/// Advertisement: 10 Mb/s, full duplex.
pub(crate) const ABILITY_FULL_10: u16 = 1 << 6;
/// Advertisement: 100 Mb/s, half duplex.
pub(crate) const ABILITY_HALF_100: u16 = 1 << 7;
/// Advertisement: 100 Mb/s, full duplex.
pub(crate) const ABILITY_FULL_100: u16 = 1 << 8;
/// Advertisement: symmetric PAUSE (IEEE 802.3 annex 28B.2).
pub(crate) const ABILITY_PAUSE: u16 = 1 << 10;
/// Advertisement: asymmetric PAUSE (`ASM_DIR`).
pub(crate) const ABILITY_ASYMMETRIC: u16 = 1 << 11;
/// 1000BASE-T control register.
pub(crate) const GIGABIT_CONTROL: u8 = 9;
/// 1000BASE-T control: advertise half duplex.
pub(crate) const GIGABIT_HALF: u16 = 1 << 8;
/// 1000BASE-T control: advertise full duplex.
pub(crate) const GIGABIT_FULL: u16 = 1 << 9;
/// 1000BASE-T status register, and the count of idle errors in it, which stops when full (IEEE 802.3 40.5.1.1).
const GIGABIT_STATUS: u8 = 10;
const IDLE_ERRORS: u16 = 0xFF;
/// 82574: the count of receive errors, which stops when full.
const RECEIVE_ERRORS: u8 = 21;
/// Identifier, high half.
const ID_HIGH: u8 = 2;
/// Identifier, low half: model and revision in the low bits.
const ID_LOW: u8 = 3;

/// How long to wait for the PHY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as it may take. Waits may be sleeps: `PASSIVE_LEVEL`.
    Sleeping,
    /// As long as a processor may be kept at `DISPATCH_LEVEL`, by stalls of at most 50 us.
    Stalling,
}

impl Patience {
    /// Polls of MDIC per access and the microseconds between them: an access takes 64 us.
    fn polls(self) -> (u32, u32) {
        match self {
            Self::Sleeping => (100, 50),
            Self::Stalling => (20, 10),
        }
    }
}

impl<R: Registers> Nic<R> {
    /// Reads a PHY register (0 to 31). `PASSIVE_LEVEL`; at most 25 ms.
    ///
    /// # Errors
    /// [`Error::PhyTimeout`], [`Error::PhyAccess`], [`Error::SemaphoreTimeout`], [`Error::Gone`].
    pub fn read_phy(&self, delay: &impl Delay, register: u8) -> Result<u16, Error> {
        self.read_phy_registers(delay, Patience::Sleeping, [register]).map(|[value]| value)
    }

    /// Writes a PHY register (0 to 31). `PASSIVE_LEVEL`; at most 25 ms.
    ///
    /// # Errors
    /// Those of [`Nic::read_phy`].
    pub fn write_phy(&self, delay: &impl Delay, register: u8, value: u16) -> Result<(), Error> {
        let command = Mdic::default().with(Mdic::OPERATION, 1).with(Mdic::DATA, u32::from(value));
        let patience = Patience::Sleeping;
        self.with_phy(delay, patience, || self.mdic(delay, patience, command, register)).map(|_| ())
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

    /// Whether the PHY shows what one shows that hangs: its counts of receive errors and of idle errors are full. Intel's own
    /// driver for the 82574 looks at these, and resets the PHY if two looks in a row find it so; one may be due to a bad cable.
    /// Nothing is known of the kind on the other cards. Up to `DISPATCH_LEVEL` with a `delay` that stalls, for 0.2 ms for each
    /// of two accesses at most. Not while another method asks the PHY.
    ///
    /// # Errors
    /// Those of [`Nic::read_phy`].
    pub fn phy_is_hung(&self, delay: &impl Delay) -> Result<bool, Error> {
        if self.model.family != Family::I82574 {
            return Ok(false);
        }
        let look = |register| self.read_phy_registers(delay, Patience::Stalling, [register]);
        let [received] = look(RECEIVE_ERRORS)?;
        if received != u16::MAX {
            return Ok(false);
        }
        let [status] = look(GIGABIT_STATUS)?;
        Ok(status & IDLE_ERRORS == IDLE_ERRORS)
    }

    /// Reads several registers while the PHY is ours.
    pub(crate) fn read_phy_registers<const N: usize>(
        &self,
        delay: &impl Delay,
        patience: Patience,
        registers: [u8; N],
    ) -> Result<[u16; N], Error> {
        let command = Mdic::default().with(Mdic::OPERATION, 2);
        self.with_phy(delay, patience, || {
            let mut values = [0; N];
            for (value, register) in values.iter_mut().zip(registers) {
                let answer = self.mdic(delay, patience, command, register)?;
                *value = u16::try_from(answer.get(Mdic::DATA)).unwrap_or(0);
            }
            Ok(values)
        })
    }

    fn mdic(
        &self,
        delay: &impl Delay,
        patience: Patience,
        command: Mdic,
        register: u8,
    ) -> Result<Mdic, Error> {
        self.bus.write(command.with(Mdic::PHY, ADDRESS).with(Mdic::REGISTER, u32::from(register)));
        let (polls, us) = patience.polls();
        for _ in 0..polls {
            let answer: Mdic = self.bus.read()?;
            if answer.is_set(Mdic::ERROR) {
                return Err(Error::PhyAccess { register });
            }
            if answer.is_set(Mdic::READY) {
                return Ok(answer);
            }
            delay.microseconds(us);
        }
        Err(Error::PhyTimeout { register })
    }
}
