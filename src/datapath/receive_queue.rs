//! The receive ring, the lists over its buffers, and the buffers that are not in it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use e1000::{Delivery, LatencyClass, Moderation, Nic, ReceiveConfig, ReceiveDrops};
use ndis::memory::push_reserved;
use ndis::{Arrivals, ReceivePool, Ref, Result, ReturnedChain};
use pppoe::{Address, Beginning, Head, InBand, Malformed, Prefix, SessionKey};

use super::health::{Hangs, Health};
use crate::adapter::{Buffers, ReceiveRing, Registers, Vacancies};
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
    /// Room for a copy of a frame that is no session's, unless somebody has it.
    room: Vec<u8>,
}

/// Frames of one session that have arrived.
pub(super) struct Run {
    pub(super) key: SessionKey,
    prefix: Prefix,
    pub(super) arrivals: Arrivals,
    pub(super) bytes: u64,
    /// The session's VC, once it has been looked up, if there is one.
    pub(super) vc: Option<Ref<Vc>>,
}

/// A frame that has arrived: its buffer and its length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrived {
    pub(super) buffer: u32,
    pub(super) length: usize,
    beginning: Beginning,
}

impl Arrived {
    /// Whether it may be a session frame that begins with a Credits tag.
    pub(super) fn may_have_credits(&self) -> bool {
        let [.., kind0, kind1] = self.beginning.octets();
        self.length >= InBand::LEN && [kind0, kind1] == InBand::KIND
    }
}

/// What has arrived at once.
#[derive(Default)]
pub(super) struct Batch {
    /// By session. There is room for them, and none when this is made.
    pub(super) runs: Vec<Run>,
    /// A frame that is no session's and came behind all of these, to be looked at as a whole.
    pub(super) other: Option<Arrived>,
    pub(super) frames: u32,
    /// Bytes of the frames in `runs`.
    pub(super) bytes: u32,
    pub(super) malformed: u32,
    /// Whether clients hold so many buffers that the ring cannot be kept half full.
    pub(super) short: bool,
    /// Whether the ring has more.
    pub(super) more: bool,
}

impl ReceiveQueue {
    /// An empty ring, with all buffers spare.
    #[inline(never)]
    pub(crate) fn new(ring: ReceiveRing, pool: ReceivePool, buffers: &Buffers) -> Result<Box<Self>> {
        let spare = ndis::memory::filled(buffers.count() as usize, |id| Ok(u32::try_from(id).unwrap_or(0)))?;
        let mut runs = Vec::new();
        runs.try_reserve_exact(BATCH as usize).map_err(|_| ndis::Status::RESOURCES)?;
        let room = ndis::memory::zeroed(pppoe::ethernet::MAX_FRAME)?;
        let (moderation, hangs) = (Moderation::new(), Hangs::default());
        ndis::memory::boxed_with(|| Self { ring, pool, spare, moderation, hangs, runs, room })
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
    /// is no session's: what that does must not overtake what came before it. `expect` hears of each session. `last` is the
    /// batch before, of which nothing is left but that frame. Without a card that runs, buffers stay where they are.
    pub(super) fn collect(
        &mut self,
        nic: Option<&Nic<Registers>>,
        buffers: &Buffers,
        own: Address,
        limit: u32,
        last: Batch,
        mut expect: impl FnMut(SessionKey),
    ) -> Batch {
        self.done(buffers, last);
        let mut batch = Batch { runs: core::mem::take(&mut self.runs), ..Batch::default() };
        let mut current = 0;
        while batch.frames < limit {
            let left = limit.wrapping_sub(batch.frames);
            let (added, next) = match batch.runs.get_mut(current) {
                Some(run) => self.extend(buffers, run, left),
                None => (0, self.next(buffers)),
            };
            batch.frames = batch.frames.wrapping_add(added);
            let Some(arrived) = next else { break };
            batch.frames = batch.frames.wrapping_add(1);
            match Head::parse(&arrived.beginning.octets(), arrived.length, own) {
                Ok(Some(head)) if arrived.length >= Head::LEN => {
                    let place = self.sort(buffers, &mut batch.runs, arrived, head, &mut expect);
                    current = place.unwrap_or(current);
                }
                Err(why)
                    if arrived.length >= Head::LEN
                        && !matches!(why, Malformed::Length | Malformed::Protocol) =>
                {
                    batch.malformed = batch.malformed.wrapping_add(1);
                    self.give(buffers, arrived.buffer);
                }
                // A part of a frame is told to its VC, which takes a look at the whole of it.
                _ => {
                    batch.other = Some(arrived);
                    break;
                }
            }
        }
        let bytes = batch.runs.iter().map(Run::frame_bytes).fold(0, u64::saturating_add);
        batch.bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.refill(nic, buffers);
        batch.short = self.ring.posted() < self.ring.free();
        // What was passed over does not count: a card that brings nothing else is left alone.
        batch.more = (batch.frames == limit || batch.other.is_some()) && self.ring.has_arrived();
        batch
    }

    /// Adds a frame to the run of its session, which may be a new one; its place.
    fn sort(
        &mut self,
        buffers: &Buffers,
        runs: &mut Vec<Run>,
        arrived: Arrived,
        head: Head,
        expect: &mut impl FnMut(SessionKey),
    ) -> Option<usize> {
        let known = runs.iter().position(|run| run.key == head.key);
        let place = known.or_else(|| {
            expect(head.key);
            push_reserved(runs, Run::new(head.key, &arrived.beginning)).then(|| runs.len().wrapping_sub(1))
        });
        let run = place.and_then(|place| runs.get_mut(place));
        if !run.is_some_and(|run| run.add(&mut self.pool, arrived.buffer, head.length)) {
            self.give(buffers, arrived.buffer);
        }
        place
    }

    /// The next frame of the ring.
    fn next(&mut self, buffers: &Buffers) -> Option<Arrived> {
        if !self.ring.has_arrived() {
            return None;
        }
        let received = self.ring.poll()?;
        let beginning = buffers.beginning(received.buffer.id).unwrap_or_default();
        Some(Arrived { buffer: received.buffer.id, length: received.length, beginning })
    }

    /// Adds frames of the ring to a run as long as they are of its session, `most` at most. How many these were, and the next
    /// one, if it ended that.
    #[inline(never)]
    fn extend(&mut self, buffers: &Buffers, run: &mut Run, most: u32) -> (u32, Option<Arrived>) {
        let Self { ring, pool, .. } = self;
        let mut added = 0_u32;
        for received in ring.plain() {
            let (buffer, length) = (received.buffer.id, received.length);
            // Judged by a copy, which the card cannot change any more.
            let beginning = buffers.beginning(buffer).unwrap_or_default();
            let packet = run.prefix.length(&beginning, length);
            if !packet.is_some_and(|packet| run.add(pool, buffer, packet)) {
                return (added, Some(Arrived { buffer, length, beginning }));
            }
            added = added.wrapping_add(1);
            if added == most {
                return (added, None);
            }
        }
        (added, self.next(buffers))
    }

    /// A frame of a session with credits in front of its PPP packet, as a run of its own.
    pub(super) fn in_band(&mut self, arrived: &Arrived, head: &Head, vc: Ref<Vc>) -> Option<Run> {
        let mut run = Run::new(head.key, &arrived.beginning);
        (run.bytes, run.vc) = (head.length.into(), Some(vc));
        let taken = run.arrivals.push(&mut self.pool, arrived.buffer, IN_BAND_OFFSET, head.length.into());
        taken.then_some(run)
    }

    /// Takes a batch back, of which nothing is left but its last frame.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a batch of one frame pays for every call")]
    fn done(&mut self, buffers: &Buffers, batch: Batch) {
        if batch.runs.capacity() != 0 {
            self.runs = batch.runs;
        }
        if let Some(other) = batch.other {
            self.give(buffers, other.buffer);
        }
    }

    /// Takes the last batch back, and fits the time between interrupts to what one brought, frames and bytes. `delivery` says
    /// how these come, if that changes anything.
    pub(super) fn finish(
        &mut self,
        nic: Option<&Nic<Registers>>,
        buffers: &Buffers,
        last: Batch,
        brought: Option<(u32, u32)>,
        delivery: impl FnOnce() -> Delivery,
    ) {
        self.done(buffers, last);
        let Some(nic) = nic else { return };
        self.ring.doorbell(nic);
        let Some((frames, bytes)) = brought else { return };
        if let Some(class) = self.moderation.update(frames, bytes) {
            nic.set_moderation(delivery(), class.nanoseconds());
        }
    }

    /// Takes the buffers of frames back that are not indicated.
    pub(super) fn drop_frames(&mut self, buffers: &Buffers, run: &mut Run) {
        let Self { ring, pool, spare, .. } = self;
        let mut vacancies = ring.vacancies();
        run.arrivals.drop_all(pool, |buffer| give(&mut vacancies, spare, buffers, buffer));
    }

    /// Takes buffers back that were indicated on one VC: the VC, and how many there were.
    pub(super) fn take_back(
        &mut self,
        buffers: &Buffers,
        chain: &mut ReturnedChain<Vc>,
    ) -> Option<(Ref<Vc>, u32)> {
        let Self { ring, pool, spare, .. } = self;
        let mut vacancies = ring.vacancies();
        chain.pop_run(pool, |buffer| give(&mut vacancies, spare, buffers, buffer))
    }

    /// Room to copy a frame to, which is to be given back.
    pub(super) fn borrow_room(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.room)
    }

    /// Takes that back.
    pub(super) fn return_room(&mut self, room: Vec<u8>) {
        self.room = room;
    }

    /// Whether the card has filled the descriptor that is next.
    pub(super) fn has_arrived(&self) -> bool {
        self.ring.has_arrived()
    }

    /// Fills the ring up, if too much of it is empty, and tells a card that runs what is new in it.
    pub(super) fn refill(&mut self, nic: Option<&Nic<Registers>>, buffers: &Buffers) {
        let Some(nic) = nic else { return };
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
        give(&mut self.ring.vacancies(), &mut self.spare, buffers, buffer);
    }
}

/// Gives a buffer to the card, or keeps it if the ring is full.
#[inline]
fn give(vacancies: &mut Vacancies<'_>, spare: &mut Vec<u32>, buffers: &Buffers, buffer: u32) {
    if vacancies.are_none() || vacancies.give(buffers.buffer(buffer)).is_err() {
        push_reserved(spare, buffer);
    }
}

impl Run {
    /// No frames yet of a session, one of which begins so.
    const fn new(key: SessionKey, beginning: &Beginning) -> Self {
        Self { key, prefix: Prefix::of(beginning), arrivals: Arrivals::new(), bytes: 0, vc: None }
    }

    /// Adds a frame; false if its buffer is out already, or too short.
    #[inline]
    fn add(&mut self, pool: &mut ReceivePool, buffer: u32, length: u16) -> bool {
        let added = self.arrivals.push(pool, buffer, OFFSET, length.into());
        if added {
            self.bytes = self.bytes.wrapping_add(length.into());
        }
        added
    }

    /// Bytes of its frames as they were on the wire, but for what fills short ones up.
    fn frame_bytes(&self) -> u64 {
        self.bytes.wrapping_add(u64::from(OFFSET).wrapping_mul(self.arrivals.len().into()))
    }
}
