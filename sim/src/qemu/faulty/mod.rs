//! A card with the faults of [`Faults`], made from one that has none: what passes between the two sides of the bus is
//! spoilt on its way. The simulator's own model has its faults built in; this is for cards that cannot be told.

mod registers;
mod write_back;

use std::{cell::Cell, time::Duration};

use self::{registers::Wrong, write_back::Spoiler};
use crate::{
    memory::dma::Domain,
    nic::{Fault, Faults, Model},
    pci::{Bar, Device, Mask, Platform},
    traffic::Doubt,
};

/// From a reset until registers may be accessed.
const SETTLED: Duration = Duration::from_micros(1);

/// What the card has said and the platform is to be told.
#[derive(Debug, Default)]
struct Said {
    /// The card asserts its line.
    line: Cell<bool>,
    /// The platform was told so.
    told: Cell<bool>,
    /// When the card wants to be called.
    deadline: Cell<Option<Duration>>,
}

/// `card` with faults.
pub struct Faulty<D> {
    card: D,
    faults: Faults,
    said: Said,
    wrong: Wrong,
    spoiler: Spoiler,
    /// What a reset left alone that should not have been, and when the card can be told.
    kept: Option<(Duration, Vec<(u64, u64)>)>,
}

impl<D: Device> Faulty<D> {
    /// A card that misbehaves as `faults` say.
    pub fn new(card: D, model: Model, faults: Faults) -> Self {
        let (wrong, spoiler) = (Wrong::new(model), Spoiler::default());
        Self { card, faults, said: Said::default(), wrong, spoiler, kept: None }
    }

    fn gone(&self) -> bool {
        self.faults.has(Fault::Gone)
    }

    /// Has the card do something, and spoils what it has written to memory before anybody can look at it.
    fn act(&mut self, p: &dyn Platform, act: impl FnOnce(&mut D, &dyn Platform)) {
        let inner = Between { outer: p, faults: &self.faults, said: &self.said };
        if let Some((_, kept)) = self.kept.take_if(|(at, _)| p.now() >= *at) {
            for (off, value) in kept {
                self.card.mmio_write(&inner, 0, off, 4, value);
            }
        }
        self.spoiler.before(&mut self.card, &inner, &self.faults);
        act(&mut self.card, &inner);
        self.spoiler.after(&mut self.card, &inner, &self.faults);
        if let Some(tail) = self.wrong.released_tail(&self.faults) {
            self.spoiler.before(&mut self.card, &inner, &self.faults);
            self.card.mmio_write(&inner, 0, registers::TDT, 4, tail.into());
            self.spoiler.after(&mut self.card, &inner, &self.faults);
        }
        self.tell(p);
    }

    /// Brings the platform up to date.
    fn tell(&self, p: &dyn Platform) {
        let level = self.said.line.get() && !self.gone();
        if self.said.told.replace(level) != level {
            p.set_intx(level);
        }
        let deadlines = [self.said.deadline.get(), self.spoiler.deadline()];
        p.schedule(deadlines.into_iter().flatten().min());
    }

    /// A reset of the card, which some faults do not survive and others do.
    fn reset(&mut self, p: &dyn Platform, value: u64) {
        self.spoiler.reset();
        let unstoppable = self.faults.has(Fault::ReceiverUnstoppable);
        let mut kept = Vec::new();
        self.act(p, |card, p| {
            if unstoppable {
                kept = registers::save_receiver(card, p);
            }
            card.mmio_write(p, 0, registers::CTRL, 4, value);
        });
        self.kept = unstoppable.then(|| (p.now() + SETTLED, kept));
    }
}

impl<D: Device> Device for Faulty<D> {
    fn config_read(&mut self, off: u16, size: u8) -> u32 {
        if self.gone() {
            return u32::MAX >> (32 - 8 * u32::from(size.clamp(1, 4)));
        }
        self.card.config_read(off, size)
    }

    fn config_write(&mut self, p: &dyn Platform, off: u16, size: u8, value: u32) {
        if !self.gone() {
            self.act(p, |card, p| card.config_write(p, off, size, value));
        }
    }

    fn domain(&self) -> Domain {
        self.card.domain()
    }

    fn bars(&self) -> &[Bar] {
        self.card.bars()
    }

    fn mmio_read(&mut self, p: &dyn Platform, bar: usize, off: u64, size: u8) -> u64 {
        self.faults.access();
        if self.gone() {
            self.tell(p);
            return u64::MAX;
        }
        let mut value = 0;
        self.act(p, |card, p| value = card.mmio_read(p, bar, off, size));
        if bar != 0 || size != 4 {
            return value;
        }
        self.wrong.read(off, value, &self.faults).saturating_add(self.spoiler.counted(off).into())
    }

    fn mmio_write(&mut self, p: &dyn Platform, bar: usize, off: u64, size: u8, value: u64) {
        self.faults.access();
        if self.gone() {
            return self.tell(p);
        }
        let register = (bar == 0 && size == 4).then_some(off);
        match register.map_or(registers::Effect::Pass, |off| self.wrong.write(off, value, &self.faults)) {
            registers::Effect::Pass => self.act(p, |card, p| card.mmio_write(p, bar, off, size, value)),
            registers::Effect::Reset => self.reset(p, value),
            registers::Effect::Nothing => self.act(p, |_, _| ()),
        }
    }

    fn is_faulty(&self) -> bool {
        self.faults.ever() || self.card.is_faulty()
    }

    fn held_until(&self) -> Option<Duration> {
        self.card.held_until()
    }

    fn causes(&self) -> Option<u64> {
        self.card.causes()
    }

    fn receive_message(&self) -> Option<u16> {
        self.card.receive_message()
    }

    fn receive(&mut self, p: &dyn Platform, frame: &[u8]) {
        if !self.gone() && !self.faults.has(Fault::PhyHung) {
            self.act(p, |card, p| card.receive(p, frame));
        }
    }

    fn set_link(&mut self, p: &dyn Platform, up: bool) {
        self.act(p, |card, p| card.set_link(p, up));
    }

    fn timer(&mut self, p: &dyn Platform) {
        self.spoiler.repeat(p);
        let deadline = self.said.deadline.take();
        let due = deadline.is_some_and(|at| at <= p.now());
        self.said.deadline.set(deadline.filter(|_| !due));
        self.act(p, |card, p| {
            if due {
                card.timer(p);
            }
        });
    }
}

/// What stands between the card and the platform.
struct Between<'a> {
    outer: &'a dyn Platform,
    faults: &'a Faults,
    said: &'a Said,
}

impl Platform for Between<'_> {
    fn now(&self) -> Duration {
        self.outer.now()
    }

    fn dma_read(&self, bus: u64, buf: &mut [u8]) -> bool {
        self.outer.dma_read(bus, buf)
    }

    fn dma_write(&self, bus: u64, data: &[u8]) -> bool {
        self.outer.dma_write(bus, data)
    }

    fn set_intx(&self, level: bool) {
        self.said.line.set(level);
    }

    fn message(&self, vector: u16) {
        if self.faults.has(Fault::Gone) || self.faults.has(Fault::MessagesLost) {
            return;
        }
        self.outer.message(vector);
        if self.faults.has(Fault::MessagesTwice) {
            self.outer.message(vector);
        }
    }

    fn mask(&self, change: Mask) {
        self.outer.mask(change);
    }

    fn transmit(&self, frame: &[u8]) {
        if !self.faults.has(Fault::Gone) && !self.faults.has(Fault::PhyHung) {
            self.outer.transmit(frame);
        }
    }

    fn went_badly(&self, frame: &[u8]) {
        self.outer.went_badly(frame);
    }

    fn taken_in(&self, frame: &[u8]) {
        self.outer.taken_in(frame);
    }

    fn was_reset(&self) {
        self.outer.was_reset();
    }

    fn doubt(&self, doubt: Doubt) {
        self.outer.doubt(doubt);
    }

    fn finding(&self, rule: &'static str, detail: String) {
        self.outer.finding(rule, detail);
    }

    fn step(&self, text: &'static str) {
        self.outer.step(text);
    }

    fn schedule(&self, at: Option<Duration>) {
        self.said.deadline.set(at);
    }
}
