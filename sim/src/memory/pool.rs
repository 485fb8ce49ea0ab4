//! Nonpaged pool.
//!
//! Each block has pages of its own, between pages that nobody can access: running past its end faults at once (or, if
//! only into the bytes that align it, is found when it is freed). A freed block's pages become inaccessible and their
//! addresses are not reused before 16,384 others were freed. Since every guard costs the host a mapping, the
//! small blocks beyond the first 8,000 share pages, with patterns between them.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use super::pages::{Access, PAGE, Reservation, round_up};

/// Addresses reserved for the pool.
const SPACE: usize = 1 << 38;
/// Live blocks that have guard pages: Linux allows 65,530 mappings a process, and a block costs two.
const GUARDED: usize = 8_000;
/// Freed runs of one size kept before the oldest is used again.
const QUARANTINE: usize = 16_384;
/// Freed runs keep their memory, which the host need not find again, up to this size.
const KEPT: usize = 4 * PAGE;
/// Alignment of blocks, as on x64 Windows.
const ALIGN: usize = 16;
/// Pages shared by unguarded blocks.
const CHUNK: usize = 16 * PAGE;
/// Bytes before and after a block that are checked when it is freed.
const MARGIN: usize = 16;
const PATTERN: u8 = 0xFD;
/// What uninitialised memory holds.
const UNINITIALISED: u8 = 0xCD;
/// What freed memory on shared pages holds.
const FREED: u8 = 0xDD;

/// A pool tag as it is written: the low byte first.
pub fn tag_name(tag: u32) -> String {
    tag.to_le_bytes()
        .iter()
        .map(|&byte| if byte.is_ascii_graphic() { char::from(byte) } else { '.' })
        .collect()
}

/// A block that was not freed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// Which allocation it was, from 1.
    pub number: u64,
    /// Its tag.
    pub tag: u32,
    /// Its length in bytes.
    pub len: usize,
    /// Who allocated it.
    pub site: String,
}

/// Why a block cannot be freed, or was damaged when it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolError {
    /// The address was never a block's.
    NotAllocated,
    /// The address lies inside the block of this number.
    Interior(u64),
    /// The block was freed before, by this site.
    DoubleFree(u64, String),
    /// The block has another tag.
    WrongTag {
        /// The block's.
        actual: u32,
        /// The caller's.
        given: u32,
    },
    /// Bytes just before or after the block were written; the offset of the first one from the block's start.
    Damaged(isize),
}

/// What lies at an address, for the report of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Which allocation it was.
    pub number: u64,
    /// Its tag.
    pub tag: u32,
    /// Its length.
    pub len: usize,
    /// The address relative to the block's start.
    pub offset: isize,
    /// Who allocated it.
    pub allocated: String,
    /// Who freed it.
    pub freed: Option<String>,
}

#[derive(Clone)]
struct Block {
    number: u64,
    tag: u32,
    /// Offset of the block in the space.
    start: usize,
    len: usize,
    allocated: String,
    freed: Option<String>,
    shared: bool,
}

struct Chunk {
    used: usize,
    live: usize,
}

struct Inner {
    /// By the first page of their run, or by their offset when they share pages.
    blocks: BTreeMap<usize, Block>,
    /// Unused addresses start here.
    top: usize,
    /// Freed runs by their number of pages, oldest first.
    quarantine: BTreeMap<usize, VecDeque<usize>>,
    chunks: BTreeMap<usize, Chunk>,
    current: Option<usize>,
    next: u64,
    guarded: usize,
    bytes: usize,
    peak: usize,
}

/// The pool of one machine.
pub struct Pool {
    space: Reservation,
    /// Live blocks that have guard pages.
    limit: usize,
    inner: RefCell<Inner>,
}

impl Pool {
    /// A pool whose first blocks have guard pages if `guarded`, and none has otherwise.
    pub(crate) fn new(guarded: bool) -> Self {
        let inner = Inner {
            blocks: BTreeMap::new(),
            // One inaccessible page precedes the first block.
            top: PAGE,
            quarantine: BTreeMap::new(),
            chunks: BTreeMap::new(),
            current: None,
            next: 1,
            guarded: 0,
            bytes: 0,
            peak: 0,
        };
        let limit = if guarded { GUARDED } else { 0 };
        Self { space: Reservation::new(SPACE), limit, inner: RefCell::new(inner) }
    }

    /// Allocates `len` bytes, zeroed or full of rubbish. Blocks of a page or more are aligned to pages, others to 16
    /// bytes. `site` names the caller.
    ///
    /// # Panics
    /// If the pool's addresses are used up.
    pub fn allocate(&self, len: usize, tag: u32, zero: bool, site: String) -> *mut u8 {
        let inner = &mut *self.inner.borrow_mut();
        let number = inner.next;
        inner.next += 1;
        let shared = inner.guarded >= self.limit && len <= PAGE / 2;
        let top = inner.top;
        let (key, start) =
            if shared { self.place_shared(inner, len) } else { self.place(inner, len, number) };
        let fresh = !shared && key >= top;
        let block = Block { number, tag, start, len, allocated: site, freed: None, shared };
        inner.blocks.insert(key, block);
        inner.bytes += len;
        inner.peak = inner.peak.max(inner.bytes);
        // Pages used before hold what they held.
        if !zero || !fresh {
            self.fill(start, len, if zero { 0 } else { UNINITIALISED });
        }
        self.fill_margins(start, len, key, shared);
        self.space.pointer(start)
    }

    fn place(&self, inner: &mut Inner, len: usize, number: u64) -> (usize, usize) {
        let size = round_up(len.max(1));
        let old = inner.quarantine.get_mut(&size).filter(|runs| runs.len() > QUARANTINE);
        let run = old.and_then(VecDeque::pop_front).unwrap_or_else(|| {
            let run = inner.top;
            inner.top += size + PAGE;
            assert!(inner.top < SPACE, "pool addresses left");
            run
        });
        self.space.protect(run, size, Access::ReadWrite);
        inner.guarded += 1;
        // Most blocks end at their guard page; some begin at one, to catch accesses before their start.
        let at_start = len >= PAGE || number % 8 == 7;
        let start = if at_start { run } else { run + size - len.max(1).next_multiple_of(ALIGN) };
        (run, start)
    }

    fn place_shared(&self, inner: &mut Inner, len: usize) -> (usize, usize) {
        let size = MARGIN + len.max(1).next_multiple_of(ALIGN) + MARGIN;
        let fits = |chunk: usize| inner.chunks.get(&chunk).is_some_and(|chunk| chunk.used + size <= CHUNK);
        let chunk = inner.current.filter(|&chunk| fits(chunk)).unwrap_or_else(|| {
            let chunk = inner.top;
            inner.top += CHUNK + PAGE;
            assert!(inner.top < SPACE, "pool addresses left");
            self.space.protect(chunk, CHUNK, Access::ReadWrite);
            inner.chunks.insert(chunk, Chunk { used: 0, live: 0 });
            inner.current = Some(chunk);
            chunk
        });
        let mut start = chunk + MARGIN;
        if let Some(state) = inner.chunks.get_mut(&chunk) {
            start += state.used;
            state.used += size;
            state.live += 1;
        }
        (start, start)
    }

    fn fill(&self, start: usize, len: usize, byte: u8) {
        // SAFETY: the caller has just made these bytes of the space accessible, for a block that nobody else knows.
        unsafe { self.space.pointer(start).write_bytes(byte, len) };
    }

    /// The checked bytes around a block: before it, and from its end to the next boundary.
    fn margins(start: usize, len: usize, key: usize, shared: bool) -> [std::ops::Range<usize>; 2] {
        let before = if shared { MARGIN } else { (start - key).min(MARGIN) };
        let end = start + len.max(1).next_multiple_of(ALIGN) + if shared { MARGIN } else { 0 };
        [start - before..start, start + len..end]
    }

    fn fill_margins(&self, start: usize, len: usize, key: usize, shared: bool) {
        for margin in Self::margins(start, len, key, shared) {
            self.fill(margin.start, margin.len(), PATTERN);
        }
    }

    fn damage(&self, key: usize, block: &Block) -> Option<isize> {
        let mut margins = Self::margins(block.start, block.len, key, block.shared).into_iter().flatten();
        let damaged = margins.find(|&offset| {
            // SAFETY: the block is live, so its pages, which hold its margins, are accessible.
            let byte = unsafe { self.space.pointer(offset).read() };
            byte != PATTERN
        })?;
        Some(damaged.wrapping_sub(block.start).cast_signed())
    }

    /// Frees a block. `tag`, if given, has to be the block's. A damaged or wrongly tagged block is freed all the same,
    /// and the error tells.
    pub fn free(&self, pointer: *mut u8, tag: Option<u32>, site: String) -> Result<usize, PoolError> {
        let inner = &mut *self.inner.borrow_mut();
        let offset = pointer.addr().wrapping_sub(self.space.base());
        let found = if offset < SPACE { inner.blocks.range_mut(..=offset).next_back() } else { None };
        let Some((&key, block)) = found else { return Err(PoolError::NotAllocated) };
        if block.start != offset {
            let inside = offset < block.start + block.len && offset > block.start && block.freed.is_none();
            return Err(if inside { PoolError::Interior(block.number) } else { PoolError::NotAllocated });
        }
        if let Some(freed) = &block.freed {
            return Err(PoolError::DoubleFree(block.number, freed.clone()));
        }
        block.freed = Some(site);
        let block = block.clone();
        let damage = self.damage(key, &block);
        self.retire(inner, key, &block);
        if let Some(offset) = damage {
            return Err(PoolError::Damaged(offset));
        }
        match tag {
            Some(given) if given != block.tag => Err(PoolError::WrongTag { actual: block.tag, given }),
            _ => Ok(block.len),
        }
    }

    fn retire(&self, inner: &mut Inner, key: usize, block: &Block) {
        inner.bytes -= block.len;
        if !block.shared {
            let size = round_up(block.len.max(1));
            if size <= KEPT {
                self.space.protect(key, size, Access::None);
            } else {
                self.space.discard(key, size);
            }
            inner.quarantine.entry(size).or_default().push_back(key);
            inner.guarded -= 1;
            return;
        }
        self.fill(block.start, block.len, FREED);
        let Some((&base, chunk)) = inner.chunks.range_mut(..=key).next_back() else { return };
        chunk.live -= 1;
        if chunk.live == 0 && inner.current != Some(base) {
            self.space.discard(base, CHUNK);
        }
    }

    /// Gives the memory of all blocks back.
    pub(crate) fn release(&self) {
        let top = self.inner.borrow().top;
        self.space.discard(0, top);
    }

    /// The length of the live block that starts at `pointer`.
    pub fn len_of(&self, pointer: *const u8) -> Option<usize> {
        let neighbour = self.at_address(pointer.addr())?;
        (neighbour.offset == 0 && neighbour.freed.is_none()).then_some(neighbour.len)
    }

    /// The block, live or freed, in or next to whose pages `address` lies.
    pub fn at_address(&self, address: usize) -> Option<Neighbour> {
        let offset = address.checked_sub(self.space.base()).filter(|&offset| offset < SPACE)?;
        let inner = self.inner.borrow();
        let (&key, block) = inner.blocks.range(..=offset).next_back()?;
        if !block.shared && offset >= key + round_up(block.len.max(1)) + PAGE {
            return None;
        }
        Some(Neighbour {
            number: block.number,
            tag: block.tag,
            len: block.len,
            offset: offset.wrapping_sub(block.start).cast_signed(),
            allocated: block.allocated.clone(),
            freed: block.freed.clone(),
        })
    }

    /// The live blocks in the order of their allocation.
    pub fn leaks(&self) -> Vec<Leak> {
        let inner = self.inner.borrow();
        let live = inner.blocks.values().filter(|block| block.freed.is_none());
        let mut leaks: Vec<Leak> = live
            .map(|block| Leak {
                number: block.number,
                tag: block.tag,
                len: block.len,
                site: block.allocated.clone(),
            })
            .collect();
        leaks.sort_by_key(|leak| leak.number);
        leaks
    }

    /// Blocks allocated so far.
    pub fn allocations(&self) -> u64 {
        self.inner.borrow().next - 1
    }

    /// Bytes in live blocks.
    pub fn bytes(&self) -> usize {
        self.inner.borrow().bytes
    }

    /// The most bytes that were ever in live blocks.
    pub fn peak(&self) -> usize {
        self.inner.borrow().peak
    }
}
