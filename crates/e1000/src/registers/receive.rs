//! Receive control, receive descriptor ring and receive filter registers.

use super::registers;

registers! {
    /// Receive control. Left 0: bad frames dropped, no loopback, hash of bits 47:36, buffers of 2,048 bytes, MAC control
    /// frames not delivered.
    Rctl = 0x0100, RW, "13.4.22", "10.2.5.1" {
        /// Receiver enable.
        EN: 1;
        /// Unicast promiscuous.
        UPE: 3;
        /// Multicast promiscuous.
        MPE: 4;
        /// Long packets: accept frames beyond 1,522 bytes with FCS.
        LPE: 5;
        /// Descriptor minimum threshold: 1/2, 1/4 or 1/8 of the ring.
        RDMTS: 8..=9;
        /// Accept broadcast.
        BAM: 15;
        /// Drop tagged frames whose VLAN id has no bit in VFTA.
        VFE: 18;
        /// Strip the FCS.
        SECRC: 26;
    }
    /// Flow control receive threshold low: when the receive FIFO has run down to so many bytes, the peer may send again.
    Fcrtl = 0x2160, RW, "13.4.23", "10.2.5" {
        /// The threshold in units of 8 bytes.
        RTL: 3..=15;
        /// Send XON at the threshold.
        XONE: 31;
    }
    /// Flow control receive threshold high: when so many bytes are in the receive FIFO, PAUSE is sent.
    Fcrth = 0x2168, RW, "13.4.24", "10.2.5" {
        /// The threshold in units of 8 bytes.
        RTH: 3..=15;
    }
    /// Receive descriptor base, bits 31:0. (The 82574 repeats its queue 1 registers at +100h.)
    Rdbal = 0x2800, RW, "13.4.25", "10.2.5.5" {}
    /// Receive descriptor base, bits 63:32.
    Rdbah = 0x2804, RW, "13.4.26", "10.2.5.6" {}
    /// Receive ring length in bytes, a multiple of 128.
    Rdlen = 0x2808, RW, "13.4.27", "10.2.5.7" {}
    /// Receive descriptor head: the card's next descriptor.
    Rdh = 0x2810, RW, "13.4.28", "10.2.5.8" {}
    /// Receive descriptor tail: the first descriptor that is not the card's.
    Rdt = 0x2818, RW, "13.4.29", "10.2.5.9" {}
    /// Receive delay timer. Kept 0: ITR moderates (13.4.30 recommends it).
    Rdtr = 0x2820, RW, "13.4.30", "10.2.5.10" {}
    /// Receive descriptor control.
    Rxdctl = 0x2828, RW, "13.4.46", "10.2.5.11" {
        /// Write-back threshold.
        WTHRESH: 16..=21;
        /// Thresholds are in descriptors, not cache lines.
        GRAN: 24;
    }
    /// Receive absolute delay timer. Kept 0.
    Radv = 0x282C, RW, "13.4.31", "10.2.5.12" {}
    /// Receive checksum control. Kept 0: PPPoE frames are not parsed by the card.
    Rxcsum = 0x5000, RW, "13.4.47", "10.2.5.15" {}
    /// 82574: receive filter control. Kept 0: legacy descriptors.
    Rfctl = 0x5008, RW, "", "10.2.5" {}
    /// Multicast table: one bit per hash value.
    Mta = 0x5200[128; 4], RAM, "13.5.1", "10.2.5.21" {}
    /// Receive address, bytes 0 to 3.
    Ral = 0x5400[16; 8], RAM, "13.5.2", "10.2.5.22" {}
    /// Receive address, bytes 4 and 5.
    Rah = 0x5404[16; 8], RW, "13.5.3", "10.2.5.23" {
        /// The address is valid.
        AV: 31;
    }
    /// VLAN filter table: one bit per VLAN id.
    Vfta = 0x5600[128; 4], RAM, "13.5.4", "10.2.5" {}
}
