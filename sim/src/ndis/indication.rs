//! Status indications.

use std::rc::Rc;

use super::adapter::Adapter;
use super::handle::Handle;
use super::late::{self, Noticed};
use super::parameters::{pointer_at, u32_at, u64_at};
use super::vc::{self, Vc};
use super::{finding, note, raw};
use crate::machine::{IrqlRange, Step, enter};

/// What a driver indicated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indication {
    /// `NDIS_STATUS_*`.
    pub code: u32,
    /// `StatusBuffer`.
    pub data: Vec<u8>,
}

/// `NDIS_STATUS_LINK_STATE`, and `MediaConnectStateConnected` in it.
const LINK_STATE: u32 = 0x4001_0017;
const CONNECTED: u32 = 1;

/// `NDIS_STATUS_WAN_CO_MTULINKPARAMS`, whose MTU is at 16.
const MTU_LINK_PARAMETERS: u32 = 0x4001_0025;

/// Statuses and the least size of their buffers.
const KNOWN: &[(u32, usize, &str)] = &[
    (LINK_STATE, 40, "LINK_STATE"),
    (0x4001_0016, 12, "WAN_CO_LINKPARAMS"),
    (MTU_LINK_PARAMETERS, 20, "WAN_CO_MTULINKPARAMS"),
    (0x4001_0015, 4, "WAN_CO_FRAGMENT"),
];
/// Of NDIS 5 or of a reset: no NDIS 6 driver indicates them.
const OBSOLETE: &[(u32, &str)] = &[
    (0x4001_0004, "RESET_START"),
    (0x4001_0005, "RESET_END"),
    (0x4001_0008, "WAN_LINE_UP"),
    (0x4001_0009, "WAN_LINE_DOWN"),
    (0x4001_000B, "MEDIA_CONNECT"),
    (0x4001_000C, "MEDIA_DISCONNECT"),
];
/// Those that are about a VC.
const OF_A_VC: &[u32] = &[0x4001_0016, MTU_LINK_PARAMETERS, 0x4001_0015];

pub(super) unsafe extern "win64" fn indicate(h: Handle, indication: usize) {
    let _call = enter("NdisMIndicateStatusEx", IrqlRange::DISPATCH_OR_BELOW);
    let Some(adapter) = find(h) else { return };
    let text = "a status without NdisMCoIndicateStatusEx".to_owned();
    finding("CO-331", Some(adapter.name()), text);
    deliver(&adapter, None, indication);
}

pub(super) unsafe extern "win64" fn co_indicate(h: Handle, vc: Handle, indication: usize) {
    let _call = enter("NdisMCoIndicateStatusEx", IrqlRange::DISPATCH_OR_BELOW);
    let Some(adapter) = find(h) else { return };
    let vc = if vc.is_null() { None } else { Some(vc) };
    match vc.map(vc::find) {
        Some(None) => {}
        Some(Some(vc)) => deliver(&adapter, Some(&vc), indication),
        None => deliver(&adapter, None, indication),
    }
}

fn find(h: Handle) -> Option<Rc<Adapter>> {
    super::handle::find(h, super::handle::Kind::Adapter, "SDV.NdisMIndicateStatusEx")
}

fn deliver(adapter: &Rc<Adapter>, vc: Option<&Rc<Vc>>, at: usize) {
    let who = || Some(vc.map_or_else(|| adapter.name(), |vc| vc.name()));
    super::no_locks("CO-301", || adapter.name());
    if !adapter.attributes().registered() {
        finding("CO-236", who(), "a status before the registration attributes".to_owned());
        return;
    }
    let bytes = raw::bytes(at, 112);
    let header = bytes[..4] == [0x98, 1, 112, 0];
    let source = u64_at(&bytes, 8) as Handle == adapter.handle.get();
    let (code, flags) = (u32_at(&bytes, 20), u32_at(&bytes, 24));
    let (buffer, len) = (pointer_at(&bytes, 48), u32_at(&bytes, 56) as usize);
    if !header || !source || flags != 0 || (buffer == 0) != (len == 0) {
        let text = format!(
            "header {:x?}, SourceHandle {}, Flags {flags:#x}, {len} bytes",
            &bytes[..4],
            if source { "right" } else { "wrong" },
        );
        finding("CO-234", who(), text);
    }
    if let Some((_, name)) = OBSOLETE.iter().find(|(known, _)| *known == code) {
        finding("CO-238", who(), format!("NDIS_STATUS_{name}"));
    }
    let known = KNOWN.iter().find(|(known, ..)| *known == code);
    if let Some((_, least, name)) = known
        && len < *least
    {
        finding("CO-234", who(), format!("NDIS_STATUS_{name} with {len} bytes"));
        return;
    }
    if OF_A_VC.contains(&code) && vc.is_none() {
        finding("CO-235", who(), format!("status {code:#x} without a VC"));
    }
    if code == LINK_STATE {
        late::judge(adapter, Noticed::Link, &adapter.name());
    }
    let data = if buffer == 0 { Vec::new() } else { raw::bytes(buffer, len) };
    let name = known.map_or_else(|| format!("{code:#010x}"), |(.., name)| (*name).to_owned());
    note(Step::new("driver", format!("indicates {name}")));
    if code == LINK_STATE && vc.is_none() && data.len() >= 8 {
        let up = u32_at(&data, 4) == CONNECTED;
        adapter.hear_of_link(up);
        if !up {
            adapter.check_link_loss();
        }
    }
    if code == MTU_LINK_PARAMETERS && data.len() >= 20 {
        check_mtu(adapter, &who, u32_at(&data, 16));
    }
    let indication = Indication { code, data };
    if code == LINK_STATE {
        adapter.link_speed.set(u64_at(&indication.data, 16));
    }
    for client in vc.map_or_else(|| adapter.clients(), |vc| vc.sharers()) {
        client.status(adapter, vc, &indication);
    }
}

/// CO-337: the card is set up for as much as the adapter has said, and drops what is longer.
fn check_mtu(adapter: &Adapter, who: &impl Fn() -> Option<String>, mtu: u32) {
    let most = adapter.attributes().general().map_or(0, |general| general.mtu);
    if mtu > most {
        finding("CO-337", who(), format!("an MTU of {mtu}, MtuSize {most}"));
    }
}
