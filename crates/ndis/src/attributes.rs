//! `NdisMSetMiniportAttributes`: what the adapter is and can do.

use core::ptr;

use ndis_sys::{
    NDIS_MINIPORT_ADAPTER_ATTRIBUTES, NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
    NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES, NDIS_OBJECT_HEADER, NDIS_OID, NDIS_PM_CAPABILITIES,
    NdisMSetMiniportAttributes,
};

use crate::header::header;
use crate::initialize::Initialize;
use crate::status::{Result, Status};

/// A CoNDIS WAN adapter on a PCI card, as the general attributes describe it.
#[derive(Clone, Copy, Debug)]
pub struct CoWanAttributes<'a> {
    /// The largest PPP frame in bytes (`MtuSize`, `LookaheadSize`).
    pub mtu: u32,
    /// The fastest link in bits per second (`MaxXmitLinkSpeed`, `MaxRcvLinkSpeed`).
    pub max_link_speed: u64,
    /// The link now; `None` while there is none.
    pub link_speed: Option<u64>,
    /// `PermanentMacAddress`.
    pub permanent_address: [u8; 6],
    /// `CurrentMacAddress`.
    pub current_address: [u8; 6],
    /// `MacOptions` (`NDIS_MAC_OPTION_*`).
    pub mac_options: u32,
    /// `SupportedPacketFilters` (`NDIS_PACKET_TYPE_*`).
    pub packet_filters: u32,
    /// `SupportedStatistics` (`NDIS_STATISTICS_*_SUPPORTED`).
    pub statistics: u32,
    /// `SupportedOidList`: only what is really answered.
    pub oids: &'a [u32],
}

/// `NDIS_LINK_SPEED_UNKNOWN`.
const LINK_SPEED_UNKNOWN: u64 = u64::MAX;

impl Initialize<'_> {
    /// The registration attributes of a PCI bus master that handles surprise removal and keeps its state in D3;
    /// the first attributes to be set. From here on NDIS knows the adapter's context.
    pub fn set_registration_attributes(&self) -> Result<()> {
        let mut attributes = NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES {
            Header: header(
                ndis_sys::NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
                ndis_sys::NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2,
                ndis_sys::NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2,
            ),
            MiniportAdapterContext: self.context(),
            AttributeFlags: ndis_sys::NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE
                | ndis_sys::NDIS_MINIPORT_ATTRIBUTES_SURPRISE_REMOVE_OK
                | ndis_sys::NDIS_MINIPORT_ATTRIBUTES_NO_HALT_ON_SUSPEND
                | ndis_sys::NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
            CheckForHangTimeInSeconds: 0,
            InterfaceType: ndis_sys::_NDIS_INTERFACE_TYPE::NdisInterfacePci,
        };
        self.set(&mut attributes.Header)
    }

    /// The general attributes; to be set after the registration attributes and before any others.
    pub fn set_general_attributes(&self, wan: &CoWanAttributes<'_>) -> Result<()> {
        // No wake-up: a session does not survive sleep, and all-zero capabilities say so.
        let mut power = NDIS_PM_CAPABILITIES {
            Header: header(
                ndis_sys::NDIS_OBJECT_TYPE_DEFAULT,
                ndis_sys::NDIS_PM_CAPABILITIES_REVISION_2,
                ndis_sys::NDIS_SIZEOF_NDIS_PM_CAPABILITIES_REVISION_2,
            ),
            ..Default::default()
        };
        let mut attributes = NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES {
            Header: header(
                ndis_sys::NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
                ndis_sys::NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2,
                ndis_sys::NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2,
            ),
            MediaType: ndis_sys::_NDIS_MEDIUM::NdisMediumCoWan,
            PhysicalMediumType: ndis_sys::_NDIS_PHYSICAL_MEDIUM::NdisPhysicalMediumWiredCoWan,
            MtuSize: wan.mtu,
            LookaheadSize: wan.mtu,
            MaxXmitLinkSpeed: wan.max_link_speed,
            MaxRcvLinkSpeed: wan.max_link_speed,
            XmitLinkSpeed: wan.link_speed.unwrap_or(LINK_SPEED_UNKNOWN),
            RcvLinkSpeed: wan.link_speed.unwrap_or(LINK_SPEED_UNKNOWN),
            MacOptions: wan.mac_options,
            SupportedPacketFilters: wan.packet_filters,
            MacAddressLength: 6,
            AccessType: ndis_sys::_NET_IF_ACCESS_TYPE::NET_IF_ACCESS_POINT_TO_POINT,
            DirectionType: ndis_sys::_NET_IF_DIRECTION_TYPE::NET_IF_DIRECTION_SENDRECEIVE,
            ConnectionType: ndis_sys::_NET_IF_CONNECTION_TYPE::NET_IF_CONNECTION_DEMAND,
            IfType: IF_TYPE_PPP,
            IfConnectorPresent: 1,
            SupportedStatistics: wan.statistics,
            // NdisPauseFunctionsUnsupported: the card negotiates flow control for itself.
            SupportedPauseFunctions: 0,
            SupportedOidList: wan.oids.as_ptr().cast_mut().cast::<NDIS_OID>(),
            SupportedOidListLength: u32::try_from(size_of_val(wan.oids)).unwrap_or(0),
            PowerManagementCapabilitiesEx: &raw mut power,
            ..Default::default()
        };
        if wan.link_speed.is_some() {
            attributes.MediaConnectState = ndis_sys::_NET_IF_MEDIA_CONNECT_STATE::MediaConnectStateConnected;
            attributes.MediaDuplexState = ndis_sys::_NET_IF_MEDIA_DUPLEX_STATE::MediaDuplexStateFull;
        } else {
            attributes.MediaConnectState =
                ndis_sys::_NET_IF_MEDIA_CONNECT_STATE::MediaConnectStateDisconnected;
            attributes.MediaDuplexState = ndis_sys::_NET_IF_MEDIA_DUPLEX_STATE::MediaDuplexStateUnknown;
        }
        for (slot, byte) in attributes.PermanentMacAddress.iter_mut().zip(wan.permanent_address) {
            *slot = byte;
        }
        for (slot, byte) in attributes.CurrentMacAddress.iter_mut().zip(wan.current_address) {
            *slot = byte;
        }
        self.set(&mut attributes.Header)
    }

    fn set(&self, attributes: &mut NDIS_OBJECT_HEADER) -> Result<()> {
        let attributes: *mut NDIS_MINIPORT_ADAPTER_ATTRIBUTES = ptr::from_mut(attributes).cast();
        // SAFETY: the header is the first member of complete attributes of the type that it names; NDIS copies
        // them, and what they point to, before it returns.
        Status::from_raw(unsafe { NdisMSetMiniportAttributes(self.handle().0, attributes) }).ok()
    }
}

/// `IF_TYPE_PPP` (IANA ifType 23).
const IF_TYPE_PPP: u16 = 23;
