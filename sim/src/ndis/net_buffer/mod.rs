//! Network data of the driver: pools, `NET_BUFFER_LIST`s, `NET_BUFFER`s and MDLs that it allocates from NDIS.

mod data;
pub(crate) mod layout;
mod mdl;
mod pool;

use std::cell::{Cell, RefCell};

pub(super) use data::{
    advance, advance_list, copy as copy_data, get as get_data_buffer, retreat, retreat_list,
};
use layout::{Nb, Nbl};
pub(super) use mdl::{allocate as allocate_mdl, free as free_mdl};
pub(super) use pool::{
    allocate_buffer, allocate_buffer_pool, allocate_list, allocate_list_and_buffer, allocate_list_pool,
    free_buffer, free_buffer_pool, free_list, free_list_pool,
};

use super::block::Block;

/// Who may touch a frame list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The driver.
    Driver,
    /// A client, since the driver indicated it.
    Client,
}

/// A `NET_BUFFER_LIST` from a pool of the driver.
pub(crate) struct PoolNbl {
    number: u64,
    block: Block,
    pool: std::rc::Rc<pool::ListPool>,
    owner: Cell<Owner>,
    /// What NDIS keeps in its bits of `Flags`.
    kept: Cell<u32>,
    /// The description of the data when it was indicated.
    indicated: RefCell<Vec<usize>>,
}

impl PoolNbl {
    pub(crate) fn address(&self) -> usize {
        self.block.address()
    }

    pub(crate) fn owner(&self) -> Owner {
        self.owner.get()
    }

    pub(crate) fn set_owner(&self, owner: Owner) {
        self.owner.set(owner);
    }

    /// NDIS keeps something else in its bits of `Flags` from now on.
    pub(crate) fn keep(&self, random: u64) {
        self.kept.set(Nbl(self.address()).keep_in_flags(random));
    }

    /// Whether NDIS's bits of `Flags` are as it left them.
    pub(crate) fn has_kept(&self) -> bool {
        Nbl(self.address()).flags() & Nbl::NDIS_FLAGS == self.kept.get()
    }

    pub(crate) fn name(&self) -> String {
        format!("NBL {}", self.number)
    }

    /// What the driver must not change while a client owns the list.
    fn description(&self) -> Vec<usize> {
        let nbl = Nbl(self.address());
        let mut words = vec![nbl.first(), nbl.context(), nbl.pool(), nbl.source_handle()];
        for nb in nbl.net_buffers(2) {
            words.extend([nb.current_mdl(), nb.mdl_chain(), nb.next()]);
            words.extend([nb.current_mdl_offset(), nb.data_length(), nb.data_offset()].map(|it| it as usize));
            for mdl in nb.mdls() {
                words.extend([mdl.0, mdl.start_va(), mdl.byte_count() as usize, mdl.byte_offset() as usize]);
            }
        }
        words
    }

    /// Keeps the description for [`Self::changed`].
    pub(crate) fn remember(&self) {
        self.indicated.replace(self.description());
    }

    /// What the driver (or its device) did to a list that a client owned.
    pub(crate) fn changed(&self, data: &[u8]) -> Option<&'static str> {
        if self.description() != *self.indicated.borrow() {
            return Some("its structures changed while the client owned it");
        }
        let now = Nbl(self.address()).net_buffers(1).first().copied().map(Nb::data);
        let same = now.and_then(Result::ok).is_some_and(|now| now == data);
        (!same).then_some("its data changed while the client owned it")
    }
}
