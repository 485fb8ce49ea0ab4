//! Tags: stripped, inserted, filtered.

use super::bench::{BUFFERS, Bench, MAC, RX_RING, TX_RING, frame};
use crate::nic::Model;

const VME: u32 = 1 << 30;
/// SLU and FD.
const LINK: u32 = 0x41;

/// `frame` with a tag behind its addresses.
fn tagged(frame: &[u8], tag: u16) -> Vec<u8> {
    [&frame[..12], &[0x81, 0x00], &tag.to_be_bytes(), &frame[12..]].concat()
}

#[test]
fn received_tags_move_into_the_descriptor() {
    for model in Model::ALL {
        let mut bench = Bench::running(model);
        let plain = frame(MAC, 100);
        bench.receive(&tagged(&plain, 0xa123));
        bench.write(0x0000, LINK | VME);
        bench.receive(&tagged(&plain, 0xa123));
        bench.receive(&plain);
        let desc = |slot: u64| bench.load(RX_RING + 16 * slot + 8, 8);
        assert_eq!(desc(0), [104, 0, 0, 0, 0x03, 0, 0, 0], "left alone without VME");
        assert_eq!(desc(1), [100, 0, 0, 0, 0x0b, 0, 0x23, 0xa1], "VP and the tag");
        assert_eq!(bench.load(BUFFERS + 0x800, 100), plain);
        assert_eq!(desc(2), [100, 0, 0, 0, 0x03, 0, 0, 0], "no tag, no VP");
    }
}

#[test]
fn filter_knows_ids_and_lets_untagged_frames_pass() {
    let mut bench = Bench::running(Model::I82574l);
    bench.write(0x5600 + 4 * 9, 1 << 3);
    let mut passes = |rctl: u32, bytes: &[u8]| {
        bench.write(0x0100, 0x0400_8002 | rctl);
        bench.receive(bytes);
        bench.read(0x4074) == 1
    };
    let (plain, mine, foreign) =
        (frame(MAC, 60), tagged(&frame(MAC, 60), 0x0123), tagged(&frame(MAC, 60), 0x0124));
    let (filter, cfi_enable, cfi) = (1 << 18, 1 << 19, 1 << 20);
    assert!(passes(0, &foreign), "no filter");
    assert!(passes(filter, &mine));
    assert!(!passes(filter, &foreign));
    assert!(passes(filter, &plain));
    assert!(passes(filter | cfi_enable, &mine));
    assert!(!passes(filter | cfi_enable | cfi, &mine));
    assert!(passes(filter | cfi_enable | cfi, &tagged(&frame(MAC, 60), 0x1123)));
}

#[test]
fn tags_are_inserted_where_both_switches_allow() {
    for (control, command, expected) in
        [(LINK | VME, 0x4b, true), (LINK, 0x4b, false), (LINK | VME, 0x0b, false)]
    {
        let mut bench = Bench::running(Model::I82540em);
        bench.write(0x0000, control);
        let plain = frame([0xff; 6], 64);
        bench.descriptor(0, &plain, command);
        bench.store(TX_RING + 14, &0x6005_u16.to_le_bytes());
        bench.write(0x3818, 1);
        bench.pass_us(50);
        let expected = if expected { tagged(&plain, 0x6005) } else { plain };
        assert_eq!(*bench.host.sent.borrow(), [expected]);
    }
}
