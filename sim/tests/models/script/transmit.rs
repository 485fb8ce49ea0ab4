//! Frames out.

use crate::bench::{BUFFER, Bench, RING, frame};

const RCTL: u32 = 0x0400_8002;
/// Enable, pad, thresholds of full duplex; on the 82574L multiple requests.
pub(crate) const TCTL: u32 = 0x0003_f0fa;
const TDH: u64 = 0x3810;
const TDT: u64 = 0x3818;
const ICR: u64 = 0x00c0;

fn status(bench: &mut Bench, label: &str, index: u64) {
    let status = bench.load(bench.tx.bus_address + 16 * index + 12, 1)[0];
    bench.note(label, format!("{status:#04x}"));
}

pub(crate) fn transmit(bench: &mut Bench) {
    bench.run(RCTL, TCTL);
    bench.write(0x00d0, 1);
    bench.descriptor(0, &frame([0xff; 6], 60), 0x0b);
    bench.write(TDT, 1);
    bench.pass(1);
    bench.sent("one frame");
    bench.line("one frame, line");
    status(bench, "one frame, status", 0);
    bench.look("one frame, head", TDH);
    let causes = bench.read(ICR) & 0x3;
    bench.note("one frame, causes", format!("{causes:#x}"));

    bench.descriptor(1, &frame([0xff; 6], 100), 0x0a);
    bench.descriptor(2, &[0x55; 200], 0x0a);
    bench.descriptor(3, &[0xaa; 300], 0x0b);
    bench.write(TDT, 4);
    bench.pass(1);
    bench.sent("three descriptors");
    for index in 1..4 {
        status(bench, &format!("three descriptors, status {index}"), index);
    }

    bench.read(ICR);
    bench.descriptor(4, &frame([0xff; 6], 1514), 0x03);
    bench.write(TDT, 5);
    bench.pass(1);
    bench.sent("no report");
    status(bench, "no report, status", 4);
    let causes = bench.read(ICR) & 0x3;
    bench.note("no report, causes", format!("{causes:#x}"));

    bench.descriptor(5, &frame([0xff; 6], 24), 0x0b);
    bench.write(TDT, 6);
    bench.pass(1);
    bench.sent("short frame");

    // Ten more, over the end of the ring.
    for n in 6..16 {
        bench.descriptor(n % RING, &frame([2; 6], 60 + n as usize), 0x0b);
    }
    bench.write(TDT, 0);
    bench.pass(1);
    bench.sent("to the end of the ring");
    bench.look("to the end of the ring, head", TDH);
    bench.descriptor(0, &frame([2; 6], BUFFER as usize), 0x0b);
    bench.write(TDT, 1);
    bench.pass(1);
    bench.sent("long frame");
    disabled(bench);
    bench.findings("findings");
}

fn disabled(bench: &mut Bench) {
    bench.write(0x0400, TCTL & !2);
    bench.descriptor(1, &frame([2; 6], 70), 0x0b);
    bench.write(TDT, 2);
    bench.pass(1);
    bench.sent("disabled");
    status(bench, "disabled, status", 1);
    bench.write(0x0400, TCTL);
    bench.pass(1);
    bench.sent("enabled");
    status(bench, "enabled, status", 1);
}

/// What is sent without link leaves when the link is back.
pub(crate) fn without_link(bench: &mut Bench) {
    bench.run(RCTL, TCTL);
    bench.set_link(false);
    bench.pass(1);
    bench.descriptor(0, &frame([0xff; 6], 60), 0x0b);
    bench.write(TDT, 1);
    bench.pass(10);
    bench.sent("sent");
    status(bench, "status", 0);
    bench.look("head", TDH);
    bench.look("tail", TDT);
    bench.receive(&frame(crate::MAC, 60));
    bench.pass(1);
    bench.received("received", 0);
    bench.set_link(true);
    bench.pass(600);
    bench.sent("sent, link back");
    status(bench, "status, link back", 0);
    bench.look("head, link back", TDH);
}

pub(crate) fn counters(bench: &mut Bench) {
    bench.run(RCTL, TCTL);
    let frames = [
        frame([0xff; 6], 60),
        frame([1; 6], 61),
        frame([2; 6], 200),
        frame([2; 6], 400),
        frame([2; 6], 800),
        frame([2; 6], 1514),
    ];
    for (index, frame) in (0..).zip(&frames) {
        bench.descriptor(index, frame, 0x0b);
    }
    bench.write(TDT, frames.len() as u32);
    bench.pass(1);
    for (label, off) in [
        ("GPTC", 0x4080),
        ("GOTCL", 0x4090),
        ("GOTCH", 0x4094),
        ("TOTL", 0x40c8),
        ("TOTH", 0x40cc),
        ("TPT", 0x40d4),
        ("PTC64", 0x40d8),
        ("PTC127", 0x40dc),
        ("PTC255", 0x40e0),
        ("PTC511", 0x40e4),
        ("PTC1023", 0x40e8),
        ("PTC1522", 0x40ec),
        ("MPTC", 0x40f0),
        ("BPTC", 0x40f4),
        ("GPTC again", 0x4080),
        ("GOTCL again", 0x4090),
    ] {
        bench.look(label, off);
    }
}
