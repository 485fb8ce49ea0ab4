//! The receive ring, the lists over its buffers, and the buffers that are not in it.

use alloc::vec::Vec;
use e1000::{Delivery, LatencyClass, Moderation, Nic, ReceiveConfig, ReceiveDrops};
use ndis::memory::push_reserved;
use ndis::{Arrivals, ReceivePool, Ref, Result, ReturnedChain};
use pppoe::{Address, Head, InBand, Malformed, Prefix, SessionKey};

use super::health::{Hangs, Health};
use crate::adapter::{Buffers, ReceiveRing, Registers};
use crate::call_manager::Vc;

/// Frames in a batch: enough to pay for what is done once a batch, little enough to hold the lock for.
pub(super) const BATCH: u32 = 32;

/// Where the PPP packet begins in a frame.
const OFFSET: u32 = 20;
const _: () = assert!(OFFSET as usize == pppoe::Header::LEN);
/// The same behind credits.
const IN_BAND_OFFSET: u32 = 28;
const _: () = assert!(IN_BAND_OFFSET as usize == InBand::OFFSET);

/// The ring and the spare buffers. There are more buffers than descriptors, so that the ring stays full while
/// clients hold some.
pub(crate) struct ReceiveQueue {
    ring: ReceiveRing,
    pool: ReceivePool,
    /// Buffers that are in nobody's hands; room for all of them is reserved.
    spare: Vec<u32>,
    moderation: Moderation,
    hangs: Hangs,
    /// Room for the runs of a batch, while there is none.
    runs: Vec<Run>,
}

/// Frames of one session that have arrived.
pub(super) struct Run {
    pub(super) key: SessionKey,
    prefix: Prefix,
    pub(super) arrivals: Arrivals<Vc>,
    pub(super) bytes: u64,
}

/// A frame that has arrived: its buffer and its length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrived {
    pub(super) buffer: u32,
    pub(super) length: usize,
    head: [u8; Head::LEN],
}

impl Arrived {
    /// Whether it may be a session frame that begins with a Credits tag.
    pub(super) fn may_have_credits(&self) -> bool {
        let [.., kind0, kind1] = self.head;
        self.length >= InBand::LEN && [kind0, kind1] == InBand::KIND
    }
}

/// What has arrived at once.
#[derive(Default)]
pub(super) struct Batch {
    /// By session; to be given back with [`ReceiveQueue::done`].
    pub(super) runs: Vec<Run>,
    /// A frame that is no session's and came behind all of these, to be looked at as a whole.
    pub(super) other: Option<Arrived>,
    pub(super) frames: u32,
    pub(super) bytes: u32,
    pub(super) malformed: u32,
    /// Whether clients hold so many buffers that the ring cannot be kept half full.
    pub(super) short: bool,
}

impl ReceiveQueue {
    /// An empty ring, with all buffers spare.
    pub(crate) fn new(ring: ReceiveRing, pool: ReceivePool, buffers: &Buffers) -> Result<Self> {
        let spare = ndis::memory::filled(buffers.count() as usize, |id| Ok(u32::try_from(id).unwrap_or(0)))?;
        let mut runs = Vec::new();
        runs.try_reserve_exact(BATCH as usize).map_err(|_| ndis::Status::RESOURCES)?;
        Ok(Self { ring, pool, spare, moderation: Moderation::new(), hangs: Hangs::default(), runs })
    }

    /// Fills the ring and connects it to the card, whose receiver must be off.
    pub(crate) fn start(
        &mut self,
        nic: &Nic<Registers>,
        buffers: &Buffers,
        config: ReceiveConfig,
    ) -> core::result::Result<(), e1000::Error> {
        self.fill(buffers);
        nic.start_receive(&mut self.ring, &config)
    }

    /// Fits the time between interrupts to what the last one brought.
    pub(super) fn moderate(&mut self, nic: &Nic<Registers>, delivery: Delivery, frames: u32, bytes: u32) {
        if let Some(class) = self.moderation.update(frames, bytes) {
            nic.set_moderation(delivery, class.nanoseconds());
        }
    }

    /// The class of traffic that moderation begins with.
    pub(crate) fn latency_class(&self) -> LatencyClass {
        self.moderation.class()
    }

    /// What the ring has dropped so far.
    pub(crate) fn drops(&self) -> ReceiveDrops {
        self.ring.drops()
    }

    /// Whether the card receives; to be asked once a second.
    pub(crate) fn health(&mut self, nic: &Nic<Registers>) -> Health {
        let hung = self.ring.is_hung(nic, &mut self.hangs.progress).unwrap_or(false);
        self.hangs.judge(hung, u64::try_from(self.ring.head()).unwrap_or(0))
    }

    /// Takes up to `limit` frames, no more than [`BATCH`], out of the ring, and sorts them by session, up to the first that
    /// is no session's: what that does must not overtake what came before it. `find` looks VCs up.
    pub(super) fn collect(
        &mut self,
        nic: &Nic<Registers>,
        buffers: &Buffers,
        own: Address,
        limit: u32,
        mut find: impl FnMut(SessionKey) -> Option<Ref<Vc>>,
    ) -> Batch {
        let mut batch = Batch { runs: core::mem::take(&mut self.runs), ..Batch::default() };
        let mut current = 0;
        while batch.frames < limit {
            let Some(arrived) = self.next(buffers, &mut batch, limit, current) else { break };
            let head = match Head::parse(&arrived.head, arrived.length, own) {
                Ok(Some(head)) if arrived.length >= Head::LEN => head,
                // A part of a frame is told to its VC, which takes a look at the whole of it.
                Err(Malformed::Length | Malformed::Protocol) => {
                    batch.other = Some(arrived);
                    break;
                }
                Err(_) if arrived.length >= Head::LEN => {
                    batch.malformed = batch.malformed.wrapping_add(1);
                    self.give(buffers, arrived.buffer);
                    continue;
                }
                _ => {
                    batch.other = Some(arrived);
                    break;
                }
            };
            let known = batch.runs.iter().position(|run| run.key == head.key);
            let place = known.or_else(|| {
                let prefix = Prefix::of(&arrived.head);
                let run = Run { key: head.key, prefix, arrivals: Arrivals::new(find(head.key)?), bytes: 0 };
                push_reserved(&mut batch.runs, run).then(|| batch.runs.len().wrapping_sub(1))
            });
            match place.and_then(|place| batch.runs.get_mut(place)) {
                Some(run) => run.add(self, buffers, arrived.buffer, head.length),
                None => self.give(buffers, arrived.buffer),
            }
            current = place.unwrap_or(current);
        }
        self.refill(nic, buffers);
        batch.short = self.ring.posted() < self.ring.free();
        batch
    }

    /// Takes frames out of the ring as long as they belong to the run at `current`. The first other one.
    #[inline]
    fn next(&mut self, buffers: &Buffers, batch: &mut Batch, limit: u32, current: usize) -> Option<Arrived> {
        let mut run = batch.runs.get_mut(current);
        while batch.frames < limit {
            let received = self.ring.poll()?;
            let (buffer, length) = (received.buffer.id, received.length);
            batch.frames = batch.frames.wrapping_add(1);
            batch.bytes = batch.bytes.wrapping_add(u32::try_from(length).unwrap_or(0));
            // Judged by a copy, which the card cannot change any more.
            let mut head = [0; Head::LEN];
            let copied = buffers.read(buffer, &mut head);
            debug_assert!(copied, "the ring has buffers of its own only");
            match run.as_deref_mut().map(|run| (run.prefix.length(&head, length), run)) {
                Some((Some(packet), run)) => run.add(self, buffers, buffer, packet),
                _ => return Some(Arrived { buffer, length, head }),
            }
        }
        None
    }

    /// A frame of a session with credits in front of its PPP packet, as a run of its own.
    pub(super) fn in_band(&mut self, arrived: &Arrived, head: &Head, vc: Ref<Vc>) -> Option<Run> {
        let prefix = Prefix::of(&arrived.head);
        let mut run = Run { key: head.key, prefix, arrivals: Arrivals::new(vc), bytes: head.length.into() };
        let taken = run.arrivals.push(&mut self.pool, arrived.buffer, IN_BAND_OFFSET, head.length.into());
        taken.then_some(run)
    }

    /// Takes the runs of a batch back, which must be empty, and the buffer of its last frame.
    pub(super) fn done(&mut self, nic: &Nic<Registers>, buffers: &Buffers, batch: Batch) {
        self.runs = batch.runs;
        self.runs.clear();
        if let Some(other) = batch.other {
            self.give(buffers, other.buffer);
            self.ring.doorbell(nic);
        }
    }

    /// Takes buffers back that were indicated on one VC: the VC, and how many there were.
    pub(super) fn take_back(
        &mut self,
        buffers: &Buffers,
        chain: &mut ReturnedChain<Vc>,
    ) -> Option<(Ref<Vc>, u32)> {
        let Self { ring, pool, spare, .. } = self;
        chain.pop_run(pool, |buffer| give(ring, spare, buffers, buffer))
    }

    /// Fills the ring up, if too much of it is empty, and tells the card what is new in it.
    pub(super) fn refill(&mut self, nic: &Nic<Registers>, buffers: &Buffers) {
        // Clients are about to return what they have just been given: that fills small gaps for nothing.
        if self.ring.free() > self.ring.posted() / 4 {
            self.fill(buffers);
        }
        self.ring.doorbell(nic);
    }

    fn fill(&mut self, buffers: &Buffers) {
        while self.ring.free() != 0 {
            let Some(id) = self.spare.pop() else { break };
            self.give(buffers, id);
        }
    }

    fn give(&mut self, buffers: &Buffers, buffer: u32) {
        give(&mut self.ring, &mut self.spare, buffers, buffer);
    }
}

/// Gives a buffer to the card, or keeps it if the ring is full.
#[inline]
fn give(ring: &mut ReceiveRing, spare: &mut Vec<u32>, buffers: &Buffers, buffer: u32) {
    if ring.give(buffers.buffer(buffer)).is_err() {
        push_reserved(spare, buffer);
    }
}

impl Run {
    /// Adds a frame.
    #[inline]
    fn add(&mut self, queue: &mut ReceiveQueue, buffers: &Buffers, buffer: u32, length: u16) {
        if self.arrivals.push(&mut queue.pool, buffer, OFFSET, length.into()) {
            self.bytes = self.bytes.wrapping_add(length.into());
        } else {
            queue.give(buffers, buffer);
        }
    }
}
