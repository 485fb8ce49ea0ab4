//! Cards that do not do as they should.

use e1000::{Error, FlowControl, LinkConfig, MacAddress, Nic, SpeedDuplex};

use crate::device::{ADDRESS, ALL, AUTO, Card, Fault, I82540EM, I82574L, INTEL};

const FORCED: LinkConfig = LinkConfig { speed_duplex: SpeedDuplex::Half100, flow_control: FlowControl::Off };

fn bring_up(device: u16, fault: Fault) -> Result<(), Error> {
    let card = Card::with_fault(device, fault);
    card.nic().bring_up(&card, AUTO).map(|_| ())
}

#[test]
fn a_silent_eeprom_is_given_up() {
    for device in ALL {
        assert_eq!(bring_up(device, Fault::EepromSilent), Err(Error::EepromTimeout { word: 0 }));
    }
}

#[test]
fn a_bad_checksum_is_reported_with_the_sum() {
    for device in ALL {
        let card = Card::new(device);
        card.eeprom.borrow_mut()[17] ^= 0x0100;
        let error = card.nic().bring_up(&card, AUTO).unwrap_err();
        let Error::EepromChecksum { sum } = error else { panic!("{error}") };
        assert_eq!(sum, 0xBABA - 0x0100);
    }
}

#[test]
fn an_address_no_station_can_have_is_refused() {
    for first in [[0, 0, 0], [0xFFFF; 3], [0x0001, 0x2345, 0x6789]] {
        let card = Card::new(I82540EM);
        let mut change = 0_u16;
        for (index, word) in first.into_iter().enumerate() {
            let old = std::mem::replace(&mut card.eeprom.borrow_mut()[index], word);
            change = change.wrapping_add(old.wrapping_sub(word));
        }
        let last = card.eeprom.borrow()[63].wrapping_add(change);
        card.eeprom.borrow_mut()[63] = last;
        assert_eq!(card.nic().bring_up(&card, AUTO), Err(Error::InvalidAddress));
    }
}

#[test]
fn a_phy_that_is_silent_failing_or_missing_is_reported() {
    for device in ALL {
        assert_eq!(bring_up(device, Fault::PhySilent), Err(Error::PhyTimeout { register: 4 }));
        assert_eq!(bring_up(device, Fault::PhyError), Err(Error::PhyAccess { register: 4 }));
        for nothing in [0, 0xFFFF] {
            let card = Card::new(device);
            let nic = card.up();
            card.fault.set(Fault::PhyReads(nothing));
            assert_eq!(nic.self_test(&card), Err(Error::PhyMissing));
        }
    }
}

#[test]
fn a_failed_phy_access_gives_the_phy_back() {
    let card = Card::new(I82574L);
    let nic = card.up();
    card.fault.set(Fault::PhySilent);
    assert_eq!(nic.read_phy(&card, 1), Err(Error::PhyTimeout { register: 1 }));
    assert_eq!(card.peek(0xF00) & 1 << 5, 0);
}

#[test]
fn a_stuck_reset_is_reported() {
    for device in ALL {
        assert_eq!(bring_up(device, Fault::ResetStuck), Err(Error::ResetTimeout));
        let card = Card::new(device);
        let nic = card.up();
        card.fault.set(Fault::ResetStuck);
        let waited = card.waited.get();
        assert_eq!(nic.stop(&card), Err(Error::ResetTimeout));
        assert!(card.waited.get() - waited >= 30_000, "10 ms each before, in and after the reset");
    }
}

#[test]
fn the_82574_waits_for_its_eeprom_and_its_phy() {
    assert_eq!(bring_up(I82574L, Fault::AutoReadSilent), Err(Error::EepromAutoRead));
    assert_eq!(bring_up(I82574L, Fault::PhyOwned), Err(Error::SemaphoreTimeout));
    for fault in [Fault::AutoReadSilent, Fault::PhyOwned] {
        let card = Card::with_fault(I82574L, fault);
        assert_eq!(card.nic().stop(&card), Ok(()), "does not matter on the way down");
        assert_eq!(card.resets.get(), 1);
        assert!(card.waited.get() >= 30_000);
    }
}

#[test]
fn requests_that_never_end_do_not_prevent_the_reset() {
    let card = Card::with_fault(I82574L, Fault::MasterStuck);
    assert!(card.nic().bring_up(&card, AUTO).is_ok());
    assert!(card.waited.get() >= 80_000);
}

#[test]
fn a_stuck_register_bit_fails_the_self_test() {
    for bit in 0..32 {
        let card = Card::new(I82540EM);
        let nic = card.up();
        card.fault.set(Fault::StuckBit(bit));
        let error = nic.self_test(&card).unwrap_err();
        let Error::RegisterTest { offset: 0x53FC, wrote, read } = error else { panic!("{error}") };
        assert_eq!(wrote ^ read, 1 << bit);
    }
}

/// Whatever register access the card disappears at, every operation says so, and in bounded time.
#[test]
fn removal_at_every_access_is_noticed() {
    type Operation = fn(&Nic<&Card>, &Card) -> Result<(), Error>;
    let operations: [Operation; 8] = [
        |nic, card| nic.bring_up(&card, AUTO).map(|_| ()),
        |nic, card| nic.self_test(&card),
        |nic, card| nic.stop(&card),
        |nic, _| nic.update_statistics(&mut e1000::Statistics::default()),
        |nic, card| nic.link_changed(&card, AUTO).map(|_| ()),
        |nic, card| nic.recover(&card, MacAddress(ADDRESS), AUTO, true),
        |nic, card| nic.bring_up(&card, FORCED).map(|_| ()),
        |nic, card| nic.write_phy(&card, 4, 0x01E1),
    ];
    for device in ALL {
        for operation in operations {
            let card = Card::new(device);
            let nic = card.up();
            let before = card.accesses();
            operation(&nic, &card).unwrap();
            let needed = card.accesses() - before;
            for access in 0..needed {
                let card = Card::new(device);
                let nic = card.up();
                card.fault.set(Fault::GoneFrom(card.accesses() + access));
                let waited = card.waited.get();
                match operation(&nic, &card) {
                    Err(Error::Gone) => {}
                    // Only writes were left: nobody can know.
                    Ok(()) => assert!(access + 2 >= needed, "access {access} of {needed}"),
                    Err(other) => panic!("access {access} of {needed}: {other}"),
                }
                assert!(card.accesses() - before <= needed + 1);
                assert!(card.waited.get() - waited < 60_000);
            }
            assert_eq!(Nic::identify(&card, INTEL, device).map(|nic| nic.is_present()), Ok(true));
        }
    }
}

#[test]
fn errors_read_well() {
    assert_eq!(Error::EepromChecksum { sum: 0x1234 }.to_string(), "EEPROM sum is 1234h, not BABAh");
    let unknown = Error::UnknownDevice { vendor: 0x8086, device: 0x1F };
    assert_eq!(unknown.to_string(), "unknown device 8086:001F");
}
