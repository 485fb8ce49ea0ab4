//! Sends: frame lists of a client on a VC, and their completion.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::adapter::Adapter;
use super::block::Block;
use super::callback::{Level, callback, callback_with};
use super::handle::Handle;
use super::late::{self, Noticed};
use super::net_buffer::layout::{Mdl, Nb, Nbl};
use super::prompt::Load;
use super::status::{self, Status};
use super::vc::{self, Vc};
use super::{deadline, finding, raw};
use crate::machine::{DISPATCH_LEVEL, EventId, IrqlRange, enter};
use crate::traffic::{CallId, Packet, Traffic};

/// Names a frame list that a client sent.
pub type SendId = u64;

/// What a client sends at once: some `NET_BUFFER_LIST`s.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    /// The frames, one `NET_BUFFER` each, of each list.
    pub lists: Vec<Vec<Vec<u8>>>,
    /// Zero, or what [`cancel`] can name the lists by.
    pub cancel_id: usize,
    /// Split the data over several MDLs of odd sizes and offsets, as stacks above do.
    pub fragment: bool,
}

impl Frames {
    /// Each frame in a list of its own.
    pub fn singles(frames: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self { lists: frames.into_iter().map(|frame| vec![frame]).collect(), ..Self::default() }
    }
}

/// The sends of one VC that the driver has not completed.
#[derive(Default)]
pub(crate) struct Sends {
    pending: RefCell<BTreeMap<usize, Sent>>,
    completed: RefCell<BTreeMap<usize, SendId>>,
    next: Cell<SendId>,
}

impl Sends {
    pub(crate) fn outstanding(&self) -> usize {
        self.pending.borrow().len()
    }

    /// The ids of those whose cancel id `which` picks.
    pub(crate) fn ids(&self, which: impl Fn(usize) -> bool) -> Vec<SendId> {
        self.pending.borrow().values().filter(|sent| which(sent.cancel_id)).map(|sent| sent.id).collect()
    }

    /// Those of them that the driver had, and took: its handler has returned. Before that the driver may not know of
    /// them, whatever happens on other processors.
    pub(crate) fn taken(&self) -> usize {
        self.pending.borrow().values().filter(|sent| sent.taken).count()
    }
}

/// One list in the hands of the driver.
struct Sent {
    id: SendId,
    nbl: Nbl,
    /// The structures, then the data of each fragment.
    blocks: Vec<Block>,
    /// As given to the driver; see [`Sent::changes`].
    before: Before,
    watch: EventId,
    /// The call that it is sent on, and its frames by their contents.
    call: CallId,
    packets: Vec<Packet>,
    /// The driver's handler has returned.
    taken: bool,
    cancel_id: usize,
    load: Load,
}

/// What the driver has to leave alone.
pub(super) struct Before {
    nbl: [usize; 4],
    protocol_reserved: [usize; 4],
    source_handle: usize,
    ndis_flags: u32,
    buffers: Vec<Buffer>,
}

#[derive(PartialEq)]
struct Buffer {
    nb: usize,
    position: (usize, u32, u32, usize, u32),
    protocol_reserved: [usize; 6],
    mdls: Vec<(usize, usize, u32, u32)>,
    data: Result<Vec<u8>, String>,
}

/// What a list's status is before the driver sets one.
const UNSET: Status = 0x5E4D_5E4D;

impl Before {
    pub(super) fn of(nbl: Nbl) -> Self {
        let buffers = nbl.net_buffers(1 << 16).into_iter().map(|nb| Buffer {
            nb: nb.0,
            position: (
                nb.current_mdl(),
                nb.current_mdl_offset(),
                nb.data_length(),
                nb.mdl_chain(),
                nb.data_offset(),
            ),
            protocol_reserved: nb.protocol_reserved(),
            mdls: nb
                .mdls()
                .iter()
                .map(|mdl| (mdl.0, mdl.start_va(), mdl.byte_count(), mdl.byte_offset()))
                .collect(),
            data: nb.data(),
        });
        Self {
            nbl: [nbl.first(), nbl.context(), nbl.parent(), nbl.pool()],
            protocol_reserved: nbl.protocol_reserved(),
            source_handle: nbl.source_handle(),
            ndis_flags: nbl.flags() & Nbl::NDIS_FLAGS,
            buffers: buffers.collect(),
        }
    }

    /// The rules that the changes between `self` and `after` break.
    pub(super) fn changes(&self, after: &Self) -> Vec<(&'static str, &'static str)> {
        let mut broken = Vec::new();
        if self.nbl != after.nbl || self.source_handle != after.source_handle {
            broken.push(("CO-192", "NET_BUFFER_LIST fields changed"));
        }
        if self.ndis_flags != after.ndis_flags {
            broken.push(("CO-330", "NDIS's bits of Flags changed"));
        }
        let reserved = self.buffers.iter().zip(&after.buffers);
        if self.protocol_reserved != after.protocol_reserved
            || reserved.clone().any(|(old, new)| old.protocol_reserved != new.protocol_reserved)
        {
            broken.push(("CO-193", "ProtocolReserved changed"));
        }
        if reserved.clone().any(|(old, new)| old.position != new.position) {
            broken.push(("CO-191", "the data start was moved and not moved back"));
        } else if self.buffers != after.buffers {
            broken.push(("CO-190", "net buffers, MDLs or data changed"));
        }
        broken
    }
}

/// Splits `len` bytes into fragments.
fn fragments(adapter: &Adapter, len: usize, fragment: bool) -> Vec<usize> {
    let mut left = len;
    let mut sizes = Vec::new();
    while fragment && left > 1 && sizes.len() < 4 {
        let take = 1 + usize::try_from(adapter.machine().below(left as u64 - 1)).expect("below a length");
        sizes.push(take);
        left -= take;
    }
    sizes.push(left);
    sizes
}

/// Lays out one list. The structures lie in one block; each fragment's data ends at a guard page.
pub(super) fn build(
    adapter: &Adapter,
    source: Handle,
    list: &[Vec<u8>],
    frames: &Frames,
) -> (Nbl, Vec<Block>) {
    let offset = if frames.fragment { usize::try_from(adapter.machine().below(40)).unwrap_or(0) } else { 0 };
    let mut pieces = Vec::new();
    for frame in list {
        let mut blocks = Vec::new();
        let mut rest = frame.as_slice();
        for (i, size) in fragments(adapter, frame.len(), frames.fragment).into_iter().enumerate() {
            let (head, tail) = rest.split_at(size);
            let mut bytes = vec![0xEE; if i == 0 { offset } else { 0 }];
            bytes.extend(head);
            blocks.push(Block::new("frame data", &bytes));
            rest = tail;
        }
        pieces.push(blocks);
    }
    let mdl_len = |block: &Block| Mdl::len_for(block.address(), block.len()).next_multiple_of(16);
    let mdls: usize = pieces.iter().flatten().map(mdl_len).sum();
    let structures = Block::zeroed("NET_BUFFER_LIST", Nbl::LEN + list.len() * Nb::LEN + mdls);
    let nbl = Nbl(structures.address());
    let mut at = structures.address() + Nbl::LEN;
    let mut link = None::<Nb>;
    for (frame, blocks) in list.iter().zip(&pieces) {
        let nb = Nb(at);
        at += Nb::LEN;
        match link.replace(nb) {
            None => nbl.set_first(nb.0),
            Some(previous) => previous.set_next(nb.0),
        }
        let mut tail = None::<Mdl>;
        for block in blocks {
            let mdl = Mdl(at);
            at += mdl_len(block);
            mdl.describe(block.address(), block.len());
            match tail.replace(mdl) {
                None => nb.set_mdl_chain(mdl.0),
                Some(previous) => previous.set_next(mdl.0),
            }
        }
        nb.set_data_offset(u32::try_from(offset).expect("a small offset"));
        nb.set_data_length(u32::try_from(frame.len()).expect("a frame is small"));
        nb.set_protocol_reserved([raw::word(adapter.machine().random()); 6]);
        nb.settle();
    }
    nbl.set_status(UNSET);
    nbl.set_protocol_reserved([raw::word(adapter.machine().random()); 4]);
    nbl.set_source_handle(source as usize);
    nbl.keep_in_flags(adapter.machine().random());
    nbl.set_cancel_id(frames.cancel_id);
    let mut blocks = vec![structures];
    blocks.extend(pieces.into_iter().flatten());
    (nbl, blocks)
}

/// `NdisCoSendNetBufferLists`: sends frames on a VC. The ends are reported through
/// [`super::client::Client::send_complete`] by the ids returned.
pub fn send(vc: &Rc<Vc>, frames: &Frames) -> Vec<SendId> {
    let machine = vc.adapter().machine();
    let mut ids = Vec::new();
    let mut previous = None::<Nbl>;
    let mut first = 0;
    for list in &frames.lists {
        let (nbl, blocks) = build(vc.adapter(), vc.handle(), list, frames);
        let id = vc.sends.next.get() + 1;
        vc.sends.next.set(id);
        let watched = Rc::clone(vc);
        let watch = deadline(30, "NV.NdisTimedDataSend.CO", move || {
            let late = watched.sends.pending.borrow().contains_key(&nbl.0);
            late.then(|| format!("{} send {id}", watched.name()))
        });
        let before = Before::of(nbl);
        let call = vc.call_id();
        let packets: Vec<Packet> = list.iter().map(|frame| Packet::in_frame(frame)).collect();
        if let Some(traffic) = traffic_of(vc) {
            traffic.sent(call, &packets);
        }
        let (load, cancel_id) = (Load::of(list), frames.cancel_id);
        let sent = Sent { id, nbl, blocks, before, watch, call, packets, taken: false, cancel_id, load };
        vc.sends.pending.borrow_mut().insert(nbl.0, sent);
        vc.adapter().sending.set(vc.adapter().sending.get().plus(load));
        vc.adapter().ndis().sent(nbl.0, vc);
        match previous.replace(nbl) {
            None => first = nbl.0,
            Some(last) => last.set_next(nbl.0),
        }
        ids.push(id);
    }
    if first == 0 {
        return ids;
    }
    callback_with!(
        vc.context(),
        "CoSendNetBufferLists",
        Level::UpToDispatch,
        vc.adapter().co_miniport().co_send_net_buffer_lists,
        vc.context(),
        first,
        flags(machine.irql(), machine.chance(1, 2)),
    );
    for sent in vc.sends.pending.borrow_mut().values_mut().filter(|sent| ids.contains(&sent.id)) {
        sent.taken = true;
    }
    ids
}

/// `NDIS_SEND_FLAGS_DISPATCH_LEVEL` (and its kin of the other direction) may be given at `DISPATCH_LEVEL` only.
pub(super) fn flags(irql: u8, tell: bool) -> u32 {
    u32::from(irql == DISPATCH_LEVEL && tell)
}

/// `NdisCancelSendNetBufferLists`: asks the driver to give up sends with this cancel id.
pub fn cancel(adapter: &Rc<Adapter>, cancel_id: usize) {
    callback!(
        "CancelSend",
        Level::UpToDispatch,
        adapter.handlers().cancel_send,
        adapter.context(),
        cancel_id,
    );
    adapter.check_cancel(cancel_id);
}

/// Statuses a send may end with.
const FINAL: &[Status] = &[
    status::SUCCESS,
    status::FAILURE,
    status::INVALID_LENGTH,
    status::INVALID_DATA,
    status::INVALID_PACKET,
    status::RESOURCES,
    status::PAUSED,
    status::SEND_ABORTED,
    status::REQUEST_ABORTED,
    status::RESET_IN_PROGRESS,
    status::LOW_POWER_STATE,
    status::MEDIA_DISCONNECTED,
    status::NOT_ACCEPTED,
    status::VC_NOT_ACTIVATED,
    status::CLOSING,
];

/// Those of them that say that something is wrong with a frame, or was when it was to be sent.
const ABOUT_FRAMES: &[Status] =
    &[status::FAILURE, status::INVALID_LENGTH, status::INVALID_DATA, status::INVALID_PACKET];
/// Those of them that do not tell that the card goes to sleep, and are none of the list's own.
const ENDED: &[Status] =
    &[status::FAILURE, status::REQUEST_ABORTED, status::VC_NOT_ACTIVATED, status::CLOSING];

pub(super) unsafe extern "win64" fn complete(handle: Handle, first: usize, flags: u32) {
    let _call = enter("NdisMCoSendNetBufferListsComplete", IrqlRange::DISPATCH_OR_BELOW);
    let Some(vc) = vc::find(handle) else { return };
    super::no_locks("CO-206", || vc.name());
    super::check_dispatch_flag("CO-199", || vc.name(), flags);
    let mut at = first;
    let mut done = Vec::new();
    while at != 0 {
        let Some(sent) = take(&vc, at) else { break };
        at = sent.nbl.next();
        done.push(check(&vc, sent));
    }
    for (id, status) in done {
        vc.client().send_complete(&vc, id, status);
    }
    vc.adapter().ndis().changed();
}

/// Takes one completed list from the pending ones, or tells what is wrong.
fn take(vc: &Rc<Vc>, at: usize) -> Option<Sent> {
    if let Some(sent) = vc.sends.pending.borrow_mut().remove(&at) {
        vc.sends.completed.borrow_mut().insert(at, sent.id);
        vc.adapter().ndis().unsent(at);
        vc.adapter().sending.set(vc.adapter().sending.get().minus(sent.load));
        return Some(sent);
    }
    if let Some(id) = vc.sends.completed.borrow().get(&at) {
        finding("CO-183", Some(vc.name()), format!("send {id} completed twice"));
    } else if let Some(owner) = vc.adapter().ndis().sender(at) {
        finding("CO-185", Some(vc.name()), format!("completes a send of {}", owner.name()));
    } else {
        finding("CO-186", Some(vc.name()), "completes what was not sent".to_owned());
    }
    None
}

/// What the card has sent and received.
fn traffic_of(vc: &Vc) -> Option<&Traffic> {
    vc.adapter().slot().map(|slot| slot.traffic())
}

/// Whether all frames of a list are of the sizes that a client who shares the VC knows of.
fn fits(vc: &Vc, nbl: Nbl) -> bool {
    /// Address and control field, protocol field.
    const HEAD: u32 = 4;
    let fits = |told: u32| {
        let most = told + HEAD;
        nbl.net_buffers(1 << 16).iter().all(|nb| (HEAD..=most).contains(&nb.data_length()))
    };
    vc.told().is_some_and(fits)
}

/// Checks a completed list and gives its memory back.
fn check(vc: &Rc<Vc>, sent: Sent) -> (SendId, Status) {
    vc.adapter().machine().cancel(sent.watch);
    let status = sent.nbl.status();
    let who = || Some(format!("{} send {}", vc.name(), sent.id));
    if status == UNSET {
        finding("CO-187", who(), "completed without a status".to_owned());
    } else if !FINAL.contains(&status) {
        finding("CO-187", who(), format!("completed with {}", status::name(status)));
    }
    if let Some(traffic) = traffic_of(vc) {
        let who = format!("{} send {}", vc.name(), sent.id);
        if status == status::SUCCESS {
            traffic.succeeded(sent.call, &sent.packets, &who);
        } else {
            traffic.ended_otherwise(sent.call, &sent.packets);
        }
        if status == status::RESOURCES {
            traffic.starved(sent.call, &sent.packets);
        } else if ABOUT_FRAMES.contains(&status) {
            traffic.failed(sent.call, &sent.packets, &who);
        } else if status != status::SUCCESS {
            traffic.given_back(sent.call, &sent.packets);
        }
    }
    if status == status::INVALID_LENGTH && fits(vc, sent.nbl) {
        let text = format!("refused for its length, with {:?} bytes told", vc.told());
        finding("CO-333", who(), text);
    }
    if vc.adapter().going_down.get() && ENDED.contains(&status) && !vc.closing.outstanding() {
        finding("CO-265", who(), format!("completed with {} on the way to D3", status::name(status)));
    }
    if status == status::SUCCESS {
        late::judge(vc.adapter(), Noticed::Sent, &vc.name());
    }
    for (rule, what) in sent.before.changes(&Before::of(sent.nbl)) {
        finding(rule, who(), what.to_owned());
    }
    drop(sent.blocks);
    (sent.id, status)
}
