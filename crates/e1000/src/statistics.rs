//! The card's counters, extended to 64 bits (SDM 13.7, 82574 10.2.7).

use crate::registers::{
    Algnerrc, Bprc, Bptc, Bus, Crcerrs, Dc, Ecol, Gorch, Gorcl, Gotch, Gotcl, Gprc, Gptc, Latecol, Mcc, Mpc,
    Mprc, Mptc, Readable, Rfc, Rjc, Rlec, Rnbc, Roc, Ruc, Rxerrc, Scc, Tncrs, Xoffrxc, Xofftxc, Xonrxc,
    Xontxc,
};
use crate::{Error, Nic, Registers};

/// What the card has counted since [`Nic::bring_up`], as far as [`Nic::update_statistics`] has fetched it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Good frames received.
    pub received_frames: u64,
    /// Octets of good frames received, with FCS.
    pub received_octets: u64,
    /// Good broadcast frames received.
    pub received_broadcast: u64,
    /// Good multicast frames received, without broadcast.
    pub received_multicast: u64,
    /// Good frames sent.
    pub sent_frames: u64,
    /// Octets of good frames sent, with FCS.
    pub sent_octets: u64,
    /// Broadcast frames sent.
    pub sent_broadcast: u64,
    /// Multicast frames sent.
    pub sent_multicast: u64,
    /// Frames received with a wrong FCS.
    pub crc_errors: u64,
    /// Frames received with an alignment error.
    pub alignment_errors: u64,
    /// Receive errors signalled by the PHY.
    pub phy_errors: u64,
    /// Frames received whose length field is not their length.
    pub length_errors: u64,
    /// Frames received of less than 64 bytes, with a good FCS.
    pub undersized: u64,
    /// Frames received of less than 64 bytes, with a wrong FCS.
    pub fragments: u64,
    /// Frames received that are too long, with a good FCS.
    pub oversized: u64,
    /// Frames received that are too long, with a wrong FCS.
    pub jabbers: u64,
    /// Frames lost because the receive FIFO was full.
    pub missed: u64,
    /// Times a frame found no receive descriptor; it may still have been delivered.
    pub no_buffer: u64,
    /// Frames sent after one collision.
    pub single_collisions: u64,
    /// Frames sent after 2 to 15 collisions.
    pub multiple_collisions: u64,
    /// Frames given up after 16 collisions.
    pub excessive_collisions: u64,
    /// Late collisions.
    pub late_collisions: u64,
    /// Transmissions that had to wait.
    pub deferred: u64,
    /// Transmissions without carrier sense.
    pub no_carrier: u64,
    /// XON and XOFF frames received.
    pub pause_received: u64,
    /// XON and XOFF frames sent.
    pub pause_sent: u64,
}

impl Statistics {
    /// Received frames that were not delivered because of an error on the wire.
    pub fn receive_errors(&self) -> u64 {
        [self.crc_errors, self.alignment_errors, self.phy_errors, self.undersized]
            .into_iter()
            .chain([self.fragments, self.oversized, self.jabbers])
            .fold(0, u64::saturating_add)
    }

    /// Frames lost for want of room in the card.
    pub fn receive_lost(&self) -> u64 {
        self.missed
    }

    /// Frames that could not be sent.
    pub fn transmit_errors(&self) -> u64 {
        self.excessive_collisions.saturating_add(self.late_collisions)
    }
}

/// Adds what a counter has counted since it was last read.
fn fold<T: Readable, R: Registers>(bus: &Bus<R>, total: &mut u64) -> Result<(), Error> {
    *total = total.wrapping_add(u64::from(bus.read::<T>()?.bits()));
    Ok(())
}

/// The same for a 64-bit counter: the low half first, as reading the high half clears both (SDM 13.7.31).
fn fold_pair<L: Readable, H: Readable, R: Registers>(bus: &Bus<R>, total: &mut u64) -> Result<(), Error> {
    let low = u64::from(bus.read::<L>()?.bits());
    let high = u64::from(bus.read::<H>()?.bits());
    *total = total.wrapping_add(high << 32 | low);
    Ok(())
}

impl<R: Registers> Nic<R> {
    /// Adds what the card has counted since the last call, which clears its counters. Some 30 register reads, so
    /// better at `PASSIVE_LEVEL`; one caller at a time. The counters stop at their maximum, so it takes a call every
    /// 48 minutes not to lose the shortest frames at 1 Gb/s.
    ///
    /// # Errors
    /// [`Error::Gone`]; what was read until then has been added.
    pub fn update_statistics(&self, to: &mut Statistics) -> Result<(), Error> {
        let bus = &self.bus;
        fold::<Gprc, R>(bus, &mut to.received_frames)?;
        fold_pair::<Gorcl, Gorch, R>(bus, &mut to.received_octets)?;
        fold::<Bprc, R>(bus, &mut to.received_broadcast)?;
        fold::<Mprc, R>(bus, &mut to.received_multicast)?;
        fold::<Gptc, R>(bus, &mut to.sent_frames)?;
        fold_pair::<Gotcl, Gotch, R>(bus, &mut to.sent_octets)?;
        fold::<Bptc, R>(bus, &mut to.sent_broadcast)?;
        fold::<Mptc, R>(bus, &mut to.sent_multicast)?;
        fold::<Crcerrs, R>(bus, &mut to.crc_errors)?;
        fold::<Algnerrc, R>(bus, &mut to.alignment_errors)?;
        fold::<Rxerrc, R>(bus, &mut to.phy_errors)?;
        fold::<Rlec, R>(bus, &mut to.length_errors)?;
        fold::<Ruc, R>(bus, &mut to.undersized)?;
        fold::<Rfc, R>(bus, &mut to.fragments)?;
        fold::<Roc, R>(bus, &mut to.oversized)?;
        fold::<Rjc, R>(bus, &mut to.jabbers)?;
        fold::<Mpc, R>(bus, &mut to.missed)?;
        fold::<Rnbc, R>(bus, &mut to.no_buffer)?;
        fold::<Scc, R>(bus, &mut to.single_collisions)?;
        fold::<Mcc, R>(bus, &mut to.multiple_collisions)?;
        fold::<Ecol, R>(bus, &mut to.excessive_collisions)?;
        fold::<Latecol, R>(bus, &mut to.late_collisions)?;
        fold::<Dc, R>(bus, &mut to.deferred)?;
        fold::<Tncrs, R>(bus, &mut to.no_carrier)?;
        fold::<Xonrxc, R>(bus, &mut to.pause_received)?;
        fold::<Xoffrxc, R>(bus, &mut to.pause_received)?;
        fold::<Xontxc, R>(bus, &mut to.pause_sent)?;
        fold::<Xofftxc, R>(bus, &mut to.pause_sent)
    }

    /// Forgets what the card has counted.
    pub(crate) fn clear_statistics(&self) -> Result<(), Error> {
        self.update_statistics(&mut Statistics::default())
    }
}
