//! Statistics counters: reading clears them, and they stop at all ones (SDM 13.7, 82574 10.2.7).

use super::registers;

registers! {
    /// Frames with a CRC error.
    Crcerrs = 0x4000, RC, "13.7.1", "10.2.7" {}
    /// Frames with an alignment error.
    Algnerrc = 0x4004, RC, "13.7.2", "10.2.7" {}
    /// Receive errors signalled by the PHY.
    Rxerrc = 0x400C, RC, "13.7.4", "10.2.7" {}
    /// Frames missed because the receive FIFO was full.
    Mpc = 0x4010, RC, "13.7.5", "10.2.7" {}
    /// Frames sent after exactly one collision.
    Scc = 0x4014, RC, "13.7.6", "10.2.7" {}
    /// Frames not sent: 16 collisions.
    Ecol = 0x4018, RC, "13.7.7", "10.2.7" {}
    /// Frames sent after several collisions.
    Mcc = 0x401C, RC, "13.7.8", "10.2.7" {}
    /// Late collisions.
    Latecol = 0x4020, RC, "13.7.9", "10.2.7" {}
    /// Deferred transmissions.
    Dc = 0x4030, RC, "13.7.11", "10.2.7" {}
    /// Transmissions without carrier sense.
    Tncrs = 0x4034, RC, "13.7.12", "10.2.7" {}
    /// Frames whose length field disagrees with their length.
    Rlec = 0x4040, RC, "13.7.15", "10.2.7" {}
    /// XON frames received.
    Xonrxc = 0x4048, RC, "13.7.16", "10.2.7" {}
    /// XON frames sent.
    Xontxc = 0x404C, RC, "13.7.17", "10.2.7" {}
    /// XOFF frames received.
    Xoffrxc = 0x4050, RC, "13.7.18", "10.2.7" {}
    /// XOFF frames sent.
    Xofftxc = 0x4054, RC, "13.7.19", "10.2.7" {}
    /// Good frames received.
    Gprc = 0x4074, RC, "13.7.27", "10.2.7" {}
    /// Good broadcast frames received.
    Bprc = 0x4078, RC, "13.7.28", "10.2.7" {}
    /// Good multicast frames received.
    Mprc = 0x407C, RC, "13.7.29", "10.2.7" {}
    /// Good frames sent.
    Gptc = 0x4080, RC, "13.7.30", "10.2.7" {}
    /// Good octets received, low half; reading the high half clears both.
    Gorcl = 0x4088, RC, "13.7.31", "10.2.7" {}
    /// Good octets received, high half.
    Gorch = 0x408C, RC, "13.7.31", "10.2.7" {}
    /// Good octets sent, low half; reading the high half clears both.
    Gotcl = 0x4090, RC, "13.7.32", "10.2.7" {}
    /// Good octets sent, high half.
    Gotch = 0x4094, RC, "13.7.32", "10.2.7" {}
    /// Frames that found no receive descriptor and waited in the FIFO.
    Rnbc = 0x40A0, RC, "13.7.33", "10.2.7" {}
    /// Frames too short, with good CRC.
    Ruc = 0x40A4, RC, "13.7.34", "10.2.7" {}
    /// Frames too short, with bad CRC.
    Rfc = 0x40A8, RC, "13.7.35", "10.2.7" {}
    /// Frames too long, with good CRC.
    Roc = 0x40AC, RC, "13.7.36", "10.2.7" {}
    /// Frames too long, with bad CRC.
    Rjc = 0x40B0, RC, "13.7.37", "10.2.7" {}
    /// Multicast frames sent.
    Mptc = 0x40F0, RC, "13.7.51", "10.2.7" {}
    /// Broadcast frames sent.
    Bptc = 0x40F4, RC, "13.7.52", "10.2.7" {}
}
