//! Device control, EEPROM, PHY, flow control, PCI Express and firmware registers.

use super::registers;

registers! {
    /// Device control.
    Ctrl = 0x0000, RW, "13.4.1", "10.2.2.1" {
        /// Full duplex, where FRCDPX is set.
        FD: 0;
        /// 82574: stop issuing PCI Express requests ("GIO master disable").
        MASTER_DISABLE: 2;
        /// Auto-speed detection; 0 with the internal PHY.
        ASDE: 5;
        /// Set link up: let the MAC use the PHY's link.
        SLU: 6;
        /// 0: 10 Mb/s, 1: 100 Mb/s, 2: 1000 Mb/s, where FRCSPD is set.
        SPEED: 8..=9;
        /// Force speed: SPEED rules, not the PHY.
        FRCSPD: 11;
        /// Force duplex: FD rules, not the PHY.
        FRCDPX: 12;
        /// Reset everything but the PHY and the PCI configuration; clears itself.
        RST: 26;
        /// Honour received PAUSE frames.
        RFCE: 27;
        /// Send PAUSE frames.
        TFCE: 28;
        /// 82574: reserved; cleared as Intel's own drivers do.
        RESERVED29: 29;
        /// VLAN mode: tags are taken off what is received and, where the descriptor says so, put on what is sent.
        VME: 30;
        /// Reset the PHY.
        PHY_RST: 31;
    }
    /// Device status.
    Status = 0x0008, RO, "13.4.2", "10.2.2.2" {
        /// Full duplex.
        FD: 0;
        /// Link up.
        LU: 1;
        /// Transmission is paused by a received PAUSE frame.
        TXOFF: 4;
        /// 0: 10 Mb/s, 1: 100 Mb/s, 2 and 3: 1000 Mb/s.
        SPEED: 6..=7;
        /// 8254x: the bus is PCI-X, not PCI.
        PCIX_MODE: 13;
        /// 82574: PCI Express requests are enabled or still outstanding.
        MASTER_ENABLE: 19;
    }
    /// EEPROM control.
    Eecd = 0x0010, RW, "13.4.3", "10.2.2.3" {
        /// 82574: the card has finished reading its EEPROM.
        AUTO_RD: 9;
    }
    /// EEPROM read.
    Eerd = 0x0014, RW, "13.4.4", "10.2.2.4" {
        /// Start a read.
        START: 0;
        /// The read is done (layout with the address at bit 2).
        DONE1: 1;
        /// The read is done (layout with the address at bit 8).
        DONE4: 4;
        /// Word address where DONE is bit 4.
        ADDRESS8: 8..=15;
        /// The word read.
        DATA: 16..=31;
    }
    /// Extended device control.
    CtrlExt = 0x0018, RW, "13.4.6", "10.2.2" {
        /// 82574: reserved; set as Intel's own drivers do.
        RESERVED22: 22;
        /// 82574: reserved; cleared as Intel's own drivers do.
        RESERVED23: 23;
        /// 82574: extended interrupt auto-mask enable.
        EIAME: 24;
        /// 82574: interrupt acknowledge auto-mask enable.
        IAME: 27;
        /// 82574: tells firmware that a driver is loaded.
        DRV_LOAD: 28;
        /// 82574: clear pending MSI-X bits.
        PBA_CLR: 31;
    }
    /// MDI control: access to PHY registers.
    Mdic = 0x0020, RW, "13.4.7", "10.2.2.7" {
        /// Data read or to write.
        DATA: 0..=15;
        /// PHY register.
        REGISTER: 16..=20;
        /// PHY address.
        PHY: 21..=25;
        /// 1 write, 2 read.
        OPERATION: 26..=27;
        /// The access is done.
        READY: 28;
        /// The access failed.
        ERROR: 30;
    }
    /// Flow control address, bytes 0 to 3.
    Fcal = 0x0028, RW, "13.4.8", "10.2.2.8" {}
    /// Flow control address, bytes 4 and 5.
    Fcah = 0x002C, RW, "13.4.9", "10.2.2.9" {}
    /// Flow control type.
    Fct = 0x0030, RW, "13.4.10", "10.2.2.10" {}
    /// EtherType of VLAN tags.
    Vet = 0x0038, RW, "13.4.11", "10.2.2.11" {}
    /// Flow control transmit timer, in slots of 512 bit times.
    Fcttv = 0x0170, RW, "13.4.12", "10.2.2.12" {}
    /// 82574: shared access to PHY and EEPROM.
    ExtcnfCtrl = 0x0F00, RW, "", "10.2.2.15" {
        /// Software owns the PHY's MDIO interface.
        MDIO_SW_OWNERSHIP: 5;
    }
    /// 82574: PCI Express control.
    Gcr = 0x5B00, RW, "", "10.2.3" {
        /// Errata work-around bit, set as Intel's own drivers do.
        ERRATA22: 22;
        /// Enter L1 without having been in L0s.
        L1_WITHOUT_L0S_RX: 27;
    }
    /// 82574: PCI Express control 2.
    Gcr2 = 0x5B64, RW, "", "10.2.3" {
        /// Work-around for lost completions.
        COMPLETION_ERRATUM: 0;
    }
}
