//! Speed, duplex mode and PAUSE frames.

use super::bench::{BUFFERS, Bench, MAC, frame};
use crate::nic::Model;

/// Writes a PHY register.
fn phy(bench: &mut Bench, register: u32, value: u32) {
    bench.write(0x0020, 1 << 26 | 1 << 21 | register << 16 | value);
    bench.pass_us(64);
}

/// STATUS: speed (7:6), link, duplex.
fn status(bench: &mut Bench) -> u32 {
    bench.pass_us(1_000_000);
    bench.read(0x0008) & 0xc3
}

#[test]
fn negotiation_takes_the_best_that_is_advertised() {
    let mut bench = Bench::running(Model::I82574l);
    let mut outcome = |abilities, gigabit| {
        phy(&mut bench, 4, abilities);
        phy(&mut bench, 9, gigabit);
        phy(&mut bench, 0, 0x1340);
        status(&mut bench)
    };
    assert_eq!(outcome(0x0de1, 0x0200), 0x83, "1000, full");
    assert_eq!(outcome(0x0de1, 0), 0x43, "100, full");
    assert_eq!(outcome(0x00e1, 0), 0x42, "100, half");
    assert_eq!(outcome(0x0061, 0), 0x03, "10, full");
    assert_eq!(outcome(0x0001, 0), 0, "nothing in common");
}

#[test]
fn forced_speed_needs_mac_and_phy_to_agree() {
    let mut bench = Bench::running(Model::I82540em);
    phy(&mut bench, 0, 0xa100);
    bench.write(0x0000, 0x41 | 1 << 11 | 1 << 12 | 1 << 8);
    assert_eq!(status(&mut bench), 0x43, "100, full; the reset keeps the settings");
    bench.write(0x0000, 0x41 | 1 << 11 | 1 << 12);
    assert_eq!(status(&mut bench), 0, "10 in the MAC, 100 in the PHY");
    bench.write(0x0000, 0x40 | 1 << 11 | 1 << 12);
    phy(&mut bench, 0, 0x0000);
    assert_eq!(status(&mut bench), 0x02, "10, half");
    // 1518 octets with preamble and gap take 1.23 ms now.
    bench.descriptor(0, &frame([0xff; 6], 1514), 0x0b);
    bench.descriptor(1, &frame([0xff; 6], 60), 0x0b);
    bench.write(0x3818, 2);
    bench.pass_us(1_200);
    assert_eq!(bench.host.sent.borrow().len(), 1);
    bench.pass_us(100);
    assert_eq!(bench.host.sent.borrow().len(), 2);
}

/// A PAUSE frame for so many quanta.
fn pause(quanta: u16) -> Vec<u8> {
    let mut frame = vec![0x01, 0x80, 0xc2, 0x00, 0x00, 0x01];
    frame.extend(MAC);
    frame.extend([0x88, 0x08, 0x00, 0x01]);
    frame.extend(quanta.to_be_bytes());
    frame.resize(60, 0);
    frame
}

/// A card that knows PAUSE frames by address and type.
fn with_pause(control: u32) -> Bench {
    let mut bench = Bench::running(Model::I82540em);
    bench.write(0x0028, 0x00c2_8001);
    bench.write(0x002c, 0x0100);
    bench.write(0x0030, 0x8808);
    bench.write(0x0000, 0x41 | control);
    bench
}

#[test]
fn pause_is_obeyed_with_rfce_for_its_time() {
    for (control, obeyed) in [(1 << 27, true), (0, false)] {
        let mut bench = with_pause(control);
        // 100 quanta of 512 bits at a gigabit: 51.2 us.
        bench.receive(&pause(100));
        bench.descriptor(0, &frame([0xff; 6], 60), 0x0b);
        bench.write(0x3818, 1);
        bench.pass_us(50);
        assert_eq!(bench.host.sent.borrow().is_empty(), obeyed);
        assert_eq!(bench.read(0x0008) & 1 << 4 != 0, obeyed, "TXOFF");
        bench.pass_us(5);
        assert_eq!(bench.host.sent.borrow().len(), 1);
        assert_eq!(bench.read(0x4050), u32::from(obeyed), "XOFFRXC");
        bench.receive(&pause(0xffff));
        bench.receive(&pause(0));
        assert_eq!(bench.read(0x0008) & 1 << 4, 0, "XON");
    }
}

#[test]
fn full_buffer_asks_for_silence_and_an_empty_one_for_more() {
    let mut bench = with_pause(1 << 28);
    bench.write(0x0170, 0x1234);
    bench.write(0x2168, 4096);
    bench.write(0x2160, 1 << 31 | 1024);
    for _ in 0..9 {
        bench.receive(&frame(MAC, 1514));
    }
    assert!(bench.host.sent.borrow().is_empty(), "seven in the ring, two in the buffer");
    bench.receive(&frame(MAC, 1514));
    let mut expected = pause(0x1234);
    assert_eq!(*bench.host.sent.borrow(), [expected.clone()]);
    bench.receive(&frame(MAC, 1514));
    assert_eq!(bench.host.sent.borrow().len(), 1, "told already");
    for slot in 0..8 {
        bench.store(super::bench::RX_RING + 16 * slot, &(BUFFERS + 0x800 * slot).to_le_bytes());
    }
    bench.write(0x2818, 6);
    expected[16..18].fill(0);
    assert_eq!(bench.host.sent.borrow()[1..], [expected], "XON");
    assert_eq!((bench.read(0x4054), bench.read(0x404c)), (1, 1));
}

/// Tells that the link is gone.
fn lose(bench: &mut Bench) {
    bench.card.set_link(&bench.host, false);
    bench.host.told.set(Some(false));
    bench.card.link_is_lost(&bench.host);
}

fn regain(bench: &mut Bench) {
    bench.card.set_link(&bench.host, true);
    bench.pass_us(3_000_000);
    bench.host.told.set(Some(true));
}

/// A frame of the Session stage.
fn of_session() -> Vec<u8> {
    let mut frame = frame([0xff; 6], 100);
    frame[12..14].copy_from_slice(&[0x88, 0x64]);
    frame
}

#[test]
pub(super) fn frames_for_a_link_that_is_gone_are_reported() {
    for model in Model::ALL {
        let mut bench = Bench::running(model);
        bench.pass_us(3_000_000);
        bench.descriptor(0, &of_session(), 0x0b);
        bench.write(0x3818, 1);
        bench.pass_us(1_000);
        assert_eq!(*bench.host.findings.borrow(), [""; 0]);
        lose(&mut bench);
        bench.descriptor(1, &of_session(), 0x0b);
        bench.write(0x3818, 2);
        assert_eq!(*bench.host.findings.borrow(), ["NIC.DeadLink"]);
    }
}

#[test]
pub(super) fn frames_of_dead_sessions_are_reported_when_they_leave() {
    for model in Model::ALL {
        let mut bench = Bench::running(model);
        bench.pass_us(3_000_000);
        bench.descriptor(0, &of_session(), 0x0b);
        bench.card.set_link(&bench.host, false);
        bench.write(0x3818, 1);
        lose(&mut bench);
        regain(&mut bench);
        assert_eq!(bench.host.sent.borrow().len(), 1);
        assert_eq!(*bench.host.findings.borrow(), ["NIC.DeadSession"]);
    }
}
