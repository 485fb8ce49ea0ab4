//! The transmit ring and what waits for it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use condis::token_bucket::Shape;
use e1000::{Nic, TransmitStatus};
use ndis::{Chain, NetBuffer, NetBufferList, Ref, Result, Status};
use pppoe::credit::{Account, Agreement};
use pppoe::extension::Flow;
use pppoe::{Address, Code, Instant, SessionKey};

use super::backlog::Backlog;
use super::health::{Hangs, Health, Pause};
use super::outgoing::{self, Outgoing};
use crate::adapter::settings::Tags;
use crate::adapter::{Burst, Registers, TransmitRing};
use crate::call_manager::Vc;

/// Descriptors that data leaves free for discovery frames: a PADT must not wait behind a full ring.
const KEPT_FOR_CONTROL: usize = 8;

/// Marks of frames in the ring: the last one of the oldest list that is in the ring, as nearly all are, another one of that
/// list, and of no list.
const LAST: u8 = 0;
const PART: u8 = 1;
const NOBODYS: u8 = 2;

/// The ring, and the VCs that wait for room in it.
pub(crate) struct Transmit {
    loader: Loader,
    backlog: Backlog,
    hangs: Hangs,
    pause: Pause,
    /// The ring has frames that must not leave; the transmitter is off.
    unclean: bool,
}

/// The ring, and the lists in it.
pub(super) struct Loader {
    ring: TransmitRing,
    /// Lists whose last frame is in the ring, marked, in the order of these frames.
    in_flight: Chain<Vc>,
    /// How many frames of the first of them the card could not send.
    spoiled: u32,
    tags: Tags,
    /// Where NDIS puts a frame in one piece that lies in several.
    scattered: Vec<u8>,
}

/// Where PADGs and PADCs come from: the station, and its card, if that can be reached.
pub(super) struct Desk<'a> {
    pub(super) station: Address,
    pub(super) nic: Option<&'a Nic<Registers>>,
}

/// Why no more lists of a chain go into the ring.
#[derive(Clone, Copy, Debug)]
enum Stop {
    /// There is no room for the first.
    Full,
    /// The first cannot be sent.
    Failed(Status),
}

impl Transmit {
    /// An empty ring.
    #[inline(never)]
    pub(crate) fn new(ring: TransmitRing, tags: Tags) -> Result<Box<Self>> {
        let scattered = ndis::memory::zeroed(e1000::BUFFER_SIZE)?;
        ndis::memory::boxed_with(|| Self {
            loader: Loader { ring, in_flight: Chain::new(), spoiled: 0, tags, scattered },
            backlog: Backlog::new(),
            hangs: Hangs::default(),
            pause: Pause::default(),
            unclean: false,
        })
    }

    /// Connects the ring to the card, which must have been reset.
    pub(crate) fn start(&mut self, nic: &Nic<Registers>) -> core::result::Result<(), e1000::Error> {
        nic.start_transmit(&mut self.loader.ring)
    }

    /// Whether the card sends; to be asked once a second.
    pub(crate) fn health(&mut self, nic: &Nic<Registers>) -> Health {
        let held = self.loader.ring.is_held(nic, &mut self.pause.progress).unwrap_or(false);
        if self.pause.is_too_long(held) {
            return Health::Held;
        }
        let hung = self.loader.ring.is_hung(nic, &mut self.hangs.progress).unwrap_or(false);
        self.hangs.judge(hung, self.loader.ring.completed())
    }

    /// Whether nothing waits for the card.
    pub(crate) fn is_idle(&self) -> bool {
        self.loader.ring.pending() == 0 && self.backlog.is_empty()
    }

    /// Takes lists to send on a VC: as many as fit go into the ring at once, if nothing waits and the VC has no shape. The
    /// others stay in `lists`, for [`Transmit::queue`], except for those that cannot be sent at all: they end up in `failed`.
    pub(super) fn send(
        &mut self,
        vc: &Ref<Vc>,
        outgoing: &Outgoing,
        lists: &mut Chain<Vc>,
        nic: &Nic<Registers>,
        failed: &mut Chain<Vc>,
    ) {
        if self.backlog.is_straight(vc) {
            self.loader.load(vc, outgoing, lists, failed);
            self.loader.ring.doorbell(nic);
        }
    }

    /// Lets lists wait for [`Transmit::pump`]. Those for which there is no memory to wait in stay in `lists`.
    pub(super) fn queue(&mut self, vc: &Ref<Vc>, outgoing: &Outgoing, lists: &mut Chain<Vc>) {
        self.backlog.add(vc, outgoing, lists);
    }

    /// Holds a VC to a shape from now on, or no more.
    pub(super) fn shape(&mut self, vc: &Ref<Vc>, shape: Option<&Shape>) -> Result<Chain<Vc>> {
        let Some(shape) = shape else {
            return Ok(match self.backlog.unshape(vc) {
                // Once more in turn with everybody's.
                Some((vc, Some(outgoing), held)) => self.backlog.requeue(&vc, &outgoing, held),
                Some((_, None, held)) => held,
                None => Chain::new(),
            });
        };
        self.backlog.shape(vc, shape)?;
        Ok(Chain::new())
    }

    /// Gives the session of a VC an account of credits.
    pub(super) fn open_account(&mut self, vc: &Ref<Vc>, key: SessionKey, agreement: Agreement) -> Result<()> {
        self.backlog.open_account(vc, key, agreement)
    }

    /// Does something to the account of a session, sends the PADC that `act` returns, then the PADG that is due, if any.
    /// False if the VC has no account for this session.
    pub(super) fn with_account(
        &mut self,
        vc: &Vc,
        key: SessionKey,
        desk: &Desk<'_>,
        act: impl FnOnce(&mut Account, Instant) -> Option<Flow>,
    ) -> bool {
        let Some((answer, grant)) = self.backlog.with_account(vc, key, act) else { return false };
        for (code, flow) in [(Code::Padc, answer), (Code::Padg, grant)] {
            if let Some(flow) = flow {
                self.loader.send_flow(desk, code, &flow);
            }
        }
        true
    }

    /// Ends the shape and the account of a VC whose session is over; what was held for it.
    pub(super) fn end_shape(&mut self, vc: &Vc) -> Option<(Ref<Vc>, Chain<Vc>)> {
        self.backlog.release(vc).map(|(vc, _, held)| (vc, held))
    }

    /// Lets VCs go on whose rate lets them, and grants their peers credits. Lists that have waited too long for credits end
    /// up in `failed`. A session whose peer leaves grants without an answer ends this: it is to be called again.
    pub(super) fn expire(
        &mut self,
        desk: &Desk<'_>,
        failed: &mut Chain<Vc>,
    ) -> Option<(Ref<Vc>, SessionKey)> {
        let Self { loader, backlog, .. } = self;
        backlog.expire(|padg| loader.send_flow(desk, Code::Padg, padg), failed)
    }

    /// In how long to call [`Transmit::expire`].
    pub(super) fn wake(&self) -> Option<Duration> {
        self.backlog.wake()
    }

    /// Moves lists from the waiting VCs to the ring as long as they fit, one from each in turn, and rings the doorbell
    /// once. What cannot be sent at all ends up in `failed`.
    #[inline]
    pub(super) fn pump(&mut self, nic: &Nic<Registers>, failed: &mut Chain<Vc>) {
        if !self.backlog.is_empty() {
            self.pump_waiting(nic, failed);
        }
    }

    #[inline(never)]
    fn pump_waiting(&mut self, nic: &Nic<Registers>, failed: &mut Chain<Vc>) {
        let loader = &mut self.loader;
        while self.backlog.turn(|vc, outgoing, list| loader.load(vc, outgoing, list, failed)) {}
        loader.ring.doorbell(nic);
    }

    /// Sends a discovery frame, which no list owns; false if there is no room even for that.
    pub(super) fn send_control(&mut self, nic: &Nic<Registers>, frame: &[u8]) -> bool {
        self.loader.send_control(nic, frame)
    }

    /// Takes out the lists whose last frame the card has finished.
    pub(super) fn reclaim(&mut self, done: &mut Chain<Vc>) {
        let Loader { ring, in_flight, spoiled, .. } = &mut self.loader;
        if *spoiled == 0 {
            // Mostly there are no others: the lists have the status of success already.
            done.append(in_flight.take(ring.reclaim_unmarked()));
        }
        while ring.has_finished() {
            let mut failed = false;
            let mut finished = ring.finished();
            done.append(in_flight.take_with_status(|| {
                loop {
                    let (_, mark, status) = finished.next()?;
                    if status != TransmitStatus::empty() && mark != NOBODYS {
                        *spoiled = spoiled.saturating_add(1);
                    }
                    if mark == LAST {
                        failed = *spoiled != 0;
                        return (!failed).then_some(Status::SUCCESS);
                    }
                }
            }));
            if !failed {
                if in_flight.is_empty() {
                    // Behind the last list there can be nobody's frames only.
                    finished.for_each(drop);
                }
                return;
            }
            drop(finished);
            let mut ended = in_flight.take(1);
            ended.set_status(Status::FAILURE);
            not_sent(&ended);
            // The card has counted them for the adapter.
            let count = core::mem::take(spoiled);
            ended.for_each(|_, vc| vc.statistics.send_errors(count.into()));
            done.append(ended);
        }
    }

    /// Takes the waiting lists that `choose` picks.
    pub(super) fn remove_queued(&mut self, choose: impl FnMut(&NetBufferList<Vc>) -> bool) -> Chain<Vc> {
        self.backlog.remove(choose)
    }

    /// Takes the waiting lists of one VC.
    pub(super) fn remove_queued_of(&mut self, vc: &Vc) -> Chain<Vc> {
        self.backlog.remove_of(vc)
    }

    /// Takes all lists out and leaves their frames, which were copied, in the ring: without a link, or while the peer asks
    /// for silence, the card stops fetching, and nobody can say for how long.
    pub(super) fn disown(&mut self) -> Chain<Vc> {
        let mut all = self.loader.take_in_flight();
        self.loader.ring.mark_all(NOBODYS);
        all.append(self.remove_queued(|_| true));
        all
    }

    /// Takes all lists out, as there is no link any more; those that the card has finished end up in `done`. Frames that are
    /// in the ring are not to leave it before a reset.
    pub(crate) fn lose(&mut self, nic: &Nic<Registers>, done: &mut Chain<Vc>) -> Chain<Vc> {
        self.reclaim(done);
        if self.loader.ring.pending() != 0 {
            nic.stop_transmit();
            self.unclean = true;
        }
        self.disown()
    }

    /// Whether there are such frames.
    pub(crate) fn is_unclean(&self) -> bool {
        self.unclean
    }

    /// Takes everything out: the card is stopped or gone, or has been reset.
    pub(super) fn abandon(&mut self) -> Chain<Vc> {
        self.loader.ring.abandon(|_| ());
        self.unclean = false;
        let mut all = self.loader.take_in_flight();
        all.append(self.remove_queued(|_| true));
        all
    }
}

impl Loader {
    /// Takes out the lists that the card has not finished.
    fn take_in_flight(&mut self) -> Chain<Vc> {
        self.spoiled = 0;
        let taken = core::mem::take(&mut self.in_flight);
        not_sent(&taken);
        taken
    }

    /// Sends a discovery frame, which no list owns; false if there is no room even for that.
    fn send_control(&mut self, nic: &Nic<Registers>, frame: &[u8]) -> bool {
        let Self { ring, tags, .. } = self;
        let Some(mut slot) = ring.reserve() else { return false };
        let sent = slot.write(0, frame) && slot.push(frame.len(), tags.control, NOBODYS).is_ok();
        ring.doorbell(nic);
        sent
    }

    /// Sends a PADG or PADC. If there is no room for it, it is missed as if it had been lost.
    fn send_flow(&mut self, desk: &Desk<'_>, code: Code, flow: &Flow) {
        let mut frame = [0; Flow::FRAME_LEN];
        if let (Some(nic), Ok(_)) = (desk.nic, flow.emit(code, desk.station, &mut frame)) {
            self.send_control(nic, &frame);
        }
    }

    /// Moves lists of a VC into the ring, as long as they fit. What cannot be sent at all ends up in `failed`.
    fn load(&mut self, vc: &Ref<Vc>, outgoing: &Outgoing, lists: &mut Chain<Vc>, failed: &mut Chain<Vc>) {
        let Self { ring, in_flight, tags, scattered, .. } = self;
        let capacity = ring.count().saturating_sub(KEPT_FOR_CONTROL + 1);
        let mut burst = ring.burst(KEPT_FOR_CONTROL, tags.data);
        let (mut bytes, mut stranded) = (0_u64, 0_usize);
        loop {
            let (loaded, count) = load_plain(&mut burst, outgoing, lists);
            in_flight.append(loaded);
            bytes = bytes.wrapping_add(count);
            // Whatever the next one is, if there is one.
            let Some(mut list) = lists.pop() else { break };
            let before = (burst.pushed(), bytes);
            match load_frames(&mut burst, outgoing, &list, capacity, scattered, &mut bytes) {
                Ok(()) => in_flight.push(list),
                Err(Stop::Failed(status)) => {
                    list.set_status(status);
                    // What of it is on its way is no list's any more, and may leave.
                    let begun = burst.pushed().wrapping_sub(before.0);
                    vc.count_send_errors(list.net_buffers().count().wrapping_sub(begun) as u64);
                    failed.push(list);
                    burst.mark_last(begun, NOBODYS);
                    stranded = stranded.wrapping_add(begun);
                    bytes = before.1;
                }
                Err(Stop::Full) => {
                    lists.push_front(list);
                    break;
                }
            }
        }
        if burst.pushed() != 0 {
            vc.count_sent(burst.pushed().wrapping_sub(stranded) as u64, bytes);
        }
    }
}

/// Takes back what was counted of lists that went into the ring and do not end well.
#[cold]
fn not_sent(lists: &Chain<Vc>) {
    lists.for_each(|list, vc| {
        let (mut frames, mut bytes) = (0_u64, 0_u64);
        for frame in list.net_buffers() {
            frames = frames.wrapping_add(1);
            bytes = bytes.wrapping_add(outgoing::octets(&frame) as u64);
        }
        vc.count_not_sent(frames, bytes);
    });
}

/// Copies lists into the ring as long as they fit and are what nearly all lists are: one frame in one piece, which can be
/// sent. The lists, and how many bytes of PPP they have.
#[inline(never)]
fn load_plain(burst: &mut Burst<'_>, outgoing: &Outgoing, lists: &mut Chain<Vc>) -> (Chain<Vc>, u64) {
    let mut bytes = 0;
    let loaded = lists.take_while(|list| {
        let only = list.only_net_buffer();
        let Some(frame) = only.as_ref().and_then(NetBuffer::mapped_bytes) else { return false };
        load_frame(burst, outgoing, frame, LAST, &mut bytes)
    });
    (loaded, bytes)
}

/// Copies the frames of a list into a ring of some capacity, all of them or none, as far as can be told beforehand.
/// `scattered` is room for a frame; the frames' bytes of PPP are added to `bytes`.
#[inline(never)]
fn load_frames(
    burst: &mut Burst<'_>,
    outgoing: &Outgoing,
    list: &NetBufferList<Vc>,
    capacity: usize,
    scattered: &mut [u8],
    bytes: &mut u64,
) -> core::result::Result<(), Stop> {
    let mut left = list.net_buffers().count();
    if left == 0 || left > capacity {
        return Err(Stop::Failed(Status::INVALID_LENGTH));
    }
    if left > burst.left() {
        return Err(Stop::Full);
    }
    for frame in list.net_buffers().filter(|frame| !outgoing.carries(frame.len())) {
        let too_long = frame.is_empty() || frame.len() > scattered.len();
        let unreadable = if too_long { Status::INVALID_LENGTH } else { Status::RESOURCES };
        let bytes = frame.bytes(scattered).ok_or(Stop::Failed(unreadable))?;
        outgoing.packet(bytes).ok_or(Stop::Failed(Status::INVALID_LENGTH))?;
    }
    for frame in list.net_buffers() {
        left = left.wrapping_sub(1);
        let mark = if left == 0 { LAST } else { PART };
        // The first that fails ends the list; those before it are on their way.
        let frame = frame.bytes(scattered).ok_or(Stop::Failed(Status::RESOURCES))?;
        if !load_frame(burst, outgoing, frame, mark, bytes) {
            return Err(Stop::Failed(Status::INVALID_LENGTH));
        }
    }
    Ok(())
}

/// Copies one frame into the ring, without address and control field, behind the header of its session; false if it does not
/// fit the session or the ring.
#[inline(always)]
#[expect(clippy::inline_always, reason = "what a frame costs is spent here")]
fn load_frame(burst: &mut Burst<'_>, outgoing: &Outgoing, frame: &[u8], mark: u8, bytes: &mut u64) -> bool {
    let Some(packet) = outgoing.packet(frame) else { return false };
    let pushed = burst.push(&outgoing.header(packet), packet, mark).is_ok();
    if pushed {
        *bytes = bytes.wrapping_add(packet.len() as u64);
    }
    pushed
}
