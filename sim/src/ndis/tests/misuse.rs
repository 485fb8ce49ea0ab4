//! Calls that no handler of the smallest driver makes.

use super::bring_up::{indicate, indicate_link, set_registration};
use super::mini::{adapter, mini, ndis};
use crate::machine::{DISPATCH_LEVEL, LockKind, Machine};
use crate::ndis::handle::Handle;
use crate::ndis::status;
use crate::ndis::{lifecycle, modification, net_buffer, role, system, timer};

/// Does what the run's deviation is named after, if it is one of these; `vc` is a VC with a call.
pub(super) fn commit(vc: Handle) {
    let null = std::ptr::null_mut();
    match mini(|it| it.deviation.get()) {
        "reset completion" => ndis!(lifecycle::reset_complete, adapter(), status::SUCCESS, 0),
        "stand-alone call manager" => _ = ndis!(role::cm_activate_vc, vc, 0),
        "party added" => ndis!(role::add_party_complete, status::SUCCESS, null, 0, 0),
        "party dropped" => ndis!(role::drop_party_complete, status::SUCCESS, null),
        "party leaves" => ndis!(role::dispatch_drop_party, status::SUCCESS, null, 0, 0),
        "QoS completion" => ndis!(modification::complete, status::SUCCESS, vc, 0),
        "status too short" => indicate_link(adapter() as usize, 100),
        "connectionless status" => indicate_link(adapter() as usize, 112),
        "reset status" => indicate(adapter() as usize, 0x4001_0004, 112),
        "status without a VC" => indicate(adapter() as usize, 0x4001_0025, 112),
        "attributes at DISPATCH_LEVEL" => at_dispatch(|| _ = set_registration(adapter())),
        "periodic timer" => periodic_timer(),
        "sleeps with a lock" => {
            Machine::current().acquire(1, LockKind::Other);
            ndis!(system::sleep, 10);
            Machine::current().release(1, LockKind::Other);
        }
        "memory without a tag" => memory(0, 16),
        "frees memory of another length" => memory(u32::from_le_bytes(*b"mini"), 8),
        "pool without a tag" => _ = pool(0, 0, true),
        "pool of data" => _ = pool(1, 64, true),
        "pool freed with a list" => {
            let pool = pool(1, 0, false);
            let list = ndis!(net_buffer::allocate_list, pool, 0, 0);
            ndis!(net_buffer::free_list_pool, pool);
            ndis!(net_buffer::free_list, list);
        }
        _ => {}
    }
}

fn at_dispatch(f: impl FnOnce()) {
    Machine::current().raise_irql(DISPATCH_LEVEL);
    f();
    Machine::current().lower_irql(0);
}

fn periodic_timer() {
    let timer = mini(|it| it.timer.get()) as Handle;
    ndis!(timer::set, timer, -1_000_000, 1000, 0);
    at_dispatch(|| _ = ndis!(timer::cancel, timer));
}

/// Allocates 16 bytes and frees them as `freed`.
fn memory(tag: u32, freed: u32) {
    let memory = ndis!(system::allocate, adapter(), 16, tag, 0);
    ndis!(system::free, memory, freed, 0);
}

/// A pool of lists, freed at once if so wished.
fn pool(tag: u32, data_size: u32, free: bool) -> Handle {
    let parameters: [u32; 4] = [0x0010_0180, 0x0000_0100, tag, data_size];
    let pool = ndis!(net_buffer::allocate_list_pool, adapter(), (&raw const parameters) as usize);
    if free {
        ndis!(net_buffer::free_list_pool, pool);
    }
    pool
}
