//! What a received frame is.

use crate::error::Malformed;
use crate::ethernet::Address;
use crate::extension::Extension;
use crate::packet::{Code, Packet, Stage};
use crate::padt::Padt;
use crate::repr::Repr;
use crate::session::Data;

/// A received packet that is addressed to this station and well-formed. Whether it is expected is for the
/// state it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inbound<'a> {
    /// PADO or PADS, for a Host.
    Host(Repr<'a>),
    /// PADI or PADR, for an Access Concentrator.
    Concentrator(Repr<'a>),
    /// PADT, for the session.
    Terminate(Padt),
    /// A PPP packet, for the session.
    Data(Data<'a>),
    /// A packet of a protocol extension (PADM, PADN, PADG, PADC, PADQ), for the session, or of an unknown CODE.
    Extension(Extension<'a>),
}

impl<'a> Inbound<'a> {
    /// Classifies the Ethernet frame `frame`, without frame check sequence, received by the station `own`.
    /// Also a promiscuous or hostile delivery is sorted out: only a PADI may be broadcast, the source must be
    /// another station.
    #[inline(never)]
    pub fn parse(frame: &'a [u8], own: Address) -> Result<Self, Malformed> {
        let packet = Packet::parse(frame)?;
        if packet.source == own {
            return Err(Malformed::Source);
        }
        let broadcast = packet.destination == Address::BROADCAST && packet.code == Code::Padi;
        if packet.destination != own && !broadcast {
            return Err(Malformed::Destination);
        }
        if packet.stage == Stage::Session {
            return Data::parse(&packet).map(Self::Data);
        }
        match packet.code {
            Code::Pado | Code::Pads => Repr::parse(&packet).map(Self::Host),
            Code::Padi | Code::Padr => Repr::parse(&packet).map(Self::Concentrator),
            Code::Padt => Padt::parse(&packet).map(Self::Terminate),
            code @ Code::Session => Err(Malformed::Code(code)),
            _ => Extension::parse(&packet).map(Self::Extension),
        }
    }
}
