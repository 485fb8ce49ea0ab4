//! `NET_BUFFER_LIST`, `NET_BUFFER` and `MDL` by the offsets of their fields in 64-bit targets.

use crate::raw;

/// Bytes of a list with its room for out-of-band data, of a net buffer and of an MDL.
const LIST: usize = 384;
const BUFFER: usize = 192;
const MDL: usize = 64;
/// Room for the bytes of a frame.
const DATA: usize = 2048;

/// Offsets in `NET_BUFFER_LIST`.
mod list {
    pub(super) const NEXT: usize = 0;
    pub(super) const FIRST: usize = 8;
    pub(super) const SOURCE_HANDLE: usize = 120;
    pub(super) const STATUS: usize = 140;
}

/// Offsets in `NET_BUFFER`.
mod buffer {
    pub(super) const CURRENT_MDL: usize = 8;
    pub(super) const CURRENT_OFFSET: usize = 16;
    pub(super) const LENGTH: usize = 24;
    pub(super) const CHAIN: usize = 32;
}

/// Offsets in `MDL`.
mod mdl {
    pub(super) const SIZE: usize = 8;
    pub(super) const FLAGS: usize = 10;
    pub(super) const MAPPED: usize = 24;
    pub(super) const START: usize = 32;
    pub(super) const COUNT: usize = 40;
    pub(super) const OFFSET: usize = 44;
    /// `MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL`.
    pub(super) const NONPAGED: i16 = 1 | 4;
}

/// Where the data of a net buffer begins.
pub(crate) fn data_address(nb: usize) -> usize {
    let mdl: usize = raw::read(nb + buffer::CURRENT_MDL);
    let offset: u32 = raw::read(nb + buffer::CURRENT_OFFSET);
    raw::read::<usize>(mdl + mdl::MAPPED) + offset as usize
}

/// The list behind a list.
pub(crate) fn next(list: usize) -> usize {
    raw::read(list + list::NEXT)
}

/// The status of a list.
pub(crate) fn status(list: usize) -> i32 {
    raw::read(list + list::STATUS)
}

/// The bytes of a list with one net buffer.
pub(crate) fn data(list: usize) -> Vec<u8> {
    let nb = raw::read(list + list::FIRST);
    raw::bytes(data_address(nb), raw::read::<u32>(nb + buffer::LENGTH) as usize)
}

/// The lists of a chain.
pub(crate) fn lists(first: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(first).filter(|&list| list != 0), |&list| {
        Some(next(list)).filter(|&it| it != 0)
    })
}

/// Lists of one frame each, to be sent again and again.
pub(crate) struct Lists {
    memory: Vec<u128>,
}

impl Lists {
    const EACH: usize = LIST + BUFFER + MDL + DATA;

    /// Makes `count` lists; all frames begin with `frame`.
    pub(crate) fn new(count: usize, frame: &[u8]) -> Self {
        let lists = Self { memory: vec![0; count * Self::EACH / 16] };
        for index in 0..count {
            let list = lists.address(index);
            let (nb, mdl, data) = (list + LIST, list + LIST + BUFFER, list + LIST + BUFFER + MDL);
            raw::write(list + list::FIRST, nb);
            raw::write(nb + buffer::CURRENT_MDL, mdl);
            raw::write(nb + buffer::CHAIN, mdl);
            raw::write(mdl + mdl::SIZE, 56_i16);
            raw::write(mdl + mdl::FLAGS, mdl::NONPAGED);
            raw::write(mdl + mdl::MAPPED, data);
            raw::write(mdl + mdl::START, data & !0xFFF);
            raw::write(mdl + mdl::OFFSET, u32::try_from(data & 0xFFF).unwrap_or(0));
            raw::write(mdl + mdl::COUNT, u32::try_from(DATA).unwrap_or(0));
            raw::store(data, frame);
        }
        lists
    }

    fn address(&self, index: usize) -> usize {
        self.memory.as_ptr().expose_provenance() + index * Self::EACH
    }

    /// Chains `count` lists from `first` on, frames of `length` bytes on a VC, for one send; the first one.
    pub(crate) fn chain(&self, first: usize, count: usize, length: usize, vc: usize) -> usize {
        for index in first..first + count {
            let list = self.address(index);
            let next = if index + 1 == first + count { 0 } else { self.address(index + 1) };
            raw::write(list + list::NEXT, next);
            raw::write(list + list::SOURCE_HANDLE, vc);
            raw::write(list + list::STATUS, -1_i32);
            raw::write(list + LIST + buffer::LENGTH, u32::try_from(length).unwrap_or(0));
        }
        self.address(first)
    }
}
