//! The results.

use std::fmt;

use serde::Serialize;

use super::meter::{Cost, Step};

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    /// The client of this station.
    Outgoing,
    /// Others, this station, which is their access concentrator.
    Incoming,
}

impl Direction {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Outgoing, Self::Incoming];
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Outgoing => "outgoing",
            Self::Incoming => "incoming",
        })
    }
}

/// Instructions and cycles of the driver.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Price {
    pub(crate) instructions: f64,
    /// With the stand-ins for NDIS and the kernel.
    pub(crate) cycles: f64,
}

/// What a step costs for each call.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StepPrice {
    pub(crate) step: String,
    #[serde(flatten)]
    pub(crate) price: Price,
}

/// Which calls a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Case {
    pub(crate) direction: Direction,
    /// Other calls that are up meanwhile.
    pub(crate) others: usize,
    /// Calls that are set up, and then taken down, at the same time.
    pub(crate) at_once: usize,
    /// Each call that is taken down has been up for longest.
    pub(crate) oldest: bool,
}

/// What one call costs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    #[serde(flatten)]
    pub(crate) case: Case,
    pub(crate) set_up: Price,
    pub(crate) take_down: Price,
    pub(crate) steps: Vec<StepPrice>,
}

impl Row {
    /// From what setting up and taking down cost by step.
    pub(super) fn new(case: Case, instructions: &[Cost; 2], cycles: &[Cost; 2]) -> Self {
        let price = |of: &dyn Fn(&Cost) -> f64, at: usize| Price {
            instructions: of(&instructions[at]),
            cycles: of(&cycles[at]),
        };
        let steps = Step::ALL.into_iter().map(|step| {
            let [up, down] = [0, 1].map(|at| price(&|cost| cost.of(step), at));
            let both =
                Price { instructions: up.instructions + down.instructions, cycles: up.cycles + down.cycles };
            StepPrice { step: step.to_string(), price: both }
        });
        Self {
            case,
            set_up: price(&Cost::total, 0),
            take_down: price(&Cost::total, 1),
            steps: steps.filter(|step| step.price.instructions > 0.0).collect(),
        }
    }

    /// The whole life of a call.
    pub(crate) fn both(&self) -> Price {
        Price {
            instructions: self.set_up.instructions + self.take_down.instructions,
            cycles: self.set_up.cycles + self.take_down.cycles,
        }
    }
}

/// What a PADI costs under a flood of them, each from another station.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Flood {
    /// PADIs between two interrupts.
    pub(crate) at_once: usize,
    /// One that is answered.
    pub(crate) answered: Price,
    /// One that is not, because there were too many.
    pub(crate) ignored: Price,
}

/// What many calls take.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Scale {
    pub(crate) direction: Direction,
    pub(crate) calls: usize,
    /// Processor time of the driver until all are up, and until all have ended.
    pub(crate) seconds_up: f64,
    pub(crate) seconds_down: f64,
    /// The most cycles that one batch took: the longest that a processor was kept.
    pub(crate) worst_batch_up: f64,
    pub(crate) worst_batch_down: f64,
    /// Calls of a batch.
    pub(crate) at_once: usize,
    /// Non-paged pool for each call: blocks, bytes asked for, and bytes that the pool spends on them.
    pub(crate) blocks_each: f64,
    pub(crate) bytes_each: f64,
    pub(crate) pool_bytes_each: f64,
    /// Bytes asked for that the driver keeps when all calls have ended.
    pub(crate) bytes_kept: i64,
    /// Calls that were up, and the cycles of one more, on average of some.
    pub(crate) growth: Vec<(usize, f64)>,
}
