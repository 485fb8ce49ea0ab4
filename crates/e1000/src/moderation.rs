//! Adaptive interrupt moderation: how long the card may collect before it interrupts, from what the last interrupts
//! brought.
//!
//! A lone small frame is somebody waiting for an answer; many bytes are a transfer, to which batches matter more. The
//! classes and the steps between them:
//!
//! ```text
//!           more than a few small frames            more than 640 Mb/s
//!   Lowest -----------------------------> Low -----------------------> Bulk
//!    15 us <-----------------------------  50 us <---------------------  250 us
//!           at most two small frames                less than 192 Mb/s
//! ```

/// How much latency the traffic bears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LatencyClass {
    /// Single small frames: questions and answers, voice.
    Lowest,
    /// Everything between.
    #[default]
    Low,
    /// Transfers near what the link can carry.
    Bulk,
}

impl LatencyClass {
    /// The time between two interrupts in nanoseconds, for [`Nic::set_moderation`](crate::Nic::set_moderation). At a
    /// gigabit, [`LatencyClass::Bulk`] lets 20 full frames or 370 of the shortest arrive: a ring has to hold them.
    pub fn nanoseconds(self) -> u32 {
        match self {
            Self::Lowest => 15_000,
            Self::Low => 50_000,
            Self::Bulk => 250_000,
        }
    }
}

/// Bytes of a frame up to which it is small.
const SMALL: u32 = 256;
/// Frames above which small ones are a flood.
const FEW: u32 = 16;
/// Frames up to which small ones are a conversation.
const CONVERSATION: u32 = 2;
/// Bytes in 50 us above which the traffic is a transfer: more than two full frames, 640 Mb/s.
const TRANSFER: u32 = 4_000;
/// Bytes in 250 us below which a transfer has ended: 192 Mb/s.
const TRICKLE: u32 = 6_000;

/// Chooses the class for one interrupt vector. Pure arithmetic; belongs to whoever serves the vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moderation {
    class: LatencyClass,
}

impl Moderation {
    /// Begins in the middle.
    pub fn new() -> Self {
        Self::default()
    }

    /// The class now.
    pub fn class(&self) -> LatencyClass {
        self.class
    }

    /// Takes what one interrupt brought, frames and their bytes, and returns the new class if it has changed; by one
    /// step at a time. An interrupt that brought nothing says nothing.
    pub fn update(&mut self, frames: u32, bytes: u32) -> Option<LatencyClass> {
        let average = bytes.checked_div(frames)?;
        let class = match self.class {
            LatencyClass::Lowest if average > SMALL || frames > FEW => LatencyClass::Low,
            LatencyClass::Low if bytes > TRANSFER => LatencyClass::Bulk,
            LatencyClass::Low if average <= SMALL && frames <= CONVERSATION => LatencyClass::Lowest,
            LatencyClass::Bulk if bytes < TRICKLE => LatencyClass::Low,
            same => same,
        };
        let changed = class != self.class;
        self.class = class;
        changed.then_some(class)
    }
}

#[cfg(test)]
mod tests {
    use super::LatencyClass::{Bulk, Low, Lowest};
    use super::*;
    use proptest::prelude::*;

    /// The class in which steady traffic of so many frames per second settles, and how often it still changes there.
    fn settle(mut moderation: Moderation, frames_per_second: u64, length: u32) -> (LatencyClass, usize) {
        let mut unrest = 0;
        let mut arrived = 0_u64;
        for interrupt in 0..200 {
            arrived += frames_per_second * u64::from(moderation.class().nanoseconds());
            let frames = u32::try_from(arrived / 1_000_000_000).unwrap();
            arrived %= 1_000_000_000;
            let changed = moderation.update(frames, frames * length).is_some();
            unrest += usize::from(changed && interrupt >= 100);
        }
        (moderation.class(), unrest)
    }

    #[test]
    fn traffic_finds_its_class_from_anywhere() {
        for class in [Lowest, Low, Bulk] {
            let from = Moderation { class };
            for (frames_per_second, length, expected) in [
                (81_000, 1514, Bulk),
                (1_400_000, 60, Bulk),
                (50_000, 1514, Bulk),
                (8_000, 1514, Low),
                (15_000, 1514, Low),
            ] {
                let (settled, unrest) = settle(from, frames_per_second, length);
                assert_eq!(
                    (settled, unrest),
                    (expected, 0),
                    "{frames_per_second} of {length} from {class:?}"
                );
            }
            // Traffic so slow that each frame has its interrupt.
            let mut voice = from;
            for _ in 0..3 {
                voice.update(1, 214);
            }
            assert_eq!(voice.class(), Lowest, "voice");
        }
    }

    #[test]
    fn nothing_changes_nothing() {
        for class in [Lowest, Low, Bulk] {
            let mut moderation = Moderation { class };
            assert_eq!(
                (moderation.update(0, 0), moderation.update(0, 9_999), moderation.class()),
                (None, None, class)
            );
        }
    }

    #[test]
    fn a_change_is_told_once() {
        let mut moderation = Moderation::new();
        assert_eq!(moderation.class(), Low);
        assert_eq!([moderation.update(1, 60), moderation.update(1, 60)], [Some(Lowest), None]);
        assert_eq!([moderation.update(20, 30_000), moderation.update(20, 30_000)], [Some(Low), Some(Bulk)]);
        assert_eq!(moderation.update(20, 30_000), None);
    }

    proptest! {
        #[test]
        fn one_step_at_a_time(loads in prop::collection::vec((any::<u32>(), any::<u32>()), 0..50)) {
            let mut moderation = Moderation::new();
            for (frames, bytes) in loads {
                let before = moderation.class() as i32;
                let told = moderation.update(frames, bytes);
                let after = moderation.class() as i32;
                prop_assert!((after - before).abs() <= 1);
                prop_assert_eq!(told.is_some(), after != before);
            }
        }
    }
}
