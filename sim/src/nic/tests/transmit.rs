//! The transmit ring.

use super::bench::{Bench, MAC, TX_RING, frame};
use crate::nic::Model;

const EOP: u8 = 1;
const IFCS: u8 = 2;
const RS: u8 = 8;

fn done(bench: &Bench, slot: u64) -> bool {
    bench.load(TX_RING + 16 * slot + 12, 1)[0] & 1 != 0
}

#[test]
fn frames_leave_in_order_and_report_done() {
    for model in Model::ALL {
        let mut bench = Bench::running(model);
        bench.descriptor(0, &frame([0xff; 6], 100), EOP | IFCS | RS);
        bench.descriptor(1, &frame(MAC, 1514), EOP | IFCS | RS);
        bench.write(0x3818, 2);
        assert!(bench.host.sent.borrow().is_empty(), "not within the write");
        bench.pass_us(50);
        assert_eq!(*bench.host.sent.borrow(), [frame([0xff; 6], 100), frame(MAC, 1514)]);
        assert!(done(&bench, 0) && done(&bench, 1));
        assert_eq!(bench.read(0x3810), 2, "head");
        assert_eq!(bench.read(0x00c0) & 3, 3, "TXDW and TXQE");
        assert_eq!(bench.read(0x4080), 2, "GPTC");
        assert_eq!(bench.read(0x4080), 0, "cleared by reading");
        assert_eq!(bench.read(0x4090), 104 + 1518, "GOTCL with FCS");
        assert_eq!((bench.read(0x40dc), bench.read(0x40ec)), (1, 1), "PTC127, PTC1522");
    }
}

#[test]
fn short_frames_are_padded_with_zeros() {
    let mut bench = Bench::running(Model::I82574l);
    bench.descriptor(0, &frame([0xff; 6], 24), EOP | IFCS | RS);
    bench.write(0x3818, 1);
    bench.pass_us(50);
    let sent = bench.host.sent.borrow();
    assert_eq!(sent[0].len(), 60);
    assert_eq!(sent[0][..24], frame([0xff; 6], 24));
    assert!(sent[0][24..].iter().all(|byte| *byte == 0));
}

#[test]
fn frame_may_span_descriptors_and_the_end_of_the_ring() {
    let mut bench = Bench::running(Model::I82540em);
    let whole = frame([0xff; 6], 300);
    bench.write(0x0400, 0);
    bench.write(0x3810, 7);
    bench.write(0x3818, 7);
    bench.write(0x0400, 0xa);
    bench.descriptor(7, &whole[..20], 0);
    bench.descriptor(0, &whole[20..], EOP | IFCS | RS);
    bench.write(0x3818, 1);
    bench.pass_us(50);
    assert_eq!(*bench.host.sent.borrow(), [whole]);
    assert!(!done(&bench, 7), "no report was asked for");
    assert!(done(&bench, 0));
}

#[test]
fn nothing_leaves_without_link_enable_or_bus_mastering() {
    let mut bench = Bench::running(Model::I82574l);
    bench.card.config_write(&bench.host, 4, 2, 2);
    bench.descriptor(0, &frame([0xff; 6], 60), EOP | IFCS | RS);
    bench.write(0x3818, 1);
    bench.pass_us(50);
    assert!(bench.host.sent.borrow().is_empty(), "bus mastering is off");
    bench.card.set_link(&bench.host, false);
    bench.card.config_write(&bench.host, 4, 2, 6);
    bench.pass_us(50);
    assert!(bench.host.sent.borrow().is_empty(), "no link");
    bench.card.set_link(&bench.host, true);
    bench.write(0x0400, 0);
    bench.pass_us(1_000_000);
    assert!(bench.host.sent.borrow().is_empty(), "not enabled");
    bench.write(0x0400, 0xa);
    bench.pass_us(50);
    assert_eq!(bench.host.sent.borrow().len(), 1);
}

#[test]
pub(super) fn wild_buffer_stops_the_ring_and_is_reported() {
    let mut bench = Bench::running(Model::I82540em);
    let mut desc = [0; 16];
    desc[..8].copy_from_slice(&0x1000u64.to_le_bytes());
    desc[8] = 60;
    desc[11] = EOP | IFCS | RS;
    bench.store(TX_RING, &desc);
    bench.write(0x3818, 1);
    bench.pass_us(50);
    assert_eq!(*bench.host.findings.borrow(), ["NIC.Dma"]);
    assert!(!done(&bench, 0));
    bench.write(0x3818, 2);
    bench.pass_us(50);
    assert!(bench.host.sent.borrow().is_empty(), "hung until reset");
}

#[test]
pub(super) fn frame_without_fcs_is_reported() {
    let mut bench = Bench::running(Model::I82540em);
    bench.descriptor(0, &frame([0xff; 6], 100), EOP | RS);
    bench.write(0x3818, 1);
    bench.pass_us(50);
    assert_eq!(*bench.host.findings.borrow(), ["NIC.TransmitFrame"]);
    assert!(bench.host.sent.borrow().is_empty());
}

#[test]
pub(super) fn ring_registers_are_checked() {
    let mut bench = Bench::running(Model::I82540em);
    bench.write(0x3818, 8);
    assert_eq!(bench.read(0x3818), 0, "a tail outside of the ring is not taken");
    bench.write(0x3810, 0);
    bench.write(0x0400, 0);
    bench.write(0x3808, 100);
    assert_eq!(*bench.host.findings.borrow(), ["NIC.RingTail", "NIC.RingWhileEnabled", "NIC.RingLength"]);
}

#[test]
pub(super) fn frame_that_does_not_fit_is_reported() {
    let mut bench = Bench::running(Model::I82540em);
    for slot in 0..7 {
        // Far more than the descriptors' memory: the card reads what follows as well.
        let mut desc = [0; 16];
        desc[..8].copy_from_slice(&super::bench::BUFFERS.to_le_bytes());
        desc[8..10].copy_from_slice(&4096_u16.to_le_bytes());
        desc[11] = IFCS | RS;
        bench.store(TX_RING + 16 * slot, &desc);
    }
    bench.write(0x3818, 7);
    bench.pass_us(50);
    assert_eq!(*bench.host.findings.borrow(), ["NIC.TransmitLength"]);
}
