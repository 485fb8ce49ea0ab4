//! Draws the steps of a run from its seed.

use crate::op::{Flow, Forgery, Junk, Op, Saying, Step, Wish};

/// `SplitMix64` (Steele, Lea and Flood, OOPSLA 2014): small, portable, good enough to draw steps with.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).expect("small")]
    }
}

/// The steps of a seed.
pub(crate) fn steps(seed: u64) -> Vec<Step> {
    let mut steps = plain(seed);
    let mut dice = Dice::new(seed ^ 0x726f_7567_6800);
    if dice.below(4) != 0 {
        roughen(&mut steps, &mut dice);
    }
    steps
}

/// The steps of a seed without changed rates, junk and failures. What a seed draws here stays as it is: some of them
/// have found something.
pub(crate) fn plain(seed: u64) -> Vec<Step> {
    let mut dice = Dice::new(seed ^ 0x6d6f_6465_6c00);
    let count = 10 + dice.below(50);
    let inbound = dice.below(2) == 0;
    let mut steps = vec![
        Step { after: 0, apart: false, op: Op::Open { ppp: seed.is_multiple_of(2) } },
        Step { after: 0, apart: false, op: Op::Create { nth: 0 } },
    ];
    // Some seeds are about data, some about calls, some about power.
    let theme = dice.below(3);
    if inbound {
        steps.push(Step { after: 0, apart: false, op: Op::Register { nth: 0, good: true } });
    }
    steps.extend((0..count).map(|_| {
        let mut step = step(&mut dice, theme);
        if inbound && dice.below(4) == 0 {
            step.op = Op::Dial;
        }
        step
    }));
    steps
}

fn step(dice: &mut Dice, theme: u64) -> Step {
    let after = match dice.below(8) {
        0..=3 => 0,
        4 => dice.below(100),
        5 => dice.below(2_000),
        6 => dice.below(50_000),
        _ => dice.below(3_000_000),
    };
    Step { after, apart: dice.below(2) == 0, op: op(dice, theme) }
}

fn op(dice: &mut Dice, theme: u64) -> Op {
    let nth = dice.next() >> 32;
    let windows = if theme == 2 { 16 } else { 5 };
    let data = if theme == 1 { 40 } else { 10 };
    match dice.below(90 + windows + data) {
        0..5 => Op::Open { ppp: dice.below(2) == 0 },
        5..9 => Op::CloseFamily { nth, busy: dice.below(3) == 0 },
        9..11 => Op::Register { nth, good: dice.below(4) != 0 },
        11..13 => Op::Deregister { nth },
        13..19 => Op::Create { nth },
        19..24 => Op::Delete { nth },
        24..46 => Op::Call { nth, wish: wish(dice) },
        46..68 => Op::Close { nth },
        68..75 => Op::HangUp { nth },
        75..79 => {
            let all = [
                Forgery::PadtOfAnother,
                Forgery::PadtOfNothing,
                Forgery::PerfectPadt,
                Forgery::PadsOfAnother,
            ];
            Op::Forge { nth, what: dice.pick(&all) }
        }
        79..81 => Op::Ask { nth },
        81..83 => Op::Dial,
        83..90 => Op::Rest { long: dice.below(3) == 0 },
        at if at < 90 + windows => {
            let all = [
                Op::Link { up: false },
                Op::Link { up: true },
                Op::Link { up: true },
                Op::Pause,
                Op::Restart,
                Op::Sleep,
                Op::Wake,
                Op::NewLife,
            ];
            if dice.below(40) == 0 { Op::Remove } else { dice.pick(&all) }
        }
        _ => {
            let len = dice.pick(&[12, 42, 60, 300, 1494]);
            Op::Send { nth, frames: 1 + u8::try_from(dice.below(6)).expect("small"), len }
        }
    }
}

fn wish(dice: &mut Dice) -> Wish {
    if dice.below(2) == 0 { Wish::Served } else { dice.pick(&Wish::ALL[..15]) }
}

/// Puts what else may happen between the steps: in each seed much of one kind and a little of the others.
fn roughen(steps: &mut Vec<Step>, dice: &mut Dice) {
    const FIRST: usize = 3;
    let theme = dice.below(4);
    let count = steps.len() / 4 + usize::try_from(dice.below(steps.len() as u64 / 2)).expect("small");
    for _ in 0..count {
        let room = (steps.len() - FIRST + 1) as u64;
        let at = FIRST + usize::try_from(dice.below(room)).expect("small");
        let kind = if dice.below(3) == 0 { dice.below(4) } else { theme };
        let mut new = step(dice, 0);
        new.op = rough(dice, kind);
        steps.insert(at, new);
    }
    for step in steps {
        if let Op::Call { wish: wish @ Wish::Served, .. } = &mut step.op
            && dice.below(3) == 0
        {
            *wish = Wish::Adorned;
        }
    }
}

fn rough(dice: &mut Dice, kind: u64) -> Op {
    let nth = dice.next() >> 32;
    match kind {
        // Frames to be held, changes that can be had, and any.
        0 if dice.below(3) == 0 => Op::Send { nth, frames: 6, len: 1494 },
        0 if dice.below(3) != 0 => Op::Modify { nth, flow: dice.pick(&Flow::ALL[..3]) },
        0 => Op::Modify { nth, flow: dice.pick(&Flow::ALL) },
        1 => Op::Junk {
            nth,
            what: dice.pick(&Junk::ALL),
            count: 1 + u8::try_from(dice.below(30)).expect("small"),
        },
        2 => Op::Say { nth, what: dice.pick(&Saying::ALL) },
        _ => Op::Starve { one_in: dice.pick(&[0, 0, 0, 2, 10, 40]) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_run() {
        assert_eq!(steps(3), steps(3));
        assert_ne!(steps(3), steps(4));
    }

    #[test]
    fn seeds_draw_every_kind_of_step() {
        let all: Vec<_> = (0..200).flat_map(steps).map(|step| std::mem::discriminant(&step.op)).collect();
        let kinds: std::collections::HashSet<_> = all.into_iter().collect();
        assert_eq!(kinds.len(), 25);
    }
}
