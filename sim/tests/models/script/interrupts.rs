//! Causes, masks, the line and the messages.

use crate::bench::{Bench, frame};

const ICR: u64 = 0x00c0;
const ICS: u64 = 0x00c8;
const IMS: u64 = 0x00d0;
const IMC: u64 = 0x00d8;

pub(crate) fn causes(bench: &mut Bench) {
    bench.reset();
    bench.write(ICS, 0x80);
    bench.line("masked");
    bench.write(IMS, 0x84);
    bench.look("IMS", IMS);
    bench.line("unmasked");
    bench.write(IMC, 0x80);
    bench.line("masked again");
    bench.look("IMS after IMC", IMS);
    bench.write(IMS, 0x80);
    bench.line("unmasked again");
    bench.look("ICR", ICR);
    bench.line("read");
    bench.look("ICR, read again", ICR);
    bench.write(ICS, 0x94);
    bench.write(ICR, 0x80);
    bench.pass(1);
    bench.line("one of two cleared by writing");
    bench.write(ICR, 0x04);
    bench.pass(1);
    bench.line("both cleared by writing");
    bench.look("ICR, what is left", ICR);
    bench.write(ICS, 0x10);
    bench.look("ICR, not enabled", ICR);
    bench.look("ICR, not enabled, read again", ICR);
    bench.write(ICS, u32::MAX);
    bench.pass(1);
    bench.look("ICR, all causes", ICR);
    bench.write(IMS, u32::MAX);
    bench.look("IMS, all causes", IMS);
}

/// `CTRL_EXT.IAME` and IAM (82574L).
pub(crate) fn auto_mask(bench: &mut Bench) {
    bench.reset();
    if !bench.model.is_82574() {
        bench.note("none", "");
        return;
    }
    let control = bench.read(0x0018);
    bench.write(0x0018, control | 1 << 27);
    bench.write(0x00e0, 0x04);
    bench.write(IMS, 0x84);
    bench.write(ICS, 0x04);
    bench.look("ICR", ICR);
    bench.look("IMS after ICR was read", IMS);
}

/// MSI-X (82574L).
pub(crate) fn messages(bench: &mut Bench) {
    if !bench.model.is_82574() {
        bench.note("none", "");
        return;
    }
    bench.run(0x0400_8002, 0x0003_f0fa);
    for entry in 0..5 {
        for (word, value) in [0xfee0_0000, 0, 0x40 + entry as u32, 0].into_iter().enumerate() {
            bench.poke(3, 16 * entry + 4 * word as u64, value);
        }
    }
    let words: Vec<_> = (0..8).map(|word| bench.peek(3, 4 * word)).collect();
    bench.note("table", format!("{words:x?}"));
    bench.config_write(0xa2, 2, 0x8000);
    for entry in 0..5 {
        bench.write(0x00e8 + 4 * entry, 0);
    }
    // Receive to 0, transmit to 1, other to 2; receive and transmit acknowledge themselves.
    bench.write(0x00e4, 0x800a_0908);
    bench.write(0x00dc, 0x0050_0000);
    bench.write(IMS, 0x0150_0004);
    bench.look("IMS", IMS);
    bench.messages("at first");
    let mac = crate::MAC;
    bench.receive(&frame(mac, 100));
    bench.pass(1);
    bench.messages("received");
    bench.look("IMS, received", IMS);
    bench.receive(&frame(mac, 100));
    bench.pass(1);
    bench.messages("received while masked");
    bench.write(IMS, 1 << 20);
    bench.pass(1);
    bench.messages("unmasked");
    bench.write(IMS, 1 << 20);
    bench.pass(1);
    bench.messages("unmasked with nothing new");
    bench.descriptor(0, &frame([0xff; 6], 60), 0x0b);
    bench.write(0x3818, 1);
    bench.pass(1);
    bench.messages("sent");
    bench.set_link(false);
    bench.pass(1);
    bench.messages("link lost");
    let causes = bench.read(ICR) & 0x0100_0004;
    bench.note("causes of link lost", format!("{causes:#x}"));
    bench.write(ICR, 0x0100_0004);
    let causes = bench.read(ICR) & 0x0100_0004;
    bench.note("causes written", format!("{causes:#x}"));
    bench.write(IMS, 0x0150_0004);
    bench.set_link(true);
    bench.pass(600);
    bench.messages("link back");
    bench.write(ICR, u32::MAX);
    masked_entry(bench);
}

fn masked_entry(bench: &mut Bench) {
    bench.write(IMS, 0x0150_0004);
    bench.pass(1);
    bench.messages("before masking");
    bench.poke(3, 12, 1);
    bench.receive(&frame(crate::MAC, 100));
    bench.pass(1);
    bench.messages("entry masked");
    let pending = bench.peek(3, 0x2000);
    bench.note("pending", format!("{pending:#x}"));
    bench.poke(3, 12, 0);
    bench.pass(1);
    bench.messages("entry unmasked");
    let pending = bench.peek(3, 0x2000);
    bench.note("pending no more", format!("{pending:#x}"));
    bench.line("line");
}
