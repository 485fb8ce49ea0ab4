//! The address filter and the receive ring.

use super::bench::{BUFFERS, Bench, MAC, RX_RING, frame};
use crate::nic::Model;

/// Length, status of receive descriptor `slot`.
fn descriptor(bench: &Bench, slot: u64) -> (u16, u8) {
    let desc = bench.load(RX_RING + 16 * slot, 16);
    (u16::from_le_bytes([desc[8], desc[9]]), desc[12])
}

#[test]
fn frame_lands_in_its_buffer() {
    for model in Model::ALL {
        let mut bench = Bench::running(model);
        bench.receive(&frame(MAC, 1514));
        assert_eq!(descriptor(&bench, 0), (1514, 0x03), "DD and EOP");
        assert_eq!(bench.load(BUFFERS, 1514), frame(MAC, 1514));
        assert_eq!(bench.read(0x2810), 1, "head");
        assert_ne!(bench.read(0x00c0) & 1 << 7, 0, "RXT0");
        assert_eq!(bench.read(0x4074), 1, "GPRC");
        assert_eq!(bench.read(0x4088), 1518, "GORCL");
        assert_eq!(bench.read(0x408c), 0, "GORCH clears both");
        assert_eq!(bench.read(0x4088), 0);
    }
}

#[test]
fn fcs_is_counted_unless_stripped() {
    let mut bench = Bench::running(Model::I82540em);
    bench.write(0x0100, 0x8002);
    bench.receive(&frame(MAC, 60));
    assert_eq!(descriptor(&bench, 0).0, 64);
    assert_ne!(bench.load(BUFFERS + 60, 4), [0; 4]);
}

#[test]
fn nothing_is_received_before_enable_and_link() {
    let mut bench = Bench::running(Model::I82540em);
    bench.write(0x0100, 0x0400_8000);
    bench.receive(&frame(MAC, 60));
    bench.write(0x0100, 0x0400_8002);
    bench.write(0x0000, 0x01);
    bench.receive(&frame(MAC, 60));
    assert_eq!(descriptor(&bench, 0), (0, 0));
    assert_eq!(bench.read(0x4074), 0);
}

#[test]
fn addresses_are_filtered() {
    let other = [0x02, 0x10, 0x20, 0x30, 0x40, 0x51];
    let group = [0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb];
    let mut bench = Bench::running(Model::I82574l);
    let mut passes = |rctl: u32, destination| {
        bench.write(0x0100, 0x0400_0002 | rctl);
        bench.receive(&frame(destination, 60));
        bench.read(0x4074) == 1
    };
    assert!(passes(0, MAC));
    assert!(!passes(0, other));
    assert!(passes(1 << 3, other), "UPE");
    assert!(!passes(0, [0xff; 6]));
    assert!(!passes(1 << 3, [0xff; 6]), "UPE is about unicast");
    assert!(passes(1 << 15, [0xff; 6]), "BAM");
    assert!(!passes(1 << 15, group));
    assert!(passes(1 << 4, group), "MPE");
}

#[test]
fn multicast_hash_selects_by_the_upper_bits() {
    // DA[47:36] of 01:00:5e:00:00:fb is FB0: word 7D, bit 10.
    let group = [0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb];
    let mut bench = Bench::running(Model::I82540em);
    bench.write(0x5200 + 4 * 0x7d, 1 << 0x10);
    bench.receive(&frame(group, 60));
    assert_eq!(descriptor(&bench, 0), (60, 0x83), "PIF: software has to look again");
    bench.receive(&frame([0x01, 0x00, 0x5e, 0x00, 0x00, 0xfa], 60));
    assert_eq!(descriptor(&bench, 1), (0, 0));
    assert_eq!(bench.read(0x407c), 1, "MPRC");
}

#[test]
fn second_receive_address_counts_once_it_is_valid() {
    let mut bench = Bench::running(Model::I82540em);
    let other = [0x02, 0, 0, 0, 0, 9];
    bench.write(0x5408, 0x0000_0002);
    bench.write(0x540c, 0x0900);
    bench.receive(&frame(other, 60));
    assert_eq!(bench.read(0x4074), 0);
    bench.write(0x540c, 0x8000_0900);
    bench.receive(&frame(other, 60));
    assert_eq!(bench.read(0x4074), 1);
}

#[test]
fn baby_jumbo_needs_long_packet_enable() {
    let mut bench = Bench::running(Model::I82540em);
    bench.receive(&frame(MAC, 1518));
    assert_eq!(bench.read(0x40ac), 0, "1522 octets are the limit");
    bench.receive(&frame(MAC, 1522));
    assert_eq!(bench.read(0x40ac), 1, "ROC: 1526 octets");
    bench.write(0x0100, 0x0400_8022);
    bench.receive(&frame(MAC, 1522));
    assert_eq!(descriptor(&bench, 1), (1522, 3));
    bench.receive(&frame(MAC, 40));
    assert_eq!(bench.read(0x40a4), 1, "RUC");
}

#[test]
fn long_frame_takes_several_descriptors() {
    let mut bench = Bench::running(Model::I82574l);
    bench.write(0x0100, 0x0400_8022);
    bench.receive(&frame(MAC, 5000));
    let lengths: Vec<_> = (0..3).map(|slot| descriptor(&bench, slot)).collect();
    assert_eq!(lengths, [(2048, 1), (2048, 1), (904, 3)]);
}

#[test]
fn empty_ring_holds_frames_back_and_then_loses_them() {
    let mut bench = Bench::running(Model::I82540em);
    for _ in 0..7 {
        bench.receive(&frame(MAC, 60));
    }
    assert_eq!(bench.read(0x40a0), 0);
    bench.receive(&frame(MAC, 100));
    assert_eq!(bench.read(0x40a0), 1, "RNBC");
    assert_eq!(descriptor(&bench, 7), (0, 0));
    bench.write(0x2818, 0);
    assert_eq!(descriptor(&bench, 7), (100, 3), "the packet buffer had it");
    bench.read(0x00c0);
    for _ in 0..40 {
        bench.receive(&frame(MAC, 1514));
    }
    // 48 KiB hold 32 frames of 1518 octets.
    assert_eq!(bench.read(0x4010), 8, "MPC");
    assert_ne!(bench.read(0x00c0) & 1 << 6, 0, "RXO");
}

#[test]
fn delay_timer_postpones_the_interrupt_up_to_its_bound() {
    let mut bench = Bench::running(Model::I82540em);
    bench.write(0x2820, 100);
    bench.write(0x282c, 150);
    bench.write(0x00d0, 1 << 7);
    bench.receive(&frame(MAC, 60));
    bench.pass_us(90);
    bench.receive(&frame(MAC, 60));
    bench.pass_us(60);
    assert!(!bench.host.line.get(), "the second frame restarted RDTR");
    bench.pass_us(5);
    assert!(bench.host.line.get(), "RADV: 153.6 us after the first");
}

#[test]
fn threshold_is_reported_once_half_of_the_ring_is_left() {
    let mut bench = Bench::running(Model::I82540em);
    bench.receive(&frame(MAC, 60));
    bench.receive(&frame(MAC, 60));
    assert_eq!(bench.read(0x00c0) & 1 << 4, 0, "five are free");
    bench.receive(&frame(MAC, 60));
    assert_ne!(bench.read(0x00c0) & 1 << 4, 0, "four of eight");
}

#[test]
fn wild_receive_buffer_is_reported() {
    let mut bench = Bench::running(Model::I82574l);
    bench.store(RX_RING, &0x1234_0000u64.to_le_bytes());
    bench.receive(&frame(MAC, 60));
    assert_eq!(*bench.host.findings.borrow(), ["NIC.Dma"]);
    assert_eq!(descriptor(&bench, 0), (0, 0));
}
