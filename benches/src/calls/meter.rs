//! What the steps of a call cost.

use std::fmt;

use crate::clock::ticks_to_f64;
use crate::instrument::{Call, Instrument, Stopwatch};
use crate::trace::Counter;

/// What the driver is called for while a call is set up and taken down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// `CmCreateVc`.
    CreateVc,
    /// `CmMakeCall`, which sends a PADI.
    MakeCall,
    /// The interrupt with a PADO, which is answered by a PADR.
    Offer,
    /// The interrupt with a PADS: the VC is activated, the call complete.
    Confirmation,
    /// The interrupt with a PADI, which is answered by a PADO.
    Solicitation,
    /// The interrupt with a PADR: a VC is created and activated, the call offered.
    Request,
    /// `CmIncomingCallComplete`: a PADS is sent, the call is up.
    IncomingCallComplete,
    /// `CmCloseCall`: a PADT is sent, the VC deactivated, the close complete.
    CloseCall,
    /// `CmDeleteVc`.
    DeleteVc,
    /// Interrupts for frames that were sent.
    Sent,
    /// Timers.
    Timer,
}

impl Step {
    /// How many there are.
    const COUNT: usize = 11;
    /// All, in their order.
    pub(super) const ALL: [Self; Self::COUNT] = [
        Self::CreateVc,
        Self::MakeCall,
        Self::Offer,
        Self::Confirmation,
        Self::Solicitation,
        Self::Request,
        Self::IncomingCallComplete,
        Self::CloseCall,
        Self::DeleteVc,
        Self::Sent,
        Self::Timer,
    ];
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::CreateVc => "CmCreateVc",
            Self::MakeCall => "CmMakeCall",
            Self::Offer => "PADO received",
            Self::Confirmation => "PADS received",
            Self::Solicitation => "PADI received",
            Self::Request => "PADR received",
            Self::IncomingCallComplete => "CmIncomingCallComplete",
            Self::CloseCall => "CmCloseCall",
            Self::DeleteVc => "CmDeleteVc",
            Self::Sent => "frames sent",
            Self::Timer => "timers",
        })
    }
}

/// An instrument that can be read.
pub(super) trait Reading: Instrument {
    /// What was measured since the last time.
    fn read(&mut self) -> u64;
}

impl Reading for Stopwatch {
    fn read(&mut self) -> u64 {
        self.take()
    }
}

/// Instructions, with those that were read before left in the counter.
pub(super) struct Instructions<'a> {
    counter: &'a Counter,
    read: u64,
}

impl<'a> Instructions<'a> {
    pub(super) fn new(counter: &'a Counter) -> Self {
        Self { counter, read: counter.total() }
    }
}

impl Instrument for Instructions<'_> {
    fn call(&mut self, call: Call) -> usize {
        let mut counter = self.counter;
        Instrument::call(&mut counter, call)
    }
}

impl Reading for Instructions<'_> {
    fn read(&mut self) -> u64 {
        let total = self.counter.total();
        total - std::mem::replace(&mut self.read, total)
    }
}

/// An instrument, and what it has measured by step.
pub(super) struct Meter<I> {
    instrument: I,
    steps: [u64; Step::COUNT],
}

impl<I: Reading> Meter<I> {
    pub(super) fn new(instrument: I) -> Self {
        Self { instrument, steps: [0; Step::COUNT] }
    }

    /// Calls a routine.
    pub(super) fn call(&mut self, routine: usize, arguments: [usize; 5]) -> usize {
        self.instrument.call((routine, arguments))
    }

    /// For what calls several routines; [`Meter::end`] follows.
    pub(super) fn instrument(&mut self) -> &mut I {
        &mut self.instrument
    }

    /// What was called since the last end was for this step.
    pub(super) fn end(&mut self, step: Step) {
        self.steps[step as usize] += self.instrument.read();
    }

    /// What was measured by step since the last time, in all.
    pub(super) fn take(&mut self) -> Cost {
        Cost(std::mem::take(&mut self.steps).map(ticks_to_f64))
    }
}

/// What the steps cost, in the unit of the instrument.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost([f64; Step::COUNT]);

impl Cost {
    /// The cost of a step.
    pub(super) fn of(&self, step: Step) -> f64 {
        self.0[step as usize]
    }

    /// The cost of all steps.
    pub(super) fn total(&self) -> f64 {
        self.0.iter().sum()
    }

    /// Its share of each of `count` calls.
    pub(super) fn each(&self, count: f64) -> Self {
        Self(self.0.map(|it| it / count))
    }

    /// Step by step the result of `f` for the values of many.
    pub(super) fn fold(many: &[Self], f: impl Fn(Step, &mut [f64]) -> f64) -> Self {
        Self(Step::ALL.map(|step| f(step, &mut many.iter().map(|cost| cost.of(step)).collect::<Vec<_>>())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Clock(u64);

    impl Instrument for Clock {
        fn call(&mut self, (routine, _): Call) -> usize {
            self.0 += routine as u64;
            routine
        }
    }

    impl Reading for Clock {
        fn read(&mut self) -> u64 {
            std::mem::take(&mut self.0)
        }
    }

    #[test]
    fn steps_have_their_costs() {
        let mut meter = Meter::new(Clock(0));
        for (routine, step) in [(3, Step::CreateVc), (4, Step::Timer), (5, Step::CreateVc)] {
            meter.call(routine, [0; 5]);
            meter.end(step);
        }
        let cost = meter.take().each(2.0);
        let found = [cost.of(Step::CreateVc), cost.of(Step::Timer), cost.of(Step::Sent), cost.total()];
        assert_eq!(found.map(f64::to_bits), [4.0, 2.0, 0.0, 6.0].map(f64::to_bits));
        assert_eq!(meter.take().total().to_bits(), 0.0_f64.to_bits());
        let sum = Cost::fold(&[cost, cost], |_, values| values.iter().sum());
        assert_eq!(sum.of(Step::CreateVc).to_bits(), 8.0_f64.to_bits());
        assert!(Step::ALL.iter().enumerate().all(|(at, step)| *step as usize == at));
    }
}
