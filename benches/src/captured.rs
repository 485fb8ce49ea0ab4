//! What the driver registers and is given, noted on its way between the driver and the simulator.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use ndis_sim::image::Export;

use crate::card::Shared;
use crate::raw;

/// Entry points and contexts of the data path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Captured {
    /// `MiniportCoSendNetBufferLists`.
    pub(crate) send: usize,
    /// `MiniportReturnNetBufferLists`.
    pub(crate) returned: usize,
    /// `MiniportMessageInterrupt` and `MiniportMessageInterruptDPC`.
    pub(crate) interrupt: usize,
    pub(crate) dpc: usize,
    /// `MiniportInterruptContext`.
    pub(crate) interrupt_context: usize,
    /// `MiniportAdapterContext`.
    pub(crate) adapter: usize,
    /// Where the registers are mapped.
    pub(crate) registers: (usize, usize),
    /// Shared memory.
    pub(crate) shared: Vec<Shared>,
    /// VCs in the order of their creation: the handle and the driver's context.
    pub(crate) vcs: Vec<(usize, usize)>,
    /// The call manager's handlers.
    pub(crate) handlers: Handlers,
    /// The driver's contexts of open address families.
    pub(crate) families: Vec<usize>,
    /// Timers: the handle, the function and its context.
    pub(crate) timers: Vec<(usize, usize, usize)>,
}

/// Handlers of `NDIS_CO_CALL_MANAGER_OPTIONAL_HANDLERS`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Handlers {
    pub(crate) create_vc: usize,
    pub(crate) delete_vc: usize,
    pub(crate) make_call: usize,
    pub(crate) close_call: usize,
    pub(crate) incoming_call_complete: usize,
}

thread_local! {
    static CAPTURED: RefCell<Captured> = RefCell::default();
}

/// What was noted so far on this thread.
pub(crate) fn captured() -> Captured {
    CAPTURED.with_borrow(Captured::clone)
}

fn note(f: impl FnOnce(&mut Captured)) {
    CAPTURED.with_borrow_mut(f);
}

/// `NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES`.
const REGISTRATION_ATTRIBUTES: u8 = 0x9E;
/// `NDIS_OBJECT_TYPE_CO_MINIPORT_CHARACTERISTICS`, `NDIS_OBJECT_TYPE_CO_CALL_MANAGER_OPTIONAL_HANDLERS`.
const CO_MINIPORT: u8 = 0x91;
const CALL_MANAGER: u8 = 0xA5;
/// Offsets in `NDIS_CO_CALL_MANAGER_OPTIONAL_HANDLERS`, and its size with its last member, which the header does not count.
const CREATE_VC: usize = 8;
const DELETE_VC: usize = 16;
const OPEN_AF: usize = 24;
const MAKE_CALL: usize = 56;
const CLOSE_CALL: usize = 64;
const INCOMING_CALL_COMPLETE: usize = 72;
const CALL_MANAGER_SIZE: usize = 144;

/// The simulator's routine in place of which one of those below is called.
struct Original(AtomicUsize);

impl Original {
    const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    fn call(&self, arguments: [usize; 5]) -> u32 {
        // SAFETY: an export with at most five arguments, or the driver's handler; the arguments are those that the driver or
        // the simulator gave.
        let result = unsafe { raw::call(self.0.load(Relaxed), &arguments) };
        // NDIS_STATUS has 32 bits, of which the register's others say nothing.
        u32::try_from(result & 0xFFFF_FFFF).unwrap_or(0)
    }
}

static REGISTER_MINIPORT: Original = Original::new();
static SET_OPTIONAL_HANDLERS: Original = Original::new();
static SET_ATTRIBUTES: Original = Original::new();
static REGISTER_INTERRUPT: Original = Original::new();
static MAP_IO_SPACE: Original = Original::new();
static ALLOCATE_SHARED: Original = Original::new();
static CREATE: Original = Original::new();
static OPEN: Original = Original::new();
static ALLOCATE_TIMER: Original = Original::new();

unsafe extern "win64" fn register_miniport(a: usize, b: usize, c: usize, table: usize, e: usize) -> u32 {
    note(|it| it.returned = raw::read(table + 80));
    REGISTER_MINIPORT.call([a, b, c, table, e])
}

unsafe extern "win64" fn set_optional_handlers(driver: usize, table: usize) -> u32 {
    let kind: u8 = raw::read(table);
    if kind == CO_MINIPORT {
        note(|it| it.send = raw::read(table + 40));
    }
    if kind != CALL_MANAGER {
        return SET_OPTIONAL_HANDLERS.call([driver, table, 0, 0, 0]);
    }
    note(|it| {
        it.handlers = Handlers {
            create_vc: raw::read(table + CREATE_VC),
            delete_vc: raw::read(table + DELETE_VC),
            make_call: raw::read(table + MAKE_CALL),
            close_call: raw::read(table + CLOSE_CALL),
            incoming_call_complete: raw::read(table + INCOMING_CALL_COMPLETE),
        };
    });
    // The call manager's table, with an ear at the opening of address families and the creation of VCs.
    let mut copy = [0_u64; CALL_MANAGER_SIZE / 8];
    let address = copy.as_mut_ptr().expose_provenance();
    raw::store(address, &raw::bytes(table, CALL_MANAGER_SIZE));
    CREATE.0.store(raw::read(table + CREATE_VC), Relaxed);
    raw::write(address + CREATE_VC, create_vc as *const () as usize);
    OPEN.0.store(raw::read(table + OPEN_AF), Relaxed);
    raw::write(address + OPEN_AF, open_af as *const () as usize);
    SET_OPTIONAL_HANDLERS.call([driver, address, 0, 0, 0])
}

unsafe extern "win64" fn create_vc(af: usize, handle: usize, context: usize) -> u32 {
    let status = CREATE.call([af, handle, context, 0, 0]);
    if status == 0 {
        note(|it| it.vcs.push((handle, raw::read(context))));
    }
    status
}

unsafe extern "win64" fn open_af(binding: usize, family: usize, handle: usize, context: usize) -> u32 {
    let status = OPEN.call([binding, family, handle, context, 0]);
    note(|it| it.families.push(raw::read(context)));
    status
}

unsafe extern "win64" fn allocate_timer(adapter: usize, table: usize, out: usize) -> u32 {
    let status = ALLOCATE_TIMER.call([adapter, table, out, 0, 0]);
    note(|it| it.timers.push((raw::read(out), raw::read(table + 8), raw::read(table + 16))));
    status
}

unsafe extern "win64" fn set_attributes(handle: usize, table: usize) -> u32 {
    if raw::read::<u8>(table) == REGISTRATION_ATTRIBUTES {
        note(|it| it.adapter = raw::read(table + 8));
    }
    SET_ATTRIBUTES.call([handle, table, 0, 0, 0])
}

unsafe extern "win64" fn register_interrupt(adapter: usize, context: usize, table: usize, out: usize) -> u32 {
    note(|it| {
        it.interrupt_context = context;
        it.interrupt = raw::read(table + 48);
        it.dpc = raw::read(table + 56);
    });
    REGISTER_INTERRUPT.call([adapter, context, table, out, 0])
}

unsafe extern "win64" fn map_io_space(out: usize, adapter: usize, physical: usize, length: usize) -> u32 {
    let status = MAP_IO_SPACE.call([out, adapter, physical, length, 0]);
    note(|it| it.registers = (raw::read(out), length & 0xFFFF_FFFF));
    status
}

unsafe extern "win64" fn allocate_shared(adapter: usize, length: u32, cached: u8, out: usize, bus: usize) {
    ALLOCATE_SHARED.call([adapter, length as usize, usize::from(cached), out, bus]);
    note(|it| {
        it.shared.push(Shared { bus: raw::read(bus), address: raw::read(out), length: length as usize });
    });
}

/// The simulator's exports, with an ear at those that tell of the data path.
pub(crate) fn listen(mut exports: Vec<Export>) -> Vec<Export> {
    let ears = [
        ("NdisMRegisterMiniportDriver", &REGISTER_MINIPORT, register_miniport as *const () as usize),
        ("NdisSetOptionalHandlers", &SET_OPTIONAL_HANDLERS, set_optional_handlers as *const () as usize),
        ("NdisMSetMiniportAttributes", &SET_ATTRIBUTES, set_attributes as *const () as usize),
        ("NdisMRegisterInterruptEx", &REGISTER_INTERRUPT, register_interrupt as *const () as usize),
        ("NdisMMapIoSpace", &MAP_IO_SPACE, map_io_space as *const () as usize),
        ("NdisAllocateTimerObject", &ALLOCATE_TIMER, allocate_timer as *const () as usize),
        ("NdisMAllocateSharedMemory", &ALLOCATE_SHARED, allocate_shared as *const () as usize),
    ];
    for (name, original, ear) in ears {
        for export in exports.iter_mut().filter(|export| export.name == name) {
            original.0.store(export.address, Relaxed);
            export.address = ear;
        }
    }
    note(|it| *it = Captured::default());
    exports
}
