//! `NdisMSetMiniportAttributes`.

use std::cell::{Cell, RefCell};

use super::adapter::Adapter;
use super::handle::Handle;
use super::parameters::{pointer_at, u32_at, u64_at};
use super::status::{self, Status};
use super::tables::ObjectHeader;
use super::{finding, note, raw};
use crate::machine::{IrqlRange, Step, enter};

/// `NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES`.
const REGISTRATION: u8 = 0x9E;
/// `NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES`.
const GENERAL: u8 = 0x9F;
/// `NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER`.
const BUS_MASTER: u32 = 0x40;
/// `NDIS_MINIPORT_ATTRIBUTES_NOT_CO_NDIS`.
const NOT_CO_NDIS: u32 = 0x8;
/// `NDIS_MINIPORT_ATTRIBUTES_DO_NOT_BIND_TO_ALL_CO`.
const DO_NOT_BIND_TO_ALL_CO: u32 = 0x10;
/// `NDIS_MAC_OPTION_NO_LOOPBACK` and `NDIS_MAC_OPTION_RESERVED`.
const NO_LOOPBACK: u32 = 0x8;
const MAC_RESERVED: u32 = 0x8000_0000;
/// `NdisMediumCoWan`.
const MEDIUM_CO_WAN: u32 = 12;
/// Offsets in `NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES`.
const MAC_OPTIONS: usize = 80;
const MAC_LENGTH: usize = 92;
const CURRENT_MAC: usize = 126;
const OID_LIST: usize = 200;
const POWER_CAPABILITIES_EX: usize = 216;
/// `NdisInterfacePci`.
const INTERFACE_PCI: u32 = 5;

/// What a driver declared of its adapter.
#[derive(Debug, Default)]
pub struct Attributes {
    registered: Cell<bool>,
    context: Cell<usize>,
    flags: Cell<u32>,
    general: RefCell<Option<General>>,
}

/// The fields of `NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES` that something here looks at.
#[derive(Clone, Debug)]
pub struct General {
    /// `MediaType`.
    pub medium: u32,
    /// `MtuSize`, bytes.
    pub mtu: u32,
    /// `MaxXmitLinkSpeed` and `XmitLinkSpeed`, bits per second.
    pub transmit_speed: (u64, u64),
    /// `MediaConnectState`.
    pub media_connect_state: u32,
    /// `MacOptions`.
    pub mac_options: u32,
    /// `CurrentMacAddress`.
    pub mac: Vec<u8>,
    /// `SupportedOidList`.
    pub oids: Vec<u32>,
}

impl Attributes {
    /// Whether the registration attributes are set.
    pub fn registered(&self) -> bool {
        self.registered.get()
    }

    /// Whether all that a successful start needs is set.
    pub fn complete(&self) -> bool {
        self.registered.get() && self.general.borrow().is_some()
    }

    /// The general attributes.
    pub fn general(&self) -> Option<General> {
        self.general.borrow().clone()
    }

    pub(super) fn context(&self) -> usize {
        self.context.get()
    }

    pub(super) fn bus_master(&self) -> bool {
        self.flags.get() & BUS_MASTER != 0
    }

    pub(super) fn clear(&self) {
        self.registered.set(false);
        self.general.take();
    }
}

pub(super) unsafe extern "win64" fn set(handle: Handle, attributes: usize) -> Status {
    let call = enter("NdisMSetMiniportAttributes", IrqlRange::PASSIVE);
    let Some(adapter) = Adapter::find(handle) else { return status::FAILURE };
    adapter.check_initializing("CO-015", "NdisMSetMiniportAttributes");
    if call.machine().should_fail("NdisMSetMiniportAttributes") {
        return status::RESOURCES;
    }
    let header: ObjectHeader = raw::read(attributes as *const ObjectHeader);
    // Revisions 2 came with NDIS 6.30 and with 6.20.
    let minor = adapter.ndis_version().1;
    let known: &[(u8, u16)] = match header.kind {
        REGISTRATION if minor < 30 => &[(1, 28)],
        REGISTRATION => &[(1, 28), (2, 28), (2, 32)],
        GENERAL if minor < 20 => &[(1, 216)],
        GENERAL => &[(2, 224)],
        _ => &[],
    };
    if !known.contains(&(header.revision, header.size)) {
        finding("CO-315", Some(adapter.name()), format!("attributes with header {header:?}"));
        return status::NOT_SUPPORTED;
    }
    let kind = if header.kind == REGISTRATION { "registration" } else { "general" };
    note(Step::new("driver", format!("sets its {kind} attributes")));
    if header.kind == REGISTRATION {
        registration(&adapter, attributes)
    } else {
        general(&adapter, attributes)
    }
}

/// Context, `AttributeFlags`, `CheckForHangTimeInSeconds`, `InterfaceType`.
fn registration(adapter: &Adapter, at: usize) -> Status {
    let bytes = raw::bytes(at, 28);
    let (flags, hang, interface) = (u32_at(&bytes, 16), u32_at(&bytes, 20), u32_at(&bytes, 24));
    let it = &adapter.attributes;
    if it.registered.replace(true) {
        finding("CO-015", Some(adapter.name()), "registration attributes set twice".to_owned());
        return status::FAILURE;
    }
    it.context.set(pointer_at(&bytes, 8));
    it.flags.set(flags);
    if it.context.get() == 0 {
        finding("CO-312", Some(adapter.name()), "MiniportAdapterContext is NULL".to_owned());
    }
    if hang % 2 != 0 {
        finding("CO-019", Some(adapter.name()), format!("CheckForHangTimeInSeconds is {hang}"));
    }
    if flags & NOT_CO_NDIS != 0 {
        let text = "NDIS_MINIPORT_ATTRIBUTES_NOT_CO_NDIS on a CoNDIS adapter".to_owned();
        finding("CO-015", Some(adapter.name()), text);
    }
    if flags & DO_NOT_BIND_TO_ALL_CO != 0 {
        finding("CO-018", Some(adapter.name()), "NDPROXY will not bind".to_owned());
    }
    if adapter.slot().is_some() && interface != INTERFACE_PCI {
        finding("CO-015", Some(adapter.name()), format!("InterfaceType {interface} for a PCI card"));
    }
    status::SUCCESS
}

/// See the page of the structure; offsets for 64-bit targets.
fn general(adapter: &Adapter, at: usize) -> Status {
    if !adapter.attributes.registered() {
        finding("CO-015", Some(adapter.name()), "general before registration attributes".to_owned());
        return status::FAILURE;
    }
    let header: ObjectHeader = raw::read(at as *const ObjectHeader);
    let bytes = raw::bytes(at, header.size.into());
    let mac_len = usize::from(u16::from_le_bytes([bytes[MAC_LENGTH], bytes[MAC_LENGTH + 1]])).min(32);
    let oid_list = pointer_at(&bytes, OID_LIST);
    let oid_bytes = u32_at(&bytes, OID_LIST + 8) as usize;
    let oids = if oid_list == 0 { Vec::new() } else { raw::bytes(oid_list, oid_bytes & !3) };
    let it = General {
        medium: u32_at(&bytes, 8),
        mtu: u32_at(&bytes, 16),
        transmit_speed: (u64_at(&bytes, 24), u64_at(&bytes, 32)),
        media_connect_state: u32_at(&bytes, 56),
        mac_options: u32_at(&bytes, MAC_OPTIONS),
        mac: bytes[CURRENT_MAC..CURRENT_MAC + mac_len].to_vec(),
        oids: oids.chunks_exact(4).map(|oid| u32_at(oid, 0)).collect(),
    };
    let mut wrong = Vec::new();
    if it.medium != MEDIUM_CO_WAN {
        wrong.push(format!("MediaType {}", it.medium));
    }
    if it.mtu == 0 {
        wrong.push("MtuSize 0".to_owned());
    }
    if it.oids.is_empty() || !oid_bytes.is_multiple_of(4) {
        wrong.push(format!("SupportedOidList of {oid_bytes} bytes"));
    }
    if it.mac_options & NO_LOOPBACK == 0 || it.mac_options & MAC_RESERVED != 0 {
        wrong.push(format!("MacOptions {:#x}", it.mac_options));
    }
    if bytes.len() > POWER_CAPABILITIES_EX && u64_at(&bytes, POWER_CAPABILITIES_EX) == 0 {
        wrong.push("no PowerManagementCapabilitiesEx".to_owned());
    }
    let failed = !wrong.is_empty();
    for text in wrong {
        finding("CO-017", Some(adapter.name()), format!("general attributes: {text}"));
    }
    adapter.attributes.general.replace(Some(it));
    if failed { status::INVALID_PARAMETER } else { status::SUCCESS }
}
