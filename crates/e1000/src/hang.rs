//! Noticing that the transmitter or the receiver has stopped.
//!
//! A watchdog asks [`TransmitRing::is_hung`] and [`ReceiveRing::is_hung`] at regular intervals, of a second or more, with
//! the same [`Progress`] each time, and after [`TransmitRing::reclaim`]: an interrupt that was lost is no hang. The way
//! out is [`Nic::recover`].

use crate::registers::{Rdh, Register, Status};
use crate::transmit::{FrameNote, index_bits};
use crate::{Buffer, DmaMemory, Error, Nic, ReceiveRing, Registers, TransmitRing};

/// What a watchdog remembers of a ring from one look to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How far the ring had come, if there was something it should have gone on with.
    waiting_since: Option<u64>,
}

impl<M: DmaMemory, S: AsRef<[FrameNote]> + AsMut<[FrameNote]>> TransmitRing<M, S> {
    /// Whether a frame that was already pending at the last look still is, though both times the link was up and no PAUSE
    /// frame held the transmitter. Reads at most one register; any IRQL.
    ///
    /// Once this has said so, the next look begins anew.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn is_hung<R: Registers>(&self, nic: &Nic<R>, progress: &mut Progress) -> Result<bool, Error> {
        let before = progress.waiting_since.take();
        if self.pending() == 0 {
            return Ok(false);
        }
        let status: Status = nic.bus.read()?;
        if !status.is_set(Status::LU) || status.is_set(Status::TXOFF) {
            return Ok(false);
        }
        let now = Some(self.progress());
        if before == now {
            return Ok(true);
        }
        progress.waiting_since = now;
        Ok(false)
    }
}

impl<M: DmaMemory, S: AsRef<[FrameNote]> + AsMut<[FrameNote]>> TransmitRing<M, S> {
    /// Whether PAUSE frames of the link partner hold a frame that they already held at the last look. That is no hang, and
    /// no reset would end it. Reads at most one register; any IRQL.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn is_held<R: Registers>(&self, nic: &Nic<R>, progress: &mut Progress) -> Result<bool, Error> {
        let before = progress.waiting_since.take();
        if self.pending() == 0 {
            return Ok(false);
        }
        let status: Status = nic.bus.read()?;
        if !status.is_set(Status::LU) || !status.is_set(Status::TXOFF) {
            return Ok(false);
        }
        progress.waiting_since = Some(self.progress());
        Ok(before == progress.waiting_since)
    }
}

impl<M: DmaMemory, S: AsRef<[Buffer]> + AsMut<[Buffer]>> ReceiveRing<M, S> {
    /// Whether the card is past the descriptor that [`ReceiveRing::poll`] waits for, and was so at the last look: its
    /// write-back was lost, or one too many came, and whatever is received stays behind it. Reads one register; any IRQL.
    ///
    /// The card's head runs ahead of memory (82574 10.2.5.8), by less than the time between two looks. Once this has said
    /// so, the next look begins anew.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn is_hung<R: Registers>(&self, nic: &Nic<R>, progress: &mut Progress) -> Result<bool, Error> {
        let before = progress.waiting_since.take();
        let card: Rdh = nic.bus.read()?;
        if self.has_arrived() || card.bits() == index_bits(self.head()) {
            return Ok(false);
        }
        let now = Some(u64::from(index_bits(self.head())));
        if before == now {
            return Ok(true);
        }
        progress.waiting_since = now;
        Ok(false)
    }
}
