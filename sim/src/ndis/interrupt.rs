//! Interrupts: the driver's service routines and DPCs on the card's line or messages.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use super::adapter::Adapter;
use super::block::Block;
use super::callback::{Level, callback};
use super::handle::{self, Handle, Kind};
use super::ownership::Resource;
use super::status::{self, Status};
use super::tables::{InterruptCharacteristics, ObjectHeader};
use super::{finding, note, raw};
use crate::machine::{DISPATCH_LEVEL, HIGH_LEVEL, IrqlRange, LockKind, Machine, Step, enter};
use crate::pci::Mask;

/// `NDIS_OBJECT_TYPE_MINIPORT_INTERRUPT`, revision 1.
const CHARACTERISTICS: ObjectHeader = ObjectHeader::new(0x84, 1, 96);
/// `NDIS_CONNECT_LINE_BASED` and `NDIS_CONNECT_MESSAGE_BASED`.
const LINE_BASED: u32 = 1;
const MESSAGE_BASED: u32 = 2;
/// NDIS does not say when it calls a DPC again whose driver has more to indicate: not later than this.
const CONTINUED_WITHIN: Duration = Duration::from_micros(100);

/// A queued DPC: its processor (none for the default one), message and context.
type Dpc = (Option<usize>, u32, usize);

type Routine = unsafe extern "win64" fn(usize) -> u8;

/// One registered interrupt: a line or a set of messages.
struct Interrupt {
    adapter: Rc<Adapter>,
    handle: Cell<Handle>,
    context: usize,
    table: InterruptCharacteristics,
    messages: bool,
    irql: u8,
    /// `IO_INTERRUPT_MESSAGE_INFO`.
    info: RefCell<Option<Block>>,
    /// DPCs queued and not yet running.
    queued: RefCell<BTreeSet<Dpc>>,
    /// Routines running and DPCs queued or running.
    busy: Cell<usize>,
}

fn find(handle: Handle, rule: &'static str) -> Option<Rc<Interrupt>> {
    handle::find(handle, Kind::Interrupt, rule)
}

pub(super) unsafe extern "win64" fn register(
    h: Handle,
    context: usize,
    table: usize,
    out: *mut Handle,
) -> Status {
    let call = enter("NdisMRegisterInterruptEx", IrqlRange::PASSIVE);
    let Some(adapter) = Adapter::find(h) else { return status::FAILURE };
    adapter.check_initializing("CO-022", "NdisMRegisterInterruptEx");
    if !adapter.attributes.registered() {
        finding("CO-033", Some(adapter.name()), "an interrupt before the attributes".to_owned());
    }
    let characteristics: InterruptCharacteristics = raw::read(table as *const InterruptCharacteristics);
    if characteristics.line.header != CHARACTERISTICS {
        let text = format!("interrupt characteristics with header {:?}", characteristics.line.header);
        finding("CO-315", Some(adapter.name()), text);
        return status::BAD_CHARACTERISTICS;
    }
    let msi = characteristics.message.header.kind != 0;
    let line = characteristics.line.isr.is_some() && characteristics.line.dpc.is_some();
    let message = characteristics.message.isr.is_some() && characteristics.message.dpc.is_some();
    if !line || (msi && !message) {
        finding("CO-032", Some(adapter.name()), "interrupt or DPC handlers are missing".to_owned());
        return status::BAD_CHARACTERISTICS;
    }
    let Some(slot) = adapter.slot() else { return status::RESOURCE_CONFLICT };
    if call.machine().should_fail("NdisMRegisterInterruptEx") {
        return status::RESOURCES;
    }
    let resources = slot.resources();
    let messages = msi && adapter.messages && !resources.messages.is_empty();
    let irqls = resources.messages.iter().map(|it| it.irql).chain(resources.line.iter().map(|it| it.irql));
    let it = Rc::new(Interrupt {
        adapter: Rc::clone(&adapter),
        handle: Cell::new(std::ptr::null_mut()),
        context,
        table: characteristics,
        messages,
        irql: irqls.max().unwrap_or(DISPATCH_LEVEL + 1),
        info: RefCell::default(),
        queued: RefCell::default(),
        busy: Cell::new(0),
    });
    it.handle.set(handle::open(Kind::Interrupt, Rc::clone(&it)));
    adapter.own(Resource::Interrupt, it.handle.get() as usize, "a registered interrupt");
    it.answer(table);
    raw::write(out, it.handle.get());
    it.connect();
    status::SUCCESS
}

pub(super) unsafe extern "win64" fn deregister(handle: Handle) {
    let _call = enter("NdisMDeregisterInterruptEx", IrqlRange::PASSIVE);
    let Some(it) = find(handle, "SDV.Init_DeRegisterInterrupt") else { return };
    if let Some(slot) = it.adapter.slot() {
        slot.watch_mask(None);
        if it.messages {
            slot.connect_messages(None);
        } else {
            slot.connect_line(None);
        }
    }
    let ndis = it.adapter.ndis();
    if !ndis.wait_for("interrupt DPCs", Duration::from_secs(30), || it.busy.get() == 0) {
        finding("CO-280", Some(it.adapter.name()), "a DPC does not end".to_owned());
    }
    it.adapter.owned.remove(Resource::Interrupt, handle as usize);
    handle::close::<Interrupt>(Kind::Interrupt, handle);
}

pub(super) unsafe extern "win64" fn synchronize(
    handle: Handle,
    _message: u32,
    function: usize,
    context: usize,
) -> u8 {
    let _call = enter("NdisMSynchronizeWithInterruptEx", IrqlRange { min: 0, max: HIGH_LEVEL - 1 });
    let Some(it) = find(handle, "SDV.NdisMDeregisterInterruptEx") else { return 0 };
    // SAFETY: the driver gave this as its MiniportSynchronizeInterrupt.
    let routine: Routine = unsafe { std::mem::transmute::<usize, Routine>(function) };
    it.locked(|| {
        super::callback::into_driver("MiniportSynchronizeInterrupt", Level::AsIs, || {
            // SAFETY: as above; the argument is the driver's.
            unsafe { routine(context) }
        })
    })
}

pub(super) unsafe extern "win64" fn queue_dpc(
    handle: Handle,
    message: u32,
    processors: u32,
    context: usize,
) -> u32 {
    let _call = enter("NdisMQueueDpc", IrqlRange::ANY);
    let Some(it) = find(handle, "SDV.Init_DeRegisterInterrupt") else { return 0 };
    u32::try_from(it.queue(message, u64::from(processors), context)).unwrap_or(0)
}

pub(super) unsafe extern "win64" fn queue_dpc_ex(
    handle: Handle,
    message: u32,
    affinity: usize,
    context: usize,
) -> u64 {
    let _call = enter("NdisMQueueDpcEx", IrqlRange::ANY);
    let Some(it) = find(handle, "SDV.Init_DeRegisterInterrupt") else { return 0 };
    // GROUP_AFFINITY begins with its mask.
    it.queue(message, raw::read(affinity as *const u64), context)
}

impl Interrupt {
    /// Tells the driver what it was given.
    fn answer(&self, table: usize) {
        let granted = if self.messages { MESSAGE_BASED } else { LINE_BASED };
        raw::write((table + 80) as *mut u32, granted);
        let info = self.messages.then(|| self.message_info());
        raw::write((table + 88) as *mut usize, info.as_ref().map_or(0, Block::address));
        self.info.replace(info);
        let what = if self.messages { "messages" } else { "line" };
        note(Step::new("driver", format!("interrupt registered, {what} granted")));
    }

    /// `IO_INTERRUPT_MESSAGE_INFO` and its entries.
    fn message_info(&self) -> Block {
        let messages = self.adapter.slot().map(|slot| slot.resources().messages).unwrap_or_default();
        let mut bytes = vec![self.irql, 0, 0, 0];
        bytes.extend(u32::try_from(messages.len()).expect("a few").to_le_bytes());
        for message in messages {
            bytes.extend(message.address.to_le_bytes());
            bytes.extend(1_u64.to_le_bytes());
            bytes.extend(0_u64.to_le_bytes());
            bytes.extend(message.data.to_le_bytes());
            bytes.extend(message.vector.to_le_bytes());
            // Irql, Mode (latched), Polarity.
            bytes.extend([message.irql, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        }
        Block::new("IO_INTERRUPT_MESSAGE_INFO", &bytes)
    }

    fn connect(self: &Rc<Self>) {
        let Some(slot) = self.adapter.slot() else { return };
        let adapter = Rc::downgrade(&self.adapter);
        slot.watch_mask(Some(Rc::new(move |change| {
            let Some(adapter) = adapter.upgrade() else { return };
            match change {
                Mask::Open(message) => {
                    adapter.throttle.unmasked(message.map_or(0, u32::from), &adapter.name());
                }
                Mask::Reset => adapter.throttle.reset(),
            }
        })));
        let it = Rc::clone(self);
        if self.messages {
            slot.connect_messages(Some(Rc::new(move |message| {
                it.serve(message);
            })));
        } else {
            slot.connect_line(Some(Rc::new(move || it.serve(0))));
            if self.adapter.machine().chance(1, 2) {
                // Another card on the shared line interrupts at once.
                let it = Rc::clone(self);
                self.adapter.machine().interrupt(None, self.irql, "shared line", move || {
                    if it.open() {
                        it.serve(0);
                    }
                });
            }
        }
    }

    fn open(&self) -> bool {
        handle::is_open::<Self>(Kind::Interrupt, self.handle.get())
    }

    /// Runs `f` at the interrupt's IRQL holding its spin lock.
    fn locked<R>(&self, f: impl FnOnce() -> R) -> R {
        let machine = self.adapter.machine();
        let key = self.handle.get() as usize;
        let old = machine.irql();
        if old < self.irql {
            machine.raise_irql(self.irql);
        }
        machine.acquire(key, LockKind::Other);
        let result = f();
        machine.release(key, LockKind::Other);
        if old < self.irql {
            machine.lower_irql(old);
        }
        result
    }

    /// The interrupt service routine, in an activity at the interrupt's IRQL. True if the driver claims it.
    fn serve(self: &Rc<Self>, message: u32) -> bool {
        self.busy.set(self.busy.get() + 1);
        let queue = Block::of("QueueDefaultInterruptDpc", 0xCC_u8);
        let target = Block::of("TargetProcessors", 0xCCCC_CCCC_u32);
        let (queue_at, target_at) = (queue.address(), target.address());
        let claimed = self.locked(|| {
            if self.messages {
                let handler = self.table.message.isr;
                callback!(
                    "MiniportMessageInterrupt",
                    Level::AsIs,
                    handler,
                    self.context,
                    message,
                    queue_at,
                    target_at
                )
            } else {
                callback!(
                    "MiniportInterrupt",
                    Level::AsIs,
                    self.table.line.isr,
                    self.context,
                    queue_at,
                    target_at
                )
            }
        });
        let (queue, target) = (raw::read(queue_at as *const u8), raw::read(target_at as *const u32));
        if queue == 0xCC || target != 0 {
            let text = format!("QueueDefaultInterruptDpc {queue:#x}, TargetProcessors {target:#x}");
            finding("CO-296", Some(self.adapter.name()), text);
        }
        if claimed != 0 && queue != 0 && queue != 0xCC {
            self.queue_one(None, message, 0);
        }
        self.busy.set(self.busy.get() - 1);
        self.adapter.ndis().changed();
        claimed != 0
    }

    /// Queues DPCs to the processors in `mask` and returns the mask of those that were not queued yet.
    fn queue(self: &Rc<Self>, message: u32, mask: u64, context: usize) -> u64 {
        let cpus = self.adapter.machine().config().cpus;
        let wanted = (0..cpus.min(64)).filter(|cpu| mask >> cpu & 1 != 0);
        wanted.filter(|&cpu| self.queue_one(Some(cpu), message, context)).map(|cpu| 1 << cpu).sum()
    }

    fn queue_one(self: &Rc<Self>, cpu: Option<usize>, message: u32, context: usize) -> bool {
        let key = (cpu, message, context);
        if !self.queued.borrow_mut().insert(key) {
            return false;
        }
        self.busy.set(self.busy.get() + 1);
        let it = Rc::clone(self);
        self.adapter.machine().queue_dpc(cpu, "interrupt", move || {
            it.queued.borrow_mut().remove(&key);
            if it.run_dpc(message, context) {
                it.continue_dpc(key);
            }
            it.busy.set(it.busy.get() - 1);
            it.adapter.ndis().changed();
        });
        true
    }

    /// Queues a DPC again that has left frames, at once or after a while.
    fn continue_dpc(self: &Rc<Self>, (cpu, message, context): Dpc) {
        let machine = Machine::current();
        if !machine.chance(1, 4) {
            self.queue_one(cpu, message, context);
            return;
        }
        let span = u64::try_from(CONTINUED_WITHIN.as_nanos()).unwrap_or(0);
        let delay = Duration::from_nanos(machine.below(span));
        self.busy.set(self.busy.get() + 1);
        let it = Rc::clone(self);
        machine.after(delay, move || {
            it.queue_one(cpu, message, context);
            it.busy.set(it.busy.get() - 1);
        });
    }

    /// The DPC; true if NDIS calls it again for frames that it has left.
    fn run_dpc(&self, message: u32, context: usize) -> bool {
        let pass = self.adapter.throttle.begin(message);
        let throttle = Block::of("NDIS_RECEIVE_THROTTLE_PARAMETERS", [pass.limit, 0]);
        let at = throttle.address();
        if self.messages {
            let handler = self.table.message.dpc;
            callback!(
                "MiniportMessageInterruptDpc",
                Level::AsIs,
                handler,
                self.context,
                message,
                context,
                at,
                0
            );
        } else {
            callback!("MiniportInterruptDpc", Level::AsIs, self.table.line.dpc, self.context, context, at, 0);
        }
        let [_, more] = raw::read(at as *const [u32; 2]);
        self.adapter.throttle.end(&pass, more & 1 != 0, &self.adapter.name())
    }
}
