//! Counters.

use e1000::{Error, Statistics};

use crate::device::{ALL, Card, Fault, I82540EM};

#[test]
fn counters_add_up_over_readings() {
    for device in ALL {
        let card = Card::new(device);
        let nic = card.up();
        let mut statistics = Statistics::default();
        for _ in 0..2 {
            card.poke(0x4074, 3);
            card.poke(0x4088, 0xFFFF_FFFF);
            card.poke(0x408C, 1);
            card.poke(0x4010, 2);
            card.poke(0x4000, 4);
            card.poke(0x40AC, 5);
            card.poke(0x4018, 6);
            nic.update_statistics(&mut statistics).unwrap();
        }
        assert_eq!((statistics.received_frames, statistics.received_octets), (6, 2 * 0x1_FFFF_FFFF));
        assert_eq!((statistics.receive_lost(), statistics.receive_errors()), (4, 18));
        assert_eq!(statistics.transmit_errors(), 12);
    }
}

#[test]
fn every_counter_counts_once() {
    let card = Card::new(I82540EM);
    let nic = card.up();
    for offset in (0x4000..0x4100).step_by(4) {
        card.poke(offset, 1);
    }
    let mut statistics = Statistics::default();
    nic.update_statistics(&mut statistics).unwrap();
    assert_eq!(statistics.sent_octets, 0x1_0000_0001);
    assert_eq!((statistics.pause_received, statistics.pause_sent), (2, 2));
    let again = statistics;
    nic.update_statistics(&mut statistics).unwrap();
    assert_eq!(statistics, again, "cleared on read");
}

#[test]
fn a_full_counter_is_no_missing_card() {
    let card = Card::new(I82540EM);
    let nic = card.up();
    card.poke(0x4074, u32::MAX);
    let mut statistics = Statistics::default();
    assert_eq!(nic.update_statistics(&mut statistics), Ok(()));
    assert_eq!(statistics.received_frames, u64::from(u32::MAX));
    card.fault.set(Fault::GoneFrom(0));
    assert_eq!(nic.update_statistics(&mut statistics), Err(Error::Gone));
    assert_eq!(statistics.received_frames, u64::from(u32::MAX), "all ones are not counted");
}

#[test]
fn old_counts_are_forgotten_at_bring_up() {
    let card = Card::new(I82540EM);
    let nic = card.nic();
    nic.bring_up(&card).unwrap();
    card.poke(0x4074, 9);
    nic.bring_up(&card).unwrap();
    let mut statistics = Statistics::default();
    nic.update_statistics(&mut statistics).unwrap();
    assert_eq!(statistics, Statistics::default());
}
