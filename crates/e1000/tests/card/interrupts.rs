//! The line, the messages and the mask.

use e1000::{Causes, Delivery, Error, Vector};

use crate::device::{ALL, Card, Fault, I82540EM, I82574L};

const RXT0: u32 = 1 << 7;
const LSC: u32 = 1 << 2;

#[test]
fn the_line_is_claimed_once_and_masked_until_rearmed() {
    for device in ALL {
        let card = Card::new(device);
        let nic = card.up();
        nic.enable_interrupts(Delivery::Line).unwrap();
        assert_eq!(card.peek(0xD0), 0xD5, "TXDW, LSC, RXDMT0, RXO, RXT0");
        assert_eq!(nic.claim_line(Delivery::Line), Ok(None), "no cause");
        card.cause(RXT0 | LSC);
        assert!(card.line());
        let causes = nic.claim_line(Delivery::Line).unwrap().unwrap();
        assert!(causes.receive() && causes.link() && !causes.transmit());
        assert!(!card.line() && card.peek(0xD0) == 0);
        // What happens before the deferred routine is done is kept for later, though others share the line.
        card.cause(RXT0);
        assert_eq!(nic.claim_line(Delivery::Line), Ok(None));
        assert!(!card.line());
        nic.rearm_line(Delivery::Line);
        assert!(card.line());
        assert_eq!(
            nic.claim_line(Delivery::Line).map(|causes| causes.is_some_and(Causes::receive)),
            Ok(true)
        );
    }
}

#[test]
fn a_cause_that_is_not_enabled_is_not_ours() {
    for device in ALL {
        let card = Card::new(device);
        let nic = card.up();
        nic.enable_interrupts(Delivery::Line).unwrap();
        card.cause(1 << 9);
        assert_eq!(nic.claim_line(Delivery::Line), Ok(None));
        assert_ne!(card.peek(0xD0), 0, "still enabled");
    }
}

/// An 82574 that is asked in vain may miss what happens at that moment, unless it is masked.
#[test]
fn a_card_that_did_not_interrupt_is_asked_while_it_is_masked() {
    for device in ALL {
        let card = Card::new(device);
        let nic = card.up();
        nic.enable_interrupts(Delivery::Line).unwrap();
        card.writes.borrow_mut().clear();
        assert_eq!(nic.claim_line(Delivery::Line), Ok(None));
        assert_eq!(*card.writes.borrow(), [(0xD8, u32::MAX), (0xD0, 0xD5)]);
    }
}

#[test]
fn a_card_that_is_gone_claims_nothing() {
    for device in ALL {
        for access in 0..2 {
            let card = Card::new(device);
            let nic = card.up();
            nic.enable_interrupts(Delivery::Line).unwrap();
            card.cause(RXT0);
            card.fault.set(Fault::GoneFrom(card.accesses() + access));
            assert_eq!(nic.claim_line(Delivery::Line), Err(Error::Gone));
        }
    }
}

#[test]
fn messages_need_a_card_that_has_them() {
    let card = Card::new(I82540EM);
    let nic = card.up();
    assert_eq!(nic.enable_interrupts(Delivery::Messages), Err(Error::NoMessages));
    assert_eq!(card.peek(0xD0), 0);
    nic.set_moderation(Delivery::Messages, 1_000);
    assert_eq!(card.writes.borrow().len(), 0);
}

#[test]
fn a_single_message_reports_everything() {
    for read_clears in [false, true] {
        let card = Card::new(I82574L);
        card.read_clears.set(read_clears);
        let nic = card.up();
        nic.enable_interrupts(Delivery::Single).unwrap();
        assert_eq!(card.peek(0xE4), 0x8008_0808, "RXQ0, TXQ0 and OTHER by vector 0");
        assert_eq!(card.peek(0xDC), 0, "nothing masks or clears itself");
        assert_eq!(card.peek(0xD0), 0xD5 | 1 << 20 | 1 << 22 | 1 << 24);
        card.cause(RXT0 | LSC | 1 << 20 | 1 << 24);
        let causes = nic.claim_line(Delivery::Single).unwrap().unwrap();
        assert!(causes.receive() && causes.link() && !causes.transmit());
        assert_eq!((card.peek(0xC0), card.peek(0xD0)), (0, 0), "cleared and masked");
        card.cause(1 << 22);
        assert_eq!(nic.claim_line(Delivery::Single), Ok(None), "kept for later");
        nic.rearm_line(Delivery::Single);
        assert!(nic.claim_line(Delivery::Single).unwrap().unwrap().transmit());
        nic.prod(Delivery::Single);
        assert_eq!(card.peek(0xD0), 0xD5 | 1 << 20 | 1 << 22 | 1 << 24, "unmasked");
        assert_ne!(card.peek(0xC0) & 1 << 20, 0, "as if something had happened");
    }
    assert_eq!(Card::new(I82540EM).up().enable_interrupts(Delivery::Single), Err(Error::NoMessages));
}

#[test]
fn messages_are_allocated_and_undone() {
    let card = Card::new(I82574L);
    let nic = card.up();
    nic.enable_interrupts(Delivery::Messages).unwrap();
    assert_eq!(card.peek(0xE4), 0x800A_0908);
    assert_eq!(card.peek(0xDC), 1 << 20 | 1 << 22);
    assert_eq!(card.peek(0xD0), 1 << 20 | 1 << 22 | 1 << 24 | LSC);
    assert_eq!(card.peek(0x18) & (1 << 24 | 1 << 27), 1 << 24, "EIAME without IAME");
    nic.disable_interrupts();
    nic.enable_interrupts(Delivery::Line).unwrap();
    assert_eq!([card.peek(0xE4), card.peek(0xDC), card.peek(0xE0)], [0; 3]);
    assert_eq!(card.peek(0xD0) & 0x01F0_0000, 0);
}

#[test]
fn queue_messages_touch_no_register() {
    let card = Card::new(I82574L);
    let nic = card.up();
    nic.enable_interrupts(Delivery::Messages).unwrap();
    let accesses = card.accesses();
    assert_eq!(nic.acknowledge(Vector::Receive), Ok(Causes::RXQ0));
    assert_eq!(nic.acknowledge(Vector::Transmit), Ok(Causes::TXQ0));
    assert_eq!(card.accesses(), accesses);
    card.writes.borrow_mut().clear();
    nic.rearm(Vector::Receive);
    nic.rearm(Vector::Transmit);
    assert_eq!(*card.writes.borrow(), [(0xD0, 1 << 20), (0xD0, 1 << 22)]);
}

#[test]
fn the_other_message_takes_its_cause_and_no_queues() {
    for read_clears in [false, true] {
        let card = Card::new(I82574L);
        card.read_clears.set(read_clears);
        let nic = card.up();
        nic.enable_interrupts(Delivery::Messages).unwrap();
        // The receive queue's cause waits while its deferred routine runs (masked).
        e1000::Registers::write(&card, 0xD8, 1 << 20);
        card.cause(1 << 20 | 1 << 24 | LSC | RXT0 | 1);
        let causes = nic.acknowledge(Vector::Other).unwrap();
        assert!(causes.link() && !causes.receive() && !causes.transmit());
        assert_eq!(card.peek(0xC0) & (1 << 24 | LSC), 0, "taken");
        assert_ne!(card.peek(0xC0) & 1 << 20, 0, "the queue's cause is still there");
        assert_eq!(card.peek(0xD0), 1 << 22);
        nic.rearm(Vector::Other);
        assert_eq!(card.peek(0xD0), 1 << 22 | 1 << 24 | LSC);
    }
}

#[test]
fn a_prod_makes_up_for_lost_messages() {
    let card = Card::new(I82574L);
    let nic = card.up();
    nic.enable_interrupts(Delivery::Messages).unwrap();
    // All messages left, with their queues masked behind them, and none arrived.
    e1000::Registers::write(&card, 0xD8, 1 << 20 | 1 << 22);
    card.cause(1 << 24 | LSC);
    nic.prod(Delivery::Messages);
    assert_eq!(card.peek(0xD0), 1 << 20 | 1 << 22 | 1 << 24 | LSC, "unmasked");
    assert_eq!(card.peek(0xC0) & (1 << 20 | 1 << 22), 1 << 20 | 1 << 22, "as if something had happened");
    assert_eq!(card.peek(0xC0) & (1 << 24 | LSC), 0, "the caller looks at the link");
}

#[test]
fn a_prod_of_the_line_unmasks_it() {
    for device in ALL {
        let card = Card::new(device);
        let nic = card.up();
        nic.enable_interrupts(Delivery::Line).unwrap();
        let enabled = card.peek(0xD0);
        nic.disable_interrupts();
        nic.prod(Delivery::Line);
        assert!(card.line(), "whoever masked it may have forgotten it");
        assert_eq!(card.peek(0xD0), enabled);
    }
}

#[test]
fn frames_that_are_left_interrupt_again() {
    for (delivery, cause) in
        [(Delivery::Line, RXT0), (Delivery::Single, RXT0 | 1 << 20), (Delivery::Messages, 1 << 20)]
    {
        let card = Card::new(I82574L);
        let nic = card.up();
        nic.enable_interrupts(delivery).unwrap();
        let enabled = card.peek(0xD0);
        nic.receive_again(delivery);
        let raised = card.peek(0xC0) & !(1 << 31);
        assert_eq!((raised, card.peek(0xD0)), (cause, enabled), "{delivery:?}");
    }
}

#[test]
fn vectors_and_messages_agree() {
    for vector in Vector::ALL {
        assert_eq!(Vector::from_message(vector.message()), Some(vector));
    }
    assert_eq!(Vector::from_message(3), None);
}

#[test]
fn moderation_is_in_steps_of_256_ns() {
    let card = Card::new(I82574L);
    let nic = card.up();
    card.poke(0xF0, 500);
    for (nanoseconds, interval) in [(0, 0), (1, 1), (256, 1), (128_000, 500), (u32::MAX, 0xFFFF)] {
        nic.set_moderation(Delivery::Line, nanoseconds);
        assert_eq!(card.peek(0xC4), interval);
        nic.set_moderation(Delivery::Messages, nanoseconds);
        assert_eq!([card.peek(0xE8), card.peek(0xEC), card.peek(0xF0)], [interval, interval, 0]);
    }
}

#[test]
fn a_triggered_cause_interrupts() {
    for device in ALL {
        let card = Card::new(device);
        let nic = card.up();
        nic.enable_interrupts(Delivery::Line).unwrap();
        nic.trigger(Causes::TXDW);
        assert!(nic.claim_line(Delivery::Line).unwrap().unwrap().transmit());
    }
}
