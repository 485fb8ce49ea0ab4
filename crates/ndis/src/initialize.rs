//! What `MiniportInitializeEx` works with.

use core::ffi::c_void;

use ndis_sys::{NDIS_MINIPORT_INIT_PARAMETERS, NDIS_RESOURCE_LIST};

use crate::irql::Passive;
use crate::miniport::AdapterHandle;
use crate::resources::Resources;

/// The adapter that is being initialised. IRQL: `PASSIVE_LEVEL` throughout.
pub struct Initialize<'a> {
    handle: AdapterHandle,
    context: *mut c_void,
    parameters: Option<&'a NDIS_MINIPORT_INIT_PARAMETERS>,
    irql: Passive,
}

impl<'a> Initialize<'a> {
    pub(crate) const fn new(
        handle: AdapterHandle,
        context: *mut c_void,
        parameters: Option<&'a NDIS_MINIPORT_INIT_PARAMETERS>,
        irql: Passive,
    ) -> Self {
        Self { handle, context, parameters, irql }
    }

    /// The handle for all calls to NDIS on behalf of this adapter.
    pub const fn handle(&self) -> &AdapterHandle {
        &self.handle
    }

    /// The same for the adapter to keep, and for it alone.
    pub const fn own_handle(&self) -> AdapterHandle {
        self.handle.same()
    }

    /// The level at which initialisation runs.
    pub const fn irql(&self) -> &Passive {
        &self.irql
    }

    /// The same, to be lent to locks.
    pub const fn irql_mut(&mut self) -> &mut Passive {
        &mut self.irql
    }

    /// The context that the registration attributes announce.
    pub(crate) const fn context(&self) -> *mut c_void {
        self.context
    }

    /// The translated hardware resources; empty where the bus gave none.
    pub fn resources(&self) -> Resources<'a> {
        let list: Option<&'a NDIS_RESOURCE_LIST> = self.parameters.and_then(|parameters| {
            // SAFETY: NDIS passes NULL or a list that is valid for the duration of the handler.
            unsafe { parameters.AllocatedResources.as_ref() }
        });
        Resources::new(list)
    }

    /// The locally unique identifier of the interface, which stays the same as long as the adapter is installed.
    pub fn net_luid(&self) -> u64 {
        self.parameters.map_or(0, |parameters| {
            // SAFETY: both members of the union are plain 64-bit data.
            unsafe { parameters.NetLuid.Value }
        })
    }
}
