//! Random numbers (`cng.sys`).

use std::ffi::c_void;

use crate::exports;
use crate::image::Export;
use crate::machine::{IrqlRange, enter};

const STATUS_SUCCESS: i32 = 0;
const STATUS_INVALID_HANDLE: i32 = 0xC000_0008_u32.cast_signed();
const STATUS_INVALID_PARAMETER: i32 = 0xC000_000D_u32.cast_signed();
const STATUS_NO_MEMORY: i32 = 0xC000_0017_u32.cast_signed();
/// `BCRYPT_USE_SYSTEM_PREFERRED_RNG`.
const SYSTEM_PREFERRED: u32 = 2;

/// The system-preferred generator only: it needs no handle, and `PASSIVE_LEVEL`. The numbers follow from the seed.
unsafe extern "win64" fn BCryptGenRandom(
    algorithm: *mut c_void,
    buffer: *mut u8,
    length: u32,
    flags: u32,
) -> i32 {
    let call = enter("BCryptGenRandom", IrqlRange::PASSIVE);
    if flags != SYSTEM_PREFERRED {
        return STATUS_INVALID_PARAMETER;
    }
    if !algorithm.is_null() {
        return STATUS_INVALID_HANDLE;
    }
    if call.machine().should_fail("BCryptGenRandom") {
        return STATUS_NO_MEMORY;
    }
    for at in 0..length as usize {
        let octet = u8::try_from(call.machine().random() & 0xFF).unwrap_or(0);
        // SAFETY: the driver passes a buffer of this length.
        unsafe { buffer.wrapping_add(at).write(octet) };
    }
    STATUS_SUCCESS
}

pub(super) fn exports() -> Vec<Export> {
    exports!["cng.sys": BCryptGenRandom]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Config, DISPATCH_LEVEL, Machine};
    use std::rc::Rc;

    /// 16 octets at an IRQL, as the seed has them, and the rules that were broken.
    fn octets(seed: u64, irql: Option<u8>) -> (Vec<u8>, Vec<String>) {
        let machine: Rc<Machine> = Machine::new(Config { seed, ..Config::default() });
        let found = Rc::new(std::cell::RefCell::new(vec![0; 16]));
        let filled = Rc::clone(&found);
        let thread = machine.spawn("test", move || {
            let machine = Machine::current();
            let old = irql.map(|irql| machine.raise_irql(irql));
            let buffer = filled.borrow_mut().as_mut_ptr();
            // SAFETY: the buffer has 16 octets.
            let status = unsafe { BCryptGenRandom(std::ptr::null_mut(), buffer, 16, SYSTEM_PREFERRED) };
            assert_eq!(status, STATUS_SUCCESS);
            if let Some(old) = old {
                machine.lower_irql(old);
            }
        });
        machine.join(thread).expect("the thread ends");
        let rules = machine.verifier().findings().iter().map(|finding| finding.rule.to_string()).collect();
        (found.take(), rules)
    }

    #[test]
    fn numbers_follow_from_the_seed() {
        assert_eq!(octets(1, None), octets(1, None));
        assert_ne!(octets(1, None).0, octets(2, None).0);
        assert!(octets(1, None).1.is_empty());
    }

    #[test]
    fn the_preferred_generator_wants_passive_level() {
        assert_eq!(octets(1, Some(DISPATCH_LEVEL)).1.len(), 1);
    }
}
