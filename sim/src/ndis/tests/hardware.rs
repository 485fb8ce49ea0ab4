//! The card of the smallest driver, if its adapter has one: registers, ports, memory, interrupt.

use std::cell::Cell;
use std::time::Duration;

use super::mini::{adapter, deviates, mini, ndis};
use super::{calls, data};
use crate::machine::{DISPATCH_LEVEL, Machine};
use crate::ndis::handle::Handle;
use crate::ndis::net_buffer::layout::{Mdl, Nbl};
use crate::ndis::status::{self, Status};
use crate::ndis::tables::{InterruptCharacteristics, ObjectHeader};
use crate::ndis::{bus, dma, interrupt, net_buffer, raw};

/// What the driver has of its card; zeros for what it does not have.
#[derive(Default)]
pub(super) struct Card {
    registers: Cell<usize>,
    ports: Cell<(u32, u32, usize)>,
    dma: Cell<usize>,
    shared: Cell<(usize, u64)>,
    interrupt: Cell<usize>,
    /// The scatter/gather list that `MiniportProcessSGList` was given last.
    list: Cell<usize>,
    /// Frames that have arrived and that no DPC has indicated.
    arrived: Cell<u32>,
}

/// Interrupt cause and mask registers.
const ICR: usize = 0xC0;
const ICS: usize = 0xC8;
const IMS: usize = 0xD0;
const IMC: usize = 0xD8;
/// Interrupt vector allocation: receives are told by message 0.
const IVAR: usize = 0xE4;
const RECEIVES_BY_MESSAGE_0: u32 = 8;
/// A frame was received.
const RXQ0: u32 = 1 << 20;
/// Link status change.
const LSC: u32 = 4;
const SHARED: u32 = 4096;
const WINDOW: u32 = 0x2_0000;

fn card<R>(f: impl FnOnce(&Card) -> R) -> R {
    mini(|it| f(&it.card))
}

fn read(register: usize) -> u32 {
    let at = (card(|it| it.registers.get()) + register) as *const u32;
    // SAFETY: the register lies in the mapped window.
    unsafe { at.read_volatile() }
}

fn write(register: usize, value: u32) {
    let at = (card(|it| it.registers.get()) + register) as *mut u32;
    // SAFETY: as in `read`.
    unsafe { at.write_volatile(value) };
}

/// Whether the adapter has a card.
fn present() -> bool {
    card(|it| it.registers.get()) != 0
}

/// The first `CM_PARTIAL_RESOURCE_DESCRIPTOR` of a type: its start and length.
fn descriptor(list: usize, kind: u8) -> (u64, u32) {
    let count: u32 = raw::read((list + 4) as *const u32);
    let at = (0..count as usize).map(|i| list + 8 + 20 * i).find(|&at| raw::read(at as *const u8) == kind);
    at.map_or((0, 0), |at| (raw::read((at + 4) as *const u64), raw::read((at + 12) as *const u32)))
}

/// In `MiniportInitializeEx`, of which these are the parameters.
pub(super) fn obtain(handle: Handle, parameters: usize) -> Status {
    let list: usize = raw::read((parameters + 8) as *const usize);
    if list == 0 {
        return status::SUCCESS;
    }
    let mut id = 0_u32;
    let len = if deviates("past the configuration space") { 4097 } else { 4 };
    ndis!(bus::get_data, handle, 0, 0, (&raw mut id) as usize, len);
    let mut status = map(handle, list);
    if status == status::SUCCESS {
        status = obtain_memory(handle);
    }
    if status == status::SUCCESS {
        status = connect();
    }
    let failing = ["fails with the interrupt", "fails with DMA"].into_iter().any(deviates);
    if status == status::SUCCESS && failing { status::FAILURE } else { status }
}

fn map(handle: Handle, list: usize) -> Status {
    let ((memory, _), (port, count)) = (descriptor(list, 3), descriptor(list, 1));
    let mut va = 0;
    let status = ndis!(bus::map_io_space, &raw mut va, handle, memory, WINDOW);
    if status != status::SUCCESS {
        return status;
    }
    card(|it| it.registers.set(va));
    let (mut offset, port) = (0, u32::try_from(port).expect("a port"));
    let status = ndis!(bus::register_ports, &raw mut offset, handle, port, count);
    card(|it| it.ports.set((port, count, offset)));
    status
}

fn obtain_memory(handle: Handle) -> Status {
    let process = process_list as *const () as usize;
    let description: [usize; 5] = [0x0024_0183, 1 << 20, process, 0, 0];
    let mut dma = std::ptr::null_mut();
    let status = ndis!(dma::register, handle, (&raw const description) as usize, &raw mut dma);
    if status != status::SUCCESS {
        return status;
    }
    card(|it| it.dma.set(dma as usize));
    let shared = allocate_shared();
    card(|it| it.shared.set(shared));
    if shared.0 == 0 { status::RESOURCES } else { status::SUCCESS }
}

fn allocate_shared() -> (usize, u64) {
    let (mut va, mut bus) = (0, 0);
    ndis!(dma::allocate_shared, adapter(), SHARED, 1, &raw mut va, &raw mut bus);
    (va, bus)
}

/// Frees the shared memory.
pub(super) fn free_shared() {
    let (va, bus) = card(|it| it.shared.take());
    if va == 0 || deviates("keeps shared memory") {
        return;
    }
    if deviates("frees another length") {
        ndis!(dma::free_shared, adapter(), SHARED - 1, 1, va, bus);
    }
    ndis!(dma::free_shared, adapter(), SHARED, 1, va, bus);
}

/// Registers the interrupt.
pub(super) fn connect() -> Status {
    let mut table = InterruptCharacteristics::default();
    table.line.header = ObjectHeader::new(0x84, 1, 96);
    table.line.isr = Some(isr);
    table.line.dpc = Some(dpc);
    table.message.header = ObjectHeader::new(1, 1, 0);
    table.message.isr = Some(message_isr);
    table.message.dpc = Some(message_dpc);
    if deviates("no line DPC") {
        table.line.dpc = None;
    }
    let mut handle = std::ptr::null_mut();
    let status = ndis!(interrupt::register, adapter(), 7, (&raw mut table) as usize, &raw mut handle);
    card(|it| it.interrupt.set(handle as usize));
    status
}

/// Reads the cause, with the card masked meanwhile: an 82574L may lose a cause that comes just then otherwise.
fn takes_cause() -> bool {
    write(IMC, u32::MAX);
    let mine = read(ICR) & LSC != 0;
    write(IMS, LSC);
    mine
}

unsafe extern "win64" fn isr(_context: usize, queue: usize, target: usize) -> u8 {
    let mine = present() && takes_cause();
    if !deviates("ISR tells nothing") {
        raw::write(queue as *mut u8, u8::from(mine));
        raw::write(target as *mut u32, 0);
    }
    u8::from(mine)
}

unsafe extern "win64" fn message_isr(context: usize, _message: u32, queue: usize, target: usize) -> u8 {
    // SAFETY: the arguments are those of the line's routine.
    unsafe { isr(context, queue, target) }
}

unsafe extern "win64" fn dpc(_context: usize, _own: usize, throttle: usize, _reserved: usize) {
    receive(throttle);
    if deviates("endless DPC") {
        Machine::current().stall(Duration::from_secs(1));
        let handle = card(|it| it.interrupt.get()) as Handle;
        ndis!(interrupt::queue_dpc, handle, 0, 1, 0);
    }
}

unsafe extern "win64" fn message_dpc(
    context: usize,
    _message: u32,
    own: usize,
    throttle: usize,
    reserved: usize,
) {
    // SAFETY: the arguments are those of the line's DPC.
    unsafe { dpc(context, own, throttle, reserved) };
}

/// Indicates what has arrived, as far as NDIS allows.
fn receive(throttle: usize) {
    let [limit, _]: [u32; 2] = raw::read(throttle as *const [u32; 2]);
    let left = card(|it| it.arrived.get());
    let most = match () {
        () if deviates("indicates above the limit") => left,
        () if deviates("leaves frames without a limit") => limit.min(100),
        () => limit,
    };
    let now = left.min(most);
    for _ in 0..now {
        data::indicate(calls::own_vc(), b"a frame");
    }
    card(|it| it.arrived.set(left - now));
    if left > now {
        if deviates("unmasks and leaves frames") {
            write(IMS, RXQ0);
        }
        raw::write((throttle + 4) as *mut u32, 1);
    }
}

/// Has so many frames arrive, and the DPC called.
pub(super) fn flood(frames: u32) {
    write(IVAR, RECEIVES_BY_MESSAGE_0);
    card(|it| it.arrived.set(frames));
    let message = u32::from(deviates("receives by another message"));
    let handle = card(|it| it.interrupt.get()) as Handle;
    ndis!(interrupt::queue_dpc, handle, message, 1, 0);
    if deviates("unmasks before the next DPC") {
        for _ in 0..1000 {
            Machine::current().stall(Duration::from_nanos(200));
            write(IMS, RXQ0);
        }
    }
}

/// Whether all of them have been indicated.
pub(super) fn is_drained() -> bool {
    card(|it| it.arrived.get()) == 0
}

unsafe extern "win64" fn synchronized(_context: usize) -> u8 {
    1
}

unsafe extern "win64" fn process_list(_device: usize, _reserved: usize, list: usize, _context: usize) {
    card(|it| it.list.set(list));
}

/// Has the card interrupt, with and without the driver's asking for a DPC.
pub(super) fn interrupt() {
    let handle = card(|it| it.interrupt.get()) as Handle;
    write(IMS, LSC);
    write(ICS, LSC);
    ndis!(interrupt::synchronize, handle, 0, synchronized as *const () as usize, 0);
    ndis!(interrupt::queue_dpc, handle, 0, 1, 0);
}

/// Has a frame mapped for the card and unmapped again.
pub(super) fn map_frame() {
    let machine = Machine::current();
    let data = [0x55_u8; 60];
    let mdl = ndis!(net_buffer::allocate_mdl, adapter(), data.as_ptr() as usize, 60);
    let pool = mini(|it| it.pool.get()) as Handle;
    let nbl = ndis!(net_buffer::allocate_list_and_buffer, pool, 0, 0, mdl, 0, 60);
    let nb = Nbl(nbl).first();
    if deviates("memory that is not locked") {
        Mdl(mdl).set_mdl_flags(0);
    }
    let (dma, storage) = (card(|it| it.dma.get()) as Handle, [0_u64; 4]);
    let little = deviates("list in little space");
    let (buffer, size) = if little { (storage.as_ptr() as usize, 32) } else { (0, 0) };
    machine.raise_irql(DISPATCH_LEVEL);
    ndis!(dma::allocate_list, dma, nb, 0, 0, buffer, size);
    machine.lower_irql(0);
    machine.sleep(Duration::from_millis(1));
    let list = card(|it| it.list.take());
    machine.raise_irql(DISPATCH_LEVEL);
    if list != 0 && !deviates("keeps a list") {
        ndis!(dma::free_list, dma, list, nb);
    }
    if deviates("frees a list twice") {
        ndis!(dma::free_list, dma, list, nb);
    }
    machine.lower_irql(0);
    ndis!(net_buffer::free_list, nbl);
    ndis!(net_buffer::free_mdl, mdl);
}

/// In `MiniportRestart`: what is for `MiniportInitializeEx` only.
pub(super) fn restart() {
    match mini(|it| it.deviation.get()) {
        "shared memory when running" => _ = allocate_shared(),
        "interrupt when running" => {
            disconnect();
            connect();
        }
        "maps when running" => {
            let mut va = 0;
            ndis!(bus::map_io_space, &raw mut va, adapter(), 0, 4096);
        }
        "ports when running" => {
            let mut offset = 0;
            ndis!(bus::register_ports, &raw mut offset, adapter(), 0, 1);
        }
        _ => {}
    }
}

fn disconnect() {
    let handle = card(|it| it.interrupt.get());
    if handle == 0 || deviates("keeps the interrupt") || deviates("fails with the interrupt") {
        return;
    }
    ndis!(interrupt::deregister, handle as Handle);
    card(|it| it.interrupt.set(0));
    if deviates("synchronizes after the end") {
        let function = synchronized as *const () as usize;
        ndis!(interrupt::synchronize, handle as Handle, 0, function, 0);
    }
}

/// Gives everything back, in the reverse order.
pub(super) fn release() {
    if present() {
        write(IMC, u32::MAX);
    }
    disconnect();
    if !deviates("ends DMA first") {
        free_shared();
    }
    let dma = card(|it| it.dma.take());
    if dma != 0 && !deviates("fails with DMA") {
        ndis!(dma::deregister, dma as Handle);
    }
    free_shared();
    if deviates("frees a list after the end") {
        Machine::current().raise_irql(DISPATCH_LEVEL);
        ndis!(dma::free_list, dma as Handle, 0, 0);
        Machine::current().lower_irql(0);
    }
    let (port, count, offset) = card(|it| it.ports.take());
    if count != 0 && !deviates("keeps the ports") {
        ndis!(bus::deregister_ports, adapter(), port, count, offset);
    }
    let va = card(|it| it.registers.take());
    if va != 0 && !deviates("keeps the registers") {
        ndis!(bus::unmap_io_space, adapter(), va, WINDOW);
    }
    if deviates("unmaps twice") {
        ndis!(bus::unmap_io_space, adapter(), va, WINDOW);
    }
}
