//! Faults of the driver's code: accesses to registers, ports, CR8 and `KUSER_SHARED_DATA`, and crashes.
//!
//! The signal handler runs on a stack of its own. It never switches activities: to preempt the activity it interrupted
//! it makes that one call [`preempt_thunk`] first, and to end it, it has the coroutine return.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::rc::Rc;
use std::sync::OnceLock;

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};

use super::activity::{Activity, Exit};
use super::registers::Registers;
use super::{Machine, decode, shared_data};
use crate::memory::pages::{Access, Reservation};

const SIGNALS: [libc::c_int; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP];
/// Stack of the handler, on which device models run too.
const STACK: usize = 1 << 20;
/// Longest x86 instruction.
const LONGEST: usize = 15;
/// Code of the host's ABI keeps data below its stack pointer.
const RED_ZONE: u64 = 128;

static FORMER: OnceLock<Vec<(libc::c_int, libc::sigaction)>> = OnceLock::new();

thread_local! {
    static ALTERNATE: RefCell<Option<Alternate>> = const { RefCell::new(None) };
}

/// The stack that this OS thread's handlers run on.
struct Alternate {
    _pages: Reservation,
}

impl Alternate {
    fn install() -> Self {
        let pages = Reservation::new(STACK);
        pages.protect(0, STACK, Access::ReadWrite);
        let stack = libc::stack_t { ss_sp: pages.pointer(0).cast(), ss_flags: 0, ss_size: STACK };
        // SAFETY: the stack stays mapped until `drop` disables it.
        let result = unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) };
        assert!(result == 0, "sigaltstack: {}", std::io::Error::last_os_error());
        Self { _pages: pages }
    }
}

impl Drop for Alternate {
    fn drop(&mut self) {
        let stack = libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
        // SAFETY: no handler runs while thread-local values are dropped.
        unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) };
    }
}

/// Installs the handlers: once a process, and their stack once a thread.
pub(super) fn install() {
    FORMER.get_or_init(|| SIGNALS.into_iter().map(|signal| (signal, set_action(signal))).collect());
    ALTERNATE.with(|stack| {
        stack.borrow_mut().get_or_insert_with(Alternate::install);
    });
}

fn set_action(signal: libc::c_int) -> libc::sigaction {
    // SAFETY: all bits zero is a valid `sigaction`: the default action.
    let (mut new, mut old): (libc::sigaction, libc::sigaction) = unsafe { std::mem::zeroed() };
    new.sa_sigaction = on_signal as *const () as usize;
    new.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
    // SAFETY: both structures are valid, and the handler has the signature that SA_SIGINFO asks for.
    let result = unsafe { libc::sigaction(signal, &raw const new, &raw mut old) };
    assert!(result == 0, "sigaction: {}", std::io::Error::last_os_error());
    old
}

/// Leaves the signal to whoever handled it before: the instruction faults again.
fn forward(signal: libc::c_int) {
    let former = FORMER.get().and_then(|all| all.iter().find(|(number, _)| *number == signal));
    if let Some((_, action)) = former {
        // SAFETY: the structure came from `sigaction`.
        unsafe { libc::sigaction(signal, action, ptr::null_mut()) };
    }
}

extern "C" fn on_signal(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let machine = Machine::try_current();
    let Some((machine, activity)) =
        machine.and_then(|machine| machine.activity().map(|activity| (machine, activity)))
    else {
        return forward(signal);
    };
    // SAFETY: the kernel passes a valid siginfo_t.
    let info = unsafe { &*info };
    // SAFETY: SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGTRAP have an address.
    let address = unsafe { info.si_addr() }.addr();
    // SAFETY: the kernel passes a valid ucontext_t, which nobody else refers to while the handler runs.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let mut registers = Registers::new(&mut context.uc_mcontext.gregs);
    let fault = Fault { signal, general: info.si_code == libc::SI_KERNEL, address };
    let outcome = catch_unwind(AssertUnwindSafe(|| machine.handle(&activity, &fault, &mut registers)));
    match outcome {
        Ok(Outcome::Continue) => {}
        Ok(Outcome::Preempt) => call_preempt(&mut registers),
        Ok(Outcome::End) => end(&activity, &mut registers, None),
        Err(panic) => end(&activity, &mut registers, Some(panic)),
    }
}

enum Outcome {
    Continue,
    Preempt,
    End,
}

pub(super) struct Fault {
    pub(super) signal: libc::c_int,
    /// A general protection fault: no address is known.
    pub(super) general: bool,
    pub(super) address: usize,
}

impl Machine {
    fn handle(&self, activity: &Activity, fault: &Fault, registers: &mut Registers<'_>) -> Outcome {
        if fault.signal == libc::SIGSEGV && self.emulate(fault, registers) {
            return if self.preemption_due() { Outcome::Preempt } else { Outcome::Continue };
        }
        self.crashed(activity, fault, registers);
        Outcome::End
    }

    /// Carries out an access to a register, to ports or to CR8, or a read of `KUSER_SHARED_DATA`.
    fn emulate(&self, fault: &Fault, registers: &mut Registers<'_>) -> bool {
        let region = self.mmio.find(fault.address);
        let shared = shared_data::offset(fault.address).filter(|_| !fault.general);
        if region.is_none() && shared.is_none() && !fault.general {
            return false;
        }
        let instruction = instruction_at(registers.instruction_pointer());
        let done = match (region, shared) {
            (Some((device, offset)), _) => decode::access(&instruction, registers, &*device, offset),
            (None, Some(offset)) => self.read_shared_data(&instruction, registers, offset),
            (None, None) => {
                self.access_cr8(&instruction, registers) || self.access_port(&instruction, registers)
            }
        };
        if done {
            registers.set_instruction_pointer(instruction.next_ip());
        }
        done
    }

    /// `KeGetCurrentIrql`, `KeRaiseIrql` and `KeLowerIrql` as x64 compilers see them.
    fn access_cr8(&self, instruction: &Instruction, registers: &mut Registers<'_>) -> bool {
        if instruction.mnemonic() != Mnemonic::Mov {
            return false;
        }
        match (instruction.op0_register(), instruction.op1_register()) {
            (Register::CR8, source) => {
                let Some(irql) = registers.read(source).and_then(|value| u8::try_from(value).ok()) else {
                    return false;
                };
                if irql < self.irql() {
                    self.lower_irql(irql);
                } else {
                    self.raise_irql(irql);
                }
                true
            }
            (target, Register::CR8) => registers.write(target, self.irql().into()).is_some(),
            _ => false,
        }
    }
}

/// The instruction at `address`, which was just executed and so can be read.
pub(super) fn instruction_at(address: usize) -> Instruction {
    // An instruction at the end of the last executable page is shorter than the longest one.
    let page_left = crate::memory::pages::PAGE - address % crate::memory::pages::PAGE;
    let first = decode_bytes(address, page_left.min(LONGEST));
    if first.is_invalid() && page_left < LONGEST { decode_bytes(address, LONGEST) } else { first }
}

fn decode_bytes(address: usize, len: usize) -> Instruction {
    // SAFETY: the processor fetched the instruction from here; the bytes read lie in its pages.
    let bytes = unsafe { std::slice::from_raw_parts(ptr::with_exposed_provenance::<u8>(address), len) };
    Decoder::with_ip(64, bytes, address as u64, DecoderOptions::NONE).decode()
}

/// Whether the instruction is INT 29h, by which Windows code reports that its own state is corrupt.
pub(super) fn is_fast_fail(instruction: &Instruction) -> bool {
    instruction.mnemonic() == Mnemonic::Int
        && instruction.op0_kind() == OpKind::Immediate8
        && instruction.immediate8() == 0x29
}

/// Has the activity return from its coroutine: its stack is given up.
fn end(activity: &Rc<Activity>, registers: &mut Registers<'_>, panic: Option<Box<dyn Any + Send>>) {
    let Some(trap) = activity.trap() else { return };
    let ending = move || match panic {
        Some(panic) => resume_unwind(panic),
        None => Exit::Crashed,
    };
    // SAFETY: the coroutine is the one that was interrupted, and the handler runs on another stack. What the abandoned
    // frames own is lost; the machine runs no activity after a crash.
    let target = unsafe { trap.setup_trap_handler(ending) };
    registers.clear_direction();
    registers.set_instruction_pointer(target.rip);
    registers.set_stack_pointer(target.rsp);
    registers.set(libc::REG_RBP, target.rbp);
    registers.set(libc::REG_RDI, target.rdi);
    registers.set(libc::REG_RSI, target.rsi);
}

/// Has the activity call the scheduler before it goes on where it is.
fn call_preempt(registers: &mut Registers<'_>) {
    let stack = registers.stack_pointer() as u64 - RED_ZONE - 8;
    let slot = ptr::with_exposed_provenance_mut::<u64>(usize::try_from(stack).unwrap_or(0));
    // SAFETY: the interrupted activity's stack goes down from its stack pointer and the red zone; nobody uses what is
    // below. If the stack ends there, the fault in the handler ends the process as a stack overflow does.
    unsafe { slot.write_unaligned(registers.instruction_pointer() as u64) };
    registers.set_stack_pointer(stack);
    registers.set_instruction_pointer(preempt_thunk as *const () as u64);
}

/// Saves what the interrupted code may use, lets others run, and returns to it.
#[unsafe(naked)]
extern "C" fn preempt_thunk() {
    std::arch::naked_asm!(
        "pushfq",
        "cld",
        "push rax",
        "push rcx",
        "push rdx",
        "push rbx",
        "push rbp",
        "push rsi",
        "push rdi",
        "push r8",
        "push r9",
        "push r10",
        "push r11",
        "mov rbp, rsp",
        "sub rsp, 512",
        "and rsp, -16",
        "fxsave64 [rsp]",
        "mov rbx, rsp",
        "call {suspend}",
        "fxrstor64 [rbx]",
        "mov rsp, rbp",
        "pop r11",
        "pop r10",
        "pop r9",
        "pop r8",
        "pop rdi",
        "pop rsi",
        "pop rbp",
        "pop rbx",
        "pop rdx",
        "pop rcx",
        "pop rax",
        "popfq",
        "ret 128",
        suspend = sym suspend_current,
    )
}

extern "C" fn suspend_current() {
    let activity = Machine::current().activity();
    if let Some(activity) = activity {
        activity.suspend();
    }
}
