//! What stands in for NDIS while calls are made: each routine does the least that is right, and notes what the driver told
//! its client.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::arena;
use crate::raw;

/// `NDIS_STATUS_PENDING`.
pub(super) const PENDING: u32 = 0x103;

/// What the driver said about VCs, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// `NdisMCmMakeCallComplete`: the VC and the status.
    Made(usize, u32),
    /// `NdisMCmCloseCallComplete`.
    Closed(usize, u32),
    /// `NdisMCmActivateVc` and `NdisMCmDeactivateVc`.
    Activated(usize),
    Deactivated(usize),
    /// `NdisMCmDispatchIncomingCloseCall`.
    CloseDispatched(usize, u32),
    /// `NdisMCmCreateVc`: the VC and the driver's context.
    Created(usize, usize),
    /// `NdisMCmDispatchIncomingCall`: the VC and the parameters.
    Offered(usize, usize),
    /// `NdisMCmDispatchCallConnected`.
    Connected(usize),
    /// `NdisMCmDeleteVc`.
    Deleted(usize),
}

static SAID: Mutex<Vec<Said>> = Mutex::new(Vec::new());
/// Units of 100 ns since an arbitrary moment.
static CLOCK: AtomicU64 = AtomicU64::new(0);
/// Timers that are set: the handle and when they are due. The driver has few.
static TIMERS: Mutex<Vec<(usize, u64)>> = Mutex::new(Vec::new());
/// The handle that was given last.
static HANDLES: AtomicUsize = AtomicUsize::new(0);
static INDICATIONS: AtomicUsize = AtomicUsize::new(0);

fn lock<T>(mutex: &'static Mutex<T>) -> MutexGuard<'static, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn say(said: Said) -> u32 {
    lock(&SAID).push(said);
    0
}

/// What the driver has said since the last time.
pub(super) fn said() -> Vec<Said> {
    std::mem::take(&mut *lock(&SAID))
}

/// A handle that no VC has had.
pub(super) fn new_handle() -> usize {
    HANDLES.fetch_add(16, Relaxed) + 16
}

/// Lets time pass, in units of 100 ns.
pub(super) fn pass(time: u64) {
    CLOCK.fetch_add(time, Relaxed);
}

/// A timer that has expired, which is not set any more.
pub(super) fn expired() -> Option<usize> {
    let now = CLOCK.load(Relaxed);
    let mut timers = lock(&TIMERS);
    let at = timers.iter().position(|(_, due)| *due <= now)?;
    Some(timers.swap_remove(at).0)
}

/// Units of 100 ns until the next timer expires.
pub(super) fn next_timer() -> Option<u64> {
    let now = CLOCK.load(Relaxed);
    lock(&TIMERS).iter().map(|(_, due)| due.saturating_sub(now)).min()
}

/// Takes over at a time of the driver's clock.
pub(super) fn begin(now: u64) {
    CLOCK.store(now, Relaxed);
    lock(&TIMERS).clear();
    said();
}

unsafe extern "win64" fn make_call_complete(status: u32, vc: usize, _party: usize) {
    say(Said::Made(vc, status));
}

unsafe extern "win64" fn close_call_complete(status: u32, vc: usize, _party: usize) {
    say(Said::Closed(vc, status));
}

unsafe extern "win64" fn activate(vc: usize, _parameters: usize) -> u32 {
    say(Said::Activated(vc))
}

unsafe extern "win64" fn deactivate(vc: usize) -> u32 {
    say(Said::Deactivated(vc))
}

unsafe extern "win64" fn dispatch_close(status: u32, vc: usize, _data: usize, _size: u32) {
    say(Said::CloseDispatched(vc, status));
}

unsafe extern "win64" fn create_vc(_adapter: usize, _family: usize, context: usize, out: usize) -> u32 {
    let handle = new_handle();
    raw::write(out, handle);
    say(Said::Created(handle, context))
}

unsafe extern "win64" fn delete_vc(vc: usize) -> u32 {
    say(Said::Deleted(vc))
}

unsafe extern "win64" fn dispatch_call(_sap: usize, vc: usize, parameters: usize) -> u32 {
    say(Said::Offered(vc, parameters));
    PENDING
}

unsafe extern "win64" fn dispatch_connected(vc: usize) {
    say(Said::Connected(vc));
}

unsafe extern "win64" fn indicate_status(_adapter: usize, _indication: usize) {
    INDICATIONS.fetch_add(1, Relaxed);
}

unsafe extern "win64" fn performance_counter(frequency: usize) -> u64 {
    if frequency != 0 {
        raw::write(frequency, 10_000_000_u64);
    }
    CLOCK.load(Relaxed)
}

unsafe extern "win64" fn system_time(out: usize) {
    raw::write(out, CLOCK.load(Relaxed));
}

unsafe extern "win64" fn set_timer(timer: usize, due: i64, _period: u32, _context: usize) -> u8 {
    let due = CLOCK.load(Relaxed) + due.unsigned_abs();
    let mut timers = lock(&TIMERS);
    if let Some((_, set)) = timers.iter_mut().find(|(handle, _)| *handle == timer) {
        *set = due;
        return 1;
    }
    timers.push((timer, due));
    0
}

unsafe extern "win64" fn cancel_timer(timer: usize) -> u8 {
    let mut timers = lock(&TIMERS);
    let Some(at) = timers.iter().position(|(handle, _)| *handle == timer) else { return 0 };
    timers.swap_remove(at);
    1
}

/// The stand-ins by the names of the routines.
pub(super) fn all() -> Vec<(&'static str, usize)> {
    vec![
        ("NdisCmMakeCallComplete", make_call_complete as *const () as usize),
        ("NdisCmCloseCallComplete", close_call_complete as *const () as usize),
        ("NdisMCmActivateVc", activate as *const () as usize),
        ("NdisMCmDeactivateVc", deactivate as *const () as usize),
        ("NdisCmDispatchIncomingCloseCall", dispatch_close as *const () as usize),
        ("NdisMCmCreateVc", create_vc as *const () as usize),
        ("NdisMCmDeleteVc", delete_vc as *const () as usize),
        ("NdisCmDispatchIncomingCall", dispatch_call as *const () as usize),
        ("NdisCmDispatchCallConnected", dispatch_connected as *const () as usize),
        ("NdisMCoIndicateStatusEx", indicate_status as *const () as usize),
        ("KeQueryPerformanceCounter", performance_counter as *const () as usize),
        ("KeQuerySystemTimePrecise", system_time as *const () as usize),
        ("NdisSetTimerObject", set_timer as *const () as usize),
        ("NdisCancelTimerObject", cancel_timer as *const () as usize),
        ("ExAllocatePool2", arena::allocate as *const () as usize),
        ("ExFreePool", arena::free as *const () as usize),
    ]
}
