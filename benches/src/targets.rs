//! What the data path is meant to cost at most.

use std::fmt;

use serde::Serialize;

use crate::row::{Row, Spread};

/// The batch at which targets hold.
const BATCH: usize = 32;
/// Instructions as a multiple of the floor's, by the size of the frame.
const INSTRUCTIONS: [(usize, f64); 2] = [(64, 2.0), (1492, 1.3)];
/// Cycles of a frame.
const CYCLES: f64 = 300.0;
/// Cycles with all VCs as a multiple of those with one.
const MANY_VCS: f64 = 1.25;
/// rp-pppoe's cycles as a multiple of the driver's, at least.
const RELAY: f64 = 20.0;

/// A target and what was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Target {
    text: String,
    measured: f64,
    met: bool,
}

impl Target {
    /// One that is met at or below a limit.
    pub(crate) fn most(text: &str, measured: f64, limit: f64) -> Self {
        Self { text: format!("{text}: at most {limit}"), measured, met: measured <= limit }
    }

    /// One that is met at or above a limit.
    pub(crate) fn least(text: &str, measured: f64, limit: f64) -> Self {
        Self { text: format!("{text}: at least {limit}"), measured, met: measured >= limit }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.met { "met   " } else { "missed" };
        write!(f, "{verdict}  {}, measured {:.2}", self.text, self.measured)
    }
}

/// Judges the rows.
pub(crate) fn judge(rows: &[Row]) -> Vec<Target> {
    let mut targets = Vec::new();
    let one = |row: &&Row| row.batch == BATCH && row.spread == Spread::One;
    for row in rows.iter().filter(one) {
        let name = format!("{}, {} bytes, batch {BATCH}", row.direction, row.size);
        if let Some((_, limit)) = INSTRUCTIONS.iter().find(|(size, _)| *size == row.size) {
            let ratio = row.instructions / row.floor_instructions;
            targets.push(Target::most(&format!("{name}: instructions / floor's"), ratio, *limit));
        }
        targets.push(Target::most(&format!("{name}: cycles"), row.cycles, CYCLES));
        let many = rows.iter().find(|it| {
            it.spread == Spread::Batch
                && (it.direction, it.size, it.batch) == (row.direction, row.size, row.batch)
        });
        if let Some(many) = many {
            let text = format!("{name}: cycles with {} VCs / with 1", many.vcs);
            targets.push(Target::most(&text, many.cycles / row.cycles, MANY_VCS));
        }
        if let Some(relay) = row.relay_cycles {
            targets.push(Target::least(
                &format!("{name}: rp-pppoe's cycles / driver's"),
                relay / row.cycles,
                RELAY,
            ));
        }
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Direction;

    #[test]
    fn targets_are_met_and_missed() {
        let row = Row {
            direction: Direction::Send,
            size: 64,
            batch: 32,
            vcs: 1,
            spread: Spread::One,
            instructions: 150.0,
            cycles: 301.0,
            floor_instructions: 100.0,
            floor_cycles: 50.0,
            relay_cycles: Some(301.0 * 20.0),
        };
        let many = Row { vcs: 9, spread: Spread::Batch, cycles: 301.0 * 1.26, ..row };
        let met: Vec<_> = judge(&[row, many]).iter().map(|target| target.met).collect();
        assert_eq!(met, [true, false, false, true]);
        assert!(judge(&[Row { batch: 8, ..row }]).is_empty());
    }
}
