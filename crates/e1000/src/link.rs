//! The link: what it is, and setting it up (SDM 8.6 and 13.4.1, 82574 10.2.2.1).

use crate::FlowControl;
use crate::phy::{
    ABILITY_ASYMMETRIC, ABILITY_FULL_10, ABILITY_FULL_100, ABILITY_HALF_10, ABILITY_HALF_100, ABILITY_PAUSE,
    ADVERTISEMENT, CONTROL, CONTROL_FULL_DUPLEX, CONTROL_NEGOTIATE, CONTROL_POWER_DOWN, CONTROL_RESET,
    CONTROL_RESTART, CONTROL_SPEED_100, GIGABIT_CONTROL, GIGABIT_FULL, GIGABIT_HALF, Patience,
};
use crate::registers::{Ctrl, Register, Status, Tctl};
use crate::wait::poll;
use crate::{Delay, Error, Nic, Registers};

/// Everything in the PHY's control register that says how it works: loopback, speed, negotiation, power, isolation and
/// duplex. The rest is commands.
const CONTROL_SETTINGS: u16 = 0x7D40;
/// What this crate decides in the advertisement.
const ABILITIES: u16 = ABILITY_HALF_10
    | ABILITY_FULL_10
    | ABILITY_HALF_100
    | ABILITY_FULL_100
    | ABILITY_PAUSE
    | ABILITY_ASYMMETRIC;

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

/// Speed and duplex mode to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpeedDuplex {
    /// Negotiate, and offer everything: 10 and 100 Mb/s in both modes, 1000 Mb/s in full duplex.
    #[default]
    Auto,
    /// 10 Mb/s, half duplex, without negotiation.
    Half10,
    /// 10 Mb/s, full duplex, without negotiation.
    Full10,
    /// 100 Mb/s, half duplex, without negotiation.
    Half100,
    /// 100 Mb/s, full duplex, without negotiation.
    Full100,
    /// Negotiate, and offer 1000 Mb/s in full duplex only: 1000BASE-T needs negotiation (IEEE 802.3 40.5.1).
    Full1000,
}

impl SpeedDuplex {
    /// Whether there is no negotiation. The peer has to be set likewise, and the cable has to fit: PHYs do not cross over
    /// by themselves then (SDM 11.6.2).
    pub fn is_forced(self) -> bool {
        self.forced().is_some()
    }

    /// Whether the speed is 100 Mb/s and not 10, and whether the mode is full duplex, if they are not negotiated.
    fn forced(self) -> Option<(bool, bool)> {
        match self {
            Self::Half10 => Some((false, false)),
            Self::Full10 => Some((false, true)),
            Self::Half100 => Some((true, false)),
            Self::Full100 => Some((true, true)),
            Self::Auto | Self::Full1000 => None,
        }
    }

    /// The abilities to advertise in PHY registers 4 and 9.
    fn abilities(self) -> (u16, u16) {
        match self {
            Self::Full1000 => (0, GIGABIT_FULL),
            _ => (ABILITY_HALF_10 | ABILITY_FULL_10 | ABILITY_HALF_100 | ABILITY_FULL_100, GIGABIT_FULL),
        }
    }
}

/// How the link is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// Speed and duplex mode.
    pub speed_duplex: SpeedDuplex,
    /// Which PAUSE frames we are ready for. What holds on a negotiated link is [`LinkState::flow_control`].
    pub flow_control: FlowControl,
}

impl Default for LinkConfig {
    /// Everything is negotiated.
    fn default() -> Self {
        Self { speed_duplex: SpeedDuplex::Auto, flow_control: FlowControl::Both }
    }
}

/// What the card says of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkState {
    /// Frames can pass.
    pub up: bool,
    /// Meaningful while the link is up.
    pub speed: Speed,
    /// Meaningful while the link is up.
    pub full_duplex: bool,
    /// Which PAUSE frames there are, as [`Nic::bring_up`] or [`Nic::link_changed`] found out.
    pub flow_control: FlowControl,
}

impl LinkState {
    fn new(status: Status, flow_control: FlowControl) -> Self {
        let speed = match status.get(Status::SPEED) {
            0 => Speed::Mbps10,
            1 => Speed::Mbps100,
            _ => Speed::Mbps1000,
        };
        Self { up: status.is_set(Status::LU), speed, full_duplex: status.is_set(Status::FD), flow_control }
    }
}

/// The collision distance for a duplex mode, in byte times (SDM 13.4.33).
pub(crate) fn collision_distance(full_duplex: bool) -> u32 {
    if full_duplex { 0x40 } else { 0x200 }
}

impl<R: Registers> Nic<R> {
    /// The link's state. Two register reads; any IRQL.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn link(&self) -> Result<LinkState, Error> {
        let status = self.bus.read()?;
        Ok(LinkState::new(status, self.bus.read::<Ctrl>()?.into()))
    }

    /// To be called after [`Causes::LSC`](crate::Causes::LSC), or when [`Nic::link`] shows something new: fits the
    /// transmitter to the duplex mode, finds out which PAUSE frames have been agreed on, and returns the link's state.
    ///
    /// Up to `DISPATCH_LEVEL`: `delay` is asked for at most 50 us at a time, and should stall. On a link that has just
    /// come up by negotiation that adds up to some 0.2 ms, as the PHY is slow, and never to more than 1 ms; else there is
    /// no wait. If the PHY does not answer by then, there is no flow control, which is no error. Not to be called to
    /// poll: that is what [`Nic::link`] is for. Not concurrently with [`Nic::start_transmit`].
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn link_changed(&self, delay: &impl Delay, config: LinkConfig) -> Result<LinkState, Error> {
        let mut link = LinkState::new(self.bus.read()?, FlowControl::Off);
        if link.up {
            let distance = collision_distance(link.full_duplex);
            self.bus.modify::<Tctl>(|control| control.with(Tctl::COLD, distance))?;
        }
        link.flow_control = self.agree_on_flow_control(delay, Patience::Stalling, config, link)?;
        self.apply_flow_control(link.flow_control)?;
        Ok(link)
    }

    /// Sets up MAC and PHY. A PHY that is already set up so keeps its link.
    pub(crate) fn start_link(&self, delay: &impl Delay, config: LinkConfig) -> Result<(), Error> {
        self.prepare_flow_control(config.flow_control);
        let forced = config.speed_duplex.forced();
        let (fast, full) = forced.unwrap_or_default();
        self.bus.modify::<Ctrl>(|control| {
            control
                .set(Ctrl::SLU)
                .clear(Ctrl::ASDE)
                // The MAC follows the PHY, or both are set alike (SDM 8.6.2.5).
                .with(Ctrl::FRCSPD, forced.is_some().into())
                .with(Ctrl::FRCDPX, forced.is_some().into())
                .with(Ctrl::SPEED, fast.into())
                .with(Ctrl::FD, full.into())
                // Tags of received frames are always taken off and judged: see crate::vlan.
                .set(Ctrl::VME)
                .clear(Ctrl::PHY_RST)
                .clear(Ctrl::MASTER_DISABLE)
                .clear(Ctrl::RFCE)
                .clear(Ctrl::TFCE)
        })?;
        match forced {
            Some((fast, full)) => self.force_phy(delay, fast, full)?,
            None => self.negotiate(delay, config)?,
        }
        // A link that stayed up does not report a change.
        let link = self.link()?;
        let flow_control = self.agree_on_flow_control(delay, Patience::Sleeping, config, link)?;
        self.apply_flow_control(flow_control)
    }

    /// Has the PHY negotiate with the abilities configured.
    fn negotiate(&self, delay: &impl Delay, config: LinkConfig) -> Result<(), Error> {
        let (abilities, gigabit_abilities) = config.speed_duplex.abilities();
        let abilities = abilities | config.flow_control.advertisement();
        let mut changed = self.change_phy(delay, ADVERTISEMENT, ABILITIES, abilities)?;
        // Half duplex at 1000 Mb/s: no switch has it, and the 82574 has not either (82574, product features).
        changed |= self.change_phy(delay, GIGABIT_CONTROL, GIGABIT_HALF | GIGABIT_FULL, gigabit_abilities)?;
        let control = self.read_phy(delay, CONTROL)?;
        if changed || control & (CONTROL_POWER_DOWN | CONTROL_NEGOTIATE) != CONTROL_NEGOTIATE {
            let negotiate = control & !CONTROL_POWER_DOWN | CONTROL_NEGOTIATE | CONTROL_RESTART;
            self.write_phy(delay, CONTROL, negotiate)?;
        }
        Ok(())
    }

    /// Has the PHY work at 100 Mb/s (`fast`) or 10, in full or half duplex, without negotiation.
    fn force_phy(&self, delay: &impl Delay, fast: bool, full: bool) -> Result<(), Error> {
        let mut wanted = 0;
        if fast {
            wanted |= CONTROL_SPEED_100;
        }
        if full {
            wanted |= CONTROL_FULL_DUPLEX;
        }
        if self.read_phy(delay, CONTROL)? & CONTROL_SETTINGS == wanted {
            return Ok(());
        }
        // Marvell's PHYs take up a forced speed with their reset, through which they keep what the register holds.
        self.write_phy(delay, CONTROL, wanted | CONTROL_RESET)?;
        let control = self.wait_for_phy_reset(delay)?;
        if control & CONTROL_SETTINGS != wanted {
            // IEEE 802.3 22.2.4.1.1 would have it lose it.
            self.write_phy(delay, CONTROL, wanted)?;
        }
        Ok(())
    }

    /// The control register after a reset, which takes up to 500 ms (IEEE 802.3 22.2.4.1.1).
    fn wait_for_phy_reset(&self, delay: &impl Delay) -> Result<u16, Error> {
        poll(
            delay,
            500_000,
            || Ok(Some(self.read_phy(delay, CONTROL)?).filter(|it| it & CONTROL_RESET == 0)),
        )?
        .ok_or(Error::PhyTimeout { register: CONTROL })
    }

    /// Replaces the bits of `mask` in a PHY register, and says whether that changed anything.
    fn change_phy(&self, delay: &impl Delay, register: u8, mask: u16, bits: u16) -> Result<bool, Error> {
        let before = self.read_phy(delay, register)?;
        let after = before & !mask | bits;
        if after != before {
            self.write_phy(delay, register, after)?;
        }
        Ok(after != before)
    }
}
