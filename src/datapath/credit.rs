//! Sessions with flow control by credits (RFC 5578): their accounts are the [`Shapers`](super::shaper)'.

use ndis::{Chain, Ref, Result, Unlocked};
use pppoe::credit::{Account, Agreement};
use pppoe::extension::Flow;
use pppoe::{Instant, SessionKey};

use super::transmit::Desk;
use crate::adapter::Adapter;
use crate::call_manager::Vc;

impl Adapter {
    /// Holds the session of a VC to the credits that have been agreed on.
    pub(crate) fn open_account(
        &self,
        vc: &Ref<Vc>,
        key: SessionKey,
        agreement: Agreement,
        locks: &mut Unlocked,
    ) -> Result<()> {
        let mut transmit = self.transmit.lock(locks);
        let opened = transmit.open_account(vc, key, agreement);
        self.set_pacer(transmit.wake());
        opened
    }

    /// A PADG arrived.
    pub(crate) fn credits_granted(&self, vc: &Vc, padg: &Flow, locks: &mut Unlocked) {
        self.with_account(vc, padg.key, locks, |account, now| account.granted(padg, now));
    }

    /// A PADC arrived.
    pub(crate) fn grant_answered(&self, vc: &Vc, padc: &Flow, locks: &mut Unlocked) {
        self.with_account(vc, padc.key, locks, |account, now| {
            account.responded(padc, now);
            None
        });
    }

    /// PPP packets arrived on a VC whose session may have an account.
    #[cold]
    pub(super) fn credits_used(
        &self,
        vc: &Vc,
        key: SessionKey,
        packets: u32,
        octets: u64,
        locks: &mut Unlocked,
    ) {
        self.with_account(vc, key, locks, |account, now| {
            account.received(packets, octets, now);
            None
        });
    }

    /// Does something to the account of a session, and what follows: an answer, a grant, sends that were held. False if it
    /// has none.
    pub(super) fn with_account(
        &self,
        vc: &Vc,
        key: SessionKey,
        locks: &mut Unlocked,
        act: impl FnOnce(&mut Account, Instant) -> Option<Flow>,
    ) -> bool {
        if !vc.place.may_have_account() {
            return false;
        }
        let mut failed = Chain::new();
        let has_account = {
            let mut transmit = self.transmit.lock(locks);
            let has_account = transmit.with_account(vc, key, &self.desk(), act);
            if self.may_send() {
                transmit.pump(&self.nic, &mut failed);
            }
            self.set_pacer(transmit.wake());
            has_account
        };
        self.complete(failed, locks);
        has_account
    }

    /// Where PADGs and PADCs come from.
    pub(super) fn desk(&self) -> Desk<'_> {
        Desk { station: self.station, nic: self.may_send().then_some(&self.nic) }
    }
}
