//! What surrounds a card: its bus, its link to it, and its I/O window.

use super::bench::{ABOVE_4_GIB, BASE, Bench, MAC, TX_RING, frame};
use crate::nic::{Board, Model};

const RST: u32 = 1 << 26;

/// Writes a register through the I/O window, which is window 1 of an 8254x and window 2 of the 82574.
fn write_port(bench: &mut Bench, window: usize, off: u64, value: u32) {
    bench.card.mmio_write(&bench.host, window, 0, 4, off);
    bench.card.mmio_write(&bench.host, window, 4, 4, value.into());
}

fn read_port(bench: &mut Bench, window: usize, off: u64) -> u64 {
    bench.card.mmio_write(&bench.host, window, 0, 4, off);
    bench.card.mmio_read(&bench.host, window, 4, 4)
}

/// Sends one frame and lets one arrive; how many of either got through.
fn exchanged(bench: &mut Bench, above: u64) -> (usize, u8) {
    bench.descriptor(0, &frame([0xff; 6], 60), 0x0b);
    let buffer = bench.load(TX_RING, 8);
    let buffer = u64::from_le_bytes(buffer.try_into().expect("eight bytes")) + above;
    bench.store(TX_RING, &buffer.to_le_bytes());
    bench.write(0x3818, 1);
    bench.receive(&frame(MAC, 60));
    bench.pass_us(50);
    (bench.host.sent.borrow().len(), bench.load(super::bench::RX_RING + 12, 1)[0] & 1)
}

#[test]
pub(super) fn plain_pci_hangs_above_4_gib() {
    let pci_x = Board { pci_x: true, ..Board::TAME };
    for (model, board, reaches) in [
        (Model::I82540em, Board::TAME, false),
        (Model::I82540em, pci_x, false),
        (Model::I82545em, Board::TAME, false),
        (Model::I82545em, pci_x, true),
        (Model::I82574l, Board::TAME, true),
    ] {
        let mut bench = Bench::running_on(board, model, BASE);
        assert_eq!(exchanged(&mut bench, 0), (1, 1), "{model}: below");
        assert_eq!(bench.read(0x0008) & 1 << 13 != 0, model == Model::I82545em && board.pci_x, "PCIX_MODE");
        let mut bench = Bench::running_on(board, model, BASE + ABOVE_4_GIB);
        let through = exchanged(&mut bench, ABOVE_4_GIB);
        assert_eq!(through, if reaches { (1, 1) } else { (0, 0) }, "{model}, {board:?}");
        assert_eq!(bench.host.findings.borrow().contains(&"NIC.Address64"), !reaches, "{model}, {board:?}");
    }
}

#[test]
fn memory_resets_an_8254x_or_not_and_ports_always_do() {
    for model in Model::ALL {
        let window = if model == Model::I82574l { 2 } else { 1 };
        for memory_reset in [false, true] {
            let mut bench = Bench::running_on(Board { memory_reset, ..Board::TAME }, model, BASE);
            bench.write(0x00c4, 0x1234);
            bench.write(0x0000, RST);
            bench.pass_us(10);
            assert_eq!(bench.read(0x0000) & RST, 0);
            let resets = memory_reset || model == Model::I82574l;
            assert_eq!(bench.read(0x00c4) == 0, resets, "{model}, {memory_reset}");
            bench.write(0x00c4, 0x1234);
            assert_eq!(read_port(&mut bench, window, 0x00c4), 0x1234, "{model}");
            write_port(&mut bench, window, 0, RST);
            bench.pass_us(10);
            assert_eq!((bench.read(0x0000) & RST, bench.read(0x00c4)), (0, 0), "{model}: through ports");
            assert_eq!(read_port(&mut bench, window, 0x2_0000), u64::from(u32::MAX), "nothing is there");
        }
    }
}

#[test]
pub(super) fn transmitter_hangs_with_aspm() {
    for aspm in 0..4 {
        let mut bench = Bench::running_on(Board { aspm, ..Board::TAME }, Model::I82574l, BASE);
        let many = |bench: &mut Bench| {
            bench.host.sent.borrow_mut().clear();
            for tail in 0..40 {
                bench.descriptor(tail % 8, &frame([0xff; 6], 60), 0x0b);
                bench.write(0x3818, ((tail + 1) % 8) as u32);
                bench.pass_us(50);
            }
            bench.host.sent.borrow().len()
        };
        let sent = many(&mut bench);
        let findings: &[&str] = if aspm == 0 { &[] } else { &["NIC.LinkPower"] };
        assert_eq!((*bench.host.findings.borrow()).as_slice(), findings, "{aspm}");
        assert_eq!(sent == 40, aspm == 0, "{aspm}: {sent} frames");
    }
    let mut bench = Bench::running_on(Board { aspm: 3, ..Board::TAME }, Model::I82574l, BASE);
    bench.host.findings.borrow_mut().clear();
    bench.card.config_write(&bench.host, 0xf0, 1, 0);
    bench.write(0x0400, 0);
    bench.write(0x0400, 0xa);
    assert!(bench.host.findings.borrow().is_empty(), "it is off now");
    let bench = Bench::running_on(Board { aspm: 3, ..Board::TAME }, Model::I82545em, BASE);
    assert!(bench.host.findings.borrow().is_empty(), "the other cards have no such register");
}

#[test]
fn messages_mask_by_eiac_or_by_eiame_and_iam() {
    const RXQ0: u32 = 1 << 20;
    for (mask_by_eiame, eiame, iam, masked) in [
        (false, false, 0, true),
        (false, true, RXQ0, true),
        (true, false, RXQ0, false),
        (true, true, 0, false),
        (true, true, RXQ0, true),
    ] {
        let mut bench = Bench::running_on(Board { mask_by_eiame, ..Board::TAME }, Model::I82574l, BASE);
        bench.enable_msix();
        bench.write(0x0018, u32::from(eiame) << 24);
        bench.write(0x00e0, iam);
        bench.write(0x00dc, RXQ0);
        bench.write(0x00e4, 0x08);
        bench.write(0x00d0, RXQ0);
        bench.receive(&frame(MAC, 60));
        assert_eq!(*bench.host.messages.borrow(), [0]);
        assert_eq!(bench.read(0x00d0) & RXQ0 == 0, masked, "{mask_by_eiame}, {eiame}, {iam:#x}");
        bench.receive(&frame(MAC, 60));
        assert_eq!(bench.host.messages.borrow().len(), if masked { 1 } else { 2 });
    }
}
