//! What only the inside of a [`Card`] shows. What a card does is compared with the simulator's own model in
//! `tests/models`.

use std::{
    cell::{Cell, RefCell},
    path::Path,
    time::Duration,
};

use super::{Card, Fidelity, StartError};
use crate::{
    memory::dma::Domain,
    nic::Model,
    pci::{Device as _, Platform},
};

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];
const TDT: u64 = 0x3818;

struct Host {
    memory: Domain,
    sent: Cell<usize>,
    findings: RefCell<Vec<&'static str>>,
}

impl Platform for Host {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn dma_read(&self, bus: u64, buf: &mut [u8]) -> bool {
        self.memory.read(bus, buf).is_ok()
    }

    fn dma_write(&self, bus: u64, data: &[u8]) -> bool {
        self.memory.write(bus, data).is_ok()
    }

    fn set_intx(&self, _level: bool) {}

    fn message(&self, _vector: u16) {}

    fn transmit(&self, _frame: &[u8]) {
        self.sent.set(self.sent.get() + 1);
    }

    fn finding(&self, rule: &'static str, _detail: String) {
        self.findings.borrow_mut().push(rule);
    }

    fn schedule(&self, _at: Option<Duration>) {}
}

/// A card that may master the bus; `None` where QEMU is not installed.
fn card(model: Model) -> Option<(Card, Host)> {
    let mut card = match Card::start(model, MAC, Fidelity::default()) {
        Err(missing @ StartError::Missing) => {
            eprintln!("skipped: {missing}");
            return None;
        }
        card => card.expect("QEMU plays every model"),
    };
    let host = Host { memory: card.domain(), sent: Cell::new(0), findings: RefCell::default() };
    card.config_write(&host, 4, 2, 6);
    Some((card, host))
}

/// Sets a transmit ring of eight descriptors at `ring` and enables transmission.
fn enable_transmit(card: &mut Card, host: &Host, ring: u64) {
    for (off, value) in [(0, 0x41), (0x3800, ring), (0x3808, 128), (0x0400, 0x000a)] {
        card.mmio_write(host, 0, off, 4, value);
    }
}

/// A descriptor of `len` bytes at `buffer`: end of packet, insert FCS, report.
fn descriptor(buffer: u64, len: u16) -> [u8; 16] {
    let mut desc = [0; 16];
    desc[..8].copy_from_slice(&buffer.to_le_bytes());
    desc[8..10].copy_from_slice(&len.to_le_bytes());
    desc[11] = 0x0b;
    desc
}

#[test]
fn qemu_ends_with_its_card() {
    let Some((card, _)) = card(Model::I82540em) else { return };
    let path = format!("/proc/{}", card.process_id());
    assert!(Path::new(&path).exists());
    drop(card);
    assert!(!Path::new(&path).exists(), "ended and waited for");
}

#[test]
fn end_of_qemu_is_reported_once() {
    let Some((mut card, host)) = card(Model::I82574l) else { return };
    card.end_process();
    assert_eq!(card.mmio_read(&host, 0, 0x0008, 4) & 0xffff_ffff, 0xffff_ffff);
    card.mmio_write(&host, 0, 0x0100, 4, 2);
    assert_eq!(*host.findings.borrow(), ["QEMU.Gone"]);
}

#[test]
fn what_is_not_mapped_is_found_and_not_sent() {
    for model in Model::ALL {
        let Some((mut card, host)) = card(model) else { return };
        let (ring, buffer) = (host.memory.allocate(128, true), host.memory.allocate(64, true));
        host.memory.write(ring.bus_address, &descriptor(buffer.bus_address, 60)).expect("mapped");
        host.memory.write(ring.bus_address + 16, &descriptor(buffer.bus_address + 10, 60)).expect("mapped");
        enable_transmit(&mut card, &host, ring.bus_address);
        card.mmio_write(&host, 0, TDT, 4, 1);
        assert_eq!((host.sent.get(), host.findings.borrow().len()), (1, 0), "{model}");
        card.mmio_write(&host, 0, TDT, 4, 2);
        assert_eq!((host.sent.get(), &host.findings.borrow()[..]), (1, &["NIC.Dma"][..]), "{model}");
        assert_eq!(card.mmio_read(&host, 0, TDT, 4), 2, "software does not see that it is held back");
    }
}

#[test]
fn touched_pages_that_are_not_mapped_are_found() {
    let Some((mut card, host)) = card(Model::I82545em) else { return };
    let buffer = host.memory.allocate(4096, true);
    card.memory.write(buffer.bus_address, b"mapped").expect("memory");
    card.timer(&host);
    assert!(host.findings.borrow().is_empty());
    card.memory.write(buffer.bus_address + 4096, b"not").expect("memory");
    card.timer(&host);
    card.timer(&host);
    assert_eq!(*host.findings.borrow(), ["QEMU.StrayDma"], "once");
}

#[test]
fn cards_have_the_address_that_they_are_given() {
    for model in Model::ALL {
        let Some((mut card, host)) = card(model) else { return };
        let low = card.mmio_read(&host, 0, 0x5400, 4);
        let high = card.mmio_read(&host, 0, 0x5404, 4);
        assert_eq!((low, high), (0x0000_0002, 0x8000_0700), "{model}");
        assert_eq!(card.config_read(0, 4), u32::from(model.device_id()) << 16 | 0x8086);
    }
}
