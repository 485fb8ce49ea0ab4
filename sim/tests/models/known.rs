//! The differences between the simulator's models and QEMU's, and why each is there.

use ndis_sim::nic::Model;

/// A difference that is no mistake of the simulator's model.
pub(crate) struct Known {
    /// The models that it is seen with.
    pub(crate) models: &'static [Model],
    /// Script and label; an asterisk at the end stands for any rest.
    pub(crate) at: &'static str,
    /// Why, and who is right.
    pub(crate) why: &'static str,
}

impl Known {
    /// Whether it is the difference `at`.
    pub(crate) fn covers(&self, at: &str) -> bool {
        self.at.strip_suffix('*').map_or(self.at == at, |start| at.starts_with(start))
    }
}

const ALL: &[Model] = &Model::ALL;
const OLD: &[Model] = &[Model::I82540em, Model::I82545em];
const NEW: &[Model] = &[Model::I82574l];

const fn known(models: &'static [Model], at: &'static str, why: &'static str) -> Known {
    Known { models, at, why }
}

/// What boards may have either way, so that a driver must not count on it.
const BOARD: &str = "of the board, not of the chip";
const SMALL: &str =
    "QEMU counts lengths without the FCS; the counters are of lengths with it (SDM 13.7.21, 32, 42, 45)";
const EVERYTHING: &str = "QEMU counts what passes the filter; the manual counts everything (SDM 13.7.41, 43)";
const NOT_STORED: &str = "not modelled by QEMU: reads zero";
const RESERVED: &str = "QEMU keeps what is written to reserved bits";
const PARTNER: &str =
    "another link partner: QEMU's also offers half duplex, and neither 100BASE-T4 nor a pause";

/// The differences with every correction made, and QEMU 7.2.
pub(crate) const DIFFERENCES: &[Known] = &[
    known(OLD, "configuration/revision", BOARD),
    known(OLD, "configuration/status", "QEMU's conventional cards claim neither 66 MHz nor medium DEVSEL#"),
    known(OLD, "configuration/subsystem vendor", BOARD),
    known(ALL, "configuration/subsystem", BOARD),
    known(OLD, "configuration/grant and latency", BOARD),
    known(ALL, "configuration/command writable", "QEMU has no parity error response bit"),
    known(NEW, "configuration/power management", BOARD),
    known(NEW, "configuration/power state", "QEMU has no data register to scale"),
    known(NEW, "configuration/power state writable", "QEMU has no data register to scale"),
    known(NEW, "configuration/device capabilities", BOARD),
    known(NEW, "configuration/device control", BOARD),
    known(NEW, "configuration/link capabilities", BOARD),
    known(NEW, "configuration/link status", BOARD),
    known(NEW, "configuration/first extended", "another version of the same capability"),
    known(ALL, "reset/CTRL", "QEMU presets software-definable pins, and on the 8254x not FD"),
    known(OLD, "reset/STATUS", "QEMU sets reserved bits 19 and 31"),
    known(OLD, "reset/EECD", "QEMU grants the EEPROM without being asked"),
    known(OLD, "reset/TIPG", NOT_STORED),
    known(OLD, "reset/LEDCTL", "QEMU's LEDs 2 and 3 do nothing"),
    known(NEW, "reset/EXTCNF_CTRL", "QEMU presets a reserved bit"),
    known(NEW, "reset/GCR", "QEMU presets bits of the bus interface, which software changes one by one"),
    known(OLD, "storage/VET*", RESERVED),
    known(OLD, "storage/FCTTV*", NOT_STORED),
    known(OLD, "storage/TIPG*", NOT_STORED),
    known(OLD, "storage/FCRTL*", NOT_STORED),
    known(OLD, "storage/FCRTH*", NOT_STORED),
    known(
        OLD,
        "storage/RDBAL*",
        "QEMU ignores the low four bits when it uses the address, not when it stores it",
    ),
    known(
        OLD,
        "storage/TDBAL*",
        "QEMU ignores the low four bits when it uses the address, not when it stores it",
    ),
    known(ALL, "storage/TIDV*", NOT_STORED),
    known(OLD, "storage/RXCSUM*", NOT_STORED),
    known(NEW, "storage/TARC 0*", "QEMU drops bits that erratum workarounds set"),
    known(ALL, "phy/register 1", "QEMU has link before auto-negotiation is complete"),
    known(ALL, "phy/register 5", PARTNER),
    known(NEW, "phy/register 6", PARTNER),
    known(NEW, "phy/register 9", "QEMU's PHY also offers half duplex"),
    known(ALL, "phy/register 10", PARTNER),
    known(OLD, "phy/register 15", "not modelled by QEMU: reports an error"),
    known(NEW, "phy/register 17", PARTNER),
    known(OLD, "link/STATUS*", "QEMU sets reserved bits 10, 19 and 31"),
    known(ALL, "causes/ICR, all causes", RESERVED),
    known(OLD, "causes/IMS, all causes", RESERVED),
    known(
        NEW,
        "causes/ICR, what is left",
        "QEMU sets INT_ASSERTED with any cause; it stands for one that is enabled (82574 10.2.4.1)",
    ),
    known(
        NEW,
        "causes/ICR, not enabled",
        "QEMU sets INT_ASSERTED with any cause; it stands for one that is enabled (82574 10.2.4.1)",
    ),
    known(
        NEW,
        "auto-mask/IMS after ICR was read",
        "QEMU 7.2 clears ICR before it looks whether to mask, and so never masks without MSI-X",
    ),
    known(
        NEW,
        "transmit/findings",
        "the script reads ICR with causes enabled, as a driver must not (NIC.CauseRead); QEMU has no rules",
    ),
    known(NEW, "transmit-counters/GOTCL", SMALL),
    known(NEW, "transmit-counters/TOTL", SMALL),
    known(NEW, "transmit-counters/PTC64", SMALL),
    known(NEW, "transmit-counters/PTC127", SMALL),
    known(
        OLD,
        "receive/IXSM",
        "QEMU's 8254x has no checksum offload and says so; ours has checked nothing, without IXSM",
    ),
    known(ALL, "filter/group, in the table", "QEMU never sets PIF (SDM 3.2.3.1)"),
    known(OLD, "length/with FCS, descriptor 0", "QEMU's FCS is four zeros"),
    known(NEW, "length/with FCS*", "QEMU 7.2 puts the FCS, four zeros, into a descriptor of its own"),
    known(OLD, "receive-counters/BPRC", "QEMU 7.2 takes a broadcast for a multicast when RCTL.MPE is set"),
    known(OLD, "receive-counters/MPRC", "QEMU 7.2 takes a broadcast for a multicast when RCTL.MPE is set"),
    known(ALL, "receive-counters/TORL", EVERYTHING),
    known(ALL, "receive-counters/TPR", EVERYTHING),
    known(ALL, "receive-counters/PRC64", SMALL),
    known(ALL, "receive-counters/PRC127", SMALL),
];
