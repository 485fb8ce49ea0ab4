//! What the card demands of its driver, as far as the card itself can see it.

use crate::verifier::{Rule, Severity, rule};

pub(crate) const RULES: &[Rule] = &[
    rule("NIC.AccessSize", Severity::S1, "Registers are accessed as aligned dwords (SDM section 13)."),
    rule(
        "NIC.Address64",
        Severity::S0,
        "On a plain PCI bus an 82540EM or 82545EM is given addresses of 32 bits: it hangs on others. STATUS says what the bus \
         is.",
    ),
    rule(
        "NIC.CauseRead",
        Severity::S2,
        "On a line, the 82574's ICR is read while it is masked or asserts the line: what happens at the moment of another \
         read may never be told (82574 specification update, erratum 12).",
    ),
    rule(
        "NIC.DeadLink",
        Severity::S2,
        "A driver that has told that there is no link gives the card nothing to send.",
    ),
    rule(
        "NIC.DeadSession",
        Severity::S2,
        "Frames of sessions that ended with the link do not leave when it returns.",
    ),
    rule("NIC.Dma", Severity::S0, "Rings and buffers given to the card are memory mapped for it."),
    rule(
        "NIC.LinkPower",
        Severity::S1,
        "ASPM L0s and L1 are off in the 82574's Link Control when it sends: with them its transmitter hangs.",
    ),
    rule("NIC.NotModelled", Severity::S3, "The driver uses a feature that this model does not have."),
    rule(
        "NIC.ResetTouched",
        Severity::S0,
        "No register is accessed within a microsecond of CTRL.RST (SDM section 13.4.1, 82574 datasheet section 10.2.2.1).",
    ),
    rule(
        "NIC.RingLength",
        Severity::S1,
        "A ring's length is a multiple of 128 bytes (SDM sections 13.4.27 and 13.4.38).",
    ),
    rule("NIC.RingTail", Severity::S1, "A tail stays inside of its ring."),
    rule(
        "NIC.RingWhileEnabled",
        Severity::S1,
        "Head and length are written while the unit is disabled only.",
    ),
    rule(
        "NIC.Told",
        Severity::S1,
        "After every reset the card is told what it was told at first: addresses, filters, rings, gaps, moderation, vectors, \
         flow control.",
    ),
    rule("NIC.TransmitFrame", Severity::S1, "What is sent is a frame: at least 64 octets and a good FCS."),
    rule("NIC.TransmitLength", Severity::S1, "A frame fits the transmit FIFO: at most 16,288 bytes."),
];
