//! Receives, from the ring to the client and back.

use core::sync::atomic::Ordering;

use e1000::Received;
use ndis::{Chain, Dispatch, Ref, ReturnedChain, Throttle};
use pppoe::Head;

use crate::adapter::Adapter;
use crate::call_manager::Vc;

/// Frames that are taken from the ring before any is indicated: enough for batches, little enough for the stack.
const BATCH: usize = 32;
/// Frames that one DPC indicates when NDIS sets no limit; a storm must not keep a processor from everything else.
const BUDGET: u32 = 256;

/// A session frame on its way to its VC.
struct Arrived {
    vc: Ref<Vc>,
    buffer: u32,
    offset: u32,
    length: u32,
    key: pppoe::SessionKey,
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
        let mut taken: [Option<Received>; BATCH] = [const { None }; BATCH];
        let limit = (*left as usize).min(BATCH);
        let mut count: u32 = 0;
        let short = {
            let mut ring = self.receive.lock_at_dispatch(irql);
            for slot in taken.iter_mut().take(limit) {
                let Some(received) = ring.poll() else { break };
                *bytes = bytes.saturating_add(u32::try_from(received.length).unwrap_or(0));
                *slot = Some(received);
                count = count.saturating_add(1);
            }
            ring.refill(&self.nic, &self.receive_buffers);
            ring.is_short()
        };
        *left = left.saturating_sub(count);
        let mut arrived: [Option<Arrived>; BATCH] = [const { None }; BATCH];
        for (slot, received) in arrived.iter_mut().zip(taken.iter().flatten()) {
            *slot = self.sort(received);
            if slot.is_none() {
                self.give_back(received.buffer.id);
            }
        }
        self.indicate(&mut arrived, short, irql);
        self.refill();
        count as usize == limit
    }

    /// Finds the VC of a session frame, or does what a discovery frame asks for.
    fn sort(&self, received: &Received) -> Option<Arrived> {
        let buffer = received.buffer.id;
        let mut head = [0; Head::LEN];
        if received.length >= Head::LEN && self.receive_buffers.read(buffer, &mut head) {
            match Head::parse(&head, received.length, self.station) {
                Ok(Some(session)) => {
                    let vc = self.calls.session(session.key)?;
                    let length = u32::from(session.length);
                    let offset = u32::try_from(pppoe::Header::LEN).ok()?;
                    return Some(Arrived { vc, buffer, offset, length, key: session.key });
                }
                Ok(None) => {}
                Err(_) => {
                    self.statistics.receive_error();
                    return None;
                }
            }
        }
        self.discovery_frame(received);
        None
    }

    /// Copies a discovery frame out of the device's reach and hands it to the calls.
    fn discovery_frame(&self, received: &Received) {
        let mut frame = [0; pppoe::ethernet::MAX_FRAME];
        let Some(frame) = frame.get_mut(..received.length) else { return };
        if self.receive_buffers.read(received.buffer.id, frame) {
            self.discovery_received(frame);
        }
    }

    /// Indicates a batch, one indication for each VC in it; to be copied at once if buffers are `short`.
    fn indicate(&self, arrived: &mut [Option<Arrived>; BATCH], short: bool, irql: &Dispatch) {
        for first in 0..BATCH {
            let Some(leader) = arrived.get(first).and_then(Option::as_ref) else { continue };
            let (vc, key) = (Ref::clone(&leader.vc), leader.key);
            let is_of_group = |frame: &Arrived| Ref::ptr_eq(&frame.vc, &vc) && frame.key == key;
            let count = arrived.iter().flatten().filter(|frame| is_of_group(frame)).count();
            let count = u32::try_from(count).unwrap_or(0);
            let admitted = self.admit(&vc, key, count);
            let mut chain = Chain::new();
            for slot in arrived.iter_mut() {
                if !slot.as_ref().is_some_and(is_of_group) {
                    continue;
                }
                let Some(frame) = slot.take() else { continue };
                let list = admitted
                    .then(|| self.receive_pool.lend(frame.buffer as usize, frame.offset, frame.length, &vc))
                    .flatten();
                match list {
                    Some(list) => {
                        vc.count_received(frame.length as usize);
                        chain.push(list);
                    }
                    None => self.give_back(frame.buffer),
                }
            }
            if admitted {
                let lost = count.saturating_sub(chain.len());
                if short {
                    self.receives_returned(chain.indicate_copied(&*vc, irql));
                } else {
                    chain.indicate(&*vc, irql);
                }
                // One more than the frames was counted in, so that the VC outlives the call into NDIS.
                vc.receives_ended(lost.saturating_add(1));
                self.end_in_flight(lost);
            } else {
                self.statistics.receive_discarded(count.into());
            }
        }
    }

    /// Counts frames of a session in, with the adapter and with the VC; false if they must be dropped.
    fn admit(&self, vc: &Ref<Vc>, key: pppoe::SessionKey, count: u32) -> bool {
        if !self.begin_receives(count) {
            return false;
        }
        if vc.begin_receives(key, count.saturating_add(1)) {
            return true;
        }
        self.end_in_flight(count);
        false
    }

    /// Takes a buffer back.
    fn give_back(&self, id: u32) {
        self.receive.lock().give_back(id);
    }

    /// Makes the buffers that came back the card's again.
    fn refill(&self) {
        if !self.is_reachable() {
            return;
        }
        self.receive.lock().refill(&self.nic, &self.receive_buffers);
    }

    /// `MiniportReturnNetBufferLists`: buffers go back to the card, VCs and pauses may have waited for that.
    pub(crate) fn receives_returned(&self, chain: ReturnedChain) {
        let mut run: Option<(Ref<Vc>, u32)> = None;
        let returned = |vc: Ref<Vc>, count: u32| {
            vc.receives_ended(count);
            self.end_in_flight(count);
        };
        chain.drain::<Vc>(&self.receive_pool, |index, vc| {
            self.give_back(u32::try_from(index).unwrap_or(u32::MAX));
            run = match run.take() {
                Some((same, count)) if Ref::ptr_eq(&same, &vc) => Some((same, count.saturating_add(1))),
                Some((other, count)) => {
                    returned(other, count);
                    Some((vc, 1))
                }
                None => Some((vc, 1)),
            };
        });
        self.refill();
        if let Some((vc, count)) = run {
            returned(vc, count);
        }
    }
}
