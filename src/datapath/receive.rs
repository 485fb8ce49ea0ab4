//! Receives, from the ring to the client and back.

use core::sync::atomic::Ordering;

use ndis::{Chain, Dispatch, Ref, ReturnedChain, Throttle};
use pppoe::{Head, Malformed, SessionKey};

use super::batch::{BATCH, Batch, Group};
use crate::adapter::Adapter;
use crate::call_manager::Vc;

/// Frames that one DPC indicates when NDIS sets no limit; a storm must not keep a processor from everything else.
const BUDGET: u32 = 256;

/// Returned lists of different VCs that are counted before the lock on the buffers is let go.
const RUNS: usize = 8;

/// A frame that has arrived: its buffer and its length.
#[derive(Clone, Copy, Debug, Default)]
struct Arrived {
    buffer: u32,
    length: usize,
}

/// What a frame is, by its head.
enum Kind {
    Session(Head),
    /// To be looked at as a whole.
    Other,
    Malformed,
}

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
        let mut arrived = [Arrived::default(); BATCH];
        let limit = (*left as usize).min(BATCH);
        let mut count: usize = 0;
        let short = {
            let mut queue = self.receive.lock_at_dispatch(irql);
            for slot in arrived.iter_mut().take(limit) {
                let Some(received) = queue.poll() else { break };
                *bytes = bytes.saturating_add(u32::try_from(received.length).unwrap_or(0));
                *slot = Arrived { buffer: received.buffer.id, length: received.length };
                count = count.wrapping_add(1);
            }
            queue.refill(&self.nic, &self.receive_buffers);
            queue.is_short()
        };
        if count == 0 {
            return false;
        }
        *left = left.saturating_sub(u32::try_from(count).unwrap_or(0));
        let mut batch = Batch::new();
        let mut rest = arrived.get(..count).unwrap_or_default();
        while !rest.is_empty() {
            // Up to a frame that is no session's: what it does must not overtake what came before it.
            let other = self.group(&mut rest, &mut batch, irql);
            while let Some(group) = batch.next_group() {
                self.indicate(&group, &mut batch, short, irql);
            }
            if let Some(frame) = other {
                self.discovery_frame(frame);
                batch.unwanted(frame.buffer);
            }
        }
        let unwanted = batch.unwanted_buffers();
        if !unwanted.is_empty() && self.is_reachable() {
            let mut queue = self.receive.lock_at_dispatch(irql);
            for &buffer in unwanted {
                queue.give_back(buffer);
            }
            queue.refill(&self.nic, &self.receive_buffers);
        }
        count == limit
    }

    /// Groups session frames by VC, up to the first frame that is none, which it returns.
    fn group(&self, rest: &mut &[Arrived], batch: &mut Batch, irql: &Dispatch) -> Option<Arrived> {
        let sessions = self.calls.sessions(irql);
        while let Some((&frame, behind)) = rest.split_first() {
            *rest = behind;
            match self.kind(frame) {
                Kind::Session(head) => batch.add(frame.buffer, head, |key| sessions.find(key)),
                Kind::Other => return Some(frame),
                Kind::Malformed => {
                    self.statistics.receive_error();
                    batch.unwanted(frame.buffer);
                }
            }
        }
        None
    }

    /// Judges a frame by a copy of its head.
    fn kind(&self, frame: Arrived) -> Kind {
        let mut head = [0; Head::LEN];
        if frame.length < Head::LEN || !self.receive_buffers.read(frame.buffer, &mut head) {
            return Kind::Other;
        }
        match Head::parse(&head, frame.length, self.station) {
            Ok(Some(head)) => Kind::Session(head),
            // A part of a frame is told to its VC, which takes a look at the whole of it.
            Ok(None) | Err(Malformed::Length | Malformed::Protocol) => Kind::Other,
            Err(_) => Kind::Malformed,
        }
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

    /// Indicates the frames of one VC; to be copied at once if buffers are `short`.
    fn indicate(&self, group: &Group, batch: &mut Batch, short: bool, irql: &Dispatch) {
        const OFFSET: u32 = 20;
        const { assert!(OFFSET as usize == pppoe::Header::LEN) };
        let vc = &group.vc;
        let admitted = self.admit(vc, group.key, group.frames);
        let mut chain = Chain::new();
        let mut next = batch.first(group);
        while let Some(frame) = next {
            next = batch.after(frame);
            let length = u32::from(frame.length);
            let list = admitted.then(|| self.receive_pool.lend(frame.buffer as usize, OFFSET, length, vc));
            match list.flatten() {
                Some(list) => chain.push(list),
                None => batch.unwanted(frame.buffer),
            }
        }
        if !admitted {
            self.statistics.receive_discarded(group.frames.into());
            return;
        }
        vc.count_received(group.frames.into(), group.bytes);
        let lost = group.frames.saturating_sub(chain.len());
        if short {
            self.receives_returned(chain.indicate_copied(&**vc, irql));
        } else {
            chain.indicate(&**vc, irql);
        }
        // One more than the frames was counted in, so that the VC outlives the call into NDIS.
        Vc::receives_ended(vc, lost.saturating_add(1));
        if lost != 0 {
            self.end_in_flight(lost);
        }
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
    pub(crate) fn receives_returned(&self, mut chain: ReturnedChain) {
        let mut current: Option<Run> = None;
        while !chain.is_empty() {
            let mut runs = [const { None::<Run> }; RUNS];
            {
                let mut queue = self.receive.lock();
                let mut places = runs.iter_mut();
                while let Some((index, vc)) = chain.pop::<Vc>(&self.receive_pool) {
                    queue.give_back(u32::try_from(index).unwrap_or(u32::MAX));
                    if let Some(run) = current.as_mut().filter(|run| Ref::ptr_eq(&run.vc, &vc)) {
                        run.count = run.count.saturating_add(1);
                        continue;
                    }
                    let Some(done) = current.replace(Run { vc, count: 1 }) else { continue };
                    let Some(place) = places.next() else { continue };
                    *place = Some(done);
                    if places.len() == 0 {
                        break;
                    }
                }
                if self.is_reachable() {
                    queue.refill(&self.nic, &self.receive_buffers);
                }
            }
            runs.into_iter().flatten().for_each(|run| self.returned(&run));
        }
        if let Some(run) = current {
            self.returned(&run);
        }
    }

    fn returned(&self, run: &Run) {
        Vc::receives_ended(&run.vc, run.count);
        self.end_in_flight(run.count);
    }
}

/// Lists of one VC that came back one after the other.
struct Run {
    vc: Ref<Vc>,
    count: u32,
}
