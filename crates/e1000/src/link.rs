//! The link: what it is, and setting it up (SDM 8 and 13.4.1, 82574 10.2.2).

use crate::phy::{
    ADVERTISE_PAUSE, ADVERTISEMENT, CONTROL, CONTROL_NEGOTIATE, CONTROL_POWER_DOWN, CONTROL_RESTART,
};
use crate::registers::{Ctrl, Fcah, Fcal, Fcrth, Fcrtl, Fct, Fcttv, Register, Status, Tctl};
use crate::{Delay, Error, Nic, Registers};

/// A link speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Speed {
    /// 10 Mb/s.
    Mbps10,
    /// 100 Mb/s.
    Mbps100,
    /// 1000 Mb/s.
    Mbps1000,
}

impl Speed {
    /// Bits per second.
    pub fn bits_per_second(self) -> u64 {
        match self {
            Self::Mbps10 => 10_000_000,
            Self::Mbps100 => 100_000_000,
            Self::Mbps1000 => 1_000_000_000,
        }
    }
}

/// What STATUS says of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkState {
    /// Frames can pass.
    pub up: bool,
    /// Meaningful while the link is up.
    pub speed: Speed,
    /// Meaningful while the link is up.
    pub full_duplex: bool,
}

impl From<Status> for LinkState {
    fn from(status: Status) -> Self {
        let speed = match status.get(Status::SPEED) {
            0 => Speed::Mbps10,
            1 => Speed::Mbps100,
            _ => Speed::Mbps1000,
        };
        Self { up: status.is_set(Status::LU), speed, full_duplex: status.is_set(Status::FD) }
    }
}

/// The collision distance for a duplex mode, in byte times (SDM 13.4.33).
pub(crate) fn collision_distance(full_duplex: bool) -> u32 {
    if full_duplex { 0x40 } else { 0x200 }
}

impl<R: Registers> Nic<R> {
    /// The link's state. One register read; any IRQL.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn link(&self) -> Result<LinkState, Error> {
        self.bus.read::<Status>().map(LinkState::from)
    }

    /// To be called after [`Causes::LSC`](crate::Causes::LSC): returns the link's state and fits the transmitter to its
    /// duplex mode. Up to `DISPATCH_LEVEL`; not concurrently with [`Nic::start_transmit`].
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn link_changed(&self) -> Result<LinkState, Error> {
        let link = self.link()?;
        if link.up {
            let distance = collision_distance(link.full_duplex);
            self.bus.modify::<Tctl>(|control| control.with(Tctl::COLD, distance))?;
        }
        Ok(link)
    }

    /// Lets the MAC follow the PHY, which negotiates on its own, wakes a PHY that is powered down, and has it offer no
    /// PAUSE. A PHY that is already so keeps its link.
    pub(crate) fn start_link(&self, delay: &impl Delay) -> Result<(), Error> {
        self.set_flow_control();
        self.bus.modify::<Ctrl>(|control| {
            control
                .set(Ctrl::SLU)
                .clear(Ctrl::ASDE)
                .clear(Ctrl::FRCSPD)
                .clear(Ctrl::FRCDPX)
                .clear(Ctrl::VME)
                .clear(Ctrl::PHY_RST)
                .clear(Ctrl::MASTER_DISABLE)
                // PPPoE has its own pacing; PAUSE would let one slow peer stop all sessions.
                .clear(Ctrl::RFCE)
                .clear(Ctrl::TFCE)
        })?;
        let advertisement = self.read_phy(delay, ADVERTISEMENT)?;
        let offers_pause = advertisement & ADVERTISE_PAUSE != 0;
        if offers_pause {
            self.write_phy(delay, ADVERTISEMENT, advertisement & !ADVERTISE_PAUSE)?;
        }
        let control = self.read_phy(delay, CONTROL)?;
        if offers_pause || control & CONTROL_POWER_DOWN != 0 || control & CONTROL_NEGOTIATE == 0 {
            let negotiate = control & !CONTROL_POWER_DOWN | CONTROL_NEGOTIATE | CONTROL_RESTART;
            self.write_phy(delay, CONTROL, negotiate)?;
        }
        Ok(())
    }

    /// The PAUSE frame's address and type, so that received ones are recognised and not delivered as data
    /// (SDM 8.7; IEEE 802.3 annex 31B), and thresholds of 0: none are sent.
    fn set_flow_control(&self) {
        self.bus.write(Fcal::from_bits(0x00C2_8001));
        self.bus.write(Fcah::from_bits(0x0000_0100));
        self.bus.write(Fct::from_bits(0x0000_8808));
        self.bus.write(Fcttv::default());
        self.bus.write(Fcrtl::default());
        self.bus.write(Fcrth::default());
    }
}
