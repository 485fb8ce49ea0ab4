use std::arch::asm;
use std::time::Duration;

use super::faults::crash;
use super::{machine, rules, run};
use crate::machine::{Config, Machine, TICK, Windows};

const BASE: usize = 0xFFFF_F780_0000_0000;

fn at<T>(offset: usize) -> *mut T {
    std::ptr::with_exposed_provenance_mut(BASE + offset)
}

fn read<T>(offset: usize) -> T {
    // SAFETY: the machine carries the read out.
    unsafe { at::<T>(offset).read_volatile() }
}

/// `KeQueryInterruptTime`, `KeQuerySystemTime` and `KeQueryTickCount` as wdm.h has them on x64.
fn times() -> (u64, u64, u64) {
    let system: u64;
    // SystemTime is not aligned to its size.
    // SAFETY: the machine carries the read out.
    unsafe { asm!("mov {}, [{}]", out(reg) system, in(reg) BASE + 0x14, options(nostack, readonly)) };
    (read(0x8), system, read(0x320))
}

#[test]
fn time_is_read_from_shared_data() {
    let machine = machine(1);
    run(&machine, || {
        let machine = Machine::current();
        machine.sleep(100 * TICK);
        let (interrupt, system, ticks) = times();
        let now = u64::try_from(machine.system_time().as_nanos() / 100).expect("a short run");
        assert_eq!(interrupt, now);
        assert_eq!(system, 133_801_632_000_000_000 + now);
        assert_eq!(ticks, now / 156_250);
        assert!(ticks >= 99, "{ticks}");
        // The high part stands there twice.
        let high = u32::try_from(system >> 32).expect("half");
        assert_eq!((read::<u32>(0x18), read::<u32>(0x1C)), (high, high));
        // Milliseconds since boot, as GetTickCount has them.
        let milliseconds = (ticks * u64::from(read::<u32>(0x4))) >> 24;
        assert_eq!(milliseconds, ticks * 15_625 / 1000);
    });
    assert_eq!(rules(&machine), [""; 0]);
}

#[test]
fn who_waits_for_a_tick_sees_it() {
    let machine = machine(1);
    run(&machine, || {
        let start: u64 = read(0x320);
        while read::<u64>(0x320) == start {}
    });
    // The machine is switched on somewhere within a tick.
    assert!(machine.now() <= 2 * TICK + Duration::from_millis(1), "{:?}", machine.now());
}

#[test]
fn the_version_is_read_from_shared_data() {
    for windows in Windows::RELEASES.into_iter().filter(|it| it.kernel.0 == 10) {
        let machine = Machine::new(Config { windows, ..Config::default() });
        run(&machine, move || {
            assert_eq!((read(0x26C), read(0x270), read(0x260)), windows.kernel);
            assert_eq!(read::<u16>(0x26A), 9);
            assert_eq!(read::<u64>(0x240), 0x20_0000 << 32, "two fields at once");
            assert_eq!((read::<u16>(0x30), read::<u16>(0x32)), (u16::from(b'C'), u16::from(b':')));
        });
    }
}

#[test]
pub(super) fn shared_data_is_not_written() {
    // SAFETY: none; the machine is to catch it.
    let told = crash(|| unsafe { at::<u32>(0x320).write_volatile(1) });
    assert_eq!(told.rule, "BC.BE");
    assert!(told.reason.starts_with("write to offset 0x320 of KUSER_SHARED_DATA"), "{told}");
}

#[test]
pub(super) fn what_is_not_simulated_ends_the_run() {
    let told = crash(|| _ = read::<u8>(0x274));
    assert_eq!(told.rule, "SIM.SharedData");
    assert!(told.reason.starts_with("read of offset 0x274 of KUSER_SHARED_DATA"), "{told}");
    let told = crash(|| _ = read::<u64>(0xFF8));
    assert_eq!(told.rule, "SIM.SharedData");
    // Half of it is.
    let told = crash(|| _ = read::<u64>(0x328));
    assert_eq!(told.rule, "SIM.SharedData");
}
