//! Frames in.

use super::transmit::TCTL;
use crate::{
    MAC,
    bench::{Bench, RING, frame},
};

/// Enable, strip FCS.
const EN: u32 = 1 << 1 | 1 << 26;
const UPE: u32 = 1 << 3;
const MPE: u32 = 1 << 4;
const LPE: u32 = 1 << 5;
const BAM: u32 = 1 << 15;
const RCTL: u64 = 0x0100;
const RDH: u64 = 0x2810;
const RDT: u64 = 0x2818;
const ICR: u64 = 0x00c0;

pub(crate) fn receive(bench: &mut Bench) {
    bench.run(EN | BAM, TCTL);
    bench.write(0x00d0, 0x80);
    bench.receive(&frame(MAC, 60));
    bench.pass(1);
    bench.received("short", 0);
    let status = bench.load(bench.rx.bus_address + 12, 1)[0];
    bench.note("IXSM", format!("{}", status >> 2 & 1));
    bench.line("line");
    let causes = bench.read(ICR) & 0xd1;
    bench.note("causes", format!("{causes:#x}"));
    bench.line("line, read");
    bench.look("head", RDH);
    bench.receive(&frame(MAC, 1514));
    bench.pass(1);
    bench.received("long", 1);
    bench.write(RCTL, BAM | 1 << 26);
    bench.receive(&frame(MAC, 60));
    bench.pass(1);
    bench.received("disabled", 2);
    bench.write(RCTL, EN | BAM);
    bench.pass(2000);
    bench.received("enabled again", 2);
    bench.receive(&frame(MAC, 64));
    bench.pass(1);
    bench.received("after that", 2);
    bench.findings("findings");
}

/// Which addresses pass.
pub(crate) fn filter(bench: &mut Bench) {
    let cases: [(&str, u32, [u8; 6]); 12] = [
        ("own", 0, MAC),
        ("own, promiscuous", UPE | MPE, MAC),
        ("other", 0, [2, 9, 9, 9, 9, 9]),
        ("other, promiscuous", UPE, [2, 9, 9, 9, 9, 9]),
        ("other, promiscuous for groups", MPE, [2, 9, 9, 9, 9, 9]),
        ("broadcast", 0, [0xff; 6]),
        ("broadcast, accepted", BAM, [0xff; 6]),
        ("group", BAM, [1, 0, 0x5e, 0, 0, 1]),
        ("group, promiscuous", MPE, [1, 0, 0x5e, 0, 0, 1]),
        ("group, in the table", 0, [1, 0, 0x5e, 0, 0x12, 0x34]),
        ("group, in the table by other bits", 1 << 12, [1, 0, 0x5e, 0, 0x12, 0x34]),
        ("second address", 0, [2, 1, 2, 3, 4, 5]),
    ];
    for (label, bits, destination) in cases {
        bench.run(EN | bits, TCTL);
        // Bits 47:36 of 01:00:5e:00:12:34 are 341h.
        bench.write(0x5200 + 4 * (0x341 >> 5), 1 << (0x341 & 31));
        bench.write(0x5408, 0x0302_0102);
        bench.write(0x540c, 0x8000_0504);
        bench.receive(&frame(destination, 80));
        bench.pass(1);
        bench.received(label, 0);
    }
}

/// Long frames, small buffers, FCS.
pub(crate) fn length(bench: &mut Bench) {
    for len in [1518, 1519, 1522, 1523] {
        bench.run(EN | BAM, TCTL);
        bench.receive(&frame(MAC, len));
        bench.pass(1);
        bench.received(&format!("{len} bytes"), 0);
    }
    bench.run(EN | BAM | LPE, TCTL);
    bench.receive(&frame(MAC, 1522));
    bench.receive(&frame(MAC, 2048));
    bench.receive(&frame(MAC, 3000));
    bench.pass(1);
    for index in 0..5 {
        bench.received(&format!("long packets, descriptor {index}"), index);
    }
    // Buffers of 256 bytes.
    bench.run(EN | BAM | 3 << 16, TCTL);
    bench.receive(&frame(MAC, 600));
    bench.pass(1);
    for index in 0..4 {
        bench.received(&format!("small buffers, descriptor {index}"), index);
    }
    bench.look("small buffers, head", RDH);
    bench.run(BAM | 1 << 1, TCTL);
    bench.receive(&frame(MAC, 60));
    bench.pass(1);
    bench.received("with FCS, descriptor 0", 0);
    bench.received("with FCS, descriptor 1", 1);
}

/// More frames than descriptors.
pub(crate) fn full_ring(bench: &mut Bench) {
    bench.run(EN | BAM, TCTL);
    for n in 0..RING as usize + 2 {
        bench.receive(&frame(MAC, 100 + n));
    }
    bench.pass(1);
    bench.look("head, full", RDH);
    bench.received("last descriptor, full", RING - 1);
    let causes = bench.read(ICR) & 0xd0;
    bench.note("causes", format!("{causes:#x}"));
    for index in 0..4 {
        bench.refill(index);
    }
    bench.write(RDT, 3);
    bench.pass(1);
    bench.look("head, refilled", RDH);
    bench.received("last descriptor, refilled", RING - 1);
    bench.received("descriptor 0, refilled", 0);
    bench.received("descriptor 1, refilled", 1);
    bench.received("descriptor 2, refilled", 2);
    bench.look("RNBC", 0x40a0);
    bench.look("MPC", 0x4010);
}

pub(crate) fn counters(bench: &mut Bench) {
    bench.run(EN | BAM | MPE, TCTL);
    for (destination, len) in
        [(MAC, 60), (MAC, 61), (MAC, 200), (MAC, 400), ([0xff; 6], 800), ([1; 6], 1514), ([2; 6], 100)]
    {
        bench.receive(&frame(destination, len));
    }
    bench.pass(1);
    for (label, off) in [
        ("GPRC", 0x4074),
        ("BPRC", 0x4078),
        ("MPRC", 0x407c),
        ("GORCL", 0x4088),
        ("GORCH", 0x408c),
        ("TORL", 0x40c0),
        ("TORH", 0x40c4),
        ("TPR", 0x40d0),
        ("PRC64", 0x405c),
        ("PRC127", 0x4060),
        ("PRC255", 0x4064),
        ("PRC511", 0x4068),
        ("PRC1023", 0x406c),
        ("PRC1522", 0x4070),
        ("MPC", 0x4010),
        ("RNBC", 0x40a0),
        ("RUC", 0x40a4),
        ("ROC", 0x40ac),
        ("GPRC again", 0x4074),
        ("GORCL again", 0x4088),
    ] {
        bench.look(label, off);
    }
}
