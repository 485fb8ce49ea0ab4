//! The measurement: batches of frames through the driver's data path, and through the floor.

use anyhow::{Result, bail, ensure};

use crate::boot::{Booted, STATION};
use crate::captured::Captured;
use crate::card::Card;
use crate::clock::{middle_mean, ticks_to_f64};
use crate::floor::{self, Floor};
use crate::instrument::{self, Instrument, RECEIVE_MESSAGE, Stopwatch, TRANSMIT_MESSAGE};
use crate::layout::{self, Lists};
use crate::routines;
use crate::row::{Direction, Row, Spread};
use crate::services::{self, Bound, Chain};
use crate::trace::Counter;
use crate::wire::PEER;

/// Frames whose cycles are measured for a row, and those before them that only warm up.
const FRAMES: usize = 65_536;
const WARM_UP: usize = 2_048;
/// Frames whose instructions are counted for a row, but one batch at least.
pub(crate) const COUNTED: usize = 64;
/// Driver and floor take turns, so that what disturbs the machine disturbs both.
const TURNS: usize = 8;
/// Descriptors of the floor's ring, as many as the driver's by default.
const RING: u32 = 512;
/// Most frames of a batch.
const LARGEST: usize = 256;
/// Address and control field, which NDISWAN puts before PPP.
const ADDRESS_AND_CONTROL: [u8; 2] = [0xFF, 0x03];
/// Bytes of Ethernet and PPPoE headers.
const HEADERS: usize = 20;
/// `NDIS_SEND_FLAGS_DISPATCH_LEVEL`, `NDIS_RETURN_FLAGS_DISPATCH_LEVEL`; `NDIS_RECEIVE_FLAGS_RESOURCES`.
const AT_DISPATCH_LEVEL: usize = 1;
const RESOURCES: usize = 2;
/// A step through the VCs that meets each once: no divisor of 65,534, and prime.
const STRIDE: usize = 40_507;

/// A VC of the driver.
#[derive(Clone, Copy)]
struct Vc {
    handle: usize,
    context: usize,
    session: u16,
}

/// The driver, the card and the client.
pub(crate) struct Path<'a> {
    entry: Captured,
    card: Card,
    lists: Lists,
    vcs: Vec<Vc>,
    next_vc: usize,
    payload: Vec<u8>,
    stopwatch: Stopwatch,
    counter: Counter,
    /// Last: the card's place in the ring is put right with stand-ins still bound.
    bound: Bound<'a>,
}

impl<'a> Path<'a> {
    /// Takes over from the simulator.
    pub(crate) fn new(booted: &'a Booted) -> Result<Self> {
        let entry = booted.captured.clone();
        let (registers, window) = entry.registers;
        let payload: Vec<u8> = [0x00, 0x21].into_iter().chain((2..=255_u8).cycle()).take(1500).collect();
        let frame = [&ADDRESS_AND_CONTROL[..], &payload].concat();
        let image = booted.image.base()..booted.image.base() + booted.image.size();
        let card = Card::take(registers, window, &entry.shared)?;
        let vcs = entry.vcs.iter().map(|&(handle, context)| Vc { handle, context, session: 0 }).collect();
        let mut path = Self {
            card,
            lists: Lists::new(LARGEST, &frame),
            vcs,
            next_vc: 0,
            payload,
            stopwatch: Stopwatch::new(),
            counter: Counter::new(&[image, routines::code()]),
            bound: Bound::new(&booted.image, &[]),
            entry,
        };
        path.learn_sessions()?;
        Ok(path)
    }

    /// Gives the card back to the simulator as it was.
    pub(crate) fn finish(mut self) -> Result<()> {
        let mut stopwatch = Stopwatch::careless();
        while !self.card.sends_are_round() {
            self.send(&mut stopwatch, 64, 1, Spread::One)?;
        }
        while !self.card.receives_are_round() {
            self.receive(&mut stopwatch, 64, 1, Spread::One)?;
        }
        let Self { card, bound, .. } = self;
        drop(card);
        drop(bound);
        Ok(())
    }

    /// The addresses of the instructions counted last.
    pub(crate) fn hits(&self) -> impl Iterator<Item = (usize, u32)> {
        self.counter.hits()
    }

    /// Sends one frame on each VC and reads its session in the ring.
    fn learn_sessions(&mut self) -> Result<()> {
        let length = ADDRESS_AND_CONTROL.len() + 64;
        for index in 0..self.vcs.len() {
            let Vc { handle, context, .. } = self.vcs[index];
            let first = self.lists.chain(0, 1, length, handle);
            self.stopwatch.call((self.entry.send, [context, first, AT_DISPATCH_LEVEL, 0, 0]));
            let frame = self.card.waiting(0);
            let expected = [&PEER[..], &STATION, &[0x88, 0x64, 0x11, 0]].concat();
            ensure!(frame.get(..16) == Some(&expected), "VC {index} does not send session frames");
            self.vcs[index].session = u16::from_be_bytes([frame[16], frame[17]]);
            ensure!(frame[HEADERS..] == self.payload[..64], "VC {index} does not send what it is given");
            self.card.send();
            self.interrupt_with_stopwatch(TRANSMIT_MESSAGE);
            services::completed();
        }
        self.stopwatch.take();
        services::unexpected();
        Ok(())
    }

    fn interrupt_with_stopwatch(&mut self, message: usize) {
        let mut stopwatch = Stopwatch::careless();
        self.interrupt(&mut stopwatch, message);
    }

    fn interrupt(&self, instrument: &mut impl Instrument, message: usize) {
        instrument::interrupt(&self.entry, instrument, message);
    }

    /// The VC whose turn it is.
    fn vc(&mut self, spread: Spread) -> Vc {
        if spread != Spread::One {
            self.next_vc = (self.next_vc + STRIDE) % self.vcs.len();
        }
        self.vcs[self.next_vc]
    }

    /// The VCs of a batch and how many frames each gets.
    fn groups(&mut self, batch: usize, spread: Spread) -> Vec<(Vc, usize)> {
        match spread {
            Spread::Frame => (0..batch).map(|_| (self.vc(spread), 1)).collect(),
            Spread::One | Spread::Batch => vec![(self.vc(spread), batch)],
        }
    }

    fn send(
        &mut self,
        instrument: &mut impl Instrument,
        size: usize,
        batch: usize,
        spread: Spread,
    ) -> Result<()> {
        let length = ADDRESS_AND_CONTROL.len() + size;
        let mut first = 0;
        let mut sends = Vec::with_capacity(batch);
        for (vc, count) in self.groups(batch, spread) {
            sends.push((vc.context, self.lists.chain(first, count, length, vc.handle)));
            first += count;
        }
        for (context, lists) in sends {
            instrument.call((self.entry.send, [context, lists, AT_DISPATCH_LEVEL, 0, 0]));
        }
        ensure!(self.card.send() == batch, "the driver put other than {batch} frames into the ring");
        self.interrupt(instrument, TRANSMIT_MESSAGE);
        let completed = services::completed();
        let lists = completed.iter().flat_map(|chain| layout::lists(chain.first));
        let good = lists.filter(|&list| layout::status(list) == 0).count();
        ensure!(good == batch, "{good} of {batch} sends succeeded");
        Ok(())
    }

    fn receive(
        &mut self,
        instrument: &mut impl Instrument,
        size: usize,
        batch: usize,
        spread: Spread,
    ) -> Result<()> {
        for (vc, count) in self.groups(batch, spread) {
            let [high, low] = vc.session.to_be_bytes();
            let length = u16::try_from(size)?.to_be_bytes();
            let head = [&STATION[..], &PEER, &[0x88, 0x64, 0x11, 0, high, low], &length, &self.payload[..2]]
                .concat();
            for _ in 0..count {
                self.card.receive(&head, HEADERS + size);
            }
        }
        self.interrupt(instrument, RECEIVE_MESSAGE);
        let indicated = services::indicated();
        let count: usize = indicated.iter().map(|chain| chain.count).sum();
        ensure!(count == batch, "{count} of {batch} frames were indicated");
        for Chain { first, flags, .. } in indicated {
            if flags & RESOURCES != 0 {
                bail!("the driver runs short of receive buffers");
            }
            instrument.call((self.entry.returned, [self.entry.adapter, first, AT_DISPATCH_LEVEL, 0, 0]));
        }
        Ok(())
    }

    /// Both ways once, with a look at the contents.
    fn verify(&mut self, size: usize) -> Result<()> {
        let vc = self.vc(Spread::Batch);
        let first = self.lists.chain(0, 1, ADDRESS_AND_CONTROL.len() + size, vc.handle);
        self.stopwatch.call((self.entry.send, [vc.context, first, AT_DISPATCH_LEVEL, 0, 0]));
        let frame = self.card.waiting(0);
        ensure!(frame.get(HEADERS..) == Some(&self.payload[..size]), "a sent frame differs");
        self.card.send();
        self.interrupt_with_stopwatch(TRANSMIT_MESSAGE);
        services::completed();
        let mut echo = frame;
        echo[..12].rotate_left(6);
        self.card.receive(&echo, echo.len());
        self.interrupt_with_stopwatch(RECEIVE_MESSAGE);
        let indicated = services::indicated();
        let [chain] = indicated[..] else { bail!("{} indications of one frame", indicated.len()) };
        ensure!(chain.vc == vc.handle, "a frame was indicated on another VC");
        ensure!(layout::data(chain.first) == self.payload[..size], "a received frame differs");
        let back = [self.entry.adapter, chain.first, AT_DISPATCH_LEVEL, 0, 0];
        self.stopwatch.call((self.entry.returned, back));
        self.stopwatch.take();
        Ok(())
    }

    fn pass(
        &mut self,
        instrument: &mut impl Instrument,
        direction: Direction,
        size: usize,
        batch: usize,
        spread: Spread,
    ) -> Result<()> {
        match direction {
            Direction::Send => self.send(instrument, size, batch, spread),
            Direction::Receive => self.receive(instrument, size, batch, spread),
        }
    }

    /// Measures one row.
    pub(crate) fn row(
        &mut self,
        direction: Direction,
        size: usize,
        batch: usize,
        spread: Spread,
    ) -> Result<Row> {
        self.verify(size)?;
        let mut floor = Floor::new(RING, u32::try_from(HEADERS + size)?);
        let counted_batches = COUNTED.div_ceil(batch);
        let mut stopwatch = self.stopwatch.another();
        for _ in 0..WARM_UP / batch {
            self.pass(&mut stopwatch, direction, size, batch, spread)?;
        }
        stopwatch.take();
        services::unexpected();
        let (mut driver_ticks, mut floor_ticks) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            for _ in 0..FRAMES / TURNS / batch {
                self.pass(&mut stopwatch, direction, size, batch, spread)?;
                driver_ticks.push(ticks_to_f64(stopwatch.take()));
            }
            for _ in 0..FRAMES / TURNS / batch {
                floor_pass(&mut floor, &mut stopwatch, direction, batch);
                floor_ticks.push(ticks_to_f64(stopwatch.take()));
            }
        }
        let floor_counter = Counter::new(&[floor::code(), routines::code()]);
        for _ in 0..counted_batches {
            floor_pass(&mut floor, &mut &floor_counter, direction, batch);
        }
        let counter = std::mem::replace(&mut self.counter, Counter::new(&[]));
        counter.clear();
        let mut done = Ok(());
        for _ in 0..counted_batches {
            done = done.and_then(|()| self.pass(&mut &counter, direction, size, batch, spread));
        }
        self.counter = counter;
        done?;
        let unexpected = services::unexpected();
        ensure!(unexpected == 0, "{unexpected} calls of routines that the data path was not known to call");
        let frames = ticks_to_f64((counted_batches * batch) as u64);
        let each = ticks_to_f64(batch as u64);
        Ok(Row {
            direction,
            size,
            batch,
            vcs: if spread == Spread::One { 1 } else { self.vcs.len() },
            spread,
            instructions: ticks_to_f64(self.counter.total()) / frames,
            cycles: middle_mean(&mut driver_ticks) / each,
            floor_instructions: ticks_to_f64(floor_counter.total()) / frames,
            floor_cycles: middle_mean(&mut floor_ticks) / each,
            relay_cycles: None,
        })
    }
}

/// A batch through the floor.
fn floor_pass(floor: &mut Floor, instrument: &mut impl Instrument, direction: Direction, batch: usize) {
    match direction {
        Direction::Send => {
            instrument.call(floor.send(batch));
            floor.card_sends();
            instrument.call(floor.reclaim());
        }
        Direction::Receive => {
            floor.card_receives(u32::try_from(batch).unwrap_or(0));
            instrument.call(floor.receive());
        }
    }
}
