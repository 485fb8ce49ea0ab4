//! The receive ring and the buffers that are not in it.

use alloc::vec::Vec;
use e1000::{Delivery, LatencyClass, Moderation, Nic, ReceiveConfig, ReceiveDrops, Received};
use ndis::Result;

use super::health::{Hangs, Health};
use crate::adapter::{Buffers, ReceiveRing, Registers};

/// The ring and the spare buffers. There are more buffers than descriptors, so that the ring stays full while
/// clients hold some.
pub(crate) struct ReceiveQueue {
    ring: ReceiveRing,
    /// Buffers that are in nobody's hands; room for all of them is reserved.
    spare: Vec<u32>,
    moderation: Moderation,
    hangs: Hangs,
}

impl ReceiveQueue {
    /// An empty ring, with all buffers spare.
    pub(crate) fn new(ring: ReceiveRing, buffers: &Buffers) -> Result<Self> {
        let spare = ndis::memory::filled(buffers.count() as usize, |id| Ok(u32::try_from(id).unwrap_or(0)))?;
        Ok(Self { ring, spare, moderation: Moderation::new(), hangs: Hangs::default() })
    }

    /// Fills the ring and connects it to the card, whose receiver must be off.
    pub(crate) fn start(
        &mut self,
        nic: &Nic<Registers>,
        buffers: &Buffers,
        config: ReceiveConfig,
    ) -> core::result::Result<(), e1000::Error> {
        self.fill(buffers);
        nic.start_receive(&mut self.ring, &config)
    }

    /// Fits the time between interrupts to what the last one brought.
    pub(super) fn moderate(&mut self, nic: &Nic<Registers>, delivery: Delivery, frames: u32, bytes: u32) {
        if let Some(class) = self.moderation.update(frames, bytes) {
            nic.set_moderation(delivery, class.nanoseconds());
        }
    }

    /// The class of traffic that moderation begins with.
    pub(crate) fn latency_class(&self) -> LatencyClass {
        self.moderation.class()
    }

    /// What the ring has dropped so far.
    pub(crate) fn drops(&self) -> ReceiveDrops {
        self.ring.drops()
    }

    /// Whether the card receives; to be asked once a second.
    pub(crate) fn health(&mut self, nic: &Nic<Registers>) -> Health {
        let hung = self.ring.is_hung(nic, &mut self.hangs.progress).unwrap_or(false);
        self.hangs.judge(hung, u64::try_from(self.ring.head()).unwrap_or(0))
    }

    /// The next frame that has arrived.
    pub(super) fn poll(&mut self) -> Option<Received> {
        self.ring.poll()
    }

    /// Takes a buffer back that came out of the ring.
    pub(super) fn give_back(&mut self, id: u32) {
        ndis::memory::push_reserved(&mut self.spare, id);
    }

    /// Fills the ring with spare buffers and tells the card of them.
    pub(super) fn refill(&mut self, nic: &Nic<Registers>, buffers: &Buffers) {
        self.fill(buffers);
        self.ring.doorbell(nic);
    }

    /// Whether clients hold so many buffers that the ring cannot be kept half full.
    pub(super) fn is_short(&self) -> bool {
        self.ring.posted() < self.ring.free()
    }

    fn fill(&mut self, buffers: &Buffers) {
        while self.ring.free() != 0 {
            let Some(id) = self.spare.pop() else { break };
            if self.ring.give(buffers.buffer(id)).is_err() {
                self.give_back(id);
                break;
            }
        }
    }
}
