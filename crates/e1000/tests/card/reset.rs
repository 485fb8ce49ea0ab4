//! How a card is reset, its PHY too, and what its bus reaches.

use e1000::{Delivery, Error, MacAddress};

use crate::device::{ALL, AUTO, Card, I82540EM, I82545EM, I82574L, Ports};

const RST: u32 = 1 << 26;
const ITR: u32 = 0xC4;

/// Resets through memory and through ports.
fn resets(card: &Card) -> (usize, usize) {
    let memory = card.writes.borrow().iter().filter(|&&(off, value)| off == 0 && value & RST != 0).count();
    let ports =
        card.port_writes.borrow().iter().filter(|&&(off, value)| off == 0 && value & RST != 0).count();
    (memory, ports)
}

#[test]
fn an_8254x_is_reset_through_ports_and_through_memory_if_that_did_nothing() {
    for device in [I82540EM, I82545EM] {
        for (ports, memory_resets, expected) in [
            (Ports::Work, true, (0, 1)),
            (Ports::Work, false, (0, 1)),
            (Ports::Dummy, true, (1, 1)),
            (Ports::None, true, (1, 0)),
        ] {
            let card = Card::new(device);
            card.ports.set(ports);
            card.memory_resets.set(memory_resets);
            card.nic().reset(&&card).unwrap();
            assert_eq!((resets(&card), card.resets.get()), (expected, 1), "{ports:?}");
            assert_eq!(card.peek(ITR), 0);
        }
    }
}

#[test]
fn a_card_that_cannot_be_reset_is_found_out() {
    for ports in [Ports::Dummy, Ports::None] {
        let card = Card::new(I82540EM);
        card.ports.set(ports);
        card.memory_resets.set(false);
        assert_eq!(card.nic().reset(&&card), Err(Error::ResetTimeout), "{ports:?}");
        assert_eq!(card.nic().bring_up(&&card, AUTO), Err(Error::ResetTimeout));
        assert_eq!(card.nic().stop(&&card), Err(Error::ResetTimeout), "it may touch memory");
    }
}

#[test]
fn an_82574_is_reset_through_memory() {
    let card = Card::new(I82574L);
    card.ports.set(Ports::Work);
    card.nic().reset(&&card).unwrap();
    assert_eq!((resets(&card), card.resets.get()), ((1, 0), 1));
}

#[test]
fn only_pci_x_and_pci_express_reach_all_of_memory() {
    for device in ALL {
        let card = Card::new(device);
        let nic = card.nic();
        assert_eq!(nic.reaches_64_bits(), Ok(device == I82574L), "{device:04X}");
        card.poke(0x08, card.peek(0x08) | 1 << 13);
        assert_eq!(nic.reaches_64_bits(), Ok(true), "{device:04X}");
        card.poke(0x08, u32::MAX);
        assert_eq!(nic.reaches_64_bits().is_err(), device != I82574L);
    }
}

#[test]
fn a_phy_hangs_whose_two_counters_are_full() {
    for device in ALL {
        let card = Card::new(device);
        let nic = card.up();
        for (received, idle, hangs) in [
            (0, 0, false),
            (0xFFFF, 0xFE, false),
            (0xFFFE, 0xFF, false),
            (0xFFFF, 0x7CFF, true),
            (0xFFFF, 0xFF, true),
        ] {
            card.phy.borrow_mut()[21] = received;
            card.phy.borrow_mut()[10] = idle;
            let found = nic.phy_is_hung(&&card).unwrap();
            assert_eq!(found, hangs && device == I82574L, "{device:04X}: {received:04X}, {idle:04X}");
        }
    }
}

#[test]
fn a_recovery_reaches_the_phy_if_it_is_told_to() {
    let card = Card::new(I82574L);
    let nic = card.up();
    let station = MacAddress([2, 3, 4, 5, 6, 7]);
    nic.recover(&&card, station, AUTO, false).unwrap();
    assert_eq!(card.phy_resets.get(), 0);
    card.writes.borrow_mut().clear();
    nic.recover(&&card, station, AUTO, true).unwrap();
    assert_eq!((card.phy_resets.get(), card.peek(0) >> 31), (1, 0), "asserted and taken back");
    let writes = card.writes.borrow();
    let at = |wanted: u32| writes.iter().position(|&(off, value)| off == 0 && value & wanted != 0);
    assert!(at(RST) < at(1 << 31), "the card first, then its PHY");
}

#[test]
fn queues_are_masked_by_their_messages_in_both_ways() {
    let card = Card::new(I82574L);
    let nic = card.up();
    let queues = 1 << 20 | 1 << 22;
    nic.enable_interrupts(Delivery::Messages).unwrap();
    assert_eq!(
        (card.peek(0xDC), card.peek(0xE0), card.peek(0x18) >> 24 & 1),
        (queues, queues, 1),
        "EIAC, IAM, EIAME"
    );
    assert_eq!(card.peek(0x18) >> 27 & 1, 0, "IAME: reading ICR masks nothing");
    for delivery in [Delivery::Single, Delivery::Line] {
        nic.enable_interrupts(delivery).unwrap();
        assert_eq!((card.peek(0xDC), card.peek(0xE0), card.peek(0x18) >> 24 & 1), (0, 0, 0), "{delivery:?}");
    }
}
