//! What `ntoskrnl.exe`, `HAL.dll` and `cng.sys` export.
//!
//! One file a family of routines. Each routine has the name, the parameters and the contract of its page in the Windows
//! driver reference (wdm.h, ntddk.h, evntprov.h), and is a safe-looking pair of lines: the prologue
//! [`crate::machine::enter`] with the IRQL its page allows, then the machine. Pointers come from the driver; one that
//! is wrong faults, and the fault is a finding.

#![allow(non_snake_case, reason = "exports have the names that drivers import")]

pub mod cng;
pub mod debug;
pub mod etw;
pub mod event;
pub mod pool;
pub mod processor;
pub mod rundown;
pub mod runtime;
pub mod spin_lock;
pub mod string;
pub mod system;
#[cfg(test)]
pub(crate) mod tests;
pub mod time;

use crate::image::Export;
use crate::machine::Machine;

/// Rows of an export table: `exports!["ntoskrnl.exe": KeSetEvent, KeResetEvent]`.
#[macro_export]
macro_rules! exports {
    [$module:literal: $($name:ident),* $(,)?] => {
        vec![$($crate::image::Export::routine($module, stringify!($name), $name as *const () as usize)),*]
    };
}

/// The exports of the kernel.
pub fn exports() -> Vec<Export> {
    let families = [
        runtime::exports(),
        debug::exports(),
        pool::exports(),
        processor::exports(),
        spin_lock::exports(),
        event::exports(),
        rundown::exports(),
        time::exports(),
        string::exports(),
        system::exports(),
        etw::exports(),
        cng::exports(),
    ];
    families.into_iter().flatten().collect()
}

/// What an unloaded driver must have given back; to be called once its unload routine has returned.
pub fn audit_unload(machine: &Machine) {
    pool::audit(machine);
    etw::audit(machine);
}
