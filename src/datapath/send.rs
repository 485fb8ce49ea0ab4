//! Sends, from `MiniportCoSendNetBufferLists` to their completion.

use core::ffi::c_void;
use core::time::Duration;

use condis::token_bucket::Shape;
use ndis::{Chain, Dispatch, NetBufferList, Ref, Result, Status, TimerHandler, Unlocked};

use super::{Outgoing, Transmit};
use crate::adapter::Adapter;
use crate::call_manager::Vc;

/// The timer of the VCs with a shape or an account of credits, as opposed to that of the discoveries.
#[derive(Debug)]
pub(crate) enum Pacer {}

impl TimerHandler<Pacer> for Adapter {
    fn expired(this: &Ref<Self>, irql: &mut Dispatch) {
        loop {
            let mut failed = Chain::new();
            let silent = {
                let mut transmit = this.transmit.lock_at_dispatch(irql);
                let silent = transmit.expire(&this.desk(), &mut failed);
                if this.may_send() {
                    transmit.pump(&this.nic, &mut failed);
                }
                this.set_pacer(transmit.wake());
                silent
            };
            this.complete(failed, irql);
            let Some((vc, key)) = silent else { break };
            this.peer_is_silent(&vc, key, irql);
        }
    }
}

impl Adapter {
    /// Sends a chain on a VC. Lists that cannot be sent are completed at once.
    pub(crate) fn send(&self, vc: &Ref<Vc>, mut chain: Chain<Vc>, locks: &mut Unlocked) {
        let count = chain.len();
        if let Err(refusal) = self.begin_sends(count, locks) {
            chain.set_status(refusal);
            while chain.complete_sends(locks).is_some() {}
            return;
        }
        let Some(outgoing) = vc.begin_sends(count, locks) else {
            chain.set_status(Status::VC_NOT_ACTIVATED);
            while chain.complete_sends(locks).is_some() {}
            self.end_in_flight(count, locks);
            return;
        };
        let mut failed = Chain::new();
        let waits = {
            let mut transmit = self.transmit.lock(locks);
            let runs = self.may_send();
            if runs {
                transmit.send(vc, &outgoing, &mut chain, &self.nic, &mut failed);
            }
            let waits = !chain.is_empty();
            if waits {
                self.queue(&mut transmit, vc, &outgoing, &mut chain, &mut failed);
            }
            waits
        };
        if !chain.is_empty() {
            // What found no memory to wait in.
            chain.set_status(Status::RESOURCES);
            failed.append(chain);
        }
        self.complete(failed, locks);
        if waits || !self.may_send() {
            self.take_back(locks);
        }
    }

    /// What is to end all sends may have come between the count and the queue, and have taken back the rest already.
    #[cold]
    fn take_back(&self, locks: &mut Unlocked) {
        let refusal = self.send_refusal(locks);
        if self.is_stopped() {
            self.abandon_sends(refusal.unwrap_or(Status::NOT_ACCEPTED), locks);
        } else if let Some(refusal) = refusal {
            self.abort_backlog(refusal, |_| true, locks);
        } else if !self.has_link() {
            self.abort_backlog(Status::MEDIA_DISCONNECTED, |_| true, locks);
        }
    }

    /// Lets lists wait for room, for their rate or for credits.
    #[cold]
    fn queue(
        &self,
        transmit: &mut Transmit,
        vc: &Ref<Vc>,
        outgoing: &Outgoing,
        lists: &mut Chain<Vc>,
        failed: &mut Chain<Vc>,
    ) {
        transmit.queue(vc, outgoing, lists);
        if self.may_send() {
            transmit.pump(&self.nic, failed);
        }
        self.set_pacer(transmit.wake());
    }

    /// Holds a VC to a shape from now on, or no more. Sends that end by that are added to `ended`.
    pub(crate) fn shape(
        &self,
        vc: &Ref<Vc>,
        shape: Option<&Shape>,
        ended: &mut Chain<Vc>,
        locks: &mut Unlocked,
    ) -> Result<()> {
        let mut transmit = self.transmit.lock(locks);
        let shaped = transmit.shape(vc, shape).map(|mut unheld| {
            unheld.set_status(Status::RESOURCES);
            ended.append(unheld);
        });
        if self.may_send() {
            transmit.pump(&self.nic, ended);
        }
        self.set_pacer(transmit.wake());
        shaped
    }

    /// Ends the shape and the account of a VC whose session is over: what it holds cannot go anywhere, and is added to
    /// `ended`.
    pub(crate) fn end_shape(&self, vc: &Vc, ended: &mut Chain<Vc>, locks: &mut Unlocked) {
        let shaped = self.transmit.lock(locks).end_shape(vc);
        if let Some((vc, mut held)) = shaped {
            held.set_status(self.aborted(locks));
            ended.append(held);
            drop(vc);
        }
    }

    /// Lets the pacer look at the VCs that are held in a while.
    pub(super) fn set_pacer(&self, wake: Option<Duration>) {
        if let (Some(delay), Some(timer)) = (wake, self.pacer.get()) {
            timer.set(delay);
        }
    }

    /// Gives lists back to their senders, with the status they carry, and follows what waited for that.
    pub(crate) fn complete(&self, mut chain: Chain<Vc>, locks: &mut Unlocked) {
        while let Some((vc, count)) = chain.complete_sends(locks) {
            Vc::sends_ended(&vc, count, &mut chain, locks);
            self.end_in_flight(count, locks);
        }
    }

    /// The DPC's part: completes what the card has finished and sends what waited for room.
    pub(crate) fn sends_done(&self, irql: &mut Dispatch) {
        let mut done = Chain::new();
        {
            let mut transmit = self.transmit.lock_at_dispatch(irql);
            transmit.reclaim(&mut done);
            if self.may_send() {
                transmit.pump(&self.nic, &mut done);
            }
        }
        self.complete(done, irql);
    }

    /// Sends what waited for a card that did not run.
    pub(crate) fn pump(&self, locks: &mut Unlocked) {
        let mut failed = Chain::new();
        if self.may_send() {
            self.transmit.lock(locks).pump(&self.nic, &mut failed);
        }
        self.complete(failed, locks);
    }

    /// The same outside of the DPC, for a halt that waits with interrupts as they may be.
    pub(crate) fn complete_finished_sends(&self, locks: &mut Unlocked) {
        let mut done = Chain::new();
        self.transmit.lock(locks).reclaim(&mut done);
        self.complete(done, locks);
    }

    /// `MiniportCancelSend`.
    pub(crate) fn cancel_sends(&self, cancel_id: *mut c_void, locks: &mut Unlocked) {
        self.abort_backlog(Status::SEND_ABORTED, |list| list.has_cancel_id(cancel_id), locks);
    }

    /// Completes the queued lists that `choose` picks; those in the ring complete by themselves.
    pub(crate) fn abort_backlog(
        &self,
        status: Status,
        choose: impl FnMut(&NetBufferList<Vc>) -> bool,
        locks: &mut Unlocked,
    ) {
        let mut aborted = self.transmit.lock(locks).remove_queued(choose);
        aborted.set_status(status);
        self.complete(aborted, locks);
    }

    /// Takes the queued lists of one VC back, whose call ends: they are added to `ended`.
    pub(crate) fn abort_sends_of(&self, vc: &Vc, ended: &mut Chain<Vc>, locks: &mut Unlocked) {
        let mut aborted = self.transmit.lock(locks).remove_queued_of(vc);
        aborted.set_status(self.aborted(locks));
        ended.append(aborted);
    }

    /// Completes everything that was to be sent: the card is stopped or gone.
    pub(crate) fn abandon_sends(&self, status: Status, locks: &mut Unlocked) {
        let mut abandoned = self.transmit.lock(locks).abandon();
        abandoned.set_status(status);
        self.complete(abandoned, locks);
    }

    /// Completes everything that waits for the wire. Callable while the card runs.
    pub(crate) fn disown_sends(&self, status: Status, locks: &mut Unlocked) {
        let mut disowned = self.transmit.lock(locks).disown();
        disowned.set_status(status);
        self.complete(disowned, locks);
    }

    /// Sends a discovery frame. One that is lost for want of room is repeated, or, if it is a PADT, missed.
    pub(crate) fn send_control(&self, frame: &[u8], locks: &mut Unlocked) {
        let mut transmit = self.transmit.lock(locks);
        // Asked under the lock: who ends the link waits for it.
        if self.may_send() {
            transmit.send_control(&self.nic, frame);
        }
    }
}
