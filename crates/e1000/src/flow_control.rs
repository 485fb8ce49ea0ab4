//! PAUSE frames: what is offered, what is agreed and what the card is told (SDM 8.7, 82574 10.2.2; IEEE 802.3 annexes
//! 28B and 31B).

use crate::link::{LinkConfig, LinkState};
use crate::phy::{
    ABILITY_ASYMMETRIC, ABILITY_PAUSE, ADVERTISEMENT, PARTNER, Patience, STATUS, STATUS_NEGOTIATED,
};
use crate::registers::{Ctrl, Fcah, Fcal, Fcrth, Fcrtl, Fct, Fcttv, Register};
use crate::{Delay, Error, Nic, Registers};

/// Room in the receive FIFO above the threshold: the frame that we are sending when PAUSE becomes due lasts as long as
/// the peer's next one, and the peer may have begun another when PAUSE arrives; and some for reaction and cable
/// (IEEE 802.3 31B.3.7).
const HEADROOM: u32 = 4 * 1024;

/// How long the peer shall be silent, in slots of 512 bit times: 0.85 ms at a gigabit, twice what it takes to empty the
/// FIFO. Not for long, so that a host that has died does not silence a switch, and because an XON may be lost.
const PAUSE_SLOTS: u32 = 0x0680;

/// Which PAUSE frames there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlowControl {
    /// None.
    #[default]
    Off,
    /// We send them.
    Transmit,
    /// We obey them.
    Receive,
    /// Both.
    Both,
}

impl FlowControl {
    /// Whether we send PAUSE frames.
    pub fn transmits(self) -> bool {
        matches!(self, Self::Transmit | Self::Both)
    }

    /// Whether we obey PAUSE frames.
    pub fn receives(self) -> bool {
        matches!(self, Self::Receive | Self::Both)
    }

    fn new(transmits: bool, receives: bool) -> Self {
        match (transmits, receives) {
            (false, false) => Self::Off,
            (true, false) => Self::Transmit,
            (false, true) => Self::Receive,
            (true, true) => Self::Both,
        }
    }

    /// What is in both.
    fn and(self, other: Self) -> Self {
        Self::new(self.transmits() && other.transmits(), self.receives() && other.receives())
    }

    /// The bits of the advertisement (IEEE 802.3 table 28B-2). There are none for "we obey but do not send": what is
    /// offered then includes sending, and [`Nic::link_changed`] leaves it out of what was agreed.
    pub(crate) fn advertisement(self) -> u16 {
        match self {
            Self::Off => 0,
            Self::Transmit => ABILITY_ASYMMETRIC,
            Self::Receive | Self::Both => ABILITY_PAUSE | ABILITY_ASYMMETRIC,
        }
    }

    /// What two advertisements agree on, from the side of the first (IEEE 802.3 table 28B-3).
    pub(crate) fn resolve(own: u16, partner: u16) -> Self {
        let abilities = |bits: u16| (bits & ABILITY_PAUSE != 0, bits & ABILITY_ASYMMETRIC != 0);
        match (abilities(own), abilities(partner)) {
            ((true, _), (true, _)) => Self::Both,
            ((false, true), (true, true)) => Self::Transmit,
            ((true, true), (false, true)) => Self::Receive,
            _ => Self::Off,
        }
    }
}

impl<R: Registers> Nic<R> {
    /// Address and type of PAUSE frames, so that received ones are recognised and not delivered as data (SDM 8.7.3), and
    /// the thresholds for sending them. None are sent or obeyed until [`Nic::apply_flow_control`].
    pub(crate) fn prepare_flow_control(&self, allowed: FlowControl) {
        self.bus.write(Fcal::from_bits(0x00C2_8001));
        self.bus.write(Fcah::from_bits(0x0000_0100));
        self.bus.write(Fct::from_bits(0x0000_8808));
        if !allowed.transmits() {
            self.bus.write(Fcttv::default());
            self.bus.write(Fcrtl::default());
            self.bus.write(Fcrth::default());
            return;
        }
        let high = self.model.receive_fifo.saturating_sub(HEADROOM) / 8;
        self.bus.write(Fcttv::from_bits(PAUSE_SLOTS));
        // Half full, the FIFO does not run empty before the peer is back. The SDM lists XONE for some models only;
        // Intel's own drivers set it for all.
        self.bus.write(Fcrtl::default().with(Fcrtl::RTL, high / 2).set(Fcrtl::XONE));
        self.bus.write(Fcrth::default().with(Fcrth::RTH, high));
    }

    /// What holds on this link: nothing in half duplex (IEEE 802.3 annex 31B.1), what is configured on one that is not
    /// negotiated, else what was negotiated.
    pub(crate) fn agree_on_flow_control(
        &self,
        delay: &impl Delay,
        patience: Patience,
        config: LinkConfig,
        link: LinkState,
    ) -> Result<FlowControl, Error> {
        let allowed = config.flow_control;
        if !link.up || !link.full_duplex || allowed == FlowControl::Off {
            return Ok(FlowControl::Off);
        }
        if config.speed_duplex.is_forced() {
            return Ok(allowed);
        }
        match self.read_phy_registers(delay, patience, [STATUS, ADVERTISEMENT, PARTNER]) {
            Ok([status, own, partner]) if status & STATUS_NEGOTIATED != 0 => {
                Ok(FlowControl::resolve(own, partner).and(allowed))
            }
            Err(Error::Gone) => Err(Error::Gone),
            // A PHY that does not answer in time costs PAUSE, not the link.
            Ok(_) | Err(_) => Ok(FlowControl::Off),
        }
    }

    /// Has the MAC obey and send PAUSE frames or not.
    pub(crate) fn apply_flow_control(&self, flow_control: FlowControl) -> Result<(), Error> {
        self.bus.modify::<Ctrl>(|control| {
            control
                .with(Ctrl::RFCE, flow_control.receives().into())
                .with(Ctrl::TFCE, flow_control.transmits().into())
        })
    }
}

impl From<Ctrl> for FlowControl {
    fn from(control: Ctrl) -> Self {
        Self::new(control.is_set(Ctrl::TFCE), control.is_set(Ctrl::RFCE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FlowControl::{Both, Off, Receive, Transmit};

    /// IEEE 802.3 table 28B-3, row by row: local PAUSE and `ASM_DIR`, partner PAUSE and `ASM_DIR`.
    #[test]
    fn resolution_is_table_28b_3() {
        let table = [
            ([0, 0], [0, 0], Off),
            ([0, 0], [0, 1], Off),
            ([0, 0], [1, 0], Off),
            ([0, 0], [1, 1], Off),
            ([0, 1], [0, 0], Off),
            ([0, 1], [0, 1], Off),
            ([0, 1], [1, 0], Off),
            ([0, 1], [1, 1], Transmit),
            ([1, 0], [0, 0], Off),
            ([1, 0], [0, 1], Off),
            ([1, 0], [1, 0], Both),
            ([1, 0], [1, 1], Both),
            ([1, 1], [0, 0], Off),
            ([1, 1], [0, 1], Receive),
            ([1, 1], [1, 0], Both),
            ([1, 1], [1, 1], Both),
        ];
        let bits = |[pause, asymmetric]: [u16; 2]| 0x01E1 | pause << 10 | asymmetric << 11;
        for (own, partner, expected) in table {
            assert_eq!(FlowControl::resolve(bits(own), bits(partner)), expected, "{own:?} {partner:?}");
            // Two stations never disagree.
            let other = FlowControl::resolve(bits(partner), bits(own));
            assert_eq!((other.transmits(), other.receives()), (expected.receives(), expected.transmits()));
        }
    }

    #[test]
    fn between_equals_each_setting_gets_what_it_may() {
        for setting in [Off, Transmit, Receive, Both] {
            let own = setting.advertisement();
            let agreed =
                |partner: FlowControl| FlowControl::resolve(own, partner.advertisement()).and(setting);
            assert_eq!(agreed(Off), Off);
            assert_eq!(agreed(Both), setting, "a peer that does everything lets us have our way");
        }
    }
}
