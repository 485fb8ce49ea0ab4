//! The code between an imported routine's slot and the routine.
//!
//! A thunk notes its return address and stack pointer in the machine's call register and jumps on. It changes only r10
//! and r11, which a call may change.

use crate::machine::Machine;
use crate::memory::pages::{Access, Reservation};

/// Bytes a thunk takes.
const SIZE: usize = 48;

/// Executable memory with the thunks of an image.
#[derive(Debug)]
pub(super) struct Thunks {
    pages: Reservation,
    next: usize,
    capacity: usize,
}

impl Thunks {
    /// Room for `count` thunks.
    pub(super) fn new(count: usize) -> Self {
        let capacity = count * SIZE;
        let pages = Reservation::new(capacity);
        pages.protect(0, capacity.max(1), Access::ReadWrite);
        Self { pages, next: 0, capacity }
    }

    /// Adds a thunk for the routine at `target`; returns its address.
    pub(super) fn add(&mut self, machine: &Machine, target: usize) -> usize {
        assert!(self.next + SIZE <= self.capacity, "room for a thunk");
        let register = std::ptr::from_ref(machine.last_call()).expose_provenance();
        let mut code = Vec::with_capacity(SIZE);
        // mov r11, register
        code.extend([0x49, 0xBB]);
        code.extend(register.to_le_bytes());
        // mov r10, [rsp]; mov [r11], r10; mov [r11 + 8], rsp
        code.extend([0x4C, 0x8B, 0x14, 0x24, 0x4D, 0x89, 0x13, 0x49, 0x89, 0x63, 0x08]);
        // mov r11, target; jmp r11
        code.extend([0x49, 0xBB]);
        code.extend(target.to_le_bytes());
        code.extend([0x41, 0xFF, 0xE3]);
        code.resize(SIZE, 0xCC);
        let place = self.pages.pointer(self.next);
        // SAFETY: the thunk fits, as was checked, and the pages can be written until `seal`.
        unsafe { place.copy_from_nonoverlapping(code.as_ptr(), SIZE) };
        self.next += SIZE;
        place.addr()
    }

    /// Makes the thunks executable, and unwritable.
    pub(super) fn seal(&self) {
        self.pages.protect(0, self.capacity.max(1), Access::ReadExecute);
    }
}
