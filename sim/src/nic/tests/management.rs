//! Reset, EEPROM, PHY, semaphores, configuration space and faults.

use std::time::Duration;

use super::bench::{Bench, MAC};
use crate::nic::{Fault, Model};

/// Reads an EEPROM word the way the model's datasheet says.
fn eeprom(bench: &mut Bench, model: Model, word: u32) -> u16 {
    let (shift, done) = if model == Model::I82574l { (2, 1 << 1) } else { (8, 1 << 4) };
    bench.write(0x0014, word << shift | 1);
    assert_eq!(bench.read(0x0014) & done, 0, "a serial EEPROM is not that fast");
    bench.pass_us(100);
    let value = bench.read(0x0014);
    assert_ne!(value & done, 0);
    (value >> 16) as u16
}

fn mdic(bench: &mut Bench, value: u32) -> u32 {
    bench.write(0x0020, value);
    assert_eq!(bench.read(0x0020) & 1 << 28, 0);
    bench.pass_us(64);
    bench.read(0x0020)
}

#[test]
fn eeprom_holds_address_and_checksum() {
    for model in Model::ALL {
        let mut bench = Bench::new(model);
        let words: Vec<u16> = (0..64).map(|word| eeprom(&mut bench, model, word)).collect();
        assert_eq!(words[..3].iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>(), MAC);
        assert_eq!(words.iter().fold(0u16, |sum, word| sum.wrapping_add(*word)), 0xbaba, "{model}");
        bench.faults.inject(Fault::EepromChecksum);
        assert_ne!(eeprom(&mut bench, model, 0x3f), words[0x3f]);
    }
}

#[test]
fn wrong_eeprom_layout_reads_the_wrong_word() {
    // An 82574 taken for an 8254x: address bits 15:8 land in address bits 13:6.
    let mut bench = Bench::new(Model::I82574l);
    bench.write(0x0014, 1 << 8 | 1);
    bench.pass_us(100);
    assert_eq!(bench.read(0x0014) >> 16, 0xffff, "word 0x40 does not exist");
    assert_eq!(bench.read(0x0014) & 1 << 4, 0, "bit 4 is not the done bit here");
}

#[test]
fn reset_restores_registers_and_keeps_the_configuration_space() {
    for model in Model::ALL {
        let mut bench = Bench::running(model);
        bench.write(0x00d0, 0x04);
        bench.write(0x00c8, 0x04);
        assert!(bench.host.line.get());
        bench.write(0x5400, 0);
        bench.write(0x0000, 1 << 26);
        assert!(!bench.host.line.get(), "reset drops the line");
        bench.pass_us(1);
        assert_eq!(bench.read(0x0000) & 1 << 26, 0);
        assert_eq!(bench.read(0x0100), 0, "RCTL");
        assert_eq!(bench.read(0x00d0), 0, "IMS");
        assert_eq!(bench.read(0x5400), 0x3020_1002, "RAL0 comes from the EEPROM");
        assert_eq!(bench.read(0x5404), 0x8000_5040, "RAH0 with address valid");
        assert_eq!(bench.card.config_read(4, 2), 6);
    }
}

#[test]
fn eeprom_of_the_82574_is_not_ready_until_auto_read() {
    let mut bench = Bench::new(Model::I82574l);
    assert_ne!(bench.read(0x0010) & 1 << 9, 0);
    bench.write(0x0000, 1 << 26);
    bench.pass_us(1);
    assert_eq!(bench.read(0x0010) & 1 << 9, 0);
    bench.write(0x0014, 1);
    bench.pass_us(100);
    assert_eq!(bench.read(0x0014) & 2, 0, "EERD waits for the automatic read");
    bench.pass_us(2000);
    assert_ne!(bench.read(0x0010) & 1 << 9, 0);
    assert_ne!(bench.read(0x0014) & 2, 0);
}

#[test]
pub(super) fn a_register_touched_too_early_breaks_the_reset() {
    for model in Model::ALL {
        let mut bench = Bench::new(model);
        bench.write(0x0000, 1 << 26);
        bench.pass_us(1);
        assert_eq!(bench.read(0x0000) & 1 << 26, 0);
        assert!(bench.host.findings.borrow().is_empty());
        bench.write(0x0000, 1 << 26);
        bench.write(0x00d8, u32::MAX);
        bench.pass_us(100_000);
        assert_ne!(bench.read(0x0000) & 1 << 26, 0, "{model}: it does not end");
        assert_eq!(*bench.host.findings.borrow(), ["NIC.ResetTouched"]);
        bench.write(0x0000, 1 << 26);
        bench.pass_us(1);
        assert_eq!(bench.read(0x0000) & 1 << 26, 0, "{model}: another one does");
    }
}

#[test]
fn phy_identifies_itself_and_answers_at_one_only() {
    for (model, id) in [(Model::I82540em, 0x0c20), (Model::I82574l, 0x0cb1)] {
        let mut bench = Bench::new(model);
        assert_eq!(mdic(&mut bench, 2 << 26 | 1 << 21 | 2 << 16) & 0xffff, 0x0141);
        assert_eq!(mdic(&mut bench, 2 << 26 | 1 << 21 | 3 << 16) & 0xffff, id);
        let answer = mdic(&mut bench, 2 << 26 | 2 << 21 | 2 << 16);
        assert_ne!(answer & 1 << 30, 0, "nobody at address 2");
        bench.faults.inject(Fault::PhySilent);
        bench.write(0x0020, 2 << 26 | 1 << 21 | 2 << 16);
        bench.pass_us(1_000_000);
        assert_eq!(bench.read(0x0020) & 1 << 28, 0);
    }
}

#[test]
fn negotiation_takes_time_and_the_link_bit_latches_low() {
    let mut bench = Bench::running(Model::I82545em);
    let status = |bench: &mut Bench| mdic(bench, 2 << 26 | 1 << 21 | 1 << 16) & 0x0024;
    assert_eq!(status(&mut bench), 0x24);
    mdic(&mut bench, 1 << 26 | 1 << 21 | 0x1340);
    assert_eq!(status(&mut bench), 0);
    assert_eq!(bench.read(0x0008) & 2, 0, "STATUS.LU");
    assert_ne!(bench.read(0x00c0) & 4, 0, "LSC");
    bench.pass(Duration::from_secs(1));
    assert_eq!(status(&mut bench), 0x20, "complete, but the fall is still latched");
    assert_eq!(status(&mut bench), 0x24);
    assert_eq!(bench.read(0x0008) & 0xc3, 0x83, "up, full duplex, 1000 Mb/s");
    assert_ne!(bench.read(0x00c0) & 4, 0, "LSC again");
}

#[test]
fn link_needs_the_cable_and_set_link_up() {
    let mut bench = Bench::new(Model::I82540em);
    assert_eq!(bench.read(0x0008) & 2, 0, "CTRL.SLU is clear after power-on");
    bench.write(0x0000, 1 << 6);
    assert_ne!(bench.read(0x0008) & 2, 0);
    bench.card.set_link(&bench.host, false);
    assert_eq!(bench.read(0x0008) & 2, 0);
    bench.pass(Duration::from_secs(3));
    assert_eq!(bench.read(0x0008) & 2, 0, "nothing to negotiate with");
}

#[test]
fn semaphore_is_set_by_reading() {
    let mut bench = Bench::new(Model::I82574l);
    assert_eq!(bench.read(0x5b50) & 1, 0, "mine");
    assert_eq!(bench.read(0x5b50) & 1, 1, "taken");
    bench.write(0x5b50, 0);
    assert_eq!(bench.read(0x5b50) & 1, 0);
    bench.write(0x0f00, 1 << 5);
    assert_ne!(bench.read(0x0f00) & 1 << 5, 0, "MDIO ownership granted");
}

#[test]
fn master_disable_takes_effect_after_a_while_on_the_82574_only() {
    let mut bench = Bench::running(Model::I82574l);
    assert_ne!(bench.read(0x0008) & 1 << 19, 0);
    bench.write(0x0000, 0x45);
    assert_ne!(bench.read(0x0008) & 1 << 19, 0);
    bench.pass_us(100);
    assert_eq!(bench.read(0x0008) & 1 << 19, 0);
}

#[test]
fn configuration_space_of_each_model() {
    for (model, id) in [(Model::I82540em, 0x100e), (Model::I82545em, 0x100f), (Model::I82574l, 0x10d3)] {
        let mut bench = Bench::new(model);
        assert_eq!(bench.card.config_read(0, 4), id << 16 | 0x8086);
        assert_eq!(bench.card.config_read(8, 4) >> 8, 0x02_0000, "Ethernet");
        assert_eq!(bench.card.config_read(0x3d, 1), 1, "INTA#");
        bench.card.config_write(&bench.host, 0x10, 4, 0xffff_ffff);
        assert_eq!(bench.card.config_read(0x10, 4), 0xfffe_0000, "128 KiB of memory");
    }
    let mut bench = Bench::new(Model::I82574l);
    let mut found = Vec::new();
    let mut at = bench.card.config_read(0x34, 1) as u16;
    while at != 0 {
        found.push((bench.card.config_read(at, 1), at));
        at = bench.card.config_read(at + 1, 1) as u16;
    }
    assert_eq!(found, [(0x01, 0xc8), (0x05, 0xd0), (0x10, 0xe0), (0x11, 0xa0)]);
    assert_eq!(bench.card.config_read(0xa2, 2), 4, "five messages");
    let mut old = Bench::new(Model::I82540em);
    assert_eq!(old.card.config_read(6, 2) & 0x10, 0, "no capabilities");
}

#[test]
fn a_card_that_is_gone_or_asleep_reads_ones() {
    let mut bench = Bench::running(Model::I82574l);
    bench.card.config_write(&bench.host, 0xcc, 2, 3);
    assert_eq!(bench.read(0x0008), 0xffff_ffff, "D3");
    bench.card.config_write(&bench.host, 0xcc, 2, 0);
    assert_ne!(bench.read(0x0008), 0xffff_ffff);
    bench.faults.inject(Fault::Gone);
    assert_eq!(bench.read(0x0008), 0xffff_ffff);
    bench.write(0x00d0, 4);
    bench.faults.clear(Fault::Gone);
    assert_eq!(bench.read(0x00d0), 0, "the write was lost");
}

#[test]
pub(super) fn accesses_that_are_no_dword_are_reported() {
    let mut bench = Bench::new(Model::I82540em);
    bench.card.mmio_read(&bench.host, 0, 8, 2);
    bench.card.mmio_write(&bench.host, 0, 10, 4, 0);
    assert_eq!(*bench.host.findings.borrow(), ["NIC.AccessSize", "NIC.AccessSize"]);
}

#[test]
pub(super) fn extended_descriptors_are_reported() {
    let mut bench = Bench::new(Model::I82574l);
    bench.write(0x5008, 1 << 15);
    assert_eq!(*bench.host.findings.borrow(), ["NIC.NotModelled"]);
}
