//! Timer objects.

use std::cell::Cell;
use std::rc::{Rc, Weak};
use std::time::Duration;

use super::adapter::Adapter;
use super::callback::{Level, into_driver};
use super::finding;
use super::handle::{self, Handle, Kind};
use super::holder::Holder;
use super::ownership::Resource;
use super::parameters::{pointer_at, u32_at};
use super::raw;
use super::status::{self, Status};
use super::tables::ObjectHeader;
use crate::machine::{EventId, IrqlRange, Machine, PASSIVE_LEVEL, enter};

/// `NDIS_OBJECT_TYPE_TIMER_CHARACTERISTICS`, revision 1, 24 bytes.
const CHARACTERISTICS: u8 = 0x97;

type Function = unsafe extern "win64" fn(usize, usize, usize, usize);

/// One timer object.
pub(crate) struct Timer {
    holder: Holder,
    handle: Cell<Handle>,
    function: usize,
    context: usize,
    armed: Cell<Option<EventId>>,
    /// Zero for a one-shot timer.
    period: Cell<Duration>,
    queued: Cell<bool>,
    running: Cell<usize>,
}

fn find(handle: Handle) -> Option<Rc<Timer>> {
    handle::find(handle, Kind::Timer, "CO-272")
}

pub(super) unsafe extern "win64" fn allocate(h: Handle, characteristics: usize, out: *mut Handle) -> Status {
    let call = enter("NdisAllocateTimerObject", IrqlRange::DISPATCH_OR_BELOW);
    let Some(holder) = Holder::find(h) else { return status::FAILURE };
    let header: ObjectHeader = raw::read(characteristics as *const ObjectHeader);
    if header != ObjectHeader::new(CHARACTERISTICS, 1, header.size) || header.size != 24 {
        finding("CO-315", Some(holder.name()), format!("NDIS_TIMER_CHARACTERISTICS with header {header:?}"));
        return status::INVALID_PARAMETER;
    }
    if call.machine().should_fail("NdisAllocateTimerObject") {
        return status::RESOURCES;
    }
    let bytes = raw::bytes(characteristics, 24);
    if u32_at(&bytes, 4) == 0 {
        finding(
            "SDV.NdisAllocateMemoryWithTagPriority",
            Some(holder.name()),
            "a timer without a tag".to_owned(),
        );
    }
    let timer = Rc::new(Timer {
        holder: holder.clone(),
        handle: Cell::new(std::ptr::null_mut()),
        function: pointer_at(&bytes, 8),
        context: pointer_at(&bytes, 16),
        armed: Cell::new(None),
        period: Cell::new(Duration::ZERO),
        queued: Cell::new(false),
        running: Cell::new(0),
    });
    let handle = handle::open(Kind::Timer, Rc::clone(&timer));
    timer.handle.set(handle);
    if let Some(adapter) = holder.adapter() {
        adapter.timers.borrow_mut().push(Rc::downgrade(&timer));
    }
    holder.own(Resource::Timer, handle as usize, "a timer object");
    raw::write(out, handle);
    status::SUCCESS
}

pub(super) unsafe extern "win64" fn set(handle: Handle, due: i64, period: i32, context: usize) -> u8 {
    let _call = enter("NdisSetTimerObject", IrqlRange::DISPATCH_OR_BELOW);
    arm(handle, due, period, context)
}

pub(super) unsafe extern "win64" fn set_coalescable(
    handle: Handle,
    due: i64,
    period: i32,
    context: usize,
    _tolerance: u32,
) -> u8 {
    let _call = enter("NdisSetCoalescableTimerObject", IrqlRange::DISPATCH_OR_BELOW);
    arm(handle, due, period, context)
}

/// Arms a timer; 1 if it was armed already, as `KeSetTimer` tells.
fn arm(handle: Handle, due: i64, period: i32, context: usize) -> u8 {
    let Some(timer) = find(handle) else { return 0 };
    let machine = Machine::current();
    let was = timer.disarm();
    if timer.holder.adapter().is_some_and(|adapter| adapter.asleep.get()) {
        finding("CO-265", Some(timer.holder.name()), "a timer is set while the card is asleep".to_owned());
    }
    timer.period.set(Duration::from_millis(u64::try_from(period).unwrap_or(0)));
    let context = if context == 0 { timer.context } else { context };
    // Negative is relative, in units of 100 ns; absolute times count from 1601, which is before the boot.
    let delay = Duration::from_nanos(due.min(0).unsigned_abs().saturating_mul(100));
    timer.schedule(machine.timer_end(delay), context);
    u8::from(was)
}

pub(super) unsafe extern "win64" fn cancel(handle: Handle) -> u8 {
    let call = enter("NdisCancelTimerObject", IrqlRange::DISPATCH_OR_BELOW);
    let Some(timer) = find(handle) else { return 0 };
    if timer.period.get() != Duration::ZERO && call.machine().irql() != PASSIVE_LEVEL {
        let text = format!("a periodic timer cancelled at IRQL {}", call.machine().irql());
        finding("SDV.PeriodicTimer", Some(timer.holder.name()), text);
    }
    timer.period.set(Duration::ZERO);
    u8::from(timer.disarm())
}

pub(super) unsafe extern "win64" fn free(handle: Handle) {
    let _call = enter("NdisFreeTimerObject", IrqlRange::DISPATCH_OR_BELOW);
    let Some(timer) = find(handle) else { return };
    if timer.armed.get().is_some() || timer.queued.get() || timer.running.get() != 0 {
        let text = "freed while set or running".to_owned();
        finding("CO-272", Some(format!("{} timer", timer.holder.name())), text);
        timer.disarm();
    }
    timer.holder.disown(Resource::Timer, handle as usize);
    handle::close::<Timer>(Kind::Timer, handle);
}

/// CO-265: no timer is set when the card is asleep.
pub(super) fn check_cancelled(adapter: &Adapter) {
    adapter.timers.borrow_mut().retain(|timer| timer.strong_count() != 0);
    let timers: Vec<_> = adapter.timers.borrow().iter().filter_map(Weak::upgrade).collect();
    let set = timers.iter().filter(|timer| timer.armed.get().is_some()).count();
    if set != 0 {
        finding("CO-265", Some(adapter.name()), format!("asleep with {set} timers set"));
    }
}

impl Timer {
    /// Takes an expiry back; false if none is set or it has come already.
    fn disarm(&self) -> bool {
        self.armed.take().is_some_and(|event| Machine::current().cancel(event))
    }

    fn schedule(self: &Rc<Self>, when: Duration, context: usize) {
        let timer = Rc::clone(self);
        let event = Machine::current().at(when, move || timer.expire(when, context));
        self.armed.set(Some(event));
    }

    /// In host context: queues the DPC, and the next expiry of a periodic timer. NDIS knows nothing of the end of the
    /// object here: a timer left set after a halt fires into the driver, as on Windows.
    fn expire(self: &Rc<Self>, when: Duration, context: usize) {
        self.armed.set(None);
        if self.period.get() != Duration::ZERO {
            self.schedule(Machine::current().timer_end(self.period.get()).max(when), context);
        }
        if self.queued.replace(true) {
            return;
        }
        let timer = Rc::clone(self);
        Machine::current().queue_dpc(None, "timer", move || {
            timer.queued.set(false);
            timer.running.set(timer.running.get() + 1);
            // SAFETY: the driver gave this as its NetTimerCallback.
            let function: Function = unsafe { std::mem::transmute::<usize, Function>(timer.function) };
            into_driver("NetTimerCallback", Level::AsIs, || {
                // SAFETY: as above; the context is the driver's.
                unsafe { function(0, context, 0, 0) }
            });
            timer.running.set(timer.running.get() - 1);
        });
    }
}
