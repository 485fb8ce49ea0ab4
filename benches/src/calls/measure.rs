//! The measurements: calls one at a time and many, beside none and beside all.

use std::collections::VecDeque;

use anyhow::{Result, ensure};

use super::arena;
use super::meter::{Cost, Instructions, Meter, Reading, Step};
use super::row::{self, Case, Direction, Price, Row, Scale};
use super::station::{Flood, Station, Vc};
use crate::boot::Booted;
use crate::clock::{middle_mean, ticks_to_f64};
use crate::instrument::Stopwatch;
use crate::routines;
use crate::trace::Counter;

/// Calls whose cycles are measured for a row, and those before them that only warm up.
const CALLS: usize = 4096;
const WARM_UP: usize = 256;
/// Calls whose instructions are counted for a row, but one batch at least.
pub(super) const COUNTED: usize = 8;
/// Calls of a batch while many are brought up.
const AT_ONCE: usize = 32;
/// One of so many values is the largest, and may be due to something else.
const LARGEST: usize = 256;
/// Points of the curve.
const POINTS: usize = 64;
/// A step through the calls that meets each once: prime.
const STRIDE: usize = 40_507;

/// Measures calls.
pub(super) struct Bench<'a> {
    station: Station<'a>,
    stopwatch: Stopwatch,
    counter: Counter,
    /// Calls that are up beside those that are measured, the oldest first.
    others: VecDeque<Vc>,
}

impl<'a> Bench<'a> {
    pub(super) fn new(booted: &'a Booted) -> Result<Self> {
        let image = booted.image.base()..booted.image.base() + booted.image.size();
        Ok(Self {
            station: Station::new(booted)?,
            stopwatch: Stopwatch::new(),
            counter: Counter::new(&[image, routines::code()]),
            others: VecDeque::new(),
        })
    }

    /// Gives everything back; no calls are up.
    pub(super) fn finish(self) -> Result<()> {
        self.station.finish()
    }

    /// The addresses of the instructions counted last.
    pub(super) fn hits(&self) -> impl Iterator<Item = (usize, u32)> {
        self.counter.hits()
    }

    /// Sets calls up and takes as many down.
    fn turn<I: Reading>(&mut self, meter: &mut Meter<I>, case: &Case) -> Result<[Cost; 2]> {
        let Case { direction, at_once, oldest, .. } = *case;
        let each = ticks_to_f64(at_once as u64);
        let mut calls = Vec::new();
        if oldest {
            // The others are as many afterwards as they were before.
            calls.extend(self.others.drain(..at_once));
            self.station.take_down(meter, direction, &calls)?;
            let down = meter.take().each(each);
            self.others.extend(self.station.set_up(meter, direction, at_once)?);
            return Ok([meter.take().each(each), down]);
        }
        calls = self.station.set_up(meter, direction, at_once)?;
        let up = meter.take().each(each);
        self.station.take_down(meter, direction, &calls)?;
        Ok([up, meter.take().each(each)])
    }

    /// Measures one row.
    pub(super) fn row(&mut self, direction: Direction, at_once: usize, oldest: bool) -> Result<Row> {
        let case =
            Case { direction, others: self.others.len() - if oldest { at_once } else { 0 }, at_once, oldest };
        let mut meter = Meter::new(self.stopwatch.another());
        for _ in 0..WARM_UP / at_once {
            self.turn(&mut meter, &case)?;
        }
        Station::unexpected();
        let turns = (0..CALLS / at_once).map(|_| self.turn(&mut meter, &case));
        let cycles = middle(&turns.collect::<Result<Vec<_>>>()?);
        let counter = std::mem::replace(&mut self.counter, Counter::new(&[]));
        counter.clear();
        let mut meter = Meter::new(Instructions::new(&counter));
        let turns = (0..COUNTED.div_ceil(at_once)).map(|_| self.turn(&mut meter, &case));
        let turns = turns.collect::<Result<Vec<_>>>();
        self.counter = counter;
        let instructions = mean(&turns?);
        let unexpected = Station::unexpected();
        ensure!(unexpected == 0, "{unexpected} calls of routines that calls were not known to call");
        Ok(Row::new(case, &instructions, &cycles))
    }

    /// Measures PADIs.
    pub(super) fn flood(&mut self, at_once: usize) -> Result<row::Flood> {
        let mut prices = [Price::default(); 2];
        for (price, flood) in prices.iter_mut().zip([Flood::Answered, Flood::Ignored]) {
            let mut meter = Meter::new(self.stopwatch.another());
            self.station.rest(&mut meter);
            if flood == Flood::Ignored {
                self.station.exhaust(&mut meter);
            }
            let each = ticks_to_f64(at_once as u64);
            let mut cycles = Vec::new();
            meter.take();
            for turn in 0..(WARM_UP + CALLS) / at_once {
                self.station.flood(&mut meter, at_once, flood)?;
                let cost = meter.take().total() / each;
                if turn >= WARM_UP / at_once {
                    cycles.push(cost);
                }
            }
            price.cycles = middle_mean(&mut cycles);
            Station::unexpected();
            self.counter.clear();
            let mut meter = Meter::new(Instructions::new(&self.counter));
            let turns = COUNTED.div_ceil(at_once);
            for _ in 0..turns {
                self.station.flood(&mut meter, at_once, flood)?;
            }
            price.instructions = meter.take().total() / ticks_to_f64((turns * at_once) as u64);
            ensure!(Station::unexpected() == 0, "a PADI has unexpected consequences");
        }
        let [answered, ignored] = prices;
        Ok(row::Flood { at_once, answered, ignored })
    }

    /// Brings calls up and, when `meanwhile` is done, takes all down.
    pub(super) fn scale(
        &mut self,
        direction: Direction,
        calls: usize,
        tsc_hz: f64,
        meanwhile: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<Scale> {
        let mut meter = Meter::new(self.stopwatch.another());
        self.station.rest(&mut meter);
        meter.take();
        let before = arena::held();
        let mut up = Batches::default();
        while self.others.len() < calls {
            let count = AT_ONCE.min(calls - self.others.len());
            let clock = ProcessorTime::start();
            let made = self.station.set_up(&mut meter, direction, count)?;
            up.add(self.others.len(), clock.limit(meter.take().total(), tsc_hz), count);
            self.others.extend(made);
        }
        self.station.rest(&mut meter);
        up.sum += meter.take().total();
        let idle = arena::held();
        meanwhile(self)?;
        // In no order, as clients hang up.
        let all: Vec<_> = self.others.drain(..).collect();
        let stride = if calls.is_multiple_of(STRIDE) { 1 } else { STRIDE };
        let mixed: Vec<_> = (0..calls).map(|at| all[at * stride % calls]).collect();
        let mut down = Batches::default();
        for some in mixed.chunks(AT_ONCE) {
            let clock = ProcessorTime::start();
            self.station.take_down(&mut meter, direction, some)?;
            down.add(0, clock.limit(meter.take().total(), tsc_hz), some.len());
        }
        self.station.rest(&mut meter);
        down.sum += meter.take().total();
        let kept = arena::held();
        let each = |now: i64, then: i64| {
            ticks_to_f64(u64::try_from(now - then).unwrap_or(0)) / ticks_to_f64(calls as u64)
        };
        Ok(Scale {
            direction,
            calls,
            seconds_up: up.sum / tsc_hz,
            seconds_down: down.sum / tsc_hz,
            worst_batch_up: up.worst,
            worst_batch_down: down.worst,
            at_once: AT_ONCE,
            blocks_each: each(idle.blocks, before.blocks),
            bytes_each: each(idle.bytes, before.bytes),
            pool_bytes_each: each(idle.pool, before.pool),
            bytes_kept: kept.bytes - before.bytes,
            growth: up.curve(calls),
        })
    }
}

/// Processor time of this thread: that of other programs, which the time stamp counter cannot tell, is no part of it.
struct ProcessorTime(f64);

impl ProcessorTime {
    fn start() -> Self {
        Self(Self::now())
    }

    #[expect(clippy::cast_precision_loss, reason = "nanoseconds of minutes")]
    fn now() -> f64 {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the clock exists, and there is room for its time.
        let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
        assert!(result == 0, "clock_gettime: {}", std::io::Error::last_os_error());
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    }

    /// Cycles as measured, but no more than the thread had since the start.
    fn limit(&self, cycles: f64, tsc_hz: f64) -> f64 {
        cycles.min((Self::now() - self.0) * tsc_hz)
    }
}

/// What batches took.
#[derive(Default)]
struct Batches {
    sum: f64,
    worst: f64,
    /// Calls up before, cycles of the batch, calls of the batch.
    all: Vec<(usize, f64, usize)>,
}

impl Batches {
    fn add(&mut self, before: usize, cycles: f64, count: usize) {
        self.sum += cycles;
        self.worst = self.worst.max(cycles);
        self.all.push((before, cycles, count));
    }

    fn curve(&self, calls: usize) -> Vec<(usize, f64)> {
        let width = calls.div_ceil(POINTS).max(1);
        let mut curve = Vec::new();
        for some in self.all.chunk_by(|a, b| a.0 / width == b.0 / width) {
            let mut each: Vec<_> =
                some.iter().map(|(_, cycles, count)| cycles / ticks_to_f64(*count as u64)).collect();
            curve.push((some[0].0, middle_mean(&mut each)));
        }
        curve
    }
}

fn middle(turns: &[[Cost; 2]]) -> [Cost; 2] {
    // Few turns meet a timer, and none of these is in the middle.
    fold(turns, |step, values| if step == Step::Timer { most(values) } else { middle_mean(values) })
}

/// The average of all but the largest few, which are other programs' time.
fn most(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    average(values.get(..values.len() - values.len().div_ceil(LARGEST)).unwrap_or_default())
}

fn mean(turns: &[[Cost; 2]]) -> [Cost; 2] {
    fold(turns, |_, values| average(values))
}

fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / ticks_to_f64(values.len().max(1) as u64)
}

fn fold(turns: &[[Cost; 2]], f: impl Fn(Step, &mut [f64]) -> f64) -> [Cost; 2] {
    [0, 1].map(|at| Cost::fold(&turns.iter().map(|turn| turn[at]).collect::<Vec<_>>(), &f))
}
