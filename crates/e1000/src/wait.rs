//! Waits that end by the clock, however long each step of them takes.

use crate::{Delay, Error};

/// Microseconds between two looks at first, which a kernel spins for, and how many of these looks there are.
const CLOSE: u32 = 50;
const CLOSELY: u32 = 20;
/// Microseconds between later looks. A kernel sleeps for them, until the next tick of its clock or the one after: in time for
/// much else, and so long that looks must not be counted.
const FAR: u32 = 1_000;

/// Looks until there is a result or `limit` microseconds have passed; `None` then.
pub(crate) fn poll<T>(
    delay: &impl Delay,
    limit: u32,
    mut look: impl FnMut() -> Result<Option<T>, Error>,
) -> Result<Option<T>, Error> {
    let begun = delay.clock();
    let mut looks = 0_u32;
    loop {
        // Asked before the look: what happens while a step takes too long is not missed.
        let over = delay.clock().wrapping_sub(begun) >= u64::from(limit);
        if let Some(found) = look()? {
            return Ok(Some(found));
        }
        if over {
            return Ok(None);
        }
        delay.microseconds(if looks < CLOSELY { CLOSE } else { FAR });
        looks = looks.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use super::*;

    /// A clock whose sleeps last until the next tick.
    struct Ticking(Cell<u64>);

    const TICK: u64 = 15_625;

    impl Delay for Ticking {
        fn microseconds(&self, us: u32) {
            let end = self.0.get() + u64::from(us);
            self.0.set(if us > 50 { end.next_multiple_of(TICK) } else { end });
        }

        fn clock(&self) -> u64 {
            self.0.get()
        }
    }

    #[test]
    fn ticks_do_not_add_up() {
        for limit in [0, 100, 10_000, 80_000, 500_000] {
            let clock = Ticking(Cell::new(7));
            assert_eq!(poll::<()>(&clock, limit, || Ok(None)), Ok(None));
            let took = clock.0.get() - 7;
            assert!((u64::from(limit)..=u64::from(limit) + TICK).contains(&took), "{limit}: {took}");
        }
    }

    #[test]
    fn what_happens_at_the_last_moment_counts() {
        let clock = Ticking(Cell::new(0));
        let found = poll(&clock, 80_000, || Ok((clock.0.get() >= 80_000).then_some(clock.0.get())));
        assert_eq!(found, Ok(Some(6 * TICK)));
        let soon = poll(&clock, 80_000, || Ok((clock.0.get() >= 6 * TICK + 90).then_some(())));
        assert_eq!((soon, clock.0.get()), (Ok(Some(())), 6 * TICK + 100), "short waits are not rounded up");
    }
}
