//! The data path of the smallest driver.

use super::calls::{handle_of, under_lock};
use super::mini::{adapter, deviates, mini, ndis};
use crate::machine::Machine;
use crate::ndis::handle::Handle;
use crate::ndis::net_buffer::layout::{Nb, Nbl};
use crate::ndis::{lifecycle, net_buffer, receive, send, status, timer};

/// Sends are echoed and then completed.
pub(super) unsafe extern "win64" fn co_send(vc: usize, list: usize, _flags: u32) {
    let handle = handle_of(vc);
    let mut at = list;
    while at != 0 {
        let nbl = Nbl(at);
        for nb in nbl.net_buffers(16) {
            echo(vc, nb);
        }
        match () {
            () if deviates("no send status") => {}
            () if deviates("odd send status") => nbl.set_status(status::PENDING),
            () if deviates("refuses what fits") => nbl.set_status(status::INVALID_LENGTH),
            () => nbl.set_status(status::SUCCESS),
        }
        misuse(nbl);
        at = nbl.next();
    }
    if deviates("keeps a send") {
        return;
    }
    if mini(|mini| mini.late.replace(false)) {
        mini(|mini| mini.kept.set((handle as usize, list)));
        return;
    }
    let flags = u32::from(deviates("send flag lies") && Machine::current().irql() < 2);
    let other = mini(|mini| mini.vcs.borrow().values().copied().find(|&it| it != handle as usize));
    let target = if deviates("send on wrong VC") { other.map_or(handle, |it| it as Handle) } else { handle };
    let locked = deviates("completes sends under a lock");
    under_lock(locked, || ndis!(send::complete, target, list, flags));
    if deviates("send completed twice") {
        ndis!(send::complete, handle, list, flags);
    }
    if deviates("completes an unknown list") {
        ndis!(send::complete, handle, 0x1234_0000, flags);
    }
}

fn misuse(nbl: Nbl) {
    let nb = Nb(nbl.first());
    match mini(|mini| mini.deviation.get()) {
        "moves the start" => nb.set_data_offset(nb.data_offset() + 2),
        "changes data" => nb.store(0, b"X"),
        "no alignment" => _ = ndis!(net_buffer::get_data_buffer, nb.0, 1, 0, 0, 0),
        "changes source handle" => nbl.set_source_handle(1),
        "clears the flags of a send" => nbl.set_flags(0),
        "changes protocol reserved" => nbl.set_protocol_reserved([0; 4]),
        _ => {}
    }
}

fn echo(vc: usize, nb: Nb) {
    if let Ok(mut data) = nb.data() {
        if deviates("strips the framing") {
            data.drain(..2);
        }
        if let Some(last) = data.last_mut().filter(|_| deviates("spoils an echo")) {
            *last ^= 1;
        }
        indicate(vc, &data);
    }
}

/// The card goes to sleep: what was to be sent comes back.
pub(super) fn sleep() {
    let (handle, list) = mini(|mini| mini.kept.take());
    if list != 0 {
        let aborted = deviates("aborts a send for sleep");
        Nbl(list).set_status(if aborted { status::REQUEST_ABORTED } else { status::LOW_POWER_STATE });
        ndis!(send::complete, handle as Handle, list, 0);
    }
    if !deviates("sleeps with a timer") {
        ndis!(timer::cancel, mini(|mini| mini.timer.get()) as Handle);
    }
}

/// Indicates one frame.
pub(super) fn indicate(vc: usize, data: &[u8]) {
    let handle = handle_of(vc);
    let data = data.to_vec();
    let mdl = ndis!(
        net_buffer::allocate_mdl,
        adapter(),
        data.as_ptr() as usize,
        u32::try_from(data.len()).expect("a short frame")
    );
    let pool = mini(|mini| mini.pool.get()) as Handle;
    let len = data.len() + usize::from(deviates("too long a frame"));
    let list = ndis!(net_buffer::allocate_list_and_buffer, pool, 0, 0, mdl, 0, len);
    if list == 0 || mdl == 0 {
        return;
    }
    let nbl = Nbl(list);
    if !deviates("no source handle") {
        nbl.set_source_handle(handle as usize);
    }
    if deviates("clears the flags of a receive") {
        nbl.set_flags(0);
    }
    mini(|mini| mini.data.borrow_mut().insert(list, data));
    mini(|mini| mini.received.set(mini.received.get() + 1));
    let count = if deviates("wrong count") { 2 } else { 1 };
    let by_value = deviates("resources");
    let irql = Machine::current().irql();
    let flags = u32::from(deviates("receive flag lies") && irql < 2) | u32::from(by_value) << 1;
    let locked = deviates("indicates under a lock");
    under_lock(locked, || ndis!(receive::indicate, handle, list, count, flags));
    if by_value {
        take_back(list);
    } else if deviates("indicates twice") {
        ndis!(receive::indicate, handle, list, 1, 0);
    } else if deviates("touches an indicated list") && mini(|mini| mini.data.borrow().contains_key(&list)) {
        Nb(nbl.first()).set_data_length(1);
    } else if deviates("frees an indicated list") && mini(|mini| mini.data.borrow().contains_key(&list)) {
        ndis!(net_buffer::free_list, list);
    }
}

fn take_back(list: usize) {
    let mdl = Nb(Nbl(list).first()).mdl_chain();
    ndis!(net_buffer::free_list, list);
    if !deviates("MDL leak") {
        ndis!(net_buffer::free_mdl, mdl);
    }
    mini(|mini| mini.data.borrow_mut().remove(&list));
    let left = mini(|mini| {
        mini.received.set(mini.received.get() - 1);
        mini.received.get()
    });
    if left == 0 && mini(|mini| mini.pausing.replace(false)) {
        ndis!(lifecycle::pause_complete, adapter());
    }
}

pub(super) unsafe extern "win64" fn return_lists(_context: usize, list: usize, _flags: u32) {
    let mut at = list;
    while at != 0 {
        let next = Nbl(at).next();
        take_back(at);
        at = next;
    }
}
