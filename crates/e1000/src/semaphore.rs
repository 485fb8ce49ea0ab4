//! Sharing the PHY with firmware (82574 4.5.2 and 10.2.2.15, `EXTCNF_CTRL`).
//!
//! The 8254x has nothing of the kind. The 82574 also has SWSM, for software with several instances; its SMBI bit reads
//! as taken from reset on some implementations, and one driver instance does not need it.

use crate::phy::Patience;
use crate::registers::{ExtcnfCtrl, Register};
use crate::wait::poll;
use crate::{Delay, Error, Nic, Registers};

impl<R: Registers> Nic<R> {
    /// Takes the PHY from firmware. At most 20 ms, or 0.2 ms with [`Patience::Stalling`].
    pub(crate) fn acquire_phy(&self, delay: &impl Delay, patience: Patience) -> Result<(), Error> {
        if !self.model.semaphore {
            return Ok(());
        }
        let limit = match patience {
            Patience::Sleeping => 20_000,
            Patience::Stalling => 200,
        };
        let owned = poll(delay, limit, || {
            self.bus.modify::<ExtcnfCtrl>(|control| control.set(ExtcnfCtrl::MDIO_SW_OWNERSHIP))?;
            Ok(self.bus.read::<ExtcnfCtrl>()?.is_set(ExtcnfCtrl::MDIO_SW_OWNERSHIP).then_some(()))
        })?;
        if owned.is_some() {
            return Ok(());
        }
        // A request left behind would be granted later, to nobody.
        self.release_phy()?;
        Err(Error::SemaphoreTimeout)
    }

    /// Gives the PHY back.
    pub(crate) fn release_phy(&self) -> Result<(), Error> {
        if !self.model.semaphore {
            return Ok(());
        }
        self.bus.modify::<ExtcnfCtrl>(|control| control.clear(ExtcnfCtrl::MDIO_SW_OWNERSHIP))
    }

    /// Runs `work` while the PHY is ours.
    pub(crate) fn with_phy<T>(
        &self,
        delay: &impl Delay,
        patience: Patience,
        work: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.acquire_phy(delay, patience)?;
        let result = work();
        let released = self.release_phy();
        let value = result?;
        released.map(|()| value)
    }
}
