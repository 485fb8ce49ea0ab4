//! Addresses and filters.

use e1000::{Error, Filter, MacAddress};
use proptest::prelude::*;

use crate::device::{Card, Fault, I82540EM};

#[test]
fn the_filter_changes_only_its_bits() {
    let card = Card::new(I82540EM);
    let nic = card.up();
    card.poke(0x100, 0x0400_0222);
    nic.set_filter(Filter::all()).unwrap();
    assert_eq!(card.peek(0x100), 0x0400_823A);
    nic.set_filter(Filter::empty()).unwrap();
    assert_eq!(card.peek(0x100), 0x0400_0222);
    card.fault.set(Fault::GoneFrom(0));
    assert_eq!(nic.set_filter(Filter::all()), Err(Error::Gone));
}

#[test]
fn the_hash_is_bits_47_to_36() {
    let card = Card::new(I82540EM);
    let nic = card.up();
    nic.set_multicast([MacAddress([0x01, 0x00, 0x5E, 0x00, 0x10, 0x34])]);
    assert_eq!(card.peek(0x5200 + 4 * (0x341 >> 5)), 1 << (0x341 & 31));
    nic.set_multicast([]);
    assert!((0x5200..0x5400).step_by(4).all(|offset| card.peek(offset) == 0));
}

#[test]
fn a_changed_address_is_never_valid_half_written() {
    let card = Card::new(I82540EM);
    let nic = card.up();
    nic.set_station_address(MacAddress([2, 0, 0, 0, 0, 1]));
    assert_eq!(*card.writes.borrow(), [(0x5404, 0), (0x5400, 2), (0x5404, 0x8000_0100)]);
}

#[test]
fn addresses_read_well() {
    let address = MacAddress([0x02, 0, 0xAB, 0xCD, 0xEF, 0x01]);
    assert_eq!(address.to_string(), "02:00:ab:cd:ef:01");
    assert!(address.is_station() && !MacAddress([0xFF; 6]).is_station() && !MacAddress([0; 6]).is_station());
}

proptest! {
    #[test]
    fn every_group_address_sets_its_bit(addresses in prop::collection::vec(any::<[u8; 6]>(), 0..40)) {
        let card = Card::new(I82540EM);
        let nic = card.up();
        nic.set_multicast(addresses.iter().copied().map(MacAddress));
        let mut expected = std::collections::BTreeSet::new();
        for address in addresses {
            // Bits 47:36 of the address as a number whose lowest byte is the first on the wire.
            let number = address.iter().rev().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
            expected.insert(u32::try_from(number >> 36).unwrap());
        }
        for hash in 0..4096 {
            let set = card.peek(0x5200 + 4 * (hash / 32)) & 1 << (hash % 32) != 0;
            prop_assert_eq!(set, expected.contains(&hash));
        }
    }
}
