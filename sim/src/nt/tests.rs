//! Tests of the exports, called as the driver calls them: by the address that is bound to their name.

use std::arch::asm;
use std::rc::Rc;
use std::time::Duration;

use crate::abi::{KEVENT, UNICODE_STRING};
use crate::machine::{Config, DISPATCH_LEVEL, FailPlan, Machine};
use crate::verifier::trips::Trip;

/// The rules that are tripped by tests of this part.
pub(crate) const TRIPS: &[Trip] = &[
    ("BC.18", run_down_waits_for_references),
    ("BC.C1.0x24", writing_into_the_slack_of_a_block_is_found),
    ("BC.C2.0x9B", pool_misuse_is_found),
    ("BC.C2.0x9D", pool_misuse_is_found),
    ("CO-289", event_misuse_is_found),
    ("CO-301", event_misuse_is_found),
    ("DDI.IrqlKeReleaseSpinLock", spin_lock_misuse_is_found),
    ("DV.C2.0x0A", pool_misuse_is_found),
    ("DV.C4.0x00", pool_misuse_is_found),
    ("DV.C4.0x10", pool_misuse_is_found),
    ("DV.C4.0x13", pool_misuse_is_found),
    ("DV.C4.0x16", pool_misuse_is_found),
    ("DV.C4.0x2000", pool_misuse_is_found),
    ("DV.C4.0x62", what_is_left_at_unload_is_found_with_its_tag),
    ("DV.C4.0xDC", what_is_left_at_unload_is_found_with_its_tag),
    ("DV.C4.0xDD", only_registered_event_providers_are_used),
    ("DV.C4.0xF0", memory_routines),
    ("SDV.NdisStallExecution_Delay", clocks_agree_and_long_stalls_are_found),
];

/// The export `$name` as a function of this type.
macro_rules! export {
    ($name:ident: fn($($parameter:ty),*) $(-> $result:ty)?) => {{
        let name = stringify!($name);
        let export = super::exports().into_iter().find(|export| export.name == name).expect("exported");
        // SAFETY: the type is that of the routine's page.
        let f = unsafe {
            std::mem::transmute::<usize, unsafe extern "win64" fn($($parameter),*) $(-> $result)?>(export.address)
        };
        // SAFETY: the tests pass what the routine asks for, or mean to be caught.
        move |a, b, c| unsafe { apply!(f, a, b, c, $($parameter),*) }
    }};
}

/// Passes as many of three arguments as there are parameters.
macro_rules! apply {
    ($f:ident, $a:ident, $b:ident, $c:ident,) => {{
        let ((), (), ()) = ($a, $b, $c);
        $f()
    }};
    ($f:ident, $a:ident, $b:ident, $c:ident, $p:ty) => {{
        let ((), ()) = ($b, $c);
        $f($a)
    }};
    ($f:ident, $a:ident, $b:ident, $c:ident, $p:ty, $q:ty) => {{
        let () = $c;
        $f($a, $b)
    }};
    ($f:ident, $a:ident, $b:ident, $c:ident, $p:ty, $q:ty, $r:ty) => {
        $f($a, $b, $c)
    };
}

const TAG: u32 = u32::from_le_bytes(*b"mcmT");

fn run(config: Config, f: impl FnOnce(&Machine) + 'static) -> Rc<Machine> {
    let machine = Machine::new(config);
    let thread = machine.spawn("test", move || f(&Machine::current()));
    machine.join(thread).expect("the thread ends");
    machine
}

/// Runs `f` and returns the rules that it violated.
fn violated(f: impl FnOnce(&Machine) + 'static) -> Vec<String> {
    let machine = run(Config::default(), f);
    machine.verifier().findings().iter().map(|finding| finding.rule.to_string()).collect()
}

fn at_dispatch(machine: &Machine, f: impl FnOnce()) {
    let old = machine.raise_irql(DISPATCH_LEVEL);
    f();
    machine.lower_irql(old);
}

fn allocate(len: usize) -> *mut u8 {
    export!(ExAllocatePool2: fn(u64, usize, u32) -> *mut u8)(0x40, len, TAG)
}

fn free(block: *mut u8, tag: u32) {
    export!(ExFreePoolWithTag: fn(*mut u8, u32))(block, tag, ());
}

#[test]
fn names_are_exported_once_a_module() {
    let mut names: Vec<_> = super::exports().iter().map(|export| (export.module, export.name)).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn pool_is_zeroed_aligned_and_given_back() {
    let rules = violated(|machine| {
        for len in [1, 15, 16, 17, 100, 4095, 4096, 4097, 20_000] {
            let block = allocate(len);
            assert!(block.addr().is_multiple_of(if len >= 4096 { 4096 } else { 16 }));
            // SAFETY: the block has `len` bytes.
            let bytes = unsafe { std::slice::from_raw_parts_mut(block, len) };
            assert!(bytes.iter().all(|&byte| byte == 0));
            bytes.fill(0xFF);
            free(block, TAG);
        }
        super::audit_unload(machine);
    });
    assert_eq!(rules, [""; 0]);
}

#[test]
fn pool_misuse_is_found() {
    let rules = violated(|_| {
        let block = allocate(8);
        free(block, TAG);
        free(block, TAG);
    });
    assert_eq!(rules, ["DV.C4.0x13"]);
    assert_eq!(violated(|_| free(allocate(8), TAG + 1)), ["DV.C2.0x0A"]);
    assert_eq!(violated(|_| free(allocate(8), 0)), [""; 0], "tag zero stands for any");
    assert_eq!(violated(|_| free(allocate(80).wrapping_add(16), TAG)), ["DV.C4.0x16"]);
    assert_eq!(violated(|_| free(std::ptr::dangling_mut(), TAG)), ["DV.C4.0x10"]);
    assert_eq!(violated(|_| free(allocate(0), TAG)), ["DV.C4.0x00"]);
    let zero_tag = violated(|_| _ = export!(ExAllocatePool2: fn(u64, usize, u32) -> *mut u8)(0x40, 8, 0));
    assert_eq!(zero_tag, ["BC.C2.0x9B"]);
    let bad_tag = violated(|_| _ = export!(ExAllocatePool2: fn(u64, usize, u32) -> *mut u8)(0x40, 8, 0x0101));
    assert_eq!(bad_tag, ["BC.C2.0x9D"]);
    let executable = violated(|_| _ = export!(ExAllocatePool2: fn(u64, usize, u32) -> *mut u8)(0x80, 8, TAG));
    assert_eq!(executable, ["DV.C4.0x2000"]);
}

#[test]
fn writing_into_the_slack_of_a_block_is_found() {
    let rules = violated(|_| {
        let block = allocate(10);
        // SAFETY: blocks are rounded up to 16 bytes; the byte is not the block's, which is what is tested.
        unsafe { block.wrapping_add(10).write(1) };
        free(block, TAG);
    });
    assert_eq!(rules, ["BC.C1.0x24"]);
}

#[test]
fn what_is_left_at_unload_is_found_with_its_tag() {
    let machine = run(Config::default(), |machine| {
        allocate(24);
        let mut handle = 0_u64;
        let export =
            super::exports().into_iter().find(|export| export.name == "EtwRegister").expect("exported");
        // SAFETY: the type is that of the routine's page.
        let register = unsafe {
            std::mem::transmute::<usize, unsafe extern "win64" fn(usize, usize, usize, *mut u64) -> i32>(
                export.address,
            )
        };
        // SAFETY: the handle has room.
        assert_eq!(unsafe { register(0, 0, 0, &raw mut handle) }, 0);
        assert_eq!(handle, 1);
        super::audit_unload(machine);
    });
    let findings = machine.verifier().findings();
    assert_eq!(
        findings.iter().map(|finding| &*finding.rule).collect::<Vec<_>>(),
        ["DV.C4.0x62", "DV.C4.0xDC"]
    );
    assert!(findings[0].detail.contains("24 bytes, tag mcmT"), "{}", findings[0]);
}

#[test]
fn only_registered_event_providers_are_used() {
    assert_eq!(violated(|_| _ = export!(EtwUnregister: fn(u64) -> i32)(5, (), ())), ["DV.C4.0xDD"]);
}

#[test]
fn an_allocation_fails_when_the_plan_says_so() {
    let config = Config { fail: Some(FailPlan::Named("ExAllocatePool2", 1)), ..Config::default() };
    let machine = run(config, |_| {
        assert!(!allocate(8).is_null());
        assert!(allocate(8).is_null());
        assert!(!allocate(8).is_null());
    });
    assert_eq!(machine.injected_failures(), 1);
}

#[test]
fn spin_locks_raise_and_restore() {
    let rules = violated(|machine| {
        let mut lock = 0_usize;
        let old = export!(KeAcquireSpinLockRaiseToDpc: fn(*mut usize) -> u8)(&raw mut lock, (), ());
        assert_eq!((old, machine.irql(), machine.locks_held()), (0, DISPATCH_LEVEL, 1));
        export!(KeReleaseSpinLock: fn(*mut usize, u8))(&raw mut lock, old, ());
        assert_eq!((machine.irql(), machine.locks_held()), (0, 0));
        at_dispatch(machine, || {
            let take = export!(KeTryToAcquireSpinLockAtDpcLevel: fn(*mut usize) -> u8);
            assert_eq!(take(&raw mut lock, (), ()), 1);
            assert_eq!(take(&raw mut lock, (), ()), 0);
            export!(KeReleaseSpinLockFromDpcLevel: fn(*mut usize))(&raw mut lock, (), ());
        });
    });
    assert_eq!(rules, [""; 0]);
}

#[test]
fn a_lock_that_was_tried_is_released_either_way() {
    let rules = violated(|machine| {
        let mut lock = 0_usize;
        let take = export!(KeTryToAcquireSpinLockAtDpcLevel: fn(*mut usize) -> u8);
        at_dispatch(machine, || {
            assert_eq!(take(&raw mut lock, (), ()), 1);
            export!(KeReleaseSpinLockFromDpcLevel: fn(*mut usize))(&raw mut lock, (), ());
            assert_eq!((machine.irql(), machine.locks_held()), (DISPATCH_LEVEL, 0));
        });
        machine.raise_irql(DISPATCH_LEVEL);
        assert_eq!(take(&raw mut lock, (), ()), 1);
        export!(KeReleaseSpinLock: fn(*mut usize, u8))(&raw mut lock, 0, ());
        assert_eq!((machine.irql(), machine.locks_held()), (0, 0));
    });
    assert_eq!(rules, [""; 0]);
}

#[test]
fn kernel_and_ndis_tell_one_release() {
    for windows in crate::machine::Windows::RELEASES {
        let config = Config { windows, ..Config::default() };
        run(config, move |_| {
            let mut information = [0_u32; 69];
            export!(RtlGetVersion: fn(*mut u32) -> i32)(information.as_mut_ptr(), (), ());
            assert_eq!((information[1], information[2], information[3]), windows.kernel);
            let exports = crate::ndis::exports();
            let export = exports.iter().find(|it| it.name == "NdisGetVersion").expect("exported");
            // SAFETY: the type is that of the routine's page.
            let get =
                unsafe { std::mem::transmute::<usize, unsafe extern "win64" fn() -> u32>(export.address) };
            // SAFETY: it takes nothing.
            let version = unsafe { get() };
            assert_eq!((version >> 16, version & 0xFFFF), (6, windows.ndis.1.into()), "{}", windows.name);
        });
    }
}

#[test]
fn spin_lock_misuse_is_found() {
    let wrong_irql = violated(|machine| {
        let mut lock = 0_usize;
        machine.raise_irql(1);
        export!(KeAcquireSpinLockRaiseToDpc: fn(*mut usize) -> u8)(&raw mut lock, (), ());
        export!(KeReleaseSpinLock: fn(*mut usize, u8))(&raw mut lock, 0, ());
    });
    assert_eq!(wrong_irql, ["DDI.IrqlKeReleaseSpinLock"]);
    let low = violated(|machine| {
        let mut lock = 0_usize;
        export!(KeAcquireSpinLockAtDpcLevel: fn(*mut usize))(&raw mut lock, (), ());
        at_dispatch(machine, || {
            export!(KeReleaseSpinLockFromDpcLevel: fn(*mut usize))(&raw mut lock, (), ());
        });
    });
    assert_eq!(low, ["IRQL.KeAcquireSpinLockAtDpcLevel"]);
    let freed = violated(|machine| {
        let block = std::ptr::with_exposed_provenance_mut::<usize>(allocate(8).expose_provenance());
        at_dispatch(machine, || {
            export!(KeAcquireSpinLockAtDpcLevel: fn(*mut usize))(block, (), ());
            free(block.cast(), TAG);
        });
    });
    assert_eq!(freed, ["DV.C4.0x100B"]);
}

#[test]
fn events_are_set_waited_for_and_polled() {
    let rules = violated(|machine| {
        let mut event = KEVENT::default();
        let event = &raw mut event;
        export!(KeInitializeEvent: fn(*mut KEVENT, i32, u8))(event, 1, 0);
        let setter = event.expose_provenance();
        machine.after(Duration::from_millis(5), move || {
            super::event::set(&Machine::current(), std::ptr::with_exposed_provenance_mut(setter));
        });
        assert!(super::event::wait(machine, event, None));
        assert!(!super::event::wait(machine, event, Some(Duration::from_millis(1))), "a waiter resets it");
        assert_eq!(export!(KeSetEvent: fn(*mut KEVENT, i32, u8) -> i32)(event, 0, 0), 0);
        // SAFETY: the event is a local.
        assert_eq!(unsafe { (*event).Header.SignalState }, 1);
        assert_eq!(export!(KeReadStateEvent: fn(*mut KEVENT) -> i32)(event, (), ()), 1);
        assert_eq!(export!(KeResetEvent: fn(*mut KEVENT) -> i32)(event, (), ()), 1);
        at_dispatch(machine, || assert!(!super::event::wait(machine, event, Some(Duration::ZERO))));
    });
    assert_eq!(rules, [""; 0]);
}

#[test]
fn event_misuse_is_found() {
    let unknown = violated(|_| {
        let mut event = KEVENT::default();
        export!(KeSetEvent: fn(*mut KEVENT, i32, u8) -> i32)(&raw mut event, 0, 0);
    });
    assert_eq!(unknown, ["CO-289"]);
    let raised = violated(|machine| {
        let mut event = KEVENT::default();
        export!(KeInitializeEvent: fn(*mut KEVENT, i32, u8))(&raw mut event, 0, 0);
        at_dispatch(machine, || assert!(!super::event::wait(machine, &raw mut event, None)));
    });
    assert_eq!(raised, ["DV.C4.0x3B"]);
    let locked = violated(|machine| {
        let mut event = KEVENT::default();
        export!(KeInitializeEvent: fn(*mut KEVENT, i32, u8))(&raw mut event, 0, 1);
        machine.acquire(1, crate::machine::LockKind::Other);
        super::event::wait(machine, &raw mut event, None);
        machine.release(1, crate::machine::LockKind::Other);
    });
    assert_eq!(locked, ["CO-301"]);
}

#[test]
fn run_down_waits_for_references() {
    let rules = violated(|machine| {
        let mut reference = 0_usize;
        let reference = &raw mut reference;
        let acquire = export!(ExAcquireRundownProtection: fn(*mut usize) -> u8);
        assert_eq!(acquire(reference, (), ()), 1);
        let other = reference.expose_provenance();
        machine.spawn("user", move || {
            Machine::current().sleep(Duration::from_millis(1));
            let reference = std::ptr::with_exposed_provenance_mut(other);
            export!(ExReleaseRundownProtection: fn(*mut usize))(reference, (), ());
        });
        export!(ExWaitForRundownProtectionRelease: fn(*mut usize))(reference, (), ());
        assert!(machine.now() >= Duration::from_millis(1));
        assert_eq!(acquire(reference, (), ()), 0);
    });
    assert_eq!(rules, [""; 0]);
    let rules = violated(|_| {
        let mut reference = 0_usize;
        export!(ExReleaseRundownProtection: fn(*mut usize))(&raw mut reference, (), ());
    });
    assert_eq!(rules, ["BC.18"]);
}

#[test]
fn clocks_agree_and_long_stalls_are_found() {
    let rules = violated(|_| {
        let counter = export!(KeQueryPerformanceCounter: fn(*mut i64) -> i64);
        let mut frequency = 0;
        let before = counter(&raw mut frequency, (), ());
        export!(KeStallExecutionProcessor: fn(u32))(50, (), ());
        let elapsed = counter(std::ptr::null_mut(), (), ()) - before;
        assert_eq!(frequency, 10_000_000);
        assert!((500..600).contains(&elapsed), "{elapsed} ticks of 100 ns");
    });
    assert_eq!(rules, [""; 0]);
    let rules = violated(|_| export!(KeStallExecutionProcessor: fn(u32))(51, (), ()));
    assert_eq!(rules, ["SDV.NdisStallExecution_Delay"]);
}

#[test]
fn queued_dpcs_can_be_waited_for() {
    for seed in 0..20 {
        run(Config { seed, ..Config::default() }, |machine| {
            let ran = std::rc::Rc::new(std::cell::Cell::new(0));
            for cpu in [0, 1, 1] {
                let ran = std::rc::Rc::clone(&ran);
                machine.queue_dpc(Some(cpu), "dpc", move || {
                    Machine::current().preempt();
                    ran.set(ran.get() + 1);
                });
            }
            export!(KeFlushQueuedDpcs: fn())((), (), ());
            assert_eq!(ran.get(), 3);
        });
    }
}

#[test]
fn debug_output_is_formatted_into_the_log() {
    let machine = run(Config::default(), |_| {
        let print = export!(DbgPrint: fn(*const u8, u64, u64) -> i32);
        let name = c"adapter".as_ptr().expose_provenance() as u64;
        print(c"%s: %d%% of 0x%x %p\n".as_ptr().cast(), name, 0xFFFF_FFFF);
    });
    assert!(machine.log_text().contains("DbgPrint: adapter: -1% of 0x"), "{}", machine.log_text());
    assert!(!machine.log_text().contains("%p"));
}

#[test]
fn a_bug_check_ends_the_run() {
    let machine = Machine::new(Config::default());
    let thread = machine.spawn("dies", || {
        export!(KeBugCheckEx: fn(u32, usize, usize))(0xE2, 1, 2);
    });
    let stuck = machine.join(thread).expect_err("ends");
    assert!(stuck.crash.expect("a crash").reason.starts_with("KeBugCheckEx(0xe2, 0x1, 0x2"));
}

#[test]
fn strings_compare_with_and_without_case() {
    fn string(text: &mut Vec<u16>) -> UNICODE_STRING {
        let bytes = u16::try_from(2 * text.len()).expect("short");
        UNICODE_STRING { Length: bytes, MaximumLength: bytes, Buffer: text.as_mut_ptr() }
    }
    run(Config::default(), |_| {
        let (mut a, mut b) =
            ("Mtu".encode_utf16().collect::<Vec<_>>(), "MTU".encode_utf16().collect::<Vec<_>>());
        let (a, b) = (string(&mut a), string(&mut b));
        let equal =
            export!(RtlEqualUnicodeString: fn(*const UNICODE_STRING, *const UNICODE_STRING, u8) -> u8);
        assert_eq!((equal(&raw const a, &raw const b, 1), equal(&raw const a, &raw const b, 0)), (1, 0));
        let mut c = UNICODE_STRING::default();
        let source = [u16::from(b'M'), u16::from(b't'), u16::from(b'u'), 0];
        export!(RtlInitUnicodeString: fn(*mut UNICODE_STRING, *const u16))(&raw mut c, source.as_ptr(), ());
        assert_eq!((c.Length, c.MaximumLength), (6, 8));
        assert_eq!(equal(&raw const a, &raw const c, 0), 1);
    });
}

#[test]
fn the_stack_probe_changes_nothing() {
    let machine = run(Config::default(), |_| {
        let probe =
            super::exports().into_iter().find(|export| export.name == "__chkstk").expect("exported").address;
        for size in [0_u64, 8, 4096, 4097, 65_536] {
            let (mut rax, mut rcx, mut r10, mut r11) = (size, 2_u64, 3_u64, 4_u64);
            // SAFETY: the probe reads pages of this stack, which is far larger, and pops what it pushes.
            unsafe {
                asm!("call {}", in(reg) probe, inout("rax") rax, inout("rcx") rcx, inout("r10") r10, inout("r11") r11);
            }
            assert_eq!((rax, rcx, r10, r11), (size, 2, 3, 4));
        }
    });
    assert!(machine.verifier().findings().is_empty());
}

#[test]
fn memory_routines() {
    let rules = violated(|_| {
        let mut bytes = [1_u8, 2, 3, 4, 5, 6];
        let start = bytes.as_mut_ptr();
        let set = export!(memset: fn(*mut u8, i32, usize) -> *mut u8);
        set(start, 0x1FF, 2);
        let r#move = export!(memmove: fn(*mut u8, *const u8, usize) -> *mut u8);
        r#move(start.wrapping_add(1), start.cast_const(), 5);
        assert_eq!(bytes, [255, 255, 255, 3, 4, 5]);
        let compare = export!(memcmp: fn(*const u8, *const u8, usize) -> i32);
        assert_eq!(compare([1, 2].as_ptr(), [1, 3].as_ptr(), 2), -1);
    });
    assert_eq!(rules, [""; 0]);
    let rules = violated(|_| {
        let mut bytes = [0_u8; 6];
        let copy = export!(memcpy: fn(*mut u8, *const u8, usize) -> *mut u8);
        copy(bytes.as_mut_ptr().wrapping_add(1), bytes.as_ptr(), 5);
    });
    assert_eq!(rules, ["DV.C4.0xF0"]);
}
