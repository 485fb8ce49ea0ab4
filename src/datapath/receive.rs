//! Receives, from the ring to the client and back.

use e1000::Nic;
use ndis::{Dispatch, Ref, ReturnedChain, Throttle, Unlocked};
use pppoe::InBand;

use super::outgoing::ADDRESS_AND_CONTROL;
use super::receive_queue::{Arrived, BATCH, Batch, Run};
use crate::adapter::{Adapter, Registers};
use crate::call_manager::Vc;

/// Frames that one DPC indicates when NDIS sets no lower limit; a storm must not keep a processor from everything else.
const BUDGET: u32 = 256;

/// What a DPC has left undone, and to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing.
    Nothing,
    /// Frames, after as many as the driver allows itself: the card has to interrupt for them.
    Frames,
    /// Frames, after as many as NDIS allows: it calls the DPC again, with the card masked meanwhile.
    ToNdis,
    /// Everything: another DPC is at it, which unmasks the card.
    ToAnother,
}

/// Returned lists of different VCs that are counted before the lock on the buffers is let go.
const RUNS: usize = 8;

impl Vc {
    /// NDISWAN may want the address and control field that PPPoE does not carry; other clients do not.
    #[cold]
    fn add_framing(&self, run: &mut Run) {
        if self.is_proxied() {
            run.arrivals.prepend(ADDRESS_AND_CONTROL);
        }
    }
}

impl Adapter {
    /// The DPC's part: indicates what has arrived, as far as the throttle allows.
    pub(crate) fn receive(&self, throttle: &mut Throttle, irql: &mut Dispatch) -> Left {
        if !self.receivers.enter() {
            return Left::ToAnother;
        }
        let mut left = throttle.max_to_indicate.min(BUDGET);
        loop {
            let served = self.receivers.served();
            let more;
            (left, more) = self.receive_some(left, irql);
            // NDIS calls the DPC again only if it has set the limit, and then whenever it is asked to.
            throttle.more_pending = more && throttle.max_to_indicate <= BUDGET;
            if self.receivers.leave(served, throttle.more_pending) {
                return match more {
                    false => Left::Nothing,
                    true if throttle.more_pending => Left::ToNdis,
                    true => Left::Frames,
                };
            }
        }
    }

    /// The watchdog's part: unmasks the card and has it interrupt, unless a DPC is about to do that.
    pub(crate) fn prod(&self) {
        if !self.receivers.enter_idle() {
            return;
        }
        loop {
            let served = self.receivers.served();
            self.nic.prod(self.delivery());
            // A DPC that has come since relies on this.
            if self.receivers.leave(served, false) {
                return;
            }
        }
    }

    /// Receives until the ring is found empty, at most `budget` frames; what is left of that, and whether the ring has more.
    fn receive_some(&self, budget: u32, irql: &mut Dispatch) -> (u32, bool) {
        let (mut left, mut bytes) = (budget, 0_u32);
        let mut batch = Batch::default();
        while left != 0 {
            batch = self.receive_batch(left.min(BATCH), batch, irql);
            left = left.saturating_sub(batch.frames);
            bytes = bytes.saturating_add(batch.bytes);
            if !batch.more {
                break;
            }
        }
        let moderated = self.settings.interrupt_moderation;
        let brought = moderated.then(|| (budget.saturating_sub(left), bytes));
        let mut queue = self.receive.lock_at_dispatch(irql);
        queue.finish(self.reachable(), &self.receive_buffers, batch, brought, || self.delivery());
        (left, left == 0 && queue.has_arrived())
    }

    /// The card, for those who have a ring's lock, while it runs.
    fn reachable(&self) -> Option<&Nic<Registers>> {
        self.is_reachable().then_some(&self.nic)
    }

    /// One batch of up to `limit` frames, and what is left of it when they have been indicated; `last` is what is left of the
    /// one before.
    fn receive_batch(&self, limit: u32, last: Batch, irql: &mut Dispatch) -> Batch {
        let mut batch = self.collect(limit, last, irql);
        for run in &mut batch.runs {
            self.indicate(run, batch.short, irql);
        }
        for _ in 0..batch.malformed {
            self.statistics.receive_error();
        }
        if let Some(frame) = batch.other {
            if frame.may_have_credits() && self.credits_in_band(&frame, batch.short, irql) {
                // The client has it.
                batch.other = None;
            } else {
                self.discovery_frame(frame, irql);
            }
        }
        // The sessions' VCs are let go of with no lock held.
        batch.runs.clear();
        batch
    }

    /// Takes up to `limit` frames out of the ring, and finds the VCs of their sessions.
    fn collect(&self, limit: u32, last: Batch, irql: &mut Dispatch) -> Batch {
        let routes = self.calls.routes();
        let mut batch = {
            let mut queue = self.receive.lock_at_dispatch(irql);
            let expect = |key| routes.prefetch(key);
            queue.collect(self.reachable(), &self.receive_buffers, self.station, limit, last, expect)
        };
        // Among many VCs each is news to the caches: all are asked for before the first is needed.
        if let [_, _, ..] = *batch.runs {
            batch.runs.iter().for_each(|run| routes.prefetch_vc(run.key));
        }
        for run in &mut batch.runs {
            run.vc = routes.find(run.key);
        }
        batch
    }

    /// Copies a discovery frame out of the device's reach and hands it to the calls.
    #[inline(never)]
    fn discovery_frame(&self, arrived: Arrived, irql: &mut Dispatch) {
        let mut room = self.receive.lock_at_dispatch(irql).borrow_room();
        if let Some(frame) = room.get_mut(..arrived.length)
            && self.receive_buffers.read(arrived.buffer, frame)
        {
            self.discovery_received(frame, irql);
        }
        self.receive.lock_at_dispatch(irql).return_room(room);
    }

    /// A session frame with credits in front of its PPP packet: takes them off and indicates the rest. False if the session
    /// has none of that.
    #[inline(never)]
    fn credits_in_band(&self, arrived: &Arrived, short: bool, irql: &mut Dispatch) -> bool {
        let mut head = [0; InBand::LEN];
        if arrived.length < head.len() || !self.receive_buffers.read(arrived.buffer, &mut head) {
            return false;
        }
        let Some(frame) = InBand::parse(&head, arrived.length, self.station) else { return false };
        let Some(vc) = self.calls.routes().find(frame.head.key) else { return false };
        let credited = self.with_account(&vc, frame.head.key, irql, |account, now| {
            account.granted_in_band(frame.credits, now);
            None
        });
        let run = credited.then(|| self.receive.lock_at_dispatch(irql).in_band(arrived, &frame.head, vc));
        let Some(mut run) = run.flatten() else { return false };
        self.indicate(&mut run, short, irql);
        true
    }

    /// Indicates the frames of one VC; to be copied at once if buffers are `short`.
    fn indicate(&self, run: &mut Run, short: bool, irql: &mut Dispatch) {
        let count = run.arrivals.len();
        let Some(vc) = run.vc.take().filter(|vc| count != 0 && self.admit(vc, run, count, irql)) else {
            let mut queue = self.receive.lock_at_dispatch(irql);
            queue.drop_frames(&self.receive_buffers, run);
            queue.refill(self.reachable(), &self.receive_buffers);
            return;
        };
        vc.count_received(count.into(), run.bytes);
        if self.settings.address_and_control {
            vc.add_framing(run);
        }
        if vc.place.may_have_account() {
            self.credits_used(&vc, run.key, count, run.bytes, irql);
        }
        if short {
            let chain = run.arrivals.indicate_copied(&vc, irql);
            self.receives_returned(chain, irql);
        } else {
            run.arrivals.indicate(&vc, irql);
        }
        // One more than the frames was counted in, so that the VC outlives the call into NDIS.
        Vc::receives_ended(&vc, 1, irql);
    }

    /// Counts frames of a session in, with the adapter and with the VC; false if they must be dropped.
    fn admit(&self, vc: &Ref<Vc>, run: &Run, count: u32, locks: &mut Unlocked) -> bool {
        if self.begin_receives(count, locks) {
            if vc.begin_receives(run.key, count.saturating_add(1), locks) {
                return true;
            }
            self.end_in_flight(count, locks);
        }
        self.statistics.receive_discarded(count.into());
        false
    }

    /// `MiniportReturnNetBufferLists`: buffers go back to the card, VCs and pauses may have waited for that.
    pub(crate) fn receives_returned(&self, mut chain: ReturnedChain<Vc>, locks: &mut Unlocked) {
        while !chain.is_empty() {
            let mut runs = [const { None }; RUNS];
            {
                let mut queue = self.receive.lock(locks);
                for place in &mut runs {
                    *place = queue.take_back(&self.receive_buffers, &mut chain);
                    if chain.is_empty() {
                        break;
                    }
                }
                queue.refill(self.reachable(), &self.receive_buffers);
            }
            for (vc, count) in runs.iter_mut().map_while(Option::take) {
                Vc::receives_ended(&vc, count, locks);
                self.end_in_flight(count, locks);
            }
        }
    }
}
