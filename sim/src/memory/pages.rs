//! Pages of the address space.

use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::ptr;

/// Size of a page.
pub const PAGE: usize = 4096;

/// Rounds up to whole pages.
pub const fn round_up(len: usize) -> usize {
    len.next_multiple_of(PAGE)
}

/// How a page may be accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Not at all.
    None,
    /// Read.
    Read,
    /// Read and written.
    ReadWrite,
    /// Read and executed.
    ReadExecute,
}

impl Access {
    const fn protection(self) -> libc::c_int {
        match self {
            Self::None => libc::PROT_NONE,
            Self::Read => libc::PROT_READ,
            Self::ReadWrite => libc::PROT_READ | libc::PROT_WRITE,
            Self::ReadExecute => libc::PROT_READ | libc::PROT_EXEC,
        }
    }
}

/// A range of addresses, at first inaccessible; unmapped on drop.
#[derive(Debug)]
pub struct Reservation {
    base: *mut u8,
    len: usize,
}

impl Reservation {
    /// Reserves `len` bytes rounded up to pages, and a guard page after them.
    ///
    /// # Panics
    /// If the system has no addresses left.
    pub fn new(len: usize) -> Self {
        let len = round_up(len.max(1)) + PAGE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a fresh anonymous mapping at an address of the system's choice aliases nothing.
        let base = unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_NONE, flags, -1, 0) };
        assert!(
            base != libc::MAP_FAILED,
            "no addresses for {len} bytes: {}",
            std::io::Error::last_os_error()
        );
        Self { base: base.cast(), len }
    }

    /// The first address.
    pub fn base(&self) -> usize {
        self.base.addr()
    }

    /// A pointer to the byte at `offset`, which must lie inside.
    pub fn pointer(&self, offset: usize) -> *mut u8 {
        debug_assert!(offset <= self.len, "offset inside the reservation");
        self.base.wrapping_add(offset)
    }

    /// The addresses, guard page included.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.base()..self.base() + self.len
    }

    /// Sets the access to the pages that `offset` and `len` touch.
    ///
    /// # Panics
    /// If they do not lie inside or the system refuses (too many mappings).
    pub fn protect(&self, offset: usize, len: usize, access: Access) {
        assert!(
            offset.is_multiple_of(PAGE) && offset + round_up(len) <= self.len,
            "pages inside the reservation"
        );
        // SAFETY: the pages belong to this reservation; who holds pointers into them accepts their access to change.
        let result =
            unsafe { libc::mprotect(self.pointer(offset).cast(), round_up(len), access.protection()) };
        assert!(result == 0, "mprotect: {}", std::io::Error::last_os_error());
    }

    /// Gives the memory of the pages back and makes them inaccessible; they are zero when they can be accessed again.
    ///
    /// # Panics
    /// If they do not lie inside or the system refuses (too many mappings).
    pub fn discard(&self, offset: usize, len: usize) {
        assert!(
            offset.is_multiple_of(PAGE) && offset + round_up(len) <= self.len,
            "pages inside the reservation"
        );
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
        // SAFETY: the pages belong to this reservation, and their contents are given up.
        let result =
            unsafe { libc::mmap(self.pointer(offset).cast(), round_up(len), libc::PROT_NONE, flags, -1, 0) };
        assert!(result != libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
    }

    /// Puts the pages of `file` from `at` on, readable and writable, at the pages that `offset` and `len` touch: whoever
    /// maps the file too sees the same memory. [`Self::discard`] takes them away again.
    ///
    /// # Panics
    /// If they do not lie inside or the system refuses.
    pub fn share(&self, offset: usize, len: usize, file: BorrowedFd<'_>, at: u64) {
        assert!(
            offset.is_multiple_of(PAGE) && offset + round_up(len) <= self.len,
            "pages inside the reservation"
        );
        let access = Access::ReadWrite.protection();
        let flags = libc::MAP_SHARED | libc::MAP_FIXED;
        let at = libc::off_t::try_from(at).expect("an offset in a file");
        // SAFETY: the pages belong to this reservation, and their contents are given up.
        let result = unsafe {
            libc::mmap(self.pointer(offset).cast(), round_up(len), access, flags, file.as_raw_fd(), at)
        };
        assert!(result != libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
    }

    /// Leaves the addresses reserved, and inaccessible, for ever.
    pub fn leak(self) {
        self.discard(0, self.len);
        std::mem::forget(self);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by `new` and nobody else unmaps it.
        unsafe { libc::munmap(self.base.cast(), self.len) };
    }
}
