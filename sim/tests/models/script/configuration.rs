//! Configuration space.

use crate::bench::Bench;

pub(crate) fn configuration(bench: &mut Bench) {
    for (label, off, size) in [
        ("id", 0x00, 4),
        ("command", 0x04, 2),
        ("class", 0x09, 2),
        ("class high", 0x0b, 1),
        ("revision", 0x08, 1),
        ("status", 0x06, 2),
        ("header type", 0x0e, 1),
        ("subsystem vendor", 0x2c, 2),
        ("subsystem", 0x2e, 2),
        ("capabilities", 0x34, 1),
        ("interrupt pin", 0x3d, 1),
        ("grant and latency", 0x3e, 2),
    ] {
        let value = bench.config_read(off, size);
        bench.note(label, format!("{value:#x}"));
    }
    let windows = bench.windows();
    bench.note("windows", windows);
    for index in 0..6 {
        let at = 0x10 + 4 * index;
        bench.config_write(at, 4, u32::MAX);
        let value = bench.config_read(at, 4);
        bench.note(format!("size of window {index}"), format!("{value:#010x}"));
        bench.config_write(at, 4, 0);
    }
    bench.config_write(0x04, 2, 0xffff);
    let value = bench.config_read(0x04, 2);
    bench.note("command writable", format!("{value:#06x}"));
    bench.config_write(0x04, 2, 6);
    capabilities(bench);
}

fn capabilities(bench: &mut Bench) {
    let mut at = bench.config_read(0x34, 1) as u16;
    let mut list = Vec::new();
    while at != 0 && list.len() < 16 {
        list.push(format!("{:#x} at {at:#x}", bench.config_read(at, 1)));
        at = bench.config_read(at + 1, 1) as u16;
    }
    bench.note("list", list.join(", "));
    if list.is_empty() {
        return;
    }
    for (label, off, size) in [
        ("power management", 0xca, 2),
        ("power state", 0xcc, 2),
        ("MSI control", 0xd2, 2),
        ("express", 0xe2, 2),
        ("device capabilities", 0xe4, 4),
        ("device control", 0xe8, 2),
        ("link capabilities", 0xec, 4),
        ("link status", 0xf2, 2),
        ("MSI-X control", 0xa2, 2),
        ("MSI-X table", 0xa4, 4),
        ("MSI-X pending", 0xa8, 4),
        ("first extended", 0x100, 4),
        ("second extended", 0x140, 4),
    ] {
        let value = bench.config_read(off, size);
        bench.note(label, format!("{value:#x}"));
    }
    bench.config_write(0xa2, 2, 0xffff);
    let value = bench.config_read(0xa2, 2);
    bench.note("MSI-X control writable", format!("{value:#06x}"));
    bench.config_write(0xa2, 2, 0);
    bench.config_write(0xcc, 2, 0x0103);
    let value = bench.config_read(0xcc, 2);
    bench.note("power state writable", format!("{value:#06x}"));
    bench.look("STATUS in D3", 0x0008);
    bench.config_write(0xcc, 2, 0);
}
