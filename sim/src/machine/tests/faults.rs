use std::arch::asm;
use std::cell::Cell;
use std::rc::Rc;

use super::{machine, rules, run};
use crate::machine::{Crash, DISPATCH_LEVEL, IrqlRange, Machine, enter};

/// Runs `f`, which crashes, and returns what is told of it.
pub(super) fn crash(f: impl FnOnce() + 'static) -> Crash {
    let machine = machine(1);
    let thread = machine.spawn("crashes", f);
    let stuck = machine.join(thread).expect_err("a crash");
    let crash = stuck.crash.expect("a crash");
    assert_eq!(rules(&machine), [crash.rule]);
    crash
}

fn touch(address: usize) {
    // SAFETY: none; the machine is to catch it.
    unsafe { std::ptr::with_exposed_provenance_mut::<u8>(address).write_volatile(1) };
}

#[test]
pub(super) fn null_pointers() {
    let told = crash(|| touch(0x18));
    assert_eq!(told.rule, "BC.50");
    assert!(told.reason.starts_with("write to a null pointer (address 0x18)"), "{told}");
    let told = crash(|| {
        Machine::current().raise_irql(DISPATCH_LEVEL);
        touch(0x18);
    });
    assert_eq!(told.rule, "BC.D1");
}

#[test]
pub(super) fn freed_memory() {
    let told = crash(|| {
        let machine = Machine::current();
        let block = machine.pool().allocate(100, u32::from_le_bytes(*b"mcmA"), true, "maker".to_owned());
        machine.pool().free(block, None, "breaker".to_owned()).expect("allocated");
        touch(block.addr() + 8);
    });
    assert_eq!(told.rule, "BC.CC");
    assert!(told.reason.starts_with("write to offset 8 of block 1 (100 bytes, tag mcmA"), "{told}");
    assert!(told.reason.contains("allocated by maker, freed by breaker"), "{told}");
}

#[test]
pub(super) fn past_the_end() {
    let told = crash(|| {
        let block = Machine::current().pool().allocate(96, 1, true, String::new());
        touch(block.addr() + 95);
        touch(block.addr() + 96);
    });
    assert_eq!(told.rule, "BC.CD");
    assert!(told.reason.contains("0 bytes past the end of block 1"), "{told}");
}

#[test]
fn handles() {
    let told = crash(|| {
        let handle = Machine::current().handles().create("vc", Rc::new(()));
        touch(handle.addr() + 4);
    });
    assert_eq!(told.rule, "BC.50");
    assert!(told.reason.contains("the open handle of vc#1"), "{told}");
}

#[test]
pub(super) fn past_the_registers() {
    struct Nothing;
    impl crate::machine::Mmio for Nothing {
        fn read(&self, _: u64, _: u8) -> u64 {
            0
        }
        fn write(&self, _: u64, _: u8, _: u64) {}
    }
    let told = crash(|| {
        let va = Machine::current().mmio_map(100, Rc::new(Nothing));
        touch(va + 99);
        touch(va + 100);
    });
    assert_eq!(told.rule, "CO-292");
}

#[test]
fn within_an_export() {
    let told = crash(|| {
        let _call = enter("NdisSetEvent", IrqlRange::DISPATCH_OR_BELOW);
        touch(0);
    });
    assert_eq!(told.stack, ["NdisSetEvent"]);
}

#[test]
pub(super) fn invalid_instructions() {
    // SAFETY: the machine catches it.
    let told = crash(|| unsafe { asm!("ud2") });
    assert_eq!(told.rule, "BC.7F.0x06");
    // SAFETY: the machine catches it.
    let told = crash(|| unsafe { asm!("int3") });
    assert_eq!(told.rule, "SDVW.DebugBreakUsage");
    // SAFETY: the machine catches it.
    let told = crash(|| unsafe { asm!("mov ecx, 2", "int 0x29") });
    assert_eq!((told.rule, told.reason.contains("code 2")), ("BC.139", true));
    // SAFETY: the machine catches it.
    let told = crash(|| unsafe { asm!("cli") });
    assert_eq!(told.rule, "BC.C0000096");
    assert!(told.reason.contains("privileged instruction Cli"), "{told}");
    // SAFETY: the machine catches it.
    let told = crash(|| unsafe {
        asm!("xor ecx, ecx", "mov eax, 1", "cdq", "div ecx", out("eax") _, out("ecx") _, out("edx") _);
    });
    assert_eq!(told.rule, "BC.7F.0x00");
}

#[test]
pub(super) fn calls_of_data() {
    let told = crash(|| {
        let block = Machine::current().pool().allocate(4096, 1, true, String::new());
        // SAFETY: none; the machine is to catch it.
        let f = unsafe { std::mem::transmute::<*mut u8, extern "C" fn()>(block) };
        f();
    });
    assert_eq!(told.rule, "BC.FC");
}

#[expect(unconditional_recursion, reason = "to overflow the stack")]
fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    recurse(depth + 1) + frame[0]
}

#[test]
pub(super) fn stack_overflows() {
    let told = crash(|| _ = recurse(0));
    assert_eq!(told.rule, "BC.7F.0x08");
}

#[test]
pub(super) fn a_stop_by_the_driver() {
    let told = crash(|| Machine::current().stop("BC.BugCheck", "KeBugCheckEx".to_owned()));
    assert_eq!(told.reason, "KeBugCheckEx");
}

#[test]
fn reading_and_writing_cr8_is_reading_and_changing_the_irql() {
    fn read() -> u64 {
        let irql;
        // SAFETY: the machine carries the instruction out.
        unsafe { asm!("mov {}, cr8", out(reg) irql) };
        irql
    }
    fn write(irql: u64) {
        // SAFETY: the machine carries the instruction out.
        unsafe { asm!("mov cr8, {}", in(reg) irql) };
    }
    let machine = machine(1);
    let seen = Rc::new(Cell::new([0; 3]));
    let out = Rc::clone(&seen);
    run(&machine, move || {
        let before = read();
        write(2);
        let inside = (read(), Machine::current().irql());
        write(0);
        assert_eq!(inside, (2, 2));
        out.set([before, inside.0, read()]);
    });
    assert_eq!(seen.get(), [0, 2, 0]);
    assert_eq!(rules(&machine), [""; 0]);
}

#[test]
fn a_crash_leaves_other_machines_alone() {
    let others: Vec<_> = (0..4)
        .map(|index| std::thread::spawn(move || if index % 2 == 0 { crash(|| touch(0)).rule } else { "" }))
        .collect();
    let ends: Vec<_> = others.into_iter().map(|other| other.join().expect("no panic")).collect();
    assert_eq!(ends, ["BC.50", "", "BC.50", ""]);
}
