//! Counters.

use e1000::{Error, Statistics};

use crate::device::{ALL, AUTO, Card, Fault, I82540EM};

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
fn every_counter_is_read_where_it_is() {
    let card = Card::new(I82540EM);
    let nic = card.up();
    for offset in 0x00..0x100 {
        card.poke(0x4000 + offset, 0x1000 + offset);
    }
    let mut got = Statistics::default();
    nic.update_statistics(&mut got).unwrap();
    let expected = Statistics {
        received_frames: 0x1074,
        received_octets: 0x0000_108C_0000_1088,
        received_broadcast: 0x1078,
        received_multicast: 0x107C,
        sent_frames: 0x1080,
        sent_octets: 0x0000_1094_0000_1090,
        sent_broadcast: 0x10F4,
        sent_multicast: 0x10F0,
        crc_errors: 0x1000,
        alignment_errors: 0x1004,
        phy_errors: 0x100C,
        length_errors: 0x1040,
        undersized: 0x10A4,
        fragments: 0x10A8,
        oversized: 0x10AC,
        jabbers: 0x10B0,
        missed: 0x1010,
        no_buffer: 0x10A0,
        single_collisions: 0x1014,
        multiple_collisions: 0x101C,
        excessive_collisions: 0x1018,
        late_collisions: 0x1020,
        deferred: 0x1030,
        no_carrier: 0x1034,
        pause_received: 0x1048 + 0x1050,
        pause_sent: 0x104C + 0x1054,
    };
    assert_eq!(got, expected);
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
    nic.bring_up(&card, AUTO).unwrap();
    card.poke(0x4074, 9);
    nic.bring_up(&card, AUTO).unwrap();
    let mut statistics = Statistics::default();
    nic.update_statistics(&mut statistics).unwrap();
    assert_eq!(statistics, Statistics::default());
}
