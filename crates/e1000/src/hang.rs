//! Noticing that the transmitter has stopped.
//!
//! A watchdog asks [`TransmitRing::is_hung`] at regular intervals, of a second or more, with the same [`Progress`] each
//! time, and after [`TransmitRing::reclaim`]: an interrupt that was lost is no hang. The way out is [`Nic::recover`].

use crate::registers::{Register, Status};
use crate::transmit::FrameNote;
use crate::{DmaMemory, Error, Nic, Registers, TransmitRing};

/// What a watchdog remembers of a ring from one look to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The ring's progress, if frames were pending and could have been sent.
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
