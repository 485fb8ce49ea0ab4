//! Causes, masks, moderation and messages.

use super::bench::{Bench, MAC, frame};
use crate::nic::Model;

const LSC: u32 = 1 << 2;

#[test]
fn line_follows_causes_and_mask_and_reading_clears() {
    for model in Model::ALL {
        let mut bench = Bench::running(model);
        bench.write(0x00c8, LSC);
        assert!(!bench.host.line.get(), "masked");
        bench.write(0x00d0, LSC);
        assert!(bench.host.line.get());
        let asserted = if model == Model::I82574l { 1 << 31 } else { 0 };
        assert_eq!(bench.read(0x00c0), LSC | asserted, "{model}: only the 82574 has INT_ASSERTED");
        assert!(!bench.host.line.get());
        bench.write(0x00d8, LSC);
        assert_eq!(bench.read(0x00c0), 0);
    }
}

#[test]
pub(super) fn a_read_that_may_miss_a_cause_is_reported() {
    for model in Model::ALL {
        let mut bench = Bench::running(model);
        bench.read(0x00c0);
        bench.write(0x00d0, LSC);
        bench.write(0x00c8, LSC);
        assert_ne!(bench.read(0x00c0), 0);
        assert!(bench.host.findings.borrow().is_empty(), "{model}: masked, or asserted");
        bench.read(0x00c0);
        let findings: &[&str] = if model == Model::I82574l { &["NIC.CauseRead"] } else { &[] };
        assert_eq!(*bench.host.findings.borrow(), findings, "{model}");
    }
}

#[test]
fn mask_clear_drops_the_line_and_keeps_the_cause() {
    let mut bench = Bench::running(Model::I82540em);
    bench.write(0x00d0, LSC);
    bench.write(0x00c8, LSC);
    bench.write(0x00d8, 0xffff_ffff);
    assert!(!bench.host.line.get());
    assert_eq!(bench.read(0x00d0), 0);
    assert_eq!(bench.read(0x00c0), LSC);
}

#[test]
fn causes_are_cleared_by_writing_ones() {
    let mut bench = Bench::running(Model::I82545em);
    bench.write(0x00c8, LSC | 1);
    bench.write(0x00c0, 1);
    assert_eq!(bench.read(0x00c0), LSC);
}

#[test]
fn throttle_keeps_a_distance_between_interrupts() {
    let mut bench = Bench::running(Model::I82540em);
    // 1000 units of 256 ns.
    bench.write(0x00c4, 1000);
    bench.write(0x00d0, LSC);
    bench.write(0x00c8, LSC);
    assert!(bench.host.line.get(), "the first is not held back");
    bench.read(0x00c0);
    bench.pass_us(10);
    bench.write(0x00c8, LSC);
    assert!(!bench.host.line.get());
    bench.pass_us(245);
    assert!(!bench.host.line.get(), "255 us");
    bench.pass_us(2);
    assert!(bench.host.line.get(), "256 us are over");
}

#[test]
fn causes_that_do_not_exist_stay_clear() {
    let mut bench = Bench::running(Model::I82540em);
    bench.write(0x00d0, 0xffff_ffff);
    bench.write(0x00c8, 1 << 24);
    assert_eq!(bench.read(0x00d0) & 1 << 24, 0);
    assert_eq!(bench.read(0x00c0), 0);
}

/// RXQ0 on message 0, TXQ0 on 1, OTHER on 2; both queues acknowledged by their messages.
fn spread(bench: &mut Bench) {
    bench.enable_msix();
    bench.write(0x00e4, 0x000a_0908);
    bench.write(0x00dc, 1 << 20 | 1 << 22);
    bench.write(0x00d0, 1 << 20 | 1 << 22 | 1 << 24 | LSC);
}

#[test]
fn messages_go_out_by_cause_and_acknowledge_themselves() {
    let mut bench = Bench::running(Model::I82574l);
    spread(&mut bench);
    bench.receive(&frame(MAC, 60));
    assert_eq!(*bench.host.messages.borrow(), [0]);
    assert!(!bench.host.line.get(), "no line beside messages");
    assert_eq!(bench.read(0x00d0) & 1 << 20, 0, "EIAC masks it");
    bench.receive(&frame(MAC, 60));
    assert_eq!(bench.host.messages.borrow().len(), 1, "masked");
    bench.write(0x00d0, 1 << 20);
    assert_eq!(*bench.host.messages.borrow(), [0, 0], "unmasking finds the cause");
    bench.descriptor(0, &frame([0xff; 6], 60), 0x0b);
    bench.write(0x3818, 1);
    bench.pass_us(50);
    assert_eq!(*bench.host.messages.borrow(), [0, 0, 1]);
}

#[test]
fn link_changes_arrive_as_other_and_keep_their_cause() {
    let mut bench = Bench::running(Model::I82574l);
    spread(&mut bench);
    bench.card.set_link(&bench.host, false);
    assert_eq!(*bench.host.messages.borrow(), [2]);
    assert_eq!(bench.read(0x00c0) & (LSC | 1 << 24), LSC | 1 << 24);
    assert_eq!(bench.read(0x00c0) & LSC, LSC, "with messages, reading does not clear");
    bench.write(0x00c0, LSC | 1 << 24);
    assert_eq!(bench.read(0x00c0) & (LSC | 1 << 24), 0);
    bench.pass_us(2_000_000);
    bench.card.set_link(&bench.host, true);
    bench.pass_us(2_000_000);
    assert_eq!(*bench.host.messages.borrow(), [2, 2]);
}

#[test]
fn cause_without_an_allocated_vector_sends_nothing() {
    let mut bench = Bench::running(Model::I82574l);
    spread(&mut bench);
    bench.write(0x00e4, 0);
    bench.receive(&frame(MAC, 60));
    assert!(bench.host.messages.borrow().is_empty());
}

#[test]
fn masked_table_entry_pends_and_is_sent_on_unmask() {
    let mut bench = Bench::running(Model::I82574l);
    spread(&mut bench);
    bench.card.mmio_write(&bench.host, 3, 12, 4, 1);
    bench.receive(&frame(MAC, 60));
    assert!(bench.host.messages.borrow().is_empty());
    assert_eq!(bench.card.mmio_read(&bench.host, 3, 0x2000, 4), 1, "pending bit array");
    bench.card.mmio_write(&bench.host, 3, 12, 4, 0);
    assert_eq!(*bench.host.messages.borrow(), [0]);
    assert_eq!(bench.card.mmio_read(&bench.host, 3, 0x2000, 4), 0);
}

#[test]
fn message_throttle_holds_back() {
    let mut bench = Bench::running(Model::I82574l);
    spread(&mut bench);
    // Message 0: 400 units of 256 ns.
    bench.write(0x00e8, 400);
    bench.receive(&frame(MAC, 60));
    bench.write(0x00d0, 1 << 20);
    bench.receive(&frame(MAC, 60));
    assert_eq!(bench.host.messages.borrow().len(), 1);
    bench.pass_us(103);
    assert_eq!(bench.host.messages.borrow().len(), 2);
}

#[test]
fn auto_mask_on_cause_read() {
    let mut bench = Bench::running(Model::I82574l);
    bench.write(0x0018, 1 << 27);
    bench.write(0x00e0, LSC);
    bench.write(0x00d0, LSC | 1);
    bench.write(0x00c8, LSC);
    bench.read(0x00c0);
    assert_eq!(bench.read(0x00d0), 1, "IAM is masked by the read");
}
