//! Counters of what crossed the wire for VCs.

use core::sync::atomic::{AtomicU64, Ordering};

use condis::wan::Stats;

/// Counters of the adapter or of one VC. Each is exact; a snapshot is not taken at one instant.
#[derive(Debug, Default)]
pub(crate) struct Statistics {
    bytes_sent: AtomicU64,
    bytes_received: AtomicU64,
    frames_sent: AtomicU64,
    frames_received: AtomicU64,
    send_errors: AtomicU64,
    receive_errors: AtomicU64,
    receive_no_buffer: AtomicU64,
}

impl Statistics {
    /// PPP frames went into the transmit ring, whose lock is held.
    pub(crate) fn sent(&self, frames: u64, bytes: u64) {
        add_alone(&self.frames_sent, frames);
        add_alone(&self.bytes_sent, bytes);
    }

    /// PPP frames were indicated, by the one who receives for all.
    pub(crate) fn received(&self, frames: u64, bytes: u64) {
        add_alone(&self.frames_received, frames);
        add_alone(&self.bytes_received, bytes);
    }

    /// Frames that were counted as sent were not, or not well. The lock on the transmit ring is held.
    pub(crate) fn not_sent(&self, frames: u64, bytes: u64) {
        add_alone(&self.frames_sent, frames.wrapping_neg());
        add_alone(&self.bytes_sent, bytes.wrapping_neg());
    }

    /// Frames could not be sent.
    pub(crate) fn send_errors(&self, frames: u64) {
        self.send_errors.fetch_add(frames, Ordering::Relaxed);
    }

    /// A received frame was malformed.
    pub(crate) fn receive_error(&self) {
        self.receive_errors.fetch_add(1, Ordering::Relaxed);
    }

    /// A received frame could not be indicated.
    pub(crate) fn receive_discarded(&self, frames: u64) {
        self.receive_no_buffer.fetch_add(frames, Ordering::Relaxed);
    }

    /// The counters now.
    pub(crate) fn snapshot(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            bytes_sent: read(&self.bytes_sent),
            bytes_received: read(&self.bytes_received),
            frames_sent: read(&self.frames_sent),
            frames_received: read(&self.frames_received),
            send_errors: read(&self.send_errors),
            receive_errors: read(&self.receive_errors),
            receive_no_buffer: read(&self.receive_no_buffer),
        }
    }

    /// Back to zero, for a VC with a new call.
    pub(crate) fn reset(&self) {
        for counter in [
            &self.bytes_sent,
            &self.bytes_received,
            &self.frames_sent,
            &self.frames_received,
            &self.send_errors,
            &self.receive_errors,
            &self.receive_no_buffer,
        ] {
            counter.store(0, Ordering::Relaxed);
        }
    }
}

/// Adds to a counter that nobody else changes at the same time: without the price of an atomic addition.
fn add_alone(counter: &AtomicU64, number: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(number), Ordering::Relaxed);
}
