//! A machine for one card: memory, a clock that scripts move, and notes of what the card answers.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use ndis_sim::{
    memory::dma::{DmaBuffer, Domain},
    nic::Model,
    pci::{Device, Platform},
};

/// Descriptors of each ring.
pub(crate) const RING: u64 = 16;
/// Bytes of a buffer.
pub(crate) const BUFFER: u64 = 2048;

/// Something that a card answered.
pub(crate) struct Note {
    pub(crate) label: String,
    pub(crate) value: String,
}

struct Host {
    now: Cell<Duration>,
    deadline: Cell<Option<Duration>>,
    memory: Domain,
    line: Cell<bool>,
    messages: RefCell<Vec<u16>>,
    sent: RefCell<Vec<Vec<u8>>>,
    findings: RefCell<Vec<String>>,
}

impl Platform for Host {
    fn now(&self) -> Duration {
        self.now.get()
    }

    fn dma_read(&self, bus: u64, buf: &mut [u8]) -> bool {
        self.memory.read(bus, buf).is_ok()
    }

    fn dma_write(&self, bus: u64, data: &[u8]) -> bool {
        self.memory.write(bus, data).is_ok()
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
        self.findings.borrow_mut().push(rule.to_owned());
    }

    fn schedule(&self, at: Option<Duration>) {
        self.deadline.set(at);
    }
}

/// One card on its bench.
pub(crate) struct Bench {
    pub(crate) model: Model,
    card: Box<dyn Device>,
    host: Host,
    /// The rings and their buffers.
    pub(crate) rx: DmaBuffer,
    pub(crate) tx: DmaBuffer,
    pub(crate) rx_buffers: DmaBuffer,
    pub(crate) tx_buffers: DmaBuffer,
    notes: Vec<Note>,
}

impl Bench {
    /// A card after power-on whose memory windows answer and which may master the bus.
    pub(crate) fn new(model: Model, mut card: Box<dyn Device>) -> Self {
        let host = Host {
            now: Cell::default(),
            deadline: Cell::default(),
            memory: card.domain(),
            line: Cell::default(),
            messages: RefCell::default(),
            sent: RefCell::default(),
            findings: RefCell::default(),
        };
        card.config_write(&host, 4, 2, 6);
        let allocate = |len: u64| host.memory.allocate(len as usize, true);
        let (rx, tx) = (allocate(16 * RING), allocate(16 * RING));
        let (rx_buffers, tx_buffers) = (allocate(BUFFER * RING), allocate(BUFFER * RING));
        Self { model, card, host, rx, tx, rx_buffers, tx_buffers, notes: Vec::new() }
    }

    pub(crate) fn notes(self) -> Vec<Note> {
        self.notes
    }

    pub(crate) fn note(&mut self, label: impl Into<String>, value: impl Into<String>) {
        self.notes.push(Note { label: label.into(), value: value.into() });
    }

    /// Notes a register's value.
    pub(crate) fn look(&mut self, label: &str, off: u64) -> u32 {
        let value = self.read(off);
        self.note(label, format!("{value:#010x}"));
        value
    }

    pub(crate) fn read(&mut self, off: u64) -> u32 {
        self.card.mmio_read(&self.host, 0, off, 4) as u32
    }

    pub(crate) fn write(&mut self, off: u64, value: u32) {
        self.card.mmio_write(&self.host, 0, off, 4, value.into());
    }

    /// Reads another window.
    pub(crate) fn peek(&mut self, bar: usize, off: u64) -> u32 {
        self.card.mmio_read(&self.host, bar, off, 4) as u32
    }

    /// Writes another window.
    pub(crate) fn poke(&mut self, bar: usize, off: u64, value: u32) {
        self.card.mmio_write(&self.host, bar, off, 4, value.into());
    }

    pub(crate) fn config_read(&mut self, off: u16, size: u8) -> u32 {
        self.card.config_read(off, size)
    }

    pub(crate) fn config_write(&mut self, off: u16, size: u8, value: u32) {
        self.card.config_write(&self.host, off, size, value);
    }

    pub(crate) fn windows(&self) -> String {
        format!("{:x?}", self.card.bars())
    }

    /// Lets `ms` milliseconds pass.
    pub(crate) fn pass(&mut self, ms: u64) {
        let end = self.host.now.get() + Duration::from_millis(ms);
        while let Some(at) = self.host.deadline.get().filter(|at| *at <= end) {
            self.host.now.set(at.max(self.host.now.get()));
            self.host.deadline.set(None);
            self.card.timer(&self.host);
        }
        self.host.now.set(end);
    }

    /// Resets the card and waits for it.
    pub(crate) fn reset(&mut self) {
        self.write(0x00d8, u32::MAX);
        let control = self.read(0);
        self.write(0, control | 1 << 26);
        self.pass(30);
        self.write(0x00d8, u32::MAX);
        self.read(0x00c0);
        self.host.sent.borrow_mut().clear();
        self.host.messages.borrow_mut().clear();
        self.host.findings.borrow_mut().clear();
    }

    /// A card that was reset, with link, both rings set and both directions enabled by the control registers given.
    pub(crate) fn run(&mut self, rctl: u32, tctl: u32) {
        self.reset();
        self.write(0, 0x41);
        self.pass(600);
        self.ring(0x2800, self.rx.bus_address);
        self.ring(0x3800, self.tx.bus_address);
        for index in 0..RING {
            self.refill(index);
        }
        self.write(0x0100, rctl);
        self.write(0x2818, RING as u32 - 1);
        self.write(0x0400, tctl);
        self.pass(2000);
        self.read(0x00c0);
    }

    fn ring(&mut self, at: u64, base: u64) {
        self.write(at, base as u32);
        self.write(at + 4, (base >> 32) as u32);
        self.write(at + 8, 16 * RING as u32);
        self.write(at + 16, 0);
        self.write(at + 24, 0);
    }

    /// Gives receive descriptor `index` its buffer.
    pub(crate) fn refill(&self, index: u64) {
        let mut desc = [0; 16];
        desc[..8].copy_from_slice(&(self.rx_buffers.bus_address + BUFFER * index).to_le_bytes());
        self.store(self.rx.bus_address + 16 * index, &desc);
    }

    /// Transmit descriptor `index` over `data`, in the buffer of that index.
    pub(crate) fn descriptor(&self, index: u64, data: &[u8], command: u8) {
        let buffer = self.tx_buffers.bus_address + BUFFER * index;
        self.store(buffer, data);
        let mut desc = [0; 16];
        desc[..8].copy_from_slice(&buffer.to_le_bytes());
        desc[8..10].copy_from_slice(&(data.len() as u16).to_le_bytes());
        desc[11] = command;
        self.store(self.tx.bus_address + 16 * index, &desc);
    }

    pub(crate) fn store(&self, bus: u64, data: &[u8]) {
        self.host.memory.write(bus, data).expect("mapped");
    }

    pub(crate) fn load(&self, bus: u64, len: usize) -> Vec<u8> {
        let mut data = vec![0; len];
        self.host.memory.read(bus, &mut data).expect("mapped");
        data
    }

    pub(crate) fn receive(&mut self, frame: &[u8]) {
        self.card.receive(&self.host, frame);
    }

    pub(crate) fn set_link(&mut self, up: bool) {
        self.card.set_link(&self.host, up);
    }

    pub(crate) fn line(&mut self, label: &str) {
        let level = self.host.line.get();
        self.note(label, if level { "asserted" } else { "deasserted" });
    }

    pub(crate) fn messages(&mut self, label: &str) {
        let messages = self.host.messages.take();
        self.note(label, format!("{messages:?}"));
    }

    /// Notes the frames sent, by length and sum.
    pub(crate) fn sent(&mut self, label: &str) {
        let sent: Vec<_> = self.host.sent.take().iter().map(|frame| digest(frame)).collect();
        self.note(label, format!("[{}]", sent.join(", ")));
    }

    pub(crate) fn findings(&mut self, label: &str) {
        let findings = self.host.findings.take();
        self.note(label, format!("{findings:?}"));
    }

    /// Notes what receive descriptor `index` says but for IXSM (bit 2), and what is in its buffer.
    pub(crate) fn received(&mut self, label: &str, index: u64) {
        let desc = self.load(self.rx.bus_address + 16 * index, 16);
        let len = u16::from_le_bytes([desc[8], desc[9]]);
        let data = self.load(self.rx_buffers.bus_address + BUFFER * index, usize::from(len));
        let (status, errors) = (desc[12] & !4, desc[13]);
        let contents = if status & 1 == 0 { String::new() } else { digest(&data) };
        self.note(label, format!("status {status:#04x} errors {errors:#04x} {contents}"));
    }
}

/// Length and a sum of the bytes and their places.
fn digest(bytes: &[u8]) -> String {
    let sum = bytes.iter().fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)));
    format!("{} bytes {sum:08x}", bytes.len())
}

/// A frame of `len` bytes to `destination` whose every later byte tells its place.
pub(crate) fn frame(destination: [u8; 6], len: usize) -> Vec<u8> {
    let mut frame: Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
    frame[..6].copy_from_slice(&destination);
    frame[12..14].copy_from_slice(&[0x88, 0x64]);
    frame
}
