//! Non-paged pool for the time of the measurement: fast, and it knows how much the driver holds.
//!
//! Blocks come from lists by size, as from the look-aside lists of Windows' pool; the last one freed is the first one
//! given. What the driver allocated before, or keeps afterwards, is told apart by its address.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Result, ensure};

use crate::raw;

/// Addresses reserved; memory is taken when it is touched.
const SPACE: usize = 16 << 30;
/// A header precedes each block, and sizes are multiples of this (`POOL_HEADER`, 64 bit).
const GRAIN: usize = 16;
const PAGE: usize = 4096;
/// Blocks up to here have lists by size.
const SMALL: usize = PAGE - GRAIN;
/// `POOL_FLAG_UNINITIALIZED`.
const UNINITIALIZED: u64 = 2;

/// What the driver holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// Blocks.
    pub(crate) blocks: i64,
    /// Bytes that the driver asked for.
    pub(crate) bytes: i64,
    /// Bytes that the pool spends on them: blocks of less than a page have a header of 16 bytes and are rounded to
    /// 16 bytes, others are rounded to pages.
    pub(crate) pool: i64,
}

impl Held {
    fn add(&mut self, length: usize, times: i64) {
        let number = |it: usize| i64::try_from(it).unwrap_or(i64::MAX);
        self.blocks += times;
        self.bytes += times * number(length);
        self.pool += times * number(spent(length));
    }
}

/// Bytes that the pool spends on a block.
fn spent(length: usize) -> usize {
    let small = length.next_multiple_of(GRAIN) + GRAIN;
    if small <= PAGE { small } else { length.next_multiple_of(PAGE) }
}

struct Arena {
    base: usize,
    top: usize,
    small: Vec<Vec<usize>>,
    large: BTreeMap<usize, Vec<usize>>,
    held: Held,
}

static ARENA: Mutex<Option<Arena>> = Mutex::new(None);
/// The simulator's `ExFreePool`, for blocks of its own.
static FREE: AtomicUsize = AtomicUsize::new(0);

fn arena() -> MutexGuard<'static, Option<Arena>> {
    ARENA.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins with an empty pool. What an earlier one gave out must not be used any more.
pub(super) fn begin() -> Result<()> {
    let mut arena = arena();
    let base = match arena.take() {
        Some(old) => old.base,
        None => reserve()?,
    };
    let small = vec![Vec::new(); SMALL / GRAIN + 1];
    *arena = Some(Arena { base, top: base, small, large: BTreeMap::new(), held: Held::default() });
    Ok(())
}

fn reserve() -> Result<usize> {
    let (protection, flags) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE);
    // SAFETY: new memory at an address of the kernel's choice.
    let base = unsafe { libc::mmap(std::ptr::null_mut(), SPACE, protection, flags, -1, 0) };
    ensure!(base != libc::MAP_FAILED, "reserving the pool: {}", std::io::Error::last_os_error());
    Ok(base.expose_provenance())
}

/// Says where blocks of the simulator are freed.
pub(super) fn free_others_by(routine: usize) {
    FREE.store(routine, Relaxed);
}

/// What the driver holds of what it has allocated since [`begin`].
pub(crate) fn held() -> Held {
    arena().as_ref().map(|arena| arena.held).unwrap_or_default()
}

impl Arena {
    fn allocate(&mut self, length: usize) -> usize {
        self.held.add(length, 1);
        let room = length.max(1).next_multiple_of(GRAIN);
        let list = match self.small.get_mut(room / GRAIN) {
            Some(list) => list,
            None => self.large.entry(room).or_default(),
        };
        let block = list.pop().unwrap_or_else(|| {
            // Blocks of a page and more begin on one.
            let start = self.top + GRAIN;
            let block = if room > SMALL { start.next_multiple_of(PAGE) } else { start };
            self.top = block + room;
            block
        });
        raw::write(block - GRAIN, length);
        block
    }

    fn free(&mut self, block: usize) {
        let length: usize = raw::read(block - GRAIN);
        self.held.add(length, -1);
        let room = length.max(1).next_multiple_of(GRAIN);
        match self.small.get_mut(room / GRAIN) {
            Some(list) => list.push(block),
            None => self.large.entry(room).or_default().push(block),
        }
    }
}

pub(super) unsafe extern "win64" fn allocate(flags: u64, length: usize, _tag: u32) -> usize {
    let mut arena = arena();
    let Some(arena) = arena.as_mut() else { return 0 };
    let block = arena.allocate(length);
    if flags & UNINITIALIZED == 0 {
        let start = std::ptr::with_exposed_provenance_mut::<u8>(block);
        // SAFETY: the block has room for its length and is nobody else's.
        unsafe { start.write_bytes(0, length) };
    }
    block
}

pub(super) unsafe extern "win64" fn free(block: usize) {
    let mut arena = arena();
    if let Some(arena) = arena.as_mut().filter(|arena| (arena.base..arena.base + SPACE).contains(&block)) {
        arena.free(block);
        return;
    }
    drop(arena);
    // SAFETY: the simulator's `ExFreePool`, and a block that it must have given.
    unsafe { raw::call(FREE.load(Relaxed), &[block, 0, 0, 0, 0]) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_counted_and_used_again() {
        assert_eq!([spent(1), spent(16), spent(17), spent(4080), spent(4081)], [32, 32, 48, 4096, 4096]);
        begin().expect("memory");
        // SAFETY: the routines have no preconditions but those of a pool.
        let [a, b] = [100, 10_000].map(|length| unsafe { allocate(0, length, 1) });
        assert_eq!((a % 16, b % PAGE), (0, 0));
        assert_eq!(held(), Held { blocks: 2, bytes: 10_100, pool: 128 + 12_288 });
        raw::write(a, 7_u64);
        // SAFETY: the block is allocated.
        unsafe { free(a) };
        // SAFETY: as above.
        let again = unsafe { allocate(0, 99, 1) };
        assert_eq!((again, raw::read::<u64>(again)), (a, 0));
        for block in [again, b] {
            // SAFETY: both are allocated.
            unsafe { free(block) };
        }
        assert_eq!(held(), Held::default());
    }
}
