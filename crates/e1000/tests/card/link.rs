//! The link: speed, duplex mode and PAUSE frames, as configured and as negotiated.

use std::cell::Cell;

use e1000::{Delay, Error, FlowControl, LinkConfig, LinkState, Speed, SpeedDuplex};

use crate::device::{ALL, AUTO, Card, Fault, I82540EM, I82574L};

const FLOW_CONTROLS: [FlowControl; 4] =
    [FlowControl::Off, FlowControl::Transmit, FlowControl::Receive, FlowControl::Both];

const PAUSE: u16 = 1 << 10;
const ASYMMETRIC: u16 = 1 << 11;
/// STATUS of a link of 1000 Mb/s in full duplex.
const UP: u32 = 0x83;

fn link(speed_duplex: SpeedDuplex, flow_control: FlowControl) -> LinkConfig {
    LinkConfig { speed_duplex, flow_control }
}

/// CTRL.TFCE and CTRL.RFCE.
fn mac_flow_control(card: &Card) -> (bool, bool) {
    (card.peek(0x00) & 1 << 28 != 0, card.peek(0x00) & 1 << 27 != 0)
}

#[test]
fn the_default_is_to_negotiate_everything() {
    assert_eq!(LinkConfig::default(), AUTO);
}

#[test]
fn the_link_is_what_status_says() {
    let card = Card::new(I82540EM);
    let nic = card.up();
    for (bits, speed) in [(0, Speed::Mbps10), (1, Speed::Mbps100), (2, Speed::Mbps1000), (3, Speed::Mbps1000)]
    {
        for (up, full) in [(false, false), (true, false), (false, true), (true, true)] {
            card.poke(0x08, bits << 6 | u32::from(up) << 1 | u32::from(full));
            let link = nic.link().unwrap();
            assert_eq!((link.up, link.speed, link.full_duplex), (up, speed, full));
        }
    }
    assert_eq!(Speed::Mbps100.bits_per_second(), 100_000_000);
}

#[test]
fn the_mac_follows_the_phy() {
    for device in ALL {
        let card = Card::new(device);
        card.phy.borrow_mut()[5] = 0x41E1;
        card.up();
        let control = card.peek(0x00);
        assert_eq!(control & (1 << 6 | 1 << 30), 1 << 6 | 1 << 30, "SLU and VME");
        for bit in [0, 2, 5, 8, 9, 11, 12, 26, 27, 28, 31] {
            assert_eq!(control & 1 << bit, 0, "CTRL bit {bit}");
        }
        assert_eq!(card.peek(0x28), 0x00C2_8001);
        assert_eq!(card.peek(0x2C), 0x0000_0100);
        assert_eq!(card.peek(0x30), 0x8808);
        assert_eq!(card.peek(0x38), 0x8100);
    }
}

#[test]
fn a_sleeping_phy_is_woken_and_a_working_one_left_alone() {
    for device in ALL {
        let card = Card::new(device);
        card.up();
        assert_eq!(*card.phy_commands.borrow(), []);
        for asleep in [0x0800, 0x1940, 0x0140] {
            card.phy.borrow_mut()[0] = asleep;
            card.up();
            assert_eq!(card.phy.borrow()[0] & 0x1A00, 0x1200, "{asleep:04X}h");
        }
    }
}

#[test]
fn abilities_are_advertised_and_negotiated_once() {
    for device in ALL {
        let card = Card::new(device);
        for (config, advertisement, gigabit) in [
            (link(SpeedDuplex::Full1000, FlowControl::Both), 0x0C01, 0x0E00),
            (link(SpeedDuplex::Auto, FlowControl::Off), 0x01E1, 0x0E00),
            (link(SpeedDuplex::Auto, FlowControl::Transmit), 0x01E1 | ASYMMETRIC, 0x0E00),
            (link(SpeedDuplex::Auto, FlowControl::Receive), 0x01E1 | ASYMMETRIC | PAUSE, 0x0E00),
        ] {
            card.phy_commands.borrow_mut().clear();
            card.up_with(config);
            assert_eq!((card.phy.borrow()[4], card.phy.borrow()[9]), (advertisement, gigabit), "{config:?}");
            assert_eq!(*card.phy_commands.borrow(), [0x1340], "{config:?}");
            card.phy.borrow_mut()[0] = 0x1140;
            card.up_with(config);
            assert_eq!(card.phy_commands.borrow().len(), 1, "already so");
        }
        // What another driver may have left; bits that are not ours stay.
        card.phy.borrow_mut()[4] = 0x8001;
        card.phy.borrow_mut()[9] = 0x1D00;
        card.up();
        assert_eq!((card.phy.borrow()[4], card.phy.borrow()[9]), (0x8DE1, 0x1E00));
        // A difference in either register is enough.
        for (register, value) in [(4, 0x8DE0 & !0x0100), (9, 0x1C00)] {
            card.phy.borrow_mut()[register] = value;
            card.phy_commands.borrow_mut().clear();
            card.up();
            assert_eq!(card.phy_commands.borrow().len(), 1, "register {register}");
        }
    }
}

#[test]
fn a_forced_link_is_forced_in_mac_and_phy() {
    for device in ALL {
        for (setting, control, speed, full) in [
            (SpeedDuplex::Half10, 0x0000, 0, 0),
            (SpeedDuplex::Full10, 0x0100, 0, 1),
            (SpeedDuplex::Half100, 0x2000, 1, 0),
            (SpeedDuplex::Full100, 0x2100, 1, 1),
        ] {
            let card = Card::new(device);
            card.up_with(link(setting, FlowControl::Off));
            assert_eq!(*card.phy_commands.borrow(), [control | 1 << 15], "with a reset");
            let forced = card.peek(0x00);
            assert_eq!(forced & (1 << 12 | 1 << 11 | 1 << 6), 1 << 12 | 1 << 11 | 1 << 6);
            assert_eq!((forced >> 8 & 3, forced & 1), (speed, full));
            // The second time the PHY is as it should be, and keeps its link.
            card.up_with(link(setting, FlowControl::Off));
            assert_eq!(card.phy_commands.borrow().len(), 1);
            card.up();
            assert_eq!(card.phy_commands.borrow().last(), Some(&(control | 0x1200)), "and back");
            assert_eq!(card.peek(0x00) & (3 << 11 | 3 << 8 | 1), 0);
        }
    }
}

#[test]
fn a_phy_that_forgets_at_reset_is_told_again() {
    let card = Card::new(I82574L);
    card.phy_forgets.set(true);
    card.up_with(link(SpeedDuplex::Full100, FlowControl::Off));
    assert_eq!(*card.phy_commands.borrow(), [0xA100, 0x2100]);
    assert_eq!(card.phy.borrow()[0], 0x2100);
}

#[test]
fn a_phy_stuck_in_reset_is_given_up() {
    let card = Card::with_fault(I82540EM, Fault::PhyResetStuck);
    let error = card.nic().bring_up(&card, link(SpeedDuplex::Half10, FlowControl::Off));
    assert_eq!(error, Err(Error::PhyTimeout { register: 0 }));
    assert!((500_000..700_000).contains(&card.waited.get()), "{} us", card.waited.get());
}

#[test]
fn thresholds_leave_room_for_what_is_under_way() {
    for device in ALL {
        for setting in FLOW_CONTROLS {
            let card = Card::new(device);
            card.up_with(link(SpeedDuplex::Auto, setting));
            let [timer, low, high] = [0x170, 0x2160, 0x2168].map(|offset| card.peek(offset));
            if !setting.transmits() {
                assert_eq!([timer, low, high], [0; 3], "{setting:?}");
                continue;
            }
            let fifo = if device == I82574L { 20 << 10 } else { 48 << 10 };
            let xon = 1 << 31;
            assert_eq!((low & xon, (low | high) & 7), (xon, 0));
            assert!(high + 2 * 1526 + 512 <= fifo, "two frames and the reaction to PAUSE fit");
            assert!(low & !xon != 0 && (low & !xon) + 2 * 1526 < high);
            assert_ne!(timer, 0);
        }
    }
}

/// Each setting against each partner: IEEE 802.3 table 28B-3, cut down to what the setting allows.
#[test]
fn flow_control_is_what_both_want() {
    use FlowControl::{Both, Off, Receive, Transmit};
    for device in ALL {
        let card = Card::new(device);
        for (partner, agreed) in [
            (0, [Off, Off, Off, Off]),
            (ASYMMETRIC, [Off, Off, Receive, Receive]),
            (PAUSE, [Off, Off, Receive, Both]),
            (PAUSE | ASYMMETRIC, [Off, Transmit, Receive, Both]),
        ] {
            card.phy.borrow_mut()[5] = 0x41E1 | partner;
            for (setting, expected) in FLOW_CONTROLS.into_iter().zip(agreed) {
                let config = link(SpeedDuplex::Auto, setting);
                let nic = card.up_with(config);
                assert_eq!(nic.link().unwrap().flow_control, expected, "a link that was up already");
                card.poke(0x00, card.peek(0x00) ^ 3 << 27);
                assert_eq!(nic.link_changed(&card, config).unwrap().flow_control, expected, "{setting:?}");
                assert_eq!(mac_flow_control(&card), (expected.transmits(), expected.receives()));
                assert_eq!(nic.link().unwrap().flow_control, expected);
            }
        }
    }
}

#[test]
fn there_is_no_flow_control_where_there_must_not_be() {
    let card = Card::new(I82540EM);
    let nic = card.up();
    // Half duplex; link down; not negotiated, whatever an earlier partner has left.
    for (status, phy_status) in [(UP & !1, 0x796D), (UP & !2, 0x796D), (UP, 0x794D)] {
        card.poke(0x00, card.peek(0x00) | 3 << 27);
        card.poke(0x08, status);
        card.phy.borrow_mut()[1] = phy_status;
        assert_eq!(nic.link_changed(&card, AUTO).unwrap().flow_control, FlowControl::Off);
        assert_eq!(mac_flow_control(&card), (false, false));
    }
}

#[test]
fn on_a_forced_link_the_setting_rules() {
    for setting in FLOW_CONTROLS {
        for (mode, status, expected) in
            [(SpeedDuplex::Full100, 0x43, setting), (SpeedDuplex::Half100, 0x42, FlowControl::Off)]
        {
            let card = Card::new(I82574L);
            let config = link(mode, setting);
            let nic = card.up_with(config);
            card.poke(0x08, status);
            card.phy.borrow_mut()[5] = 0;
            let state = nic.link_changed(&card, config).unwrap();
            let expected = LinkState {
                up: true,
                speed: Speed::Mbps100,
                full_duplex: mode == SpeedDuplex::Full100,
                flow_control: expected,
            };
            assert_eq!(state, expected);
        }
    }
}

#[test]
fn the_transmitter_follows_the_duplex_mode() {
    for device in ALL {
        let card = Card::new(device);
        let nic = card.up();
        card.poke(0x400, 0xFFFF_FFFE);
        card.poke(0x08, 0x42);
        nic.link_changed(&card, AUTO).unwrap();
        assert_eq!(card.peek(0x400), 0xFFE0_0FFE, "half duplex");
        card.poke(0x08, 0x83);
        nic.link_changed(&card, AUTO).unwrap();
        assert_eq!(card.peek(0x400) >> 12 & 0x3FF, 0x40);
        card.poke(0x08, 0x40);
        assert!(!nic.link_changed(&card, AUTO).unwrap().up);
        assert_eq!(card.peek(0x400) >> 12 & 0x3FF, 0x40, "unchanged while down");
    }
}

/// A delay that a DPC may use.
struct Stall<'a> {
    card: &'a Card,
    total: Cell<u32>,
}

impl Delay for Stall<'_> {
    fn microseconds(&self, us: u32) {
        assert!(us <= 50, "a stall of {us} us");
        self.total.set(self.total.get() + us);
        self.card.microseconds(us);
    }

    fn clock(&self) -> u64 {
        self.card.clock()
    }
}

/// At `DISPATCH_LEVEL` nothing takes long, whatever is wrong, and the link's state is told.
#[test]
fn a_change_of_the_link_is_handled_quickly() {
    for device in ALL {
        for (fault, limit, flow_control) in [
            (Fault::None, 300, FlowControl::Both),
            (Fault::PhySilent, 500, FlowControl::Off),
            (Fault::PhyError, 500, FlowControl::Off),
            (Fault::PhyOwned, 1_000, if device == I82574L { FlowControl::Off } else { FlowControl::Both }),
        ] {
            let card = Card::new(device);
            let nic = card.up();
            card.fault.set(fault);
            let stall = Stall { card: &card, total: Cell::new(0) };
            let state = nic.link_changed(&stall, AUTO).unwrap();
            assert_eq!((state.up, state.flow_control), (true, flow_control), "{device:04X}h {fault:?}");
            assert!(stall.total.get() <= limit, "{device:04X}h {fault:?}: {} us", stall.total.get());
            assert_eq!(card.peek(0xF00) & 1 << 5, 0, "the PHY is given back");
            // No wait where there is nothing to find out.
            stall.total.set(0);
            card.poke(0x08, UP & !2);
            nic.link_changed(&stall, AUTO).unwrap();
            assert_eq!(stall.total.get(), 0);
        }
    }
}
