//! The registry keywords of an adapter: what they are called, what they may hold, what they mean.
//!
//! [`KEYWORDS`] is the one list; `mcm.inx` documents it to Windows, and a test holds the two together.
//! The driver reads each keyword with `NdisReadConfiguration` and passes what it finds to [`Settings`],
//! which refuses what is out of range: the registry is written by administrators, and by hand.
//!
//! Names with an asterisk are standardised (Windows driver documentation, "Standardized INF Keywords for
//! Network Devices"); the others are this driver's, but for `NetworkAddress`, `WanEndpoints` and
//! `VlanId` (see `OID_GEN_VLAN_ID`).

mod concentrator;
mod keyword;
#[cfg(test)]
mod tests;

pub use self::concentrator::Concentrator;
pub use self::keyword::{KEYWORDS, Keyword, Kind, Place, Setting};

use crate::name::Name;

/// A value that a keyword does not take. The setting keeps what it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// `*SpeedDuplex`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpeedDuplex {
    /// Negotiate everything the card can do.
    Auto,
    /// 10 Mbit/s, half duplex.
    Half10,
    /// 10 Mbit/s, full duplex.
    Full10,
    /// 100 Mbit/s, half duplex.
    Half100,
    /// 100 Mbit/s, full duplex.
    Full100,
    /// Negotiate, and offer 1 Gbit/s only: gigabit over copper cannot be forced.
    Full1000,
}

/// `*FlowControl`: which pause frames are offered in negotiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowControl {
    /// None.
    Off,
    /// We send them.
    Transmit,
    /// We obey them.
    Receive,
    /// Both.
    Both,
}

/// `Credits`: flow control by credits (RFC 5578).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credits {
    /// Never.
    Off,
    /// In calls that come in from hosts which ask for it.
    Agree,
    /// In these, and asked for in calls that are made.
    Ask,
}

/// The settings of an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Speed and duplex of the link.
    pub speed_duplex: SpeedDuplex,
    /// Pause frames.
    pub flow_control: FlowControl,
    /// Whether the card waits a little to join interrupts.
    pub interrupt_moderation: bool,
    /// Transmit buffers, a multiple of 8.
    pub transmit_buffers: u32,
    /// Receive buffers, a multiple of 8.
    pub receive_buffers: u32,
    /// The address to use in place of the card's own.
    pub network_address: Option<[u8; 6]>,
    /// Lines, each with one call, that TAPI sees.
    pub wan_endpoints: u32,
    /// The service to ask for when a call names none; empty: any.
    pub service_name: Name,
    /// The access concentrator to accept when a call names none; empty: any.
    pub ac_name: Name,
    /// Host-Uniq that the provider prescribes; empty: the driver's choice.
    pub host_uniq: Name,
    /// Largest PPP payload in bytes that calls from TAPI ask for; more than 1492 means RFC 4638.
    pub max_payload: u16,
    /// How often a PADI is sent before the call fails.
    pub padi_tries: u8,
    /// Whether frames received in TAPI's calls begin with address and control field, which PPPoE does not carry.
    pub address_and_control: bool,
    /// The VLAN that all frames belong to, 1 to 4094; 0: none, frames are untagged.
    pub vlan_id: u16,
    /// Priority of discovery frames in their VLAN tag, 0 to 7 (IEEE 802.1Q).
    pub vlan_priority: u8,
    /// Flow control by credits.
    pub credits: Credits,
    /// Octets that a credit is worth in calls that are made.
    pub credit_scale: u16,
    /// The adapter as an access concentrator.
    pub concentrator: Concentrator,
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

impl Settings {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            speed_duplex: SpeedDuplex::Auto,
            flow_control: FlowControl::Both,
            interrupt_moderation: true,
            transmit_buffers: 512,
            receive_buffers: 512,
            network_address: None,
            wan_endpoints: 4,
            service_name: Name::new(),
            ac_name: Name::new(),
            host_uniq: Name::new(),
            max_payload: 1492,
            padi_tries: 5,
            address_and_control: false,
            vlan_id: 0,
            vlan_priority: 0,
            credits: Credits::Agree,
            credit_scale: 64,
            concentrator: Concentrator::new(),
        }
    }

    /// Takes a number, for keywords of kind [`Kind::Choice`] and [`Kind::Number`].
    pub fn set_number(&mut self, keyword: &Keyword, value: u32) -> Result<(), Refused> {
        if !keyword.takes(value) {
            return Err(Refused);
        }
        match keyword.setting {
            Setting::SpeedDuplex => self.speed_duplex = speed_duplex(value).ok_or(Refused)?,
            Setting::FlowControl => self.flow_control = flow_control(value).ok_or(Refused)?,
            Setting::InterruptModeration => self.interrupt_moderation = value != 0,
            Setting::TransmitBuffers => self.transmit_buffers = value,
            Setting::ReceiveBuffers => self.receive_buffers = value,
            Setting::WanEndpoints => self.wan_endpoints = value,
            Setting::MaxPayload => self.max_payload = u16::try_from(value).map_err(|_| Refused)?,
            Setting::PadiTries => self.padi_tries = u8::try_from(value).map_err(|_| Refused)?,
            Setting::AddressAndControl => self.address_and_control = value != 0,
            Setting::Concentrator => self.concentrator.enabled = value != 0,
            Setting::VlanId => self.vlan_id = u16::try_from(value).map_err(|_| Refused)?,
            Setting::VlanPriority => self.vlan_priority = u8::try_from(value).map_err(|_| Refused)?,
            Setting::Credits => self.credits = credits(value).ok_or(Refused)?,
            Setting::CreditScale => self.credit_scale = u16::try_from(value).map_err(|_| Refused)?,
            Setting::ConcentratorAnswers => self.concentrator.answers = value,
            Setting::ConcentratorRequests => {
                self.concentrator.requests = u16::try_from(value).map_err(|_| Refused)?;
            }
            Setting::NetworkAddress
            | Setting::ServiceName
            | Setting::AcName
            | Setting::HostUniq
            | Setting::ConcentratorName
            | Setting::ConcentratorServices => return Err(Refused),
        }
        Ok(())
    }

    /// Takes a string in UTF-16LE, for the other keywords.
    #[inline(never)]
    pub fn set_text(&mut self, keyword: &Keyword, text: &[u8]) -> Result<(), Refused> {
        match keyword.setting {
            Setting::NetworkAddress => self.set_network_address(hex(text)?.as_bytes())?,
            Setting::ServiceName => take(&mut self.service_name, text, name)?,
            Setting::AcName => take(&mut self.ac_name, text, name)?,
            Setting::HostUniq => take(&mut self.host_uniq, text, host_uniq)?,
            Setting::ConcentratorName => take(&mut self.concentrator.name, text, name)?,
            Setting::ConcentratorServices => {
                concentrator::set_services(&mut self.concentrator.services, text)?;
            }
            _ => return Err(Refused),
        }
        Ok(())
    }

    /// Takes the address that `NdisReadNetworkAddress` found: six bytes, not of a group, not zero.
    pub fn set_network_address(&mut self, address: &[u8]) -> Result<(), Refused> {
        match <[u8; 6]>::try_from(address) {
            Ok(address) if is_station(address) => {
                self.network_address = Some(address);
                Ok(())
            }
            _ => Err(Refused),
        }
    }
}

/// Whether an address can be a station's.
const fn is_station(address: [u8; 6]) -> bool {
    let [first, rest @ ..] = address;
    first & 1 == 0 && (first != 0 || !matches!(rest, [0, 0, 0, 0, 0]))
}

const fn speed_duplex(value: u32) -> Option<SpeedDuplex> {
    Some(match value {
        0 => SpeedDuplex::Auto,
        1 => SpeedDuplex::Half10,
        2 => SpeedDuplex::Full10,
        3 => SpeedDuplex::Half100,
        4 => SpeedDuplex::Full100,
        6 => SpeedDuplex::Full1000,
        _ => return None,
    })
}

const fn flow_control(value: u32) -> Option<FlowControl> {
    Some(match value {
        0 => FlowControl::Off,
        1 => FlowControl::Transmit,
        2 => FlowControl::Receive,
        3 => FlowControl::Both,
        _ => return None,
    })
}

const fn credits(value: u32) -> Option<Credits> {
    Some(match value {
        0 => Credits::Off,
        1 => Credits::Agree,
        2 => Credits::Ask,
        _ => return None,
    })
}

/// The characters of UTF-16LE text up to the first NUL.
fn characters(text: &[u8]) -> impl Iterator<Item = char> + Clone {
    let units = text.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(u16::from_le_bytes);
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .take_while(|&character| character != '\0')
}

/// Reads a text and puts it where it belongs. Out of line, so that the texts of all keywords are not on the stack at once.
#[inline(never)]
fn take<T>(
    place: &mut T,
    text: &[u8],
    read: impl FnOnce(&[u8]) -> Result<T, Refused>,
) -> Result<(), Refused> {
    *place = read(text)?;
    Ok(())
}

fn name(text: &[u8]) -> Result<Name, Refused> {
    let mut name = Name::new();
    characters(text).try_for_each(|character| name.push_char(character)).map_err(|_| Refused)?;
    Ok(name)
}

/// Bytes written as pairs of hexadecimal digits.
fn hex(text: &[u8]) -> Result<Name, Refused> {
    let mut bytes = Name::new();
    let mut high = None;
    for character in characters(text) {
        let digit = character.to_digit(16).ok_or(Refused)?;
        high = match high {
            None => Some(digit),
            Some(high) => {
                let byte = u8::try_from(high << 4 | digit).map_err(|_| Refused)?;
                bytes.push(byte).map_err(|_| Refused)?;
                None
            }
        };
    }
    if high.is_some() { Err(Refused) } else { Ok(bytes) }
}

fn host_uniq(text: &[u8]) -> Result<Name, Refused> {
    let bytes = hex(text)?;
    if bytes.as_bytes().len() > crate::ppp::make_call::MAX_HOST_UNIQ { Err(Refused) } else { Ok(bytes) }
}
