//! What the card does wrong when it is told to, of itself or behind the layer that does it for others.

use super::bench::{BUFFERS, Bench, MAC, RX_RING, TX_RING, frame};
use crate::nic::{Fault, Model, WriteBack};

/// Length, status and errors of a receive descriptor.
fn received(bench: &Bench, slot: u64) -> (u16, u8, u8) {
    let desc = bench.load(RX_RING + 16 * slot, 16);
    (u16::from_le_bytes([desc[8], desc[9]]), desc[12], desc[13])
}

fn sent(bench: &Bench, slot: u64) -> u8 {
    bench.load(TX_RING + 16 * slot + 12, 1)[0]
}

#[test]
fn each_received_frame_takes_one_planned_write_back() {
    for mut bench in Bench::both_running(Model::I82574l) {
        let plan = [WriteBack::Length(0xffff), WriteBack::Endless, WriteBack::Good, WriteBack::Errors(1)];
        bench.faults.spoil_received(plan);
        for _ in 0..5 {
            bench.receive(&frame(MAC, 60));
        }
        let found: Vec<_> = (0..5).map(|slot| received(&bench, slot)).collect();
        assert_eq!(found, [(0xffff, 3, 0), (60, 1, 0), (60, 3, 0), (60, 3, 1), (60, 3, 0)]);
        assert!(bench.faults.is_spent());
    }
}

#[test]
fn write_backs_come_late_twice_or_never() {
    for mut bench in Bench::both_running(Model::I82540em) {
        bench.faults.spoil_received([WriteBack::Late, WriteBack::Good, WriteBack::Lost, WriteBack::Twice]);
        bench.receive(&frame(MAC, 60));
        assert_eq!(received(&bench, 0).1, 0, "late");
        bench.receive(&frame(MAC, 60));
        assert_eq!((received(&bench, 0).1, received(&bench, 1).1), (3, 3));
        bench.receive(&frame(MAC, 60));
        bench.receive(&frame(MAC, 60));
        assert_eq!((received(&bench, 2).1, received(&bench, 3).1), (0, 3), "never");
        bench.store(RX_RING + 16 * 3 + 8, &[0; 8]);
        bench.pass_us(100);
        assert_eq!(received(&bench, 3), (60, 3, 0), "again");
    }
}

#[test]
fn descriptors_of_the_driver_are_written_to() {
    for mut bench in Bench::both_running(Model::I82574l) {
        bench.faults.spoil_received([WriteBack::Unposted]);
        bench.receive(&frame(MAC, 60));
        assert_eq!((received(&bench, 0).1, received(&bench, 7).1), (3, 3));
        bench.faults.spoil_sent([WriteBack::Unposted, WriteBack::Errors(2), WriteBack::Lost]);
        for slot in 0..3 {
            bench.descriptor(slot, &frame([0xff; 6], 60), 0x0b);
        }
        bench.write(0x3818, 3);
        bench.pass_us(50);
        assert_eq!([0, 1, 2, 3].map(|slot| sent(&bench, slot)), [1, 3, 0, 1]);
        assert_eq!(bench.host.sent.borrow().len(), 3, "all are on the wire");
        assert_eq!((bench.read(0x4018), bench.read(0x4020)), (1, 0), "ECOL, LATECOL");
    }
}

#[test]
fn transmitter_is_stuck_until_it_is_reset() {
    for mut bench in Bench::both_running(Model::I82540em) {
        bench.faults.inject(Fault::TransmitStuckUntilReset);
        bench.descriptor(0, &frame([0xff; 6], 60), 0x0b);
        bench.write(0x3818, 1);
        bench.pass_us(50);
        assert!(bench.host.sent.borrow().is_empty());
        bench.write(0x0000, 1 << 26);
        assert!(!bench.faults.has(Fault::TransmitStuckUntilReset));
    }
}

#[test]
fn card_vanishes_after_so_many_accesses() {
    for mut bench in Bench::both_running(Model::I82545em) {
        let before = bench.faults.accesses();
        bench.faults.vanish_after(Some(2));
        assert_ne!(bench.read(0x0008), u32::MAX);
        bench.write(0x00d0, 4);
        bench.card.set_link(&bench.host, false);
        assert!(bench.host.line.get());
        assert_eq!(bench.read(0x0008), u32::MAX);
        assert!(!bench.host.line.get(), "it pulls nothing any more");
        assert_eq!(bench.faults.accesses() - before, 3);
        assert_eq!(bench.card.config_read(0, 4), u32::MAX);
        bench.receive(&frame(MAC, 60));
        bench.faults.clear(Fault::Gone);
        assert_eq!(bench.read(0x00d0), 4);
        assert_eq!(received(&bench, 0).1, 0, "nothing is received meanwhile");
    }
}

#[test]
fn messages_get_lost_or_double() {
    for (fault, count) in [(Fault::MessagesLost, 0), (Fault::MessagesTwice, 2)] {
        for mut bench in Bench::both_running(Model::I82574l) {
            bench.enable_msix();
            bench.write(0x00e4, 0x08);
            bench.write(0x00d0, 1 << 20);
            bench.faults.inject(fault);
            bench.receive(&frame(MAC, 60));
            assert_eq!(bench.host.messages.borrow().len(), count, "{fault:?}");
        }
    }
}

#[test]
fn receiver_survives_disable_and_reset() {
    for mut bench in Bench::both_running(Model::I82540em) {
        bench.faults.inject(Fault::ReceiverUnstoppable);
        bench.write(0x0100, 0);
        bench.write(0x0000, 1 << 26);
        bench.pass_us(10_000);
        bench.receive(&frame(MAC, 60));
        assert_eq!(received(&bench, 0).1, 3);
        assert_eq!(bench.load(BUFFERS, 60), frame(MAC, 60));
    }
}

#[test]
fn group_address_has_a_good_checksum() {
    for mut bench in Bench::both(Model::I82540em) {
        bench.faults.inject(Fault::EepromGroupAddress);
        let mut word = |address: u32| {
            bench.write(0x0014, address << 8 | 1);
            bench.pass_us(100);
            (bench.read(0x0014) >> 16) as u16
        };
        assert_eq!(word(0) & 1, 1);
        assert_eq!((0..64).map(&mut word).fold(0_u16, u16::wrapping_add), 0xbaba);
    }
}

#[test]
fn silence_and_endless_resets_are_seen_by_who_waits() {
    for mut bench in Bench::both(Model::I82574l) {
        bench.faults.inject(Fault::PhySilent);
        bench.write(0x0020, 2 << 26 | 1 << 21 | 2 << 16);
        bench.pass_us(1000);
        assert_eq!(bench.read(0x0020) >> 28 & 1, 0, "MDIC.R");
        bench.faults.clear(Fault::PhySilent);
        assert_eq!(bench.read(0x0020) >> 28 & 1, 1, "MDIC.R");
        bench.faults.inject(Fault::ResetStuck);
        bench.write(0x0000, 1 << 26);
        bench.pass_us(100_000);
        assert_eq!(bench.read(0x0000) >> 26 & 1, 1, "CTRL.RST");
        bench.faults.clear(Fault::ResetStuck);
        assert_eq!(bench.read(0x0000) >> 26 & 1, 0, "CTRL.RST");
    }
}

#[test]
fn transmitter_that_is_stuck_sends_later_and_hides_nothing() {
    for mut bench in Bench::both_running(Model::I82574l) {
        bench.faults.inject(Fault::TransmitStuck);
        bench.descriptor(0, &frame([0xff; 6], 60), 0x0b);
        bench.write(0x3818, 1);
        bench.pass_us(50);
        assert!(bench.host.sent.borrow().is_empty());
        assert_eq!((bench.read(0x3810), bench.read(0x3818)), (0, 1), "TDH, TDT");
        bench.faults.clear(Fault::TransmitStuck);
        bench.read(0x0008);
        bench.pass_us(50);
        assert_eq!((bench.host.sent.borrow().len(), sent(&bench, 0)), (1, 1));
    }
}

#[test]
fn a_phy_that_hangs_shows_full_counters_and_passes_nothing_until_it_is_reset() {
    let phy = |bench: &mut Bench, register: u32| {
        bench.write(0x0020, 2 << 26 | 1 << 21 | register << 16);
        bench.pass_us(64);
        bench.read(0x0020) & 0xffff
    };
    for by_control in [false, true] {
        for mut bench in Bench::both_running(Model::I82574l) {
            assert_ne!(phy(&mut bench, 21), 0xffff);
            bench.faults.inject(Fault::PhyHung);
            assert_eq!((phy(&mut bench, 21), phy(&mut bench, 10) & 0xff), (0xffff, 0xff));
            assert_ne!(bench.read(0x0008) & 2, 0, "the link is up");
            bench.receive(&frame(MAC, 60));
            bench.descriptor(0, &frame([0xff; 6], 60), 0x0b);
            bench.write(0x3818, 1);
            bench.pass_us(50);
            assert_eq!((received(&bench, 0).1, sent(&bench, 0), bench.host.sent.borrow().len()), (0, 1, 0));
            bench.write(0x0000, 0x41);
            assert!(bench.faults.has(Fault::PhyHung));
            if by_control {
                bench.write(0x0020, 1 << 26 | 1 << 21 | 0x9140);
            } else {
                bench.write(0x0000, 0x8000_0041);
            }
            assert!(!bench.faults.has(Fault::PhyHung));
            bench.pass_us(1_000_000);
            assert_ne!(phy(&mut bench, 21), 0xffff);
        }
    }
}
