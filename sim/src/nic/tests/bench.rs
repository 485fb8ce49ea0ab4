//! A machine for one card: memory at bus addresses, a clock that tests move, and a record of what came out.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use crate::{
    nic::{Board, E1000, Faults, Model},
    pci::{Device, Platform},
    qemu::Faulty,
};

/// First bus address that is memory; below and above [`SIZE`] bytes there is nothing, but for the same again 4 GiB above.
pub(super) const BASE: u64 = 0x4000_0000;
pub(super) const ABOVE_4_GIB: u64 = 1 << 32;
pub(super) const SIZE: usize = 0x10_0000;
pub(super) const MAC: [u8; 6] = [0x02, 0x10, 0x20, 0x30, 0x40, 0x50];
pub(super) const RX_RING: u64 = BASE;
pub(super) const TX_RING: u64 = BASE + 0x1000;
pub(super) const BUFFERS: u64 = BASE + 0x1_0000;

#[derive(Default)]
pub(super) struct Host {
    now: Cell<Duration>,
    memory: RefCell<Vec<u8>>,
    deadline: Cell<Option<Duration>>,
    pub(super) line: Cell<bool>,
    /// What the driver has told of the link.
    pub(super) told: Cell<Option<bool>>,
    pub(super) messages: RefCell<Vec<u16>>,
    pub(super) sent: RefCell<Vec<Vec<u8>>>,
    pub(super) findings: RefCell<Vec<&'static str>>,
}

/// Where in memory a bus address is.
fn place(bus: u64) -> Option<usize> {
    let place = (bus & !ABOVE_4_GIB).checked_sub(BASE)?;
    usize::try_from(place).ok()
}

impl Platform for Host {
    fn now(&self) -> Duration {
        self.now.get()
    }

    fn dma_read(&self, bus: u64, buf: &mut [u8]) -> bool {
        let memory = self.memory.borrow();
        let found = place(bus).and_then(|at| memory.get(at..at + buf.len()));
        found.map(|found| buf.copy_from_slice(found)).is_some()
    }

    fn dma_write(&self, bus: u64, data: &[u8]) -> bool {
        let mut memory = self.memory.borrow_mut();
        let found = place(bus).and_then(|at| memory.get_mut(at..at + data.len()));
        found.map(|found| found.copy_from_slice(data)).is_some()
    }

    fn set_intx(&self, level: bool) {
        self.line.set(level);
    }

    fn message(&self, vector: u16) {
        self.messages.borrow_mut().push(vector);
    }

    fn transmit(&self, frame: &[u8]) {
        self.sent.borrow_mut().push(frame.to_vec());
    }

    fn finding(&self, rule: &'static str, _detail: String) {
        crate::verifier::trips::found(rule);
        self.findings.borrow_mut().push(rule);
    }

    fn told_link(&self) -> Option<bool> {
        self.told.get()
    }

    fn schedule(&self, at: Option<Duration>) {
        self.deadline.set(at);
    }
}

/// One card on its bench.
pub(super) struct Bench {
    pub(super) card: Box<dyn Device>,
    pub(super) host: Host,
    pub(super) faults: Faults,
}

impl Bench {
    /// A card after power-on with memory decoding and bus mastering enabled.
    pub(super) fn new(model: Model) -> Self {
        let faults = Faults::default();
        Self::with(Box::new(E1000::new(model, MAC, faults.clone())), faults)
    }

    /// Two such cards: one whose model has faults, and one without any behind a layer that has them.
    pub(super) fn both(model: Model) -> [Self; 2] {
        let faults = Faults::default();
        let flawless = E1000::new(model, MAC, Faults::default());
        [Self::new(model), Self::with(Box::new(Faulty::new(flawless, model, faults.clone())), faults)]
    }

    fn with(mut card: Box<dyn Device>, faults: Faults) -> Self {
        let host = Host { memory: RefCell::new(vec![0; SIZE]), ..Host::default() };
        card.config_write(&host, 4, 2, 0x0006);
        Self { card, host, faults }
    }

    /// A card with link up, both rings of eight descriptors set and both directions enabled.
    pub(super) fn running(model: Model) -> Self {
        Self::new(model).set_up()
    }

    /// Both kinds of card, set up like that.
    pub(super) fn both_running(model: Model) -> [Self; 2] {
        Self::both(model).map(Self::set_up)
    }

    /// A card in other surroundings, set up like that with memory from bus address `base` on.
    pub(super) fn running_on(board: Board, model: Model, base: u64) -> Self {
        let faults = Faults::default();
        let card = E1000::on(board, model, MAC, faults.clone());
        Self::with(Box::new(card), faults).set_up_at(base)
    }

    fn set_up(self) -> Self {
        self.set_up_at(BASE)
    }

    fn set_up_at(mut self, base: u64) -> Self {
        self.program(base - BASE);
        self
    }

    /// The same after a reset.
    pub(super) fn set_up_again(&mut self) {
        self.program(0);
    }

    fn program(&mut self, above: u64) {
        self.write(0x0000, 0x41);
        self.ring(0x2800, RX_RING + above);
        self.ring(0x3800, TX_RING + above);
        for i in 0..8 {
            self.store(RX_RING + 16 * i, &(BUFFERS + above + 0x800 * i).to_le_bytes());
        }
        // RCTL: enable, broadcast accept, strip CRC. TCTL: enable, pad short packets.
        self.write(0x0100, 0x0400_8002);
        self.write(0x2818, 7);
        self.write(0x0400, 0x000a);
        self.read(0x00c0);
    }

    fn ring(&mut self, at: u64, base: u64) {
        self.write(at, (base & 0xffff_ffff) as u32);
        self.write(at + 4, (base >> 32) as u32);
        self.write(at + 8, 128);
    }

    pub(super) fn read(&mut self, off: u64) -> u32 {
        self.card.mmio_read(&self.host, 0, off, 4) as u32
    }

    pub(super) fn write(&mut self, off: u64, value: u32) {
        self.card.mmio_write(&self.host, 0, off, 4, u64::from(value));
    }

    /// Moves the clock by `time`, serving the card's deadlines on the way.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.host.now.get() + time;
        while let Some(at) = self.host.deadline.get().filter(|at| *at <= end) {
            self.host.now.set(at.max(self.host.now.get()));
            self.host.deadline.set(None);
            self.card.timer(&self.host);
        }
        self.host.now.set(end);
    }

    pub(super) fn pass_us(&mut self, us: u64) {
        self.pass(Duration::from_micros(us));
    }

    pub(super) fn store(&self, bus: u64, data: &[u8]) {
        assert!(self.host.dma_write(bus, data));
    }

    pub(super) fn load(&self, bus: u64, len: usize) -> Vec<u8> {
        let mut data = vec![0; len];
        assert!(self.host.dma_read(bus, &mut data));
        data
    }

    pub(super) fn receive(&mut self, frame: &[u8]) {
        self.card.receive(&self.host, frame);
    }

    /// Queues a legacy transmit descriptor over `frame`, placed at buffer `slot`.
    pub(super) fn descriptor(&self, slot: u64, frame: &[u8], command: u8) {
        let buffer = BUFFERS + 0x8000 + 0x800 * slot;
        self.store(buffer, frame);
        let mut desc = [0; 16];
        desc[..8].copy_from_slice(&buffer.to_le_bytes());
        desc[8..10].copy_from_slice(&(frame.len() as u16).to_le_bytes());
        desc[11] = command;
        self.store(TX_RING + 16 * slot, &desc);
    }

    /// Enables MSI-X with all five entries unmasked.
    pub(super) fn enable_msix(&mut self) {
        for entry in 0..5 {
            self.card.mmio_write(&self.host, 3, 16 * entry, 4, 0xfee0_0000);
            self.card.mmio_write(&self.host, 3, 16 * entry + 8, 4, entry);
            self.card.mmio_write(&self.host, 3, 16 * entry + 12, 4, 0);
        }
        self.card.config_write(&self.host, 0xa2, 2, 0x8000);
    }
}

/// A frame of `len` bytes to `destination` whose every later byte tells its place.
pub(super) fn frame(destination: [u8; 6], len: usize) -> Vec<u8> {
    let mut frame: Vec<u8> = (0..len).map(|i| i as u8).collect();
    frame[..6].copy_from_slice(&destination);
    frame
}
