//! Receives, from the ring to the client and back.

use core::sync::atomic::Ordering;

use ndis::{Dispatch, Ref, ReturnedChain, Throttle};
use pppoe::{InBand, SessionKey};

use super::receive_queue::{Arrived, BATCH, Run};
use crate::adapter::Adapter;
use crate::call_manager::Vc;

/// Frames that one DPC indicates when NDIS sets no limit; a storm must not keep a processor from everything else.
const BUDGET: u32 = 256;

/// Returned lists of different VCs that are counted before the lock on the buffers is let go.
const RUNS: usize = 8;

impl Adapter {
    /// The DPC's part: indicates what has arrived, as far as the throttle allows.
    ///
    /// DPCs may overlap, but frames of a VC must stay in order: the first that comes receives for all.
    pub(crate) fn receive(&self, throttle: &mut Throttle, irql: &Dispatch) {
        if self.receivers.fetch_add(1, Ordering::AcqRel) != 0 {
            return;
        }
        let budget = throttle.max_to_indicate.min(BUDGET);
        let (mut left, mut bytes) = (budget, 0);
        loop {
            let served = self.receivers.load(Ordering::Acquire);
            while left != 0 && self.receive_batch(&mut left, &mut bytes, irql) {}
            throttle.more_pending = left == 0;
            if self.receivers.compare_exchange(served, 0, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                break;
            }
        }
        if self.settings.interrupt_moderation && self.is_reachable() {
            let frames = budget.saturating_sub(left);
            self.receive.lock_at_dispatch(irql).moderate(&self.nic, self.delivery(), frames, bytes);
        }
    }

    /// One batch; false when the ring was found empty.
    fn receive_batch(&self, left: &mut u32, bytes: &mut u32, irql: &Dispatch) -> bool {
        let limit = (*left).min(BATCH);
        let mut batch = {
            let mut routes = None;
            let mut queue = self.receive.lock_at_dispatch(irql);
            queue.collect(&self.nic, &self.receive_buffers, self.station, limit, |key| {
                routes.get_or_insert_with(|| self.calls.routes()).find(key)
            })
        };
        let frames = batch.frames;
        *left = left.saturating_sub(frames);
        *bytes = bytes.saturating_add(batch.bytes);
        for run in &mut batch.runs {
            self.indicate(run, batch.short, irql);
        }
        for _ in 0..batch.malformed {
            self.statistics.receive_error();
        }
        let ended = batch.other.is_some();
        if let Some(frame) = batch.other {
            // The client may have its buffer then.
            if self.other_frame(frame, batch.short, irql) {
                batch.other = None;
            }
        }
        // The sessions' VCs are let go of with no lock held.
        batch.runs.clear();
        self.receive.lock_at_dispatch(irql).done(&self.nic, &self.receive_buffers, batch);
        ended || frames == limit
    }

    /// A frame that is no plain session frame; whether its buffer is a client's now.
    #[inline(never)]
    fn other_frame(&self, arrived: Arrived, short: bool, irql: &Dispatch) -> bool {
        let indicated = arrived.may_have_credits() && self.credits_in_band(&arrived, short, irql);
        if !indicated {
            self.discovery_frame(arrived);
        }
        indicated
    }

    /// Copies a discovery frame out of the device's reach and hands it to the calls.
    #[inline(never)]
    fn discovery_frame(&self, arrived: Arrived) {
        let mut frame = [0; pppoe::ethernet::MAX_FRAME];
        let Some(frame) = frame.get_mut(..arrived.length) else { return };
        if self.receive_buffers.read(arrived.buffer, frame) {
            self.discovery_received(frame);
        }
    }

    /// A session frame with credits in front of its PPP packet: takes them off and indicates the rest. False if the session
    /// has none of that.
    #[inline(never)]
    fn credits_in_band(&self, arrived: &Arrived, short: bool, irql: &Dispatch) -> bool {
        let mut head = [0; InBand::LEN];
        if arrived.length < head.len() || !self.receive_buffers.read(arrived.buffer, &mut head) {
            return false;
        }
        let Some(frame) = InBand::parse(&head, arrived.length, self.station) else { return false };
        let Some(vc) = self.calls.routes().find(frame.head.key) else { return false };
        let credited = self.with_account(&vc, frame.head.key, |account, now| {
            account.granted_in_band(frame.credits, now);
            None
        });
        let run = credited.then(|| self.receive.lock_at_dispatch(irql).in_band(arrived, &frame.head, vc));
        let Some(mut run) = run.flatten() else { return false };
        self.indicate(&mut run, short, irql);
        true
    }

    /// Indicates the frames of one VC; to be copied at once if buffers are `short`.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "what a run costs is spent here")]
    fn indicate(&self, run: &mut Run, short: bool, irql: &Dispatch) {
        let count = run.arrivals.len();
        if count == 0 {
            return;
        }
        if !self.admit(run.arrivals.vc(), run.key, count) {
            self.statistics.receive_discarded(count.into());
            self.take_back(run.arrivals.drop_all(), |_, _| ());
            return;
        }
        run.arrivals.vc().count_received(count.into(), run.bytes);
        if run.arrivals.vc().place.may_have_account() {
            self.credits_used(run.arrivals.vc(), run.key, count, run.bytes);
        }
        if short {
            self.receives_returned(run.arrivals.indicate_copied(irql));
        } else {
            run.arrivals.indicate(irql);
        }
        // One more than the frames was counted in, so that the VC outlives the call into NDIS.
        Vc::receives_ended(run.arrivals.vc(), 1);
    }

    /// Counts frames of a session in, with the adapter and with the VC; false if they must be dropped.
    fn admit(&self, vc: &Ref<Vc>, key: SessionKey, count: u32) -> bool {
        if !self.begin_receives(count) {
            return false;
        }
        if vc.begin_receives(key, count.saturating_add(1)) {
            return true;
        }
        self.end_in_flight(count);
        false
    }

    /// `MiniportReturnNetBufferLists`: buffers go back to the card, VCs and pauses may have waited for that.
    pub(crate) fn receives_returned(&self, chain: ReturnedChain<Vc>) {
        self.take_back(chain, |vc, count| {
            Vc::receives_ended(vc, count);
            self.end_in_flight(count);
        });
    }

    /// Gives buffers back to the card; `returned` hears of each VC with no lock held.
    fn take_back(&self, mut chain: ReturnedChain<Vc>, returned: impl Fn(&Ref<Vc>, u32)) {
        while !chain.is_empty() {
            let mut runs = [const { None }; RUNS];
            {
                let mut queue = self.receive.lock();
                for place in &mut runs {
                    *place = queue.take_back(&self.receive_buffers, &mut chain);
                    if chain.is_empty() {
                        break;
                    }
                }
                if self.is_reachable() {
                    queue.refill(&self.nic, &self.receive_buffers);
                }
            }
            for (vc, count) in runs.into_iter().flatten() {
                returned(&vc, count);
            }
        }
    }
}
