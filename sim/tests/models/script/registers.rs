//! Registers as such: their values after reset, their writable bits, EEPROM, PHY and link.

use crate::bench::Bench;

/// Registers of all models.
const COMMON: &[(&str, u64)] = &[
    ("CTRL", 0x0000),
    ("STATUS", 0x0008),
    ("EECD", 0x0010),
    ("CTRL_EXT", 0x0018),
    ("FCAL", 0x0028),
    ("VET", 0x0038),
    ("ICR", 0x00c0),
    ("ITR", 0x00c4),
    ("IMS", 0x00d0),
    ("RCTL", 0x0100),
    ("FCTTV", 0x0170),
    ("TCTL", 0x0400),
    ("TIPG", 0x0410),
    ("LEDCTL", 0x0e00),
    ("PBA", 0x1000),
    ("FCRTL", 0x2160),
    ("FCRTH", 0x2168),
    ("RDBAL", 0x2800),
    ("RDBAH", 0x2804),
    ("RDLEN", 0x2808),
    ("RDH", 0x2810),
    ("RDT", 0x2818),
    ("RDTR", 0x2820),
    ("RXDCTL", 0x2828),
    ("RADV", 0x282c),
    ("TDBAL", 0x3800),
    ("TDLEN", 0x3808),
    ("TDH", 0x3810),
    ("TDT", 0x3818),
    ("TIDV", 0x3820),
    ("TXDCTL", 0x3828),
    ("TADV", 0x382c),
    ("RXCSUM", 0x5000),
    ("MTA 0", 0x5200),
    ("RAL 0", 0x5400),
    ("RAH 0", 0x5404),
    ("RAH 1", 0x540c),
    ("VFTA 0", 0x5600),
];

/// Registers of the 82574L.
const NEW: &[(&str, u64)] = &[
    ("EIAC", 0x00dc),
    ("IAM", 0x00e0),
    ("IVAR", 0x00e4),
    ("EITR 0", 0x00e8),
    ("EXTCNF_CTRL", 0x0f00),
    ("TARC 0", 0x3840),
    ("TARC 1", 0x3940),
    ("RFCTL", 0x5008),
    ("GCR", 0x5b00),
    ("SWSM", 0x5b50),
    ("SWSM again", 0x5b50),
    ("FWSM", 0x5b54),
    ("GCR2", 0x5b64),
];

fn registers(bench: &Bench) -> impl Iterator<Item = &'static (&'static str, u64)> + use<> {
    let new = if bench.model.is_82574() { NEW } else { &[] };
    COMMON.iter().chain(new)
}

/// A reset undoes what was written.
pub(crate) fn reset(bench: &mut Bench) {
    for off in [0x00c4, 0x0100, 0x0400, 0x2800, 0x2808, 0x3800, 0x3808, 0x5200, 0x5400, 0x5600] {
        bench.write(off, 0x0000_0380);
    }
    bench.write(0x00d0, 0x80);
    bench.reset();
    for (label, off) in registers(bench) {
        bench.look(label, *off);
    }
}

/// `CTRL.GIO_MASTER_DISABLE`, which only PCI Express cards have.
pub(crate) fn master_disable(bench: &mut Bench) {
    bench.reset();
    if !bench.model.is_82574() {
        bench.note("none", "");
        return;
    }
    let status = bench.read(0x0008);
    bench.note("enabled", format!("{}", status >> 19 & 1));
    bench.write(0, 1 << 2);
    bench.pass(1);
    let status = bench.read(0x0008);
    bench.note("disabled", format!("{}", status >> 19 & 1));
}

/// What is written can be read.
pub(crate) fn storage(bench: &mut Bench) {
    bench.reset();
    let stored = [
        "VET", "ITR", "TIPG", "RDBAL", "RDBAH", "RDLEN", "RDTR", "RADV", "TDBAL", "TDLEN", "TIDV", "TADV",
        "MTA 0", "RAL 0", "RAH 1", "VFTA 0", "FCTTV", "IAM", "IVAR", "EITR 0", "TARC 0", "RXCSUM", "FCRTL",
        "FCRTH", "EIAC",
    ];
    for (label, off) in registers(bench).filter(|(label, _)| stored.contains(label)) {
        let old = bench.read(*off);
        bench.write(*off, 0x5a5a_5a5a);
        bench.look(&format!("{label} = 5a5a5a5a"), *off);
        bench.write(*off, 0xa5a5_a5a5);
        bench.look(&format!("{label} = a5a5a5a5"), *off);
        bench.write(*off, old);
    }
}

pub(crate) fn eeprom(bench: &mut Bench) {
    let (shift, done) = if bench.model.is_82574() { (2, 1 << 1) } else { (8, 1 << 4) };
    let mut sum = 0u16;
    for word in 0..64 {
        bench.write(0x0014, word << shift | 1);
        let mut value = 0;
        for _ in 0..1000 {
            value = bench.read(0x0014);
            if value & done != 0 {
                break;
            }
            bench.pass(1);
        }
        sum = sum.wrapping_add((value >> 16) as u16);
        if word < 3 {
            bench.note(format!("word {word}"), format!("{:#06x}", value >> 16));
        }
    }
    bench.note("sum", format!("{sum:#06x}"));
}

/// Reads PHY register `reg` of address `phy`; bit 30 tells an error.
fn phy_read(bench: &mut Bench, phy: u32, reg: u32) -> u32 {
    bench.write(0x0020, 2 << 26 | phy << 21 | reg << 16);
    bench.pass(1);
    bench.read(0x0020)
}

fn phy_write(bench: &mut Bench, reg: u32, value: u32) {
    bench.write(0x0020, 1 << 26 | 1 << 21 | reg << 16 | value);
    bench.pass(1);
}

pub(crate) fn phy(bench: &mut Bench) {
    bench.reset();
    bench.write(0, 0x41);
    bench.pass(600);
    for reg in [0, 1, 2, 3, 4, 5, 6, 9, 10, 15, 17] {
        let value = phy_read(bench, 1, reg);
        bench.note(format!("register {reg}"), format!("{value:#010x}"));
    }
    let value = phy_read(bench, 2, 1) >> 28;
    bench.note("address 2", format!("{value:#x}"));
    phy_write(bench, 4, 0x0de1);
    let value = phy_read(bench, 1, 4) & 0xffff;
    bench.note("advertisement", format!("{value:#06x}"));
    phy_write(bench, 0, 0x1340);
    bench.pass(600);
    phy_read(bench, 1, 1);
    let value = phy_read(bench, 1, 1) & 0x24;
    bench.note("negotiated again", format!("{value:#06x}"));
}

/// The cable is pulled and plugged in.
pub(crate) fn link(bench: &mut Bench) {
    bench.reset();
    bench.look("STATUS without SLU", 0x0008);
    bench.write(0, 0x41);
    bench.pass(600);
    let causes = bench.read(0x00c0);
    bench.note("LSC after SLU", format!("{}", causes >> 2 & 1));
    bench.look("STATUS with SLU", 0x0008);
    bench.write(0x00d0, 1 << 2);
    bench.set_link(false);
    bench.pass(1);
    bench.line("line, pulled");
    let status = bench.read(0x0008);
    bench.note("LU, pulled", format!("{}", status >> 1 & 1));
    let causes = bench.read(0x00c0);
    bench.note("LSC, pulled", format!("{}", causes >> 2 & 1));
    let value = phy_read(bench, 1, 1) & 4;
    bench.note("PHY, pulled", format!("{value:#x}"));
    bench.line("line, acknowledged");
    bench.set_link(true);
    bench.pass(600);
    bench.line("line, plugged in");
    let status = bench.read(0x0008);
    bench.note("LU, plugged in", format!("{}", status >> 1 & 1));
    let causes = bench.read(0x00c0);
    bench.note("LSC, plugged in", format!("{}", causes >> 2 & 1));
}
