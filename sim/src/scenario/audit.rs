//! What must not be left when a run is over.

use std::cell::RefCell;

use crate::{machine::Machine, memory::pool::tag_name, pci::Slot, wire::access_concentrator::Tally};

/// Names everything left over.
pub(super) fn leaks(machine: &Machine, slot: &Slot, tally: Option<&RefCell<Tally>>) -> Vec<String> {
    let pool = machine.pool().leaks().into_iter().map(|leak| {
        format!(
            "pool: block {} of {} bytes, tag {}, from {}",
            leak.number,
            leak.len,
            tag_name(leak.tag),
            leak.site
        )
    });
    let dma = slot.dma().allocated().into_iter().map(|buffer| {
        format!("shared memory: {} bytes at bus address {:#x}", buffer.len, buffer.bus_address)
    });
    let handles = machine.handles().all_open().into_iter().map(|object| format!("handle: {object}"));
    let sessions = tally.map(|tally| tally.borrow().open.clone()).unwrap_or_default();
    let sessions =
        sessions.into_iter().map(|id| format!("session {id:#06x} at the access concentrator: no PADT"));
    pool.chain(dma).chain(handles).chain(sessions).collect()
}
