//! mcm.inx against Microsoft's pages about INF files of network adapters.

use driver_image::inf::Inf;
use driver_image::windows::Version;

fn inx() -> Inf {
    Inf::parse(include_str!("../../../mcm.inx"))
}

/// "`ControlFlags` Section in a Network INF File": an entry for each Plug and Play adapter that it installs.
#[test]
fn cards_are_not_offered_to_be_installed_by_hand() {
    let ids = inx().hardware_ids().unwrap();
    assert_eq!(ids.len(), 3);
    assert_eq!(inx().excluded_from_select(), ids);
}

/// "`DDInstall` Section in a Network INF File", `INTERFACE_TYPE`, `NDIS_MEDIUM`, `NDIS_PHYSICAL_MEDIUM` and the IANA's
/// interface types: each value is the adapter's, and whoever names one names it right.
#[test]
fn values_have_their_own_names() {
    let values = [
        ("Characteristics", "0x84", "NCF_PHYSICAL | NCF_HAS_UI"),
        ("BusType", "5", "PCIBus"),
        ("*IfType", "23", "IF_TYPE_PPP"),
        ("*MediaType", "12", "NdisMediumCoWan"),
        ("*PhysicalMediaType", "18", "NdisPhysicalMediumWiredCoWan"),
        ("ServiceType", "1", "SERVICE_KERNEL_DRIVER"),
        ("StartType", "3", "SERVICE_DEMAND_START"),
        ("ErrorControl", "1", "SERVICE_ERROR_NORMAL"),
    ];
    let inx = inx();
    for (key, value, name) in values {
        assert!(inx.keyed(key).any(|entry| entry.comment == name), "nobody says what {key} is");
        for entry in inx.keyed(key) {
            assert_eq!(entry.value, value, "{key}");
            assert!(entry.comment.is_empty() || entry.comment == name, "{key}: {}", entry.comment);
        }
    }
}

/// "Using a Universal INF File": DIRID 13 needs Windows 10 version 1709.
#[test]
fn the_driver_runs_from_its_package_where_that_is_possible() {
    assert!(inx().keyed("ServiceBinary").all(|entry| entry.value.starts_with("%13%")));
    assert!(inx().oldest().unwrap() >= Version::parse("10.0...16299").unwrap());
}
