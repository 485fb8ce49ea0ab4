//! Transmit control and transmit descriptor ring registers.

use super::registers;

registers! {
    /// Transmit control.
    Tctl = 0x0400, RW, "13.4.33", "10.2.6.1" {
        /// Transmitter enable.
        EN: 1;
        /// Pad short frames to 64 bytes.
        PSP: 3;
        /// Collision threshold: retries in half duplex.
        CT: 4..=11;
        /// Collision distance in byte times.
        COLD: 12..=21;
        /// Retransmit on late collision.
        RTLC: 24;
        /// 82574: several outstanding read requests.
        MULR: 28;
    }
    /// Transmit inter-packet gap.
    Tipg = 0x0410, RW, "13.4.34", "10.2.6.2" {
        /// Between back-to-back packets.
        IPGT: 0..=9;
        /// First part of the gap after a receive.
        IPGR1: 10..=19;
        /// Whole gap after a receive.
        IPGR2: 20..=29;
    }
    /// Transmit descriptor base, bits 31:0. (The 82574 repeats its queue 1 registers at +100h.)
    Tdbal = 0x3800, RW, "13.4.36", "10.2.6.4" {}
    /// Transmit descriptor base, bits 63:32.
    Tdbah = 0x3804, RW, "13.4.37", "10.2.6.5" {}
    /// Transmit ring length in bytes, a multiple of 128.
    Tdlen = 0x3808, RW, "13.4.38", "10.2.6.6" {}
    /// Transmit descriptor head: the card's next descriptor.
    Tdh = 0x3810, RW, "13.4.39", "10.2.6.7" {}
    /// Transmit descriptor tail: the first descriptor that is not the card's.
    Tdt = 0x3818, RW, "13.4.40", "10.2.6.8" {}
    /// Transmit interrupt delay; without effect as no descriptor sets IDE.
    Tidv = 0x3820, RW, "13.4.41", "10.2.6" {}
    /// Transmit descriptor control, queues 0 and (82574) 1.
    Txdctl = 0x3828[2; 0x100], RW, "13.4.43", "10.2.6.11" {
        /// Write-back threshold.
        WTHRESH: 16..=21;
        /// 82574: must be 1 ("count descriptors").
        COUNT_DESC: 22;
        /// Thresholds are in descriptors, not cache lines.
        GRAN: 24;
    }
    /// Transmit absolute interrupt delay; without effect as no descriptor sets IDE.
    Tadv = 0x382C, RW, "13.4.44", "10.2.6.12" {}
    /// 82574: transmit arbitration, queue 0.
    Tarc0 = 0x3840, RW, "", "10.2.6" {
        /// Queue enable.
        ENABLE: 10;
        /// Errata work-around bit, set as Intel's own drivers do.
        ERRATA26: 26;
        /// Cleared as Intel's own drivers do.
        RESERVED27: 27..=30;
    }
}
