//! What calls are meant to cost at most.

use super::row::{Direction, Row};
use super::{Driver, Peers};
use crate::targets::Target;

/// Calls in a second of the driver's time, set up and taken down.
const CALLS_A_SECOND: f64 = 20_000.0;
/// Bytes of non-paged pool for an idle call.
const BYTES: f64 = 1024.0;
/// Offers in a second of processor time as a multiple of those of `pppoe-server`.
const OFFERS: f64 = 1.0;
/// The cost of a call beside all others as a multiple of that of the first.
const GROWTH: f64 = 1.25;

/// Judges what was measured.
pub(super) fn judge(driver: &Driver, peers: Option<&Peers>, tsc_hz: f64) -> Vec<Target> {
    let mut targets = Vec::new();
    for direction in Direction::ALL {
        let of = |row: &&Row| row.case.direction == direction && row.case.at_once == 1 && !row.case.oldest;
        let first = driver.rows.iter().filter(of).find(|row| row.case.others == 0);
        let last = driver.rows.iter().filter(of).find(|row| row.case.others != 0);
        for row in first.iter().chain(&last) {
            let text = format!("{direction}: calls in a second of driver time beside {}", row.case.others);
            targets.push(Target::least(&text, tsc_hz / row.both().cycles, CALLS_A_SECOND));
        }
        if let (Some(first), Some(last)) = (first, last) {
            let text =
                |what| format!("{direction}: {what} of a call beside {} / of the first", last.case.others);
            let (first, last) = (first.both(), last.both());
            targets.push(Target::most(&text("instructions"), last.instructions / first.instructions, GROWTH));
            targets.push(Target::most(&text("cycles"), last.cycles / first.cycles, GROWTH));
        }
        for scale in driver.scales.iter().filter(|scale| scale.direction == direction) {
            let text = format!("{direction}: bytes of non-paged pool for each of {} idle calls", scale.calls);
            targets.push(Target::most(&text, scale.pool_bytes_each, BYTES));
        }
    }
    for (flood, peers) in driver.floods.iter().zip(peers) {
        let ratio = tsc_hz / flood.answered.cycles * peers.server_offers.nanoseconds / 1e9;
        let text = "PADOs in a second of driver time / of pppoe-server's processor time";
        targets.push(Target::least(text, ratio, OFFERS));
    }
    targets
}
