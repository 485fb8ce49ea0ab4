//! From identification to a running card.

use e1000::{Error, Family, MODELS, MacAddress, Nic};

use crate::device::{ADDRESS, ALL, AUTO, Card, Fault, I82540EM, I82574L, INTEL};

#[test]
fn every_model_comes_up() {
    for device in ALL {
        let card = Card::new(device);
        let nic = card.nic();
        assert_eq!(nic.model().device, device);
        assert_eq!(nic.bring_up(&card, AUTO), Ok(MacAddress(ADDRESS)));
        assert_eq!(card.resets.get(), 1);
        card.poke(0x53FC, 0x1234_5678);
        assert_eq!(nic.self_test(&card), Ok(()));
        assert_eq!(card.peek(0x53FC), 0x1234_5678, "put back");
        assert!(nic.is_present());
        assert_eq!(nic.phy_id(&card), Ok(if device == I82574L { 0x0141_0CB1 } else { 0x0141_0C20 }));
    }
}

#[test]
fn models_are_distinct_and_only_the_82574_has_messages() {
    for (index, model) in MODELS.iter().enumerate() {
        assert!(MODELS[..index].iter().all(|other| other.device != model.device));
        assert_eq!(model.messages != 0, model.family == Family::I82574);
    }
}

/// What a new card takes: a row of the table, and a line of the INX that installs it.
#[test]
fn the_inx_installs_the_cards_of_the_table() {
    const INX: &str = include_str!("../../../../mcm.inx");
    let line =
        |line: &'static str| line.split_once(r"PCI\VEN_8086&DEV_").map(|(before, id)| (before, id.trim()));
    // Not the ones that Device Manager is not to offer by hand.
    let lines: Vec<_> = INX.lines().filter(|line| line.contains("= Install.")).filter_map(line).collect();
    let ids: Vec<_> = lines.iter().map(|(_, id)| u16::from_str_radix(id, 16).unwrap()).collect();
    assert_eq!(ids, MODELS.iter().map(|model| model.device).collect::<Vec<_>>());
    for ((section, _), model) in lines.iter().zip(MODELS) {
        let install = if model.messages == 0 { "= Install.Line," } else { "= Install.Message," };
        assert!(section.trim_end().ends_with(install), "{}: {section}", model.name);
    }
}

#[test]
fn an_unknown_device_is_not_touched() {
    let card = Card::new(I82540EM);
    for (vendor, device) in [(INTEL, 0x1234), (0x10EC, I82540EM)] {
        let error = Nic::identify(&card, vendor, device).unwrap_err();
        assert_eq!(error, Error::UnknownDevice { vendor, device });
    }
    assert_eq!(card.accesses(), 0);
}

#[test]
fn a_missing_card_is_not_identified() {
    let card = Card::with_fault(I82540EM, Fault::GoneFrom(0));
    assert_eq!(Nic::identify(&card, INTEL, I82540EM).unwrap_err(), Error::Gone);
}

#[test]
fn the_station_address_and_nothing_else_is_received() {
    for device in ALL {
        let card = Card::new(device);
        card.up();
        assert_eq!(card.peek(0x5400), 0xA521_1B02);
        assert_eq!(card.peek(0x5404), 0x8000_075A);
        for offset in (0x5408..0x5480).chain(0x5200..0x5400).step_by(4) {
            assert_eq!(card.peek(offset), 0, "{offset:05X}h");
        }
    }
}

#[test]
fn the_82574_gets_its_corrections() {
    let card = Card::new(I82574L);
    card.up();
    assert_eq!(card.peek(0x3840), 0x0400_0403, "TARC0 keeps bit 10");
    assert_eq!(card.peek(0x00) & 1 << 29, 0);
    assert_eq!(card.peek(0x18) & (1 << 23 | 1 << 22 | 1 << 28), 1 << 22 | 1 << 28);
    assert_eq!(card.peek(0x5B00), 1 << 22 | 1 << 27);
    assert_eq!(card.peek(0x5B64), 1);
    assert_eq!([card.peek(0x3828), card.peek(0x3928)], [1 << 22; 2]);
    assert_eq!(card.peek(0xF00) & 1 << 5, 0, "the PHY is given back");
    assert_eq!(card.peek(0x410), 0x0060_2008);
}

#[test]
fn the_8254x_is_not_given_registers_it_lacks() {
    let card = Card::new(I82540EM);
    card.nic().bring_up(&card, AUTO).unwrap();
    assert_eq!(card.peek(0x410), 0x0060_200A);
    for &(offset, _) in card.writes.borrow().iter() {
        assert!(
            !matches!(offset, 0xDC..=0xF8 | 0xF00 | 0x5B00.. | 0x3840 | 0x3928 | 0x5008),
            "{offset:05X}h"
        );
    }
}

#[test]
fn stop_leaves_no_dma_and_no_interrupt() {
    for device in ALL {
        let card = Card::new(device);
        let nic = card.up();
        card.poke(0x100, 2);
        nic.enable_interrupts(e1000::Delivery::Line).unwrap();
        assert_eq!(nic.stop(&card), Ok(()));
        assert_eq!((card.resets.get(), card.peek(0xD0), card.peek(0x100)), (2, 0, 0));
        assert_eq!(card.peek(0x18) & 1 << 28, 0, "firmware is told");
    }
}

#[test]
fn quiesce_does_not_wait() {
    let card = Card::new(I82574L);
    let nic = card.up();
    nic.enable_interrupts(e1000::Delivery::Line).unwrap();
    card.poke(0x400, 0x000A);
    card.poke(0x100, 2);
    let waited = card.waited.get();
    nic.quiesce();
    assert_eq!(
        (card.waited.get(), card.peek(0xD0), card.peek(0x100), card.peek(0x400) & 2),
        (waited, 0, 0, 0)
    );
}

#[test]
fn bring_up_is_quick() {
    for device in ALL {
        let card = Card::new(device);
        card.up();
        assert!(card.waited.get() < 60_000, "{} us", card.waited.get());
    }
}
