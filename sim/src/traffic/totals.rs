//! How much there was.

/// Frames and their bytes, from the protocol field on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Volume {
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
}

impl Volume {
    pub(super) fn add(&mut self, len: u32) {
        self.frames += 1;
        self.bytes += u64::from(len);
    }

    pub(super) fn take(&mut self, len: u32) {
        self.frames = self.frames.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(u64::from(len));
    }
}

/// What there was of a call, or of all calls of a driver on a card.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Frames of sends that ended with SUCCESS.
    pub(crate) succeeded: Volume,
    /// Session frames that the card sent without an error; of the adapter only.
    pub(crate) left: Volume,
    /// Frames of sends that ended otherwise.
    pub(crate) others: Volume,
    /// Of those that ended since something was wrong with a frame: how many did not go out well. And frames of sends that
    /// ended for want of memory, which may be taken for that.
    pub(crate) wrong: u64,
    pub(crate) starved: u64,
    /// Frames that went badly, of sends that ended for another reason.
    pub(crate) spoilt: u64,
    /// Frames indicated.
    pub(crate) indicated: Volume,
    /// Frames that arrived, those of the Discovery stage among them; of the adapter only.
    pub(crate) arrived: u64,
    /// Frames of live sessions that the card has taken in and that were not indicated; of the adapter only.
    pub(crate) owed: u64,
}
