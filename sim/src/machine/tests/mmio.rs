use std::arch::asm;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use proptest::prelude::*;

use super::{machine, run};
use crate::machine::{Machine, Mmio};

/// A device with one register at each offset that keeps what was written, and a log of accesses.
#[derive(Default)]
struct Memory {
    value: Cell<u64>,
    log: RefCell<Vec<(char, u64, u8, u64)>>,
}

impl Mmio for Memory {
    fn read(&self, offset: u64, size: u8) -> u64 {
        self.log.borrow_mut().push(('r', offset, size, 0));
        self.value.get()
    }

    fn write(&self, offset: u64, size: u8, value: u64) {
        self.log.borrow_mut().push(('w', offset, size, value));
        self.value.set(value);
    }
}

/// Runs `f` with the address of a mapped device; returns the device.
fn with_device(seed: u64, value: u64, f: impl FnOnce(usize) + 'static) -> Rc<Memory> {
    let machine = machine(seed);
    let device = Rc::new(Memory::default());
    device.value.set(value);
    let va = machine.mmio_map(0x2_0000, Rc::clone(&device) as Rc<dyn Mmio>);
    run(&machine, move || f(va));
    device
}

fn register<T>(va: usize, offset: usize) -> *mut T {
    std::ptr::with_exposed_provenance_mut(va + offset)
}

#[test]
fn volatile_accesses_of_each_size_reach_the_device() {
    let device = with_device(1, 0x8877_6655_4433_2211, |va| {
        // SAFETY: the registers are mapped.
        assert_eq!(unsafe { register::<u8>(va, 1).read_volatile() }, 0x11);
        // SAFETY: the registers are mapped.
        assert_eq!(unsafe { register::<u16>(va, 2).read_volatile() }, 0x2211);
        // SAFETY: the registers are mapped.
        assert_eq!(unsafe { register::<u32>(va, 0x1_0008).read_volatile() }, 0x4433_2211);
        // SAFETY: the registers are mapped.
        assert_eq!(unsafe { register::<u64>(va, 8).read_volatile() }, 0x8877_6655_4433_2211);
        // SAFETY: the registers are mapped.
        unsafe { register::<u8>(va, 3).write_volatile(0xA5) };
        // SAFETY: the registers are mapped.
        unsafe { register::<u16>(va, 4).write_volatile(0xBEEF) };
        // SAFETY: the registers are mapped.
        unsafe { register::<u32>(va, 0x1_FFFC).write_volatile(0xDEAD_BEEF) };
        // SAFETY: the registers are mapped.
        unsafe { register::<u64>(va, 16).write_volatile(1 << 63) };
    });
    let expected = [
        ('r', 1, 1, 0),
        ('r', 2, 2, 0),
        ('r', 0x1_0008, 4, 0),
        ('r', 8, 8, 0),
        ('w', 3, 1, 0xA5),
        ('w', 4, 2, 0xBEEF),
        ('w', 0x1_FFFC, 4, 0xDEAD_BEEF),
        ('w', 16, 8, 1 << 63),
    ];
    assert_eq!(*device.log.borrow(), expected);
}

/// Runs an instruction with the memory operand `[{p}]` once on plain memory and once on the device; registers, flags
/// and memory must agree.
macro_rules! same {
    ($name:ident, $type:ty, $instruction:literal) => {
        fn $name(va: usize, a: u64) -> (u64, u64) {
            let (mut register, mut flags) = (a, 0_u64);
            // SAFETY: `va` is plain memory or a mapped register, and what changes is declared.
            unsafe {
                asm!(
                    "xor {f:e}, {f:e}",
                    $instruction,
                    "pushfq",
                    "pop {f}",
                    p = in(reg) va,
                    f = out(reg) flags,
                    inout("rax") register,
                );
            }
            (register, flags & 0x8C5)
        }
    };
}

same!(mov_load32, u32, "mov eax, [{p}]");
same!(mov_load16, u16, "mov ax, [{p}]");
same!(mov_load_high, u8, "mov ah, [{p}]");
same!(movzx8, u8, "movzx eax, byte ptr [{p}]");
same!(movsx8, u8, "movsx rax, byte ptr [{p}]");
same!(movsx16, u16, "movsx eax, word ptr [{p}]");
same!(movsxd, u32, "movsxd rax, dword ptr [{p}]");
same!(mov_store32, u32, "mov [{p}], eax");
same!(mov_store_high, u8, "mov [{p}], ah");
same!(mov_immediate, u32, "mov dword ptr [{p}], 0x80000001");
same!(mov_immediate64, u64, "mov qword ptr [{p}], -2");
same!(xchg32, u32, "xchg [{p}], eax");
same!(and_load, u32, "and eax, [{p}]");
same!(and_store, u32, "and [{p}], eax");
same!(or_immediate, u32, "or dword ptr [{p}], 0x40");
same!(xor_store8, u8, "xor [{p}], al");
same!(add_load, u32, "add eax, [{p}]");
same!(add_store, u64, "add [{p}], rax");
same!(sub_load, u32, "sub eax, [{p}]");
same!(cmp_left, u32, "cmp [{p}], eax");
same!(cmp_right, u16, "cmp ax, [{p}]");
same!(cmp_immediate, u32, "cmp dword ptr [{p}], -1");
same!(test_immediate, u32, "test dword ptr [{p}], 0x80000000");
same!(test_register, u32, "test [{p}], eax");

type Operation = fn(usize, u64) -> (u64, u64);

const ALL: &[(&str, Operation, u64)] = &[
    ("mov_load32", mov_load32, 4),
    ("mov_load16", mov_load16, 2),
    ("mov_load_high", mov_load_high, 1),
    ("movzx8", movzx8, 1),
    ("movsx8", movsx8, 1),
    ("movsx16", movsx16, 2),
    ("movsxd", movsxd, 4),
    ("mov_store32", mov_store32, 4),
    ("mov_store_high", mov_store_high, 1),
    ("mov_immediate", mov_immediate, 4),
    ("mov_immediate64", mov_immediate64, 8),
    ("xchg32", xchg32, 4),
    ("and_load", and_load, 4),
    ("and_store", and_store, 4),
    ("or_immediate", or_immediate, 4),
    ("xor_store8", xor_store8, 1),
    ("add_load", add_load, 4),
    ("add_store", add_store, 8),
    ("sub_load", sub_load, 4),
    ("cmp_left", cmp_left, 4),
    ("cmp_right", cmp_right, 2),
    ("cmp_immediate", cmp_immediate, 4),
    ("test_immediate", test_immediate, 4),
    ("test_register", test_register, 4),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn instructions_do_what_the_processor_does(memory: u64, a: u64, seed: u64) {
        for &(name, operation, size) in ALL {
            let mut plain = memory;
            let expected = operation((&raw mut plain).expose_provenance(), a);
            let result = Rc::new(Cell::new((0, 0)));
            let out = Rc::clone(&result);
            let device = with_device(seed, memory, move |va| out.set(operation(va + 0x40, a)));
            let mask = if size == 8 { u64::MAX } else { (1 << (8 * size)) - 1 };
            prop_assert_eq!(result.get(), expected, "{}", name);
            prop_assert_eq!(device.value.get() & mask, plain & mask, "memory after {}", name);
        }
    }
}

#[test]
fn register_accesses_are_preemption_points() {
    let preempted = (0..50).any(|seed| {
        let machine = machine(seed);
        let device: Rc<dyn Mmio> = Rc::new(Memory::default());
        let va = machine.mmio_map(64, device);
        let order = Rc::new(RefCell::new(Vec::new()));
        let threads = ["a", "b"].map(|name| {
            let order = Rc::clone(&order);
            machine.spawn(name, move || {
                // Floating-point state and registers survive the switch.
                let mut sum = 0.5_f64;
                for index in 0..20_u32 {
                    // SAFETY: the register is mapped.
                    unsafe { register::<u32>(va, 0).write_volatile(index) };
                    order.borrow_mut().push(name);
                    sum += f64::from(index);
                }
                assert!((sum - 190.5).abs() < f64::EPSILON);
            })
        });
        machine.run_until(|| threads.iter().all(|&thread| machine.finished(thread))).expect("threads end");
        let order = order.borrow();
        order.len() == 40 && order.windows(2).filter(|pair| pair[0] != pair[1]).count() > 3
    });
    assert!(preempted);
}

#[test]
fn the_device_may_interrupt_within_an_access() {
    struct Bell;
    impl Mmio for Bell {
        fn read(&self, _: u64, _: u8) -> u64 {
            0
        }
        fn write(&self, _: u64, _: u8, value: u64) {
            let irql = u8::try_from(value).expect("an IRQL");
            Machine::current()
                .interrupt(None, irql, "bell", || Machine::current().log(format_args!("rings")));
        }
    }
    let machine = machine(3);
    let va = machine.mmio_map(4, Rc::new(Bell));
    run(&machine, move || {
        // SAFETY: the register is mapped.
        unsafe { register::<u32>(va, 0).write_volatile(5) };
        Machine::current().sleep(std::time::Duration::from_micros(1));
    });
    let log = machine.log_text();
    assert!(log.contains("isr bell#2") && log.contains("rings"), "{log}");
}

macro_rules! port {
    ($name:ident, $instruction:literal) => {
        fn $name(port: u16, a: u64) -> u64 {
            let mut value = a;
            // SAFETY: the ports are mapped, and what changes is declared.
            unsafe { asm!($instruction, in("dx") port, inout("rax") value) };
            value
        }
    };
}

port!(out8, "out dx, al");
port!(out16, "out dx, ax");
port!(out32, "out dx, eax");
port!(in8, "in al, dx");
port!(in16, "in ax, dx");
port!(in32, "in eax, dx");
port!(out_immediate, "out 0x40, eax");
port!(in_immediate, "in eax, 0x40");

#[test]
fn port_accesses_of_each_size_reach_the_device() {
    let machine = machine(1);
    let device = Rc::new(Memory::default());
    device.value.set(0x8877_6655_4433_2211);
    machine.port_map(0xC000, 8, Rc::clone(&device) as Rc<dyn Mmio>);
    machine.port_map(0x40, 4, Rc::clone(&device) as Rc<dyn Mmio>);
    run(&machine, || {
        assert_eq!(in8(0xC001, 0xFFFF_FFFF_FFFF_FF00), 0xFFFF_FFFF_FFFF_FF11);
        assert_eq!(in16(0xC002, 0xFFFF_0000), 0xFFFF_2211);
        assert_eq!(in32(0xC004, u64::MAX), 0x4433_2211, "a write of 32 bits clears the others");
        assert_eq!(out8(0xC007, 0x1_23A5), 0x1_23A5);
        out16(0xC006, 0xBEEF);
        out32(0xC004, 0xDEAD_BEEF);
        out_immediate(0, 0x1234);
        assert_eq!(in_immediate(0, 0), 0x1234);
    });
    let expected = [
        ('r', 1, 1, 0),
        ('r', 2, 2, 0),
        ('r', 4, 4, 0),
        ('w', 7, 1, 0xA5),
        ('w', 6, 2, 0xBEEF),
        ('w', 4, 4, 0xDEAD_BEEF),
        ('w', 0, 4, 0x1234),
        ('r', 0, 4, 0),
    ];
    assert_eq!(*device.log.borrow(), expected);
    assert!(machine.port_unmap(0xC000) && !machine.port_unmap(0xC000));
}

#[test]
fn ports_of_nobody_are_a_crash() {
    for port in [0xC000_u16, 0xC005, 0xBFFF] {
        let machine = machine(1);
        machine.port_map(0xC001, 7, Rc::new(Memory::default()));
        let thread = machine.spawn("driver", move || {
            in32(port, 0);
        });
        assert!(machine.join(thread).is_err(), "{port:#x}");
        machine.retire();
    }
}
