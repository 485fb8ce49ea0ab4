//! `NET_BUFFER_LIST`, `NET_BUFFER` and `MDL` by the offsets of their fields in 64-bit targets (`nbl.h`, `nb.h`, `wdm.h`).
//!
//! Offsets rather than the bindings' types: the public fields hide in nameless unions, and NDIS looks at them in
//! memory that the driver may change at any time.

use crate::ndis::raw;

macro_rules! fields {
    ($(#[$doc:meta])* $name:ident: $($get:ident $set:ident $type:ty = $offset:literal;)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) struct $name(pub(crate) usize);

        #[allow(dead_code, reason = "one accessor a field, whether NDIS reads and writes it or not")]
        impl $name {
            $(
                pub(crate) fn $get(self) -> $type {
                    raw::read((self.0 + $offset) as *const $type)
                }

                pub(crate) fn $set(self, value: $type) {
                    raw::write((self.0 + $offset) as *mut $type, value);
                }
            )*

            pub(crate) fn is_null(self) -> bool {
                self.0 == 0
            }
        }
    };
}

fields! {
    /// `NET_BUFFER_LIST`.
    Nbl:
    next set_next usize = 0;
    first set_first usize = 8;
    context set_context usize = 16;
    parent set_parent usize = 24;
    pool set_pool usize = 32;
    protocol_reserved set_protocol_reserved [usize; 4] = 64;
    miniport_reserved set_miniport_reserved [usize; 2] = 96;
    scratch set_scratch usize = 112;
    source_handle set_source_handle usize = 120;
    nbl_flags set_nbl_flags u32 = 128;
    child_count set_child_count i32 = 132;
    flags set_flags u32 = 136;
    status set_status i32 = 140;
    cancel_id set_cancel_id usize = 184;
}

impl Nbl {
    /// Room for every `NetBufferListInfo` slot of any NDIS 6 version.
    pub(crate) const LEN: usize = 384;
    /// `NBL_FLAGS_NDIS_RESERVED`: bits of `Flags`.
    pub(crate) const NDIS_FLAGS: u32 = 0x0000_0FFC;

    /// Has NDIS keep something in its bits of `Flags`, which are never all clear then; returns what.
    pub(crate) fn keep_in_flags(self, random: u64) -> u32 {
        let kept = u32::try_from(random & u64::from(Self::NDIS_FLAGS)).unwrap_or(0) | 4;
        self.set_flags(self.flags() & !Self::NDIS_FLAGS | kept);
        kept
    }

    /// The chain of net buffers, cut after `limit` of them.
    pub(crate) fn net_buffers(self, limit: usize) -> Vec<Nb> {
        chain(self.first(), limit, |at| Nb(at).next()).into_iter().map(Nb).collect()
    }
}

fields! {
    /// `NET_BUFFER`.
    Nb:
    next set_next usize = 0;
    current_mdl set_current_mdl usize = 8;
    current_mdl_offset set_current_mdl_offset u32 = 16;
    data_length set_data_length u32 = 24;
    mdl_chain set_mdl_chain usize = 32;
    data_offset set_data_offset u32 = 40;
    pool set_pool usize = 56;
    protocol_reserved set_protocol_reserved [usize; 6] = 80;
    miniport_reserved set_miniport_reserved [usize; 4] = 128;
    physical_address set_physical_address u64 = 160;
}

impl Nb {
    /// Bytes of the structure.
    pub(crate) const LEN: usize = 176;
    /// `MDL`s looked at before a chain counts as endless.
    const MDLS: usize = 4096;

    /// The chain of MDLs.
    pub(crate) fn mdls(self) -> Vec<Mdl> {
        chain(self.mdl_chain(), Self::MDLS, |at| Mdl(at).next()).into_iter().map(Mdl).collect()
    }

    /// The data, or what is wrong with the description of it.
    pub(crate) fn data(self) -> Result<Vec<u8>, String> {
        let length = self.data_length() as usize;
        let mut skip = self.current_mdl_offset() as usize;
        let mut data = Vec::with_capacity(length.min(1 << 16));
        let mut at = self.current_mdl();
        let mut seen = 0;
        while data.len() < length {
            if at == 0 {
                return Err(format!("DataLength {length} but the MDLs hold {}", data.len()));
            }
            seen += 1;
            if seen > Self::MDLS {
                return Err("the MDL chain has no end".to_owned());
            }
            let mdl = Mdl(at);
            let count = mdl.byte_count() as usize;
            if skip > count {
                return Err(format!("CurrentMdlOffset {skip} in an MDL of {count} bytes"));
            }
            let take = (count - skip).min(length - data.len());
            data.extend(raw::bytes(mdl.address()? + skip, take));
            skip = 0;
            at = mdl.next();
        }
        Ok(data)
    }

    /// Writes `bytes` at `offset` of the data, as far as the MDLs reach.
    pub(crate) fn store(self, offset: usize, mut bytes: &[u8]) {
        let mut skip = self.current_mdl_offset() as usize + offset;
        for mdl in self.mdls().into_iter().skip_while(|mdl| mdl.0 != self.current_mdl()) {
            let count = mdl.byte_count() as usize;
            let here = count.saturating_sub(skip).min(bytes.len());
            let (head, tail) = bytes.split_at(here);
            if let (false, Ok(address)) = (head.is_empty(), mdl.address()) {
                raw::store(address + skip, head);
            }
            bytes = tail;
            skip = skip.saturating_sub(count);
        }
    }

    /// Whether `CurrentMdl` and its offset are where `DataOffset` says.
    pub(crate) fn offset_agrees(self) -> bool {
        let mut left = self.data_offset() as usize;
        for mdl in self.mdls() {
            let count = mdl.byte_count() as usize;
            if mdl.0 == self.current_mdl() {
                return left == self.current_mdl_offset() as usize && left <= count;
            }
            if left < count {
                return false;
            }
            left -= count;
        }
        self.current_mdl() == 0 && self.data_length() == 0
    }

    /// Makes `CurrentMdl` and its offset follow `DataOffset`.
    pub(crate) fn settle(self) {
        let mut left = self.data_offset() as usize;
        let mut last = self.mdl_chain();
        for mdl in self.mdls() {
            last = mdl.0;
            let count = mdl.byte_count() as usize;
            if left < count || mdl.next() == 0 {
                break;
            }
            left -= count;
        }
        self.set_current_mdl(last);
        self.set_current_mdl_offset(u32::try_from(left).expect("inside an MDL"));
    }
}

fields! {
    /// `MDL`.
    Mdl:
    next set_next usize = 0;
    size set_size i16 = 8;
    mdl_flags set_mdl_flags i16 = 10;
    process set_process usize = 16;
    mapped_system_va set_mapped_system_va usize = 24;
    start_va set_start_va usize = 32;
    byte_count set_byte_count u32 = 40;
    byte_offset set_byte_offset u32 = 44;
}

impl Mdl {
    /// Bytes of the structure without the page frame numbers that follow it.
    pub(crate) const LEN: usize = 48;
    /// `MDL_MAPPED_TO_SYSTEM_VA`.
    pub(crate) const MAPPED: i16 = 1;
    /// `MDL_SOURCE_IS_NONPAGED_POOL`.
    pub(crate) const NONPAGED_POOL: i16 = 4;

    /// Bytes of an MDL that describes `len` bytes at `address`.
    pub(crate) fn len_for(address: usize, len: usize) -> usize {
        Self::LEN + 8 * ((address % 4096 + len).div_ceil(4096)).max(1)
    }

    /// Describes nonpaged memory, as `MmBuildMdlForNonPagedPool` does.
    pub(crate) fn describe(self, address: usize, len: usize) {
        self.set_next(0);
        self.set_size(i16::try_from(Self::len_for(address, len)).unwrap_or(i16::MAX));
        self.set_mdl_flags(Self::NONPAGED_POOL);
        self.set_process(0);
        self.set_mapped_system_va(address);
        self.set_start_va(address & !4095);
        self.set_byte_count(u32::try_from(len).expect("an MDL describes less than 4 GiB"));
        self.set_byte_offset(u32::try_from(address & 4095).expect("an offset in a page"));
    }

    /// Where the system sees the memory.
    pub(crate) fn address(self) -> Result<usize, String> {
        if self.mdl_flags() & (Self::MAPPED | Self::NONPAGED_POOL) == 0 {
            return Err("an MDL that is neither mapped nor built for nonpaged pool".to_owned());
        }
        let expected = self.start_va() + self.byte_offset() as usize;
        if self.mdl_flags() & Self::NONPAGED_POOL != 0 && self.mapped_system_va() != expected {
            return Err("an MDL whose MappedSystemVa and StartVa disagree".to_owned());
        }
        Ok(self.mapped_system_va())
    }
}

/// Follows a chain of pointers until its end or `limit` entries.
pub(crate) fn chain(first: usize, limit: usize, next: impl Fn(usize) -> usize) -> Vec<usize> {
    std::iter::successors(Some(first).filter(|&at| at != 0), |&at| Some(next(at)).filter(|&at| at != 0))
        .take(limit)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two MDLs over two pieces of `text`, and a net buffer that begins inside the first.
    #[test]
    fn data_is_gathered_from_the_current_mdl_on() {
        let text = b"....hello world".to_vec();
        let mut mdls = vec![0_u64; 32];
        let mut nb = vec![0_u64; Nb::LEN / 8];
        let (first, second) = (Mdl(mdls.as_mut_ptr() as usize), Mdl(mdls[16..].as_mut_ptr() as usize));
        first.describe(text.as_ptr() as usize, 9);
        second.describe(text[9..].as_ptr() as usize, 6);
        first.set_next(second.0);
        let nb = Nb(nb.as_mut_ptr() as usize);
        nb.set_mdl_chain(first.0);
        nb.set_data_offset(4);
        nb.settle();
        nb.set_data_length(11);
        assert!(nb.offset_agrees());
        assert_eq!(nb.data().unwrap(), b"hello world");
        nb.set_data_length(12);
        assert!(nb.data().is_err());
        nb.set_current_mdl_offset(3);
        assert!(!nb.offset_agrees());
        nb.set_data_offset(9);
        nb.settle();
        assert_eq!((nb.current_mdl(), nb.current_mdl_offset()), (second.0, 0));
    }

    #[test]
    fn an_endless_chain_is_cut() {
        assert_eq!(chain(1, 5, |at| at).len(), 5);
        assert!(chain(0, 5, |at| at).is_empty());
    }
}
