//! Receives: frame lists that the driver indicates on a VC, and their way back.

use std::cell::Cell;
use std::rc::Rc;

use super::adapter::Adapter;
use super::address_family::Family;
use super::callback::{Level, callback};
use super::handle::Handle;
use super::late::{self, Noticed};
use super::net_buffer::layout::{self, Mdl, Nb, Nbl};
use super::net_buffer::{Owner, PoolNbl};
use super::readings::readings;
use super::send::flags as level_flags;
use super::vc::{self, Vc};
use super::{finding, raw};
use crate::machine::{IrqlRange, enter};
use crate::traffic::{Packet, session_before};

/// `NDIS_RECEIVE_FLAGS_RESOURCES`.
const RESOURCES: u32 = 2;

/// How many frame lists of a VC the client holds.
#[derive(Default)]
pub(crate) struct Indicated {
    held: Cell<usize>,
}

impl Indicated {
    pub(crate) fn outstanding(&self) -> usize {
        self.held.get()
    }
}

/// One received frame.
pub struct Received {
    vc: Rc<Vc>,
    list: Rc<PoolNbl>,
    data: Vec<u8>,
    must_return: bool,
}

impl Received {
    /// The frame: PPP, from the address and control fields, if present, on.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Whether it must be given to [`return_frames`]. Otherwise the driver has it back when the client's
    /// method returns.
    pub fn must_return(&self) -> bool {
        self.must_return
    }

    /// The VC it came on.
    pub fn vc(&self) -> &Rc<Vc> {
        &self.vc
    }
}

pub(super) unsafe extern "win64" fn indicate(handle: Handle, first: usize, count: u32, flags: u32) {
    let _call = enter("NdisMCoIndicateReceiveNetBufferLists", IrqlRange::DISPATCH_OR_BELOW);
    let Some(vc) = vc::find(handle) else { return };
    super::no_locks("CO-226", || vc.name());
    super::check_dispatch_flag("CO-225", || vc.name(), flags);
    let lists = layout::chain(first, count as usize + 1, |at| Nbl(at).next());
    if lists.len() != count as usize {
        let text = format!("{count} lists announced, the chain has {} or more", lists.len());
        finding("CO-214", Some(vc.name()), text);
    }
    if !vc.is_active() {
        let rule = if vc.call_state() == vc::CallState::Idle { "CO-079" } else { "CO-212" };
        finding(rule, Some(vc.name()), "receive indicated on an inactive VC".to_owned());
        return give_back(&vc, &lists, flags);
    }
    if !vc.adapter().may_indicate() {
        let text = format!("receive indicated while the adapter is {:?}", vc.adapter().state());
        finding("CO-243", Some(vc.name()), text);
        return give_back(&vc, &lists, flags);
    }
    let receive = vc.adapter().slot().and_then(|slot| slot.receive_message());
    vc.adapter().throttle.indicated(lists.len(), receive, &vc.name());
    let by_value = flags & RESOURCES != 0;
    let received: Vec<Received> = lists.iter().filter_map(|&at| accept(&vc, Nbl(at), !by_value)).collect();
    let kept: Vec<Rc<PoolNbl>> = received.iter().map(|it| Rc::clone(&it.list)).collect();
    vc.client().receive(&vc, received);
    if by_value {
        for list in kept {
            list.set_owner(Owner::Driver);
        }
    }
    vc.adapter().ndis().changed();
}

/// Refuses an indication: the lists go straight back, so that the driver is not stuck in addition.
fn give_back(vc: &Rc<Vc>, lists: &[usize], flags: u32) {
    if flags & RESOURCES == 0 {
        let frames = lists.iter().filter_map(|&at| accept(vc, Nbl(at), true)).collect();
        return_frames(vc.adapter(), frames);
    }
}

/// Checks one indicated list and takes it over.
fn accept(vc: &Rc<Vc>, nbl: Nbl, must_return: bool) -> Option<Received> {
    let Some(list) = vc.adapter().ndis().pool_nbl(nbl.0) else {
        finding("CO-215", Some(vc.name()), "indicates what is not of a pool of NDIS".to_owned());
        return None;
    };
    if list.owner() != Owner::Driver {
        finding("CO-219", Some(vc.name()), format!("{} is indicated again before its return", list.name()));
        return None;
    }
    if !list.has_kept() {
        finding("CO-330", Some(vc.name()), format!("{}: NDIS's bits of Flags changed", list.name()));
    }
    if nbl.source_handle() != vc.handle() as usize {
        finding("CO-213", Some(vc.name()), format!("{}: SourceHandle is not the VC's", list.name()));
    }
    let buffers = nbl.net_buffers(2);
    let [nb] = buffers.as_slice() else {
        finding("CO-222", Some(vc.name()), format!("{} has not exactly one NET_BUFFER", list.name()));
        return None;
    };
    let data = frame(vc, &list, *nb)?;
    compare(vc, &list, *nb, &data);
    let proxied = vc.address_family().family().family == Family::TAPI_PROXY;
    if proxied && readings().wan_wants_framing && !data.starts_with(&[0xFF, 0x03]) {
        let text = format!("{}: no address and control field", list.name());
        finding("CO-334", Some(vc.name()), text);
    }
    if let Ok(address) = Mdl(nb.current_mdl()).address() {
        let address = address + nb.current_mdl_offset() as usize;
        late::judge(vc.adapter(), Noticed::Received(address), &vc.name());
    }
    list.set_owner(Owner::Client);
    list.remember();
    if must_return {
        vc.indicated.held.set(vc.indicated.held.get() + 1);
    }
    Some(Received { vc: Rc::clone(vc), list, data, must_return })
}

fn frame(vc: &Rc<Vc>, list: &Rc<PoolNbl>, nb: Nb) -> Option<Vec<u8>> {
    if !nb.offset_agrees() {
        let text = format!("{}: CurrentMdl, CurrentMdlOffset and DataOffset disagree", list.name());
        finding("CO-222", Some(vc.name()), text);
    }
    match nb.data() {
        Ok(data) => Some(data),
        Err(text) => {
            finding("CO-222", Some(vc.name()), format!("{}: {text}", list.name()));
            None
        }
    }
}

/// Bytes before the data that are looked at for the headers of a session frame.
const HEAD: u32 = 28;

/// Holds an indication against what has arrived, if the headers that the frame came with still lie before its data.
fn compare(vc: &Vc, list: &PoolNbl, nb: Nb, data: &[u8]) {
    let Some(slot) = vc.adapter().slot() else { return };
    // The driver may have put address and control field, which are not on the wire, in place of the header's end.
    let begin = |data: &[u8]| {
        let before = u32::try_from(data.len()).ok()?;
        let offset = (nb.current_mdl_offset() + nb.data_length()).checked_sub(before)?;
        let length = offset.min(HEAD);
        let start = Mdl(nb.current_mdl()).address().ok()?;
        session_before(&raw::bytes(start + (offset - length) as usize, length as usize))
    };
    let framed = data.strip_prefix(&[0xFF, 0x03]);
    let (data, session) = match (begin(data), framed) {
        (None, Some(packet)) => (packet, begin(packet)),
        (session, _) => (data, session),
    };
    let packet = Packet::of(data);
    slot.traffic().heard(vc.call_id(), packet);
    if let Some(session) = session {
        let who = format!("{} {}", vc.name(), list.name());
        slot.traffic().indicated(vc.call_id(), session, packet, &who);
    }
}

/// `NdisReturnNetBufferLists`: gives frames back to the driver, of any VCs, in any order, in one or more chains.
pub fn return_frames(adapter: &Rc<Adapter>, mut frames: Vec<Received>) {
    let machine = adapter.machine();
    shuffle(adapter, &mut frames);
    while !frames.is_empty() {
        let some = 1 + raw::word(machine.below(frames.len() as u64));
        let mut first = 0;
        for frame in frames.drain(..some) {
            let nbl = Nbl(frame.list.address());
            if let Some(text) = frame.list.changed(&frame.data) {
                finding("CO-216", Some(frame.vc.name()), format!("{}: {text}", frame.list.name()));
            }
            frame.vc.indicated.held.set(frame.vc.indicated.held.get() - 1);
            frame.vc.acted();
            adapter.returned.set(machine.now());
            frame.list.set_owner(Owner::Driver);
            frame.list.keep(machine.random());
            // Fields that a client may leave in any state.
            nbl.set_status(i32::from_le_bytes([0x5C; 4]));
            nbl.set_scratch(raw::word(machine.random()));
            nbl.set_protocol_reserved([raw::word(machine.random()); 4]);
            nbl.set_next(first);
            first = nbl.0;
        }
        callback!(
            "ReturnNetBufferLists",
            Level::UpToDispatch,
            adapter.handlers().return_net_buffer_lists,
            adapter.context(),
            first,
            level_flags(machine.irql(), machine.chance(1, 2)),
        );
    }
}

/// Fisher and Yates.
fn shuffle<T>(adapter: &Adapter, items: &mut [T]) {
    for i in (1..items.len()).rev() {
        items.swap(i, raw::word(adapter.machine().below(i as u64 + 1)));
    }
}

pub(super) unsafe extern "win64" fn connectionless_indicate(
    adapter: Handle,
    _first: usize,
    _port: u32,
    _count: u32,
    _flags: u32,
) {
    let _call = enter("NdisMIndicateReceiveNetBufferLists", IrqlRange::DISPATCH_OR_BELOW);
    let Some(adapter) = Adapter::find(adapter) else { return };
    finding("CO-212", Some(adapter.name()), "CoNDIS receives are indicated on a VC".to_owned());
}
