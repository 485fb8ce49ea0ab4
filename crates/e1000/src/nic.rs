//! The card as a whole: finding out what it is, bringing it up, testing and stopping it.

use crate::registers::{Bus, CtrlExt, Mta, Rctl, Register, Status, Tctl};
use crate::{Delay, Error, Family, LinkConfig, MacAddress, Model, Registers};

/// A card, reached through the registers `R`.
///
/// All methods may run concurrently, except that those taking a [`Delay`] must not overlap each other.
#[derive(Debug)]
pub struct Nic<R> {
    pub(crate) bus: Bus<R>,
    pub(crate) model: &'static Model,
}

impl<R: Registers> Nic<R> {
    /// Takes the registers of the card with this PCI vendor and device id. Writes nothing.
    ///
    /// # Errors
    /// [`Error::UnknownDevice`], [`Error::Gone`].
    pub fn identify(registers: R, vendor: u16, device: u16) -> Result<Self, Error> {
        let model = Model::find(vendor, device).ok_or(Error::UnknownDevice { vendor, device })?;
        let nic = Self { bus: Bus::new(registers), model };
        nic.bus.flush()?;
        Ok(nic)
    }

    /// What card this is.
    pub fn model(&self) -> &'static Model {
        self.model
    }

    /// Whether the card reaches bus addresses of 64 bits: on PCI Express and PCI-X it does, on plain PCI it may hang. One
    /// register read; any IRQL.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn reaches_64_bits(&self) -> Result<bool, Error> {
        match self.model.family {
            Family::I8254x => Ok(self.bus.read::<Status>()?.is_set(Status::PCIX_MODE)),
            Family::I82574 => Ok(true),
        }
    }

    /// Whether the card still answers. One register read; any IRQL.
    pub fn is_present(&self) -> bool {
        self.bus.read::<Status>().is_ok()
    }

    /// Resets the card and sets up everything but the rings and interrupts; the link starts to come up, or stays up if
    /// the PHY is already set up as `link` wants it.
    ///
    /// Returns the permanent address, which is also set as the station address; [`Nic::set_station_address`] sets
    /// another. To be called again after power was off. `PASSIVE_LEVEL`; takes some 50 ms, and up to 0.5 s more when the
    /// PHY has to give up negotiating.
    ///
    /// # Errors
    /// Those of [`Nic::reset`], of the EEPROM and of the PHY.
    pub fn bring_up(&self, delay: &impl Delay, link: LinkConfig) -> Result<MacAddress, Error> {
        self.reset(delay)?;
        self.verify_eeprom(delay)?;
        let address = self.permanent_address(delay)?;
        self.set_up(delay, address, link)?;
        self.clear_statistics()?;
        Ok(address)
    }

    /// Resets a card that has stopped working, and sets it up as it was: with this station address and link, without
    /// reading the EEPROM. The link stays up, unless `phy` asks for a reset of the PHY too, see
    /// [`Nic::phy_is_hung`]. Nothing has to be lost but what is on its way through the card:
    ///
    /// 1. `recover`, while nobody else uses the card. On an error, abandon the rings.
    /// 2. [`TransmitRing::reclaim`](crate::TransmitRing::reclaim) and [`ReceiveRing::poll`](crate::ReceiveRing::poll),
    ///    for what had been sent and received before the reset.
    /// 3. [`Nic::start_receive`], with the same configuration: buffers that the card has stay in the ring.
    /// 4. [`Nic::start_transmit`], which sends what is still pending, from the same buffers under the same indices. With
    ///    the link down it is better to abandon these frames: nobody waits for them any more.
    /// 5. [`Nic::set_multicast`], [`Nic::set_moderation`] and [`Nic::enable_interrupts`], as before.
    ///
    /// Counters go on; what the card has counted since the last [`Nic::update_statistics`] may be lost.
    /// `PASSIVE_LEVEL`; takes some 45 ms.
    ///
    /// # Errors
    /// Those of [`Nic::reset`] and of the PHY.
    pub fn recover(
        &self,
        delay: &impl Delay,
        station: MacAddress,
        link: LinkConfig,
        phy: bool,
    ) -> Result<(), Error> {
        self.reset(delay)?;
        if phy {
            self.reset_phy(delay)?;
        }
        self.set_up(delay, station, link)
    }

    /// What follows a reset.
    fn set_up(&self, delay: &impl Delay, station: MacAddress, link: LinkConfig) -> Result<(), Error> {
        self.correct_defaults()?;
        self.reset_filters(station);
        self.start_link(delay, link)?;
        if self.model.semaphore {
            self.bus.modify::<CtrlExt>(|control| control.set(CtrlExt::DRV_LOAD))?;
        }
        Ok(())
    }

    /// Checks registers, EEPROM and PHY without sending or receiving. `PASSIVE_LEVEL`, before [`Nic::start_receive`]:
    /// it uses the last word of the multicast table.
    ///
    /// # Errors
    /// The first thing found broken.
    pub fn self_test(&self, delay: &impl Delay) -> Result<(), Error> {
        let index = Mta::ROW.count.wrapping_sub(1);
        let saved: Mta = self.bus.read_at(index)?;
        for wrote in [0x5A5A_5A5A, 0xA5A5_A5A5, 0x0000_0000, 0xFFFF_FFFF] {
            self.bus.write_at(index, Mta::from_bits(wrote));
            let read = self.bus.read_at::<Mta>(index)?.bits();
            if read != wrote {
                let offset = Mta::ROW.offset.wrapping_add(index.wrapping_mul(Mta::ROW.stride));
                return Err(Error::RegisterTest { offset, wrote, read });
            }
        }
        self.bus.write_at(index, saved);
        self.verify_eeprom(delay)?;
        self.phy_id(delay).map(|_| ())
    }

    /// Masks interrupts and turns receiver and transmitter off at once, without waiting for DMA under way. Any IRQL;
    /// for system shutdown. [`Nic::stop`] is the thorough way.
    pub fn quiesce(&self) {
        self.disable_interrupts();
        self.bus.write(Rctl::default());
        self.bus.write(Tctl::default().set(Tctl::PSP));
    }

    /// Has the transmitter stop after the frame that it is sending, which [`Nic::start_transmit`] ends: what the ring holds
    /// stays there until the reset that comes first (SDM 13.4.33). Any IRQL.
    pub fn stop_transmit(&self) {
        self.bus.write(Tctl::default().set(Tctl::PSP));
    }

    /// Stops and resets the card. Once this has returned, with an error or not, the card accesses no shared memory,
    /// unless the error is [`Error::ResetTimeout`]. `PASSIVE_LEVEL`.
    ///
    /// # Errors
    /// [`Error::Gone`] and [`Error::ResetTimeout`].
    pub fn stop(&self, delay: &impl Delay) -> Result<(), Error> {
        let reset = self.reset(delay);
        if self.model.semaphore && reset.is_ok() {
            self.bus.modify::<CtrlExt>(|control| control.clear(CtrlExt::DRV_LOAD))?;
        }
        match reset {
            // The card is reset; that its firmware or EEPROM is slow does not matter on the way down.
            Err(Error::EepromAutoRead | Error::SemaphoreTimeout) => Ok(()),
            other => other,
        }
    }
}
