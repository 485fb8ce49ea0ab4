//! Counting instructions: the processor's trap flag stops the driver after every one of them.
//!
//! The count is exact and the same in every run. An instruction counts if it lies in the driver's image or in the
//! [`crate::routines`] that stand for compiler's helpers; what stands in for the kernel does not. A repeated string
//! instruction counts once.

use std::cell::Cell;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

/// The trap flag in RFLAGS.
const TRAP: usize = 0x100;

/// How often each address of some code was executed.
#[derive(Debug)]
pub(crate) struct Counter {
    regions: Vec<Region>,
    last: Cell<usize>,
}

#[derive(Debug)]
struct Region {
    start: usize,
    hits: Vec<Cell<u32>>,
}

static CURRENT: AtomicPtr<Counter> = AtomicPtr::new(ptr::null_mut());
/// Held while instructions are counted: a process has one handler of the signal.
static COUNTING: Mutex<()> = Mutex::new(());

impl Counter {
    /// Counts what is executed in these regions.
    pub(crate) fn new(regions: &[Range<usize>]) -> Self {
        let region =
            |range: &Range<usize>| Region { start: range.start, hits: vec![Cell::new(0); range.len()] };
        Self { regions: regions.iter().map(region).collect(), last: Cell::new(0) }
    }

    /// Counts nothing so far.
    pub(crate) fn clear(&self) {
        self.regions.iter().flat_map(|region| &region.hits).for_each(|hits| hits.set(0));
    }

    /// Instructions counted.
    pub(crate) fn total(&self) -> u64 {
        self.hits().map(|(_, count)| u64::from(count)).sum()
    }

    /// Addresses and how often each was executed.
    pub(crate) fn hits(&self) -> impl Iterator<Item = (usize, u32)> {
        self.regions
            .iter()
            .flat_map(|region| (region.start..).zip(region.hits.iter().map(Cell::get)))
            .filter(|(_, count)| *count != 0)
    }

    /// Calls a routine of the Windows convention, which takes up to five numbers, and counts its instructions; what it
    /// returns, if anything.
    ///
    /// # Safety
    /// As for calling the routine.
    pub(crate) unsafe fn call(&self, routine: usize, arguments: &[usize; 5]) -> usize {
        let _counting = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
        // The handler is told where to count, and is installed for the duration: the simulator has one of its own.
        CURRENT.store(ptr::from_ref(self).cast_mut(), Ordering::Release);
        let former = install();
        // SAFETY: passed on; the handler for the traps is installed.
        let result = unsafe { trapping_call(routine, arguments, TRAP) };
        restore(&former);
        CURRENT.store(ptr::null_mut(), Ordering::Release);
        result
    }

    /// The instruction at `address` is about to be executed.
    fn step(&self, address: usize) {
        if self.last.replace(address) == address && is_repeated(address) {
            return;
        }
        for region in &self.regions {
            if let Some(hits) = region.hits.get(address.wrapping_sub(region.start)) {
                hits.set(hits.get() + 1);
            }
        }
    }
}

/// Whether a string instruction with a repeat prefix is at `address`, which was just executed.
fn is_repeated(address: usize) -> bool {
    matches!(crate::raw::read::<u8>(address), 0xF2 | 0xF3)
}

fn install() -> libc::sigaction {
    // SAFETY: all bits zero is a valid `sigaction`: the default action.
    let (mut new, mut old): (libc::sigaction, libc::sigaction) = unsafe { std::mem::zeroed() };
    new.sa_sigaction = on_trap as *const () as usize;
    new.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: both structures are valid, and the handler has the signature that SA_SIGINFO asks for.
    let result = unsafe { libc::sigaction(libc::SIGTRAP, &raw const new, &raw mut old) };
    assert!(result == 0, "sigaction: {}", std::io::Error::last_os_error());
    old
}

fn restore(former: &libc::sigaction) {
    // SAFETY: the structure came from `sigaction`.
    unsafe { libc::sigaction(libc::SIGTRAP, former, ptr::null_mut()) };
}

extern "C" fn on_trap(_signal: libc::c_int, _info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid ucontext_t.
    let context = unsafe { &*context.cast::<libc::ucontext_t>() };
    let address = context.uc_mcontext.gregs.get(libc::REG_RIP as usize).copied().unwrap_or(0);
    // SAFETY: `Counter::call` put it there and is still running, on this thread.
    if let Some(counter) = unsafe { CURRENT.load(Ordering::Acquire).as_ref() } {
        counter.step(usize::try_from(address).unwrap_or(0));
    }
}

/// Calls `routine` with five arguments by the Windows convention, with `flags` set in RFLAGS from just before the call
/// until just after it.
///
/// # Safety
/// As for calling the routine; with the trap flag, SIGTRAP must be handled.
#[unsafe(naked)]
unsafe extern "sysv64" fn trapping_call(routine: usize, arguments: &[usize; 5], flags: usize) -> usize {
    std::arch::naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "sub rsp, 48",
        "mov rax, rdi",
        "mov r10, rsi",
        "mov r11, rdx",
        "mov rcx, [r10 + 32]",
        "mov [rsp + 32], rcx",
        "mov rcx, [r10]",
        "mov rdx, [r10 + 8]",
        "mov r8, [r10 + 16]",
        "mov r9, [r10 + 24]",
        "pushfq",
        "or [rsp], r11",
        "popfq",
        "call rax",
        "pushfq",
        "and qword ptr [rsp], -257",
        "popfq",
        "mov rsp, rbp",
        "pop rbp",
        "ret",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    core::arch::global_asm!(
        ".text",
        ".globl bench_test_loop",
        "bench_test_loop:",
        // 1 + 2 * 10 + 1 instructions.
        "mov eax, 10",
        "2:",
        "dec eax",
        "jnz 2b",
        "ret",
        ".globl bench_test_string",
        "bench_test_string:",
        // 6 instructions; rsi and rdi are the caller's.
        "push rdi",
        "mov rdi, rcx",
        "mov ecx, 100",
        "rep stosb",
        "pop rdi",
        "ret",
        ".globl bench_test_end",
        "bench_test_end:",
    );

    unsafe extern "C" {
        static bench_test_loop: u8;
        static bench_test_string: u8;
        static bench_test_end: u8;
    }

    fn code() -> Range<usize> {
        (&raw const bench_test_loop).addr()..(&raw const bench_test_end).addr()
    }

    #[test]
    fn known_code_is_counted_exactly() {
        let counter = Counter::new(&[code()]);
        // SAFETY: the code above takes no arguments.
        unsafe { counter.call((&raw const bench_test_loop).addr(), &[0; 5]) };
        assert_eq!(counter.total(), 22);
        let mut bytes = [0_u8; 100];
        counter.clear();
        let arguments = [bytes.as_mut_ptr().expose_provenance(), 0, 0, 0, 0];
        // SAFETY: the code above fills the hundred bytes with AL.
        unsafe { counter.call((&raw const bench_test_string).addr(), &arguments) };
        assert_eq!(counter.total(), 6);
        assert_eq!(counter.hits().count(), 6);
    }

    #[test]
    fn other_code_does_not_count() {
        let counter = Counter::new(&[code()]);
        let (from, mut to) = ([1_u8; 64], [0_u8; 64]);
        let arguments = [to.as_mut_ptr().expose_provenance(), from.as_ptr().expose_provenance(), 64, 0, 0];
        // SAFETY: memcpy between two arrays of this length.
        unsafe { counter.call(crate::routines::COPY as *const () as usize, &arguments) };
        assert_eq!((counter.total(), to), (0, from));
    }
}
