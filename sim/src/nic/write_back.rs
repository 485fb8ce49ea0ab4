//! How descriptors get back into memory: at once and once, unless a fault is planned.

use std::{collections::VecDeque, time::Duration};

use super::{E1000, WriteBack, timers::Timer};
use crate::pci::Platform;

/// From a write-back to its repetition.
const REPETITION: Duration = Duration::from_micros(40);

/// Bytes of a descriptor and where they go.
type Part = (u64, Vec<u8>);

/// Write-backs that did not happen when they should have.
#[derive(Clone, Debug, Default)]
pub(super) struct WriteBacks {
    /// Waits for the next descriptor of the same ring.
    held: Option<Part>,
    again: VecDeque<(Duration, Part)>,
}

impl WriteBacks {
    /// When the next repetition is due.
    fn due(&self) -> Option<Duration> {
        self.again.front().map(|(at, _)| *at)
    }
}

impl E1000 {
    /// Writes the end of a descriptor, from `part` on, into memory, or does what is planned. False if the bus refused.
    pub(super) fn write_back(
        &mut self,
        p: &dyn Platform,
        ring: fn(&mut Self) -> &mut WriteBacks,
        part: Part,
        how: WriteBack,
    ) -> bool {
        match how {
            WriteBack::Lost => return true,
            WriteBack::Late if ring(self).held.is_none() => {
                ring(self).held = Some(part);
                return true;
            }
            WriteBack::Twice => ring(self).again.push_back((p.now() + REPETITION, part.clone())),
            _ => {}
        }
        let mut written = p.dma_write(part.0, &part.1);
        if let Some((at, bytes)) = ring(self).held.take() {
            written &= p.dma_write(at, &bytes);
        }
        self.schedule_repetition();
        written
    }

    fn schedule_repetition(&mut self) {
        match self.rx.write_backs.due().into_iter().chain(self.tx.write_backs.due()).min() {
            Some(at) => self.timers.set(Timer::WriteBack, at),
            None => self.timers.cancel(Timer::WriteBack),
        }
    }

    /// Repeats what is due. Where there is no memory any more, it is lost: the card is the culprit.
    pub(super) fn repeat_write_backs(&mut self, p: &dyn Platform) {
        for ring in [&mut self.rx.write_backs, &mut self.tx.write_backs] {
            while ring.due().is_some_and(|at| at <= p.now()) {
                if let Some((_, (at, bytes))) = ring.again.pop_front() {
                    p.dma_write(at, &bytes);
                }
            }
        }
        self.schedule_repetition();
    }
}
