//! How routines of the driver are called: with a stopwatch, or counting every instruction.

use crate::captured::Captured;
use crate::clock::{self, middle_mean, ticks_to_f64};
use crate::raw;
use crate::trace::Counter;

/// Message numbers of the card's interrupts.
pub(crate) const RECEIVE_MESSAGE: usize = 0;
pub(crate) const TRANSMIT_MESSAGE: usize = 1;

/// A routine of the driver or of the floor, and its arguments.
pub(crate) type Call = (usize, [usize; 5]);

/// How routines are called.
pub(crate) trait Instrument {
    /// Calls a routine; what it returns, if anything.
    fn call(&mut self, call: Call) -> usize;
}

/// Calls and measures time.
pub(crate) struct Stopwatch {
    /// Ticks that timing a call takes by itself.
    overhead: u64,
    ticks: u64,
}

unsafe extern "win64" fn nothing() {}

impl Stopwatch {
    /// A stopwatch that leaves its own cost out.
    pub(crate) fn new() -> Self {
        let mut watch = Self::careless();
        let mut empty: Vec<f64> = (0..10_000)
            .map(|_| {
                watch.call((nothing as *const () as usize, [0; 5]));
                ticks_to_f64(watch.take())
            })
            .collect();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few dozen ticks")]
        let overhead = middle_mean(&mut empty) as u64;
        Self { overhead, ticks: 0 }
    }

    /// One for what nobody wants to know exactly.
    pub(crate) const fn careless() -> Self {
        Self { overhead: 0, ticks: 0 }
    }

    /// One like this, at zero.
    pub(crate) const fn another(&self) -> Self {
        Self { overhead: self.overhead, ticks: 0 }
    }

    /// The ticks so far; back to zero.
    pub(crate) fn take(&mut self) -> u64 {
        std::mem::take(&mut self.ticks)
    }
}

impl Instrument for Stopwatch {
    fn call(&mut self, (address, arguments): Call) -> usize {
        let start = clock::begin();
        // SAFETY: a routine of the driver or the floor, and the arguments that its contract asks for.
        let result = unsafe { raw::call(address, &arguments) };
        let ticks = clock::end() - start;
        self.ticks += ticks.saturating_sub(self.overhead);
        result
    }
}

impl Instrument for &Counter {
    fn call(&mut self, (address, arguments): Call) -> usize {
        // SAFETY: as for the stopwatch.
        unsafe { Counter::call(self, address, &arguments) }
    }
}

/// The card's interrupt: the service routine, and the DPC until it has nothing left.
pub(crate) fn interrupt(entry: &Captured, instrument: &mut impl Instrument, message: usize) {
    let (service, dpc, context) = (entry.interrupt, entry.dpc, entry.interrupt_context);
    let mut answer = [0_u32; 2];
    let [queue, processors] = answer.each_mut().map(|it| std::ptr::from_mut(it).expose_provenance());
    instrument.call((service, [context, message, queue, processors, 0]));
    assert!(raw::read::<u8>(queue) == 1, "the driver queues its DPC");
    let mut throttle = [u32::MAX, 0];
    let parameters = throttle.as_mut_ptr().expose_provenance();
    loop {
        instrument.call((dpc, [context, message, 0, parameters, 0]));
        if raw::read::<u32>(parameters + 4) & 1 == 0 {
            break;
        }
    }
}
