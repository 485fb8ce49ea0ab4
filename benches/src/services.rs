//! What stands in for the kernel and NDIS while the driver is measured: for each routine of the data path the least that
//! is right on one processor at `DISPATCH_LEVEL`, so that next to nothing but the driver runs.
//!
//! Any other routine that the driver calls meanwhile is counted: the measurement is then not what it claims to be.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use ndis_sim::image::Image;

use crate::{layout, raw, routines};

/// `DISPATCH_LEVEL`.
const DISPATCH_LEVEL: u8 = 2;
/// Room for what one batch hands over.
const ROOM: usize = 256;

/// Chains that the driver handed over, in order: VC handle, first list, announced length, flags.
struct Handed {
    count: AtomicUsize,
    chains: [[AtomicUsize; 4]; ROOM],
}

impl Handed {
    const fn new() -> Self {
        Self { count: AtomicUsize::new(0), chains: [const { [const { AtomicUsize::new(0) }; 4] }; ROOM] }
    }

    fn add(&self, chain: [usize; 4]) {
        let at = self.count.load(Relaxed);
        if let Some(slot) = self.chains.get(at) {
            for (field, value) in slot.iter().zip(chain) {
                field.store(value, Relaxed);
            }
        }
        self.count.store(at + 1, Relaxed);
    }

    fn take(&self) -> Vec<Chain> {
        let count = self.count.swap(0, Relaxed);
        assert!(count <= ROOM, "room for {count} chains");
        let read = |slot: &[AtomicUsize; 4]| {
            let [vc, first, count, flags] = slot.each_ref().map(|field| field.load(Relaxed));
            Chain { vc, first, count, flags }
        };
        self.chains.iter().take(count).map(read).collect()
    }
}

/// A chain of `NET_BUFFER_LIST`s that the driver handed over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain {
    /// The handle of the VC.
    pub(crate) vc: usize,
    /// The first list.
    pub(crate) first: usize,
    /// How many lists were announced; zero for completions.
    pub(crate) count: usize,
    /// The flags of the call.
    pub(crate) flags: usize,
}

static COMPLETED: Handed = Handed::new();
static INDICATED: Handed = Handed::new();
/// Calls of routines that are not provided for.
static UNEXPECTED: AtomicU32 = AtomicU32::new(0);
static CLOCK: AtomicU64 = AtomicU64::new(1);

/// Completed sends since the last time.
pub(crate) fn completed() -> Vec<Chain> {
    COMPLETED.take()
}

/// Indicated receives since the last time.
pub(crate) fn indicated() -> Vec<Chain> {
    INDICATED.take()
}

/// Calls of routines that are not provided for, since the last time.
pub(crate) fn unexpected() -> u32 {
    UNEXPECTED.swap(0, Relaxed)
}

unsafe extern "win64" fn acquire_raise(lock: usize) -> u8 {
    raw::write(lock, 1_u64);
    DISPATCH_LEVEL
}

unsafe extern "win64" fn acquire(lock: usize) {
    raw::write(lock, 1_u64);
}

unsafe extern "win64" fn release(lock: usize) {
    raw::write(lock, 0_u64);
}

unsafe extern "win64" fn get_data_buffer(nb: usize) -> usize {
    // All data of the benchmark lies in one piece.
    layout::data_address(nb)
}

unsafe extern "win64" fn complete(vc: usize, first: usize, flags: u32) {
    COMPLETED.add([vc, first, 0, flags as usize]);
}

unsafe extern "win64" fn indicate(vc: usize, first: usize, count: u32, flags: u32) {
    INDICATED.add([vc, first, count as usize, flags as usize]);
}

unsafe extern "win64" fn performance_counter(frequency: usize) -> u64 {
    if frequency != 0 {
        raw::write(frequency, 10_000_000_u64);
    }
    CLOCK.fetch_add(1, Relaxed)
}

/// The simulator's pool: what the driver allocates once outlives the measurement.
static ALLOCATE: AtomicUsize = AtomicUsize::new(0);
static FREE: AtomicUsize = AtomicUsize::new(0);

type Allocate = unsafe extern "win64" fn(u64, usize, u32) -> usize;
type Free = unsafe extern "win64" fn(usize);

unsafe extern "win64" fn allocate(flags: u64, length: usize, tag: u32) -> usize {
    UNEXPECTED.fetch_add(1, Relaxed);
    // SAFETY: `Bound::new` put the simulator's `ExAllocatePool2` here.
    let routine = unsafe { std::mem::transmute::<usize, Allocate>(ALLOCATE.load(Relaxed)) };
    // SAFETY: the driver's arguments.
    unsafe { routine(flags, length, tag) }
}

unsafe extern "win64" fn free(block: usize) {
    UNEXPECTED.fetch_add(1, Relaxed);
    // SAFETY: `Bound::new` put the simulator's `ExFreePool` here.
    let routine = unsafe { std::mem::transmute::<usize, Free>(FREE.load(Relaxed)) };
    // SAFETY: the driver's argument.
    unsafe { routine(block) };
}

unsafe extern "win64" fn other() -> usize {
    UNEXPECTED.fetch_add(1, Relaxed);
    0
}

fn address(import: &str, more: &[(&str, usize)]) -> usize {
    let name = import.rsplit('!').next().unwrap_or(import);
    let known = [
        ("KeAcquireSpinLockRaiseToDpc", acquire_raise as *const () as usize),
        ("KeAcquireSpinLockAtDpcLevel", acquire as *const () as usize),
        ("KeReleaseSpinLock", release as *const () as usize),
        ("KeReleaseSpinLockFromDpcLevel", release as *const () as usize),
        ("NdisGetDataBuffer", get_data_buffer as *const () as usize),
        ("NdisMCoSendNetBufferListsComplete", complete as *const () as usize),
        ("NdisMCoIndicateReceiveNetBufferLists", indicate as *const () as usize),
        ("ExAllocatePool2", allocate as *const () as usize),
        ("ExFreePool", free as *const () as usize),
        ("KeQueryPerformanceCounter", performance_counter as *const () as usize),
    ];
    let all = more.iter().copied().chain(known).chain(routines::exports());
    let found = all.into_iter().find(|(known, _)| *known == name);
    found.map_or(other as *const () as usize, |(_, address)| address)
}

/// The driver's imports bound to this module, until it is dropped.
pub(crate) struct Bound<'a> {
    image: &'a Image,
    former: Vec<usize>,
}

impl<'a> Bound<'a> {
    /// Binds every import of the image to its stand-in: one of `more`, or one of this module.
    pub(crate) fn new(image: &'a Image, more: &[(&str, usize)]) -> Self {
        let bind = |(index, import): (usize, &String)| {
            let former = image.rebind(index, address(import, more));
            match import.rsplit('!').next() {
                Some("ExAllocatePool2") => ALLOCATE.store(former, Relaxed),
                Some("ExFreePool") => FREE.store(former, Relaxed),
                _ => {}
            }
            former
        };
        Self { image, former: image.imports().iter().enumerate().map(bind).collect() }
    }
}

impl Bound<'_> {
    /// What an import was bound to before.
    pub(crate) fn former(&self, routine: &str) -> Option<usize> {
        let name = |import: &String| import.rsplit('!').next() == Some(routine);
        self.former.get(self.image.imports().iter().position(name)?).copied()
    }
}

impl Drop for Bound<'_> {
    fn drop(&mut self) {
        for (index, &address) in self.former.iter().enumerate() {
            self.image.rebind(index, address);
        }
    }
}
