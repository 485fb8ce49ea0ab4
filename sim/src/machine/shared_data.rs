//! `KUSER_SHARED_DATA`, the page at a fixed address of the kernel's half in which the kernel tells time and version.
//!
//! On x64 `KeQueryTickCount`, `KeQuerySystemTime` and `KeQueryInterruptTime` are no calls but reads of it (wdm.h). No process of
//! the host has that address, so each read is a fault, which is carried out here. Simulated are, at the offsets that
//! ntddk.h asserts: `TickCountMultiplier`, `InterruptTime`, `SystemTime`, `TimeZoneBias`, `ImageNumberLow` and `ImageNumberHigh`,
//! `NtSystemRoot`, `TimeZoneId`, `LargePageMinimum`, `NtBuildNumber` (since Windows 10), `NtProductType`, `ProductTypeIsValid`,
//! `NativeProcessorArchitecture`, `NtMajorVersion`, `NtMinorVersion`, `KdDebuggerEnabled`, `SafeBootMode`, `QpcFrequency` and
//! `TickCount`. A read of anything else ends the run (`SIM.SharedData`): no value would be as good as another. A write is one to
//! memory that can be read only.

use std::cell::Cell;
use std::time::Duration;

use iced_x86::Instruction;

use super::registers::Registers;
use super::{Machine, Mmio, TICK, decode};

/// `KI_USER_SHARED_DATA`.
const BASE: usize = 0xFFFF_F780_0000_0000;
const PAGE: usize = 4096;
/// System time at boot, in 100 ns since 1601: 1 January 2025.
pub const BOOT: i64 = 133_801_632_000_000_000;
/// Increments a second of the performance counter, as on Windows 10 and later.
pub const QPC_FREQUENCY: i64 = 10_000_000;

/// The offset in the page, if the address is there.
pub(super) fn offset(address: usize) -> Option<usize> {
    address.checked_sub(BASE).filter(|&offset| offset < PAGE)
}

/// Units of 100 ns.
fn units(time: Duration) -> i64 {
    i64::try_from(time.as_nanos() / 100).unwrap_or(i64::MAX)
}

/// `KSYSTEM_TIME`: the low part, and the high part twice, by which those of 32-bit machines see whether it has changed.
fn system_time(time: i64) -> Vec<u8> {
    let bytes = time.to_le_bytes();
    [&bytes[..], &bytes[4..]].concat()
}

/// The page for one access.
struct Page<'a> {
    machine: &'a Machine,
    /// What was read is simulated.
    known: Cell<bool>,
}

impl Page<'_> {
    /// The fields: offset and contents.
    fn fields(&self) -> Vec<(usize, Vec<u8>)> {
        let machine = self.machine;
        let since_boot = units(machine.system_time());
        let (major, minor, build) = machine.config().windows.kernel;
        let root: Vec<u8> = r"C:\Windows".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut fields = vec![
            // The milliseconds of a tick, with 24 bits behind the point.
            (0x004, 0x0FA0_0000_u32.to_le_bytes().to_vec()),
            (0x008, system_time(since_boot)),
            (0x014, system_time(BOOT.saturating_add(since_boot))),
            (0x020, system_time(0)),
            // IMAGE_FILE_MACHINE_AMD64, as the lowest and the highest number.
            (0x02C, [0x64, 0x86, 0x64, 0x86].to_vec()),
            (0x030, [root, vec![0; 500]].concat()),
            (0x240, vec![0; 4]),
            (0x244, 0x20_0000_u32.to_le_bytes().to_vec()),
            // NtProductWinNt, and that this is valid.
            (0x264, vec![1, 0, 0, 0, 1]),
            // PROCESSOR_ARCHITECTURE_AMD64.
            (0x26A, vec![9, 0]),
            (0x26C, major.to_le_bytes().to_vec()),
            (0x270, minor.to_le_bytes().to_vec()),
            (0x2D4, vec![0]),
            (0x2EC, vec![0]),
            (0x300, QPC_FREQUENCY.to_le_bytes().to_vec()),
            (0x320, system_time(units(machine.system_time()) / units(TICK))),
        ];
        if major >= 10 {
            fields.push((0x260, build.to_le_bytes().to_vec()));
        }
        fields
    }
}

impl Mmio for Page<'_> {
    fn read(&self, offset: u64, size: u8) -> u64 {
        let (offset, size) = (usize::try_from(offset).unwrap_or(usize::MAX), usize::from(size));
        let fields = self.fields();
        // An access may span fields.
        let byte =
            |at: usize| fields.iter().find_map(|(start, bytes)| bytes.get(at.checked_sub(*start)?).copied());
        let bytes: Option<Vec<u8>> = (offset..offset.saturating_add(size)).map(byte).collect();
        let Some(bytes) = bytes else { return 0 };
        self.known.set(true);
        bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
    }

    /// The page is read-only: who writes faults before.
    fn write(&self, _: u64, _: u8, _: u64) {
        self.known.set(false);
    }
}

impl Machine {
    /// Carries out a read at this offset; false if it is a write, or of something that is not simulated.
    pub(super) fn read_shared_data(
        &self,
        instruction: &Instruction,
        registers: &mut Registers<'_>,
        offset: usize,
    ) -> bool {
        /// The bit of a page fault's error code for a write.
        const WRITE: u64 = 2;
        if registers.error() & WRITE != 0 {
            return false;
        }
        // Whoever waits for a tick makes time pass.
        self.clock.charge();
        let page = Page { machine: self, known: Cell::new(false) };
        decode::access(instruction, registers, &page, offset as u64) && page.known.get()
    }
}
