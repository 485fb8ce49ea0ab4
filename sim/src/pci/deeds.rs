//! What a card has done and its driver has to notice.

use std::{collections::BTreeMap, time::Duration};

/// Longest frame in one receive buffer, as far as looking one up goes.
const BUFFER: u64 = 2048;

/// When a card did what it then interrupts for.
#[derive(Clone, Debug, Default)]
pub struct Deeds {
    /// When frames were written back, by the bus address of their buffers.
    received: BTreeMap<u64, Duration>,
    /// When the last frame sent was written back.
    sent: Option<Duration>,
    /// When the link changed, or the driver let the card interrupt for the first time since it was reset.
    link: Option<Duration>,
}

impl Deeds {
    /// A frame is in the buffer at this bus address.
    pub(crate) fn received(&mut self, buffer: u64, now: Duration) {
        self.received.insert(buffer, now);
    }

    /// A sent frame was written back.
    pub(crate) fn sent(&mut self, now: Duration) {
        self.sent = Some(now);
    }

    /// The link changed, or may be told of.
    pub(crate) fn link(&mut self, now: Duration) {
        self.link = Some(now);
    }

    /// When the frame at this bus address arrived; that is forgotten with the question.
    pub fn take_received(&mut self, address: u64) -> Option<Duration> {
        let (&buffer, &at) = self.received.range(..=address).next_back()?;
        (address - buffer < BUFFER).then(|| self.received.remove(&buffer))?;
        Some(at)
    }

    /// When the last frame was sent.
    pub fn last_sent(&self) -> Option<Duration> {
        self.sent
    }

    /// Since when the link is as it is.
    pub fn link_since(&self) -> Option<Duration> {
        self.link
    }
}
