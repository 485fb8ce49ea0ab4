//! I/O work items.

use std::cell::Cell;
use std::rc::Rc;

use super::callback::{Level, into_driver};
use super::handle::{self, Handle, Kind};
use super::holder::Holder;
use super::ownership::Resource;
use super::{Ndis, finding};
use crate::machine::{IrqlRange, enter};

type Routine = unsafe extern "win64" fn(usize, Handle);

/// One work item.
struct WorkItem {
    holder: Holder,
    queued: Cell<bool>,
    running: Cell<bool>,
}

fn find(handle: Handle) -> Option<Rc<WorkItem>> {
    handle::find(handle, Kind::WorkItem, "CO-274")
}

pub(super) unsafe extern "win64" fn allocate(h: Handle) -> Handle {
    let call = enter("NdisAllocateIoWorkItem", IrqlRange::DISPATCH_OR_BELOW);
    let null = std::ptr::null_mut();
    let Some(holder) = Holder::find(h) else { return null };
    if call.machine().should_fail("NdisAllocateIoWorkItem") {
        return null;
    }
    let item = WorkItem { holder: holder.clone(), queued: Cell::new(false), running: Cell::new(false) };
    let handle = handle::open(Kind::WorkItem, Rc::new(item));
    holder.own(Resource::WorkItem, handle as usize, "a work item");
    handle
}

pub(super) unsafe extern "win64" fn queue(handle: Handle, routine: usize, context: usize) {
    let call = enter("NdisQueueIoWorkItem", IrqlRange::DISPATCH_OR_BELOW);
    let Some(item) = find(handle) else { return };
    if item.queued.replace(true) {
        finding("CO-275", Some(item.holder.name()), "a work item queued twice".to_owned());
        return;
    }
    let handle = handle as usize;
    call.machine().spawn("work item", move || {
        item.queued.set(false);
        item.running.set(true);
        // SAFETY: the driver gave this as its work item routine.
        let routine: Routine = unsafe { std::mem::transmute::<usize, Routine>(routine) };
        into_driver("NdisIoWorkItem", Level::Passive, || {
            // SAFETY: as above; the context is the driver's and the handle its work item's.
            unsafe { routine(context, handle as Handle) }
        });
        item.running.set(false);
        Ndis::current().changed();
    });
}

/// A routine may free its own item.
pub(super) unsafe extern "win64" fn free(handle: Handle) {
    let call = enter("NdisFreeIoWorkItem", IrqlRange::DISPATCH_OR_BELOW);
    let Some(item) = find(handle) else { return };
    let own = call.machine().extent().contains(&"NdisIoWorkItem");
    if item.queued.get() || (item.running.get() && !own) {
        finding("CO-274", Some(item.holder.name()), "a work item freed while queued or running".to_owned());
    }
    item.holder.disown(Resource::WorkItem, handle as usize);
    handle::close::<WorkItem>(Kind::WorkItem, handle);
}
