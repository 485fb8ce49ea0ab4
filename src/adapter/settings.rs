//! What the registry says.

use alloc::boxed::Box;
use condis::config::{self, KEYWORDS, Keyword, Kind, Setting, Settings};
use condis::wan::Info;
use ndis::{Configuration, Initialize, Result};

/// The 802.1Q tags of sent frames.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tags {
    /// Of session frames.
    pub(crate) data: Option<e1000::Tag>,
    /// Of discovery frames.
    pub(crate) control: Option<e1000::Tag>,
}

/// The fastest link of any of the cards, in bits per second.
pub(crate) const MAX_LINK_SPEED: u64 = 1_000_000_000;

/// Sends that NDISWAN keeps outstanding on one VC: enough to fill a gigabit while completions come in batches.
const SEND_WINDOW: u32 = 32;
/// Octets of the PPP protocol field.
const PROTOCOL_FIELD: u32 = 2;
/// The longest string that is looked at, in UTF-16 units.
const LONGEST_STRING: usize = 256;

/// Reads every keyword; what is missing or not accepted keeps its default. IRQL: `PASSIVE_LEVEL`.
#[inline(never)]
pub(super) fn read(init: &Initialize<'_>) -> Result<Box<Settings>> {
    let configuration = Configuration::open(init)?;
    let mut settings = ndis::memory::boxed_with(Settings::new)?;
    for keyword in KEYWORDS {
        read_keyword(&configuration, keyword, &mut settings);
    }
    Ok(settings)
}

/// An administrator's mistake must not keep the network from coming up, so a refused value is passed over.
#[inline(never)]
fn read_keyword(configuration: &Configuration, keyword: &Keyword, settings: &mut Settings) {
    let _ = match (&keyword.setting, &keyword.kind) {
        (Setting::NetworkAddress, _) => {
            configuration.network_address().map(|address| settings.set_network_address(&address))
        }
        (_, Kind::Choice { .. } | Kind::Number { .. }) => {
            configuration.integer(keyword.name).map(|value| settings.set_number(keyword, value))
        }
        _ => configuration.string(keyword.name, |text| {
            let mut bytes = [0; LONGEST_STRING * 2];
            let mut length = 0_usize;
            for (pair, unit) in bytes.chunks_exact_mut(2).zip(text) {
                pair.copy_from_slice(&unit.to_le_bytes());
                length = length.saturating_add(2);
            }
            settings.set_text(keyword, bytes.get(..length).unwrap_or_default())
        }),
    };
}

/// How the link is set up.
pub(super) fn link_config(settings: &Settings) -> e1000::LinkConfig {
    use e1000::{FlowControl, SpeedDuplex};
    let speed_duplex = match settings.speed_duplex {
        config::SpeedDuplex::Auto => SpeedDuplex::Auto,
        config::SpeedDuplex::Half10 => SpeedDuplex::Half10,
        config::SpeedDuplex::Full10 => SpeedDuplex::Full10,
        config::SpeedDuplex::Half100 => SpeedDuplex::Half100,
        config::SpeedDuplex::Full100 => SpeedDuplex::Full100,
        config::SpeedDuplex::Full1000 => SpeedDuplex::Full1000,
    };
    let flow_control = match settings.flow_control {
        config::FlowControl::Off => FlowControl::Off,
        config::FlowControl::Transmit => FlowControl::Transmit,
        config::FlowControl::Receive => FlowControl::Receive,
        config::FlowControl::Both => FlowControl::Both,
    };
    e1000::LinkConfig { speed_duplex, flow_control }
}

/// The VLAN that all frames belong to, if any.
pub(super) fn vlan(settings: &Settings) -> Option<e1000::VlanId> {
    e1000::VlanId::new(settings.vlan_id)
}

/// The tags of data and of discovery frames. Without a VLAN a priority still wants a tag (IEEE 802.1Q 9.6).
pub(super) fn tags(settings: &Settings) -> Tags {
    let vlan = vlan(settings);
    let tag = |priority| (vlan.is_some() || priority != 0).then_some(e1000::Tag { vlan, priority });
    Tags { data: tag(0), control: tag(settings.vlan_priority) }
}

/// What NDISWAN may send, and how much of it at a time.
pub(crate) fn wan(settings: &Settings) -> Info {
    Info { max_frame_size: settings.max_payload.into(), max_send_window: SEND_WINDOW }
}

/// What calls that are made ask for of flow control by credits.
pub(crate) fn credits_to_ask_for(settings: &Settings) -> Option<pppoe::credit::Offer> {
    let scale = settings.credit_scale;
    let grant = pppoe::credit::grant_for(credited(settings), scale);
    (settings.credits == config::Credits::Ask).then_some(pppoe::credit::Offer { grant, scale })
}

/// The octets that hosts which ask for flow control by credits get credits for, if that is agreed to.
pub(crate) fn credits_to_agree_to(settings: &Settings) -> Option<u32> {
    (settings.credits != config::Credits::Off).then(|| credited(settings))
}

/// Octets of the packets that fit the receive ring.
const fn credited(settings: &Settings) -> u32 {
    settings.receive_buffers.saturating_mul((settings.max_payload as u32).saturating_add(PROTOCOL_FIELD))
}

/// Bytes of the largest frame on the wire, without FCS.
pub(crate) fn largest_frame(settings: &Settings) -> u32 {
    let headers = u32::try_from(pppoe::Header::LEN).unwrap_or(0);
    u32::from(settings.max_payload).saturating_add(PROTOCOL_FIELD).saturating_add(headers)
}
