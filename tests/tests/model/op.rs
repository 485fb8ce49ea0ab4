//! What happens in a run: the steps of clients, of the peer, of the cable and of Windows, drawn from a seed.

use std::fmt;

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

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).expect("small")]
    }
}

/// What a call is made to: decides how it may end. The peer reads it from the Service-Name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wish {
    /// One access concentrator serves it.
    Served,
    /// Three of them offer it and serve it.
    Many,
    /// It is served after a while.
    Slow,
    /// Every answer comes twice.
    Twice,
    /// Refused with Service-Name-Error.
    Unknown,
    /// Refused with AC-System-Error.
    Full,
    /// Refused with Generic-Error.
    Refused,
    /// One offers and refuses, another one serves.
    Mixed,
    /// Offered, and requests are not answered.
    Deaf,
    /// Nobody answers.
    Absent,
    /// An access concentrator that does not exist is asked for by name.
    Elsewhere,
    /// No media parameters.
    NoMedia,
    /// A block that ends in its fixed part.
    Short,
    /// Names that lie outside of the block.
    Outside,
    /// A multipoint call.
    Multipoint,
}

impl Wish {
    const ALL: [Self; 15] = [
        Self::Served,
        Self::Many,
        Self::Slow,
        Self::Twice,
        Self::Unknown,
        Self::Full,
        Self::Refused,
        Self::Mixed,
        Self::Deaf,
        Self::Absent,
        Self::Elsewhere,
        Self::NoMedia,
        Self::Short,
        Self::Outside,
        Self::Multipoint,
    ];

    /// The service to ask for in the call of this number.
    pub(crate) fn service(self, call: u32) -> String {
        format!("{self:?}-{call}")
    }

    /// The wish and the call of a service.
    pub(crate) fn of_service(service: &[u8]) -> Option<(Self, u32)> {
        let (name, call) = std::str::from_utf8(service).ok()?.split_once('-')?;
        let wish = Self::ALL.into_iter().find(|wish| format!("{wish:?}") == name)?;
        Some((wish, call.parse().ok()?))
    }

    /// Whether the parameters are such that no call can be made of them.
    pub(crate) fn is_bad(self) -> bool {
        matches!(self, Self::NoMedia | Self::Short | Self::Outside | Self::Multipoint)
    }
}

/// A forged packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forgery {
    /// A PADT of the session from another station.
    PadtOfAnother,
    /// A PADT from the peer for a session that is none.
    PadtOfNothing,
    /// A PADT that cannot be told from the peer's.
    PerfectPadt,
    /// A PADS with the call's Host-Uniq from another station.
    PadsOfAnother,
}

/// One step. Numbers choose among what there is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Open {
        ppp: bool,
    },
    CloseFamily {
        nth: u64,
        busy: bool,
    },
    Register {
        nth: u64,
        good: bool,
    },
    Deregister {
        nth: u64,
    },
    Create {
        nth: u64,
    },
    Delete {
        nth: u64,
    },
    Call {
        nth: u64,
        wish: Wish,
    },
    Close {
        nth: u64,
    },
    Send {
        nth: u64,
        frames: u8,
        len: u16,
    },
    /// A host calls the card.
    Dial,
    HangUp {
        nth: u64,
    },
    Forge {
        nth: u64,
        what: Forgery,
    },
    Link {
        up: bool,
    },
    Pause,
    Restart,
    Sleep,
    Wake,
    Ask {
        nth: u64,
    },
    /// Everything comes to rest, and what must have happened by then is looked for.
    Rest {
        long: bool,
    },
    /// The adapter is halted with whatever is open, and started again.
    NewLife,
    Remove,
}

/// A step and when it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Microseconds after the one before.
    pub(crate) after: u64,
    /// In a thread of its own; the next one does not wait for its end.
    pub(crate) apart: bool,
    pub(crate) op: Op,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let apart = if self.apart { ", in a thread of its own" } else { "" };
        write!(f, "after {} us: {:?}{apart}", self.after, self.op)
    }
}

/// The steps of a seed.
pub(crate) fn steps(seed: u64) -> Vec<Step> {
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
    if dice.below(2) == 0 { Wish::Served } else { dice.pick(&Wish::ALL) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_names_wish_and_call() {
        for wish in Wish::ALL {
            assert_eq!(Wish::of_service(wish.service(7).as_bytes()), Some((wish, 7)));
        }
        assert_eq!(Wish::of_service(b"internet"), None);
    }

    #[test]
    fn a_seed_is_a_run() {
        assert_eq!(steps(3), steps(3));
        assert_ne!(steps(3), steps(4));
    }
}
