//! What a driver has obtained from NDIS, for an adapter or for itself, and not given back.

use std::cell::RefCell;

/// A kind of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    Configuration,
    IoSpace,
    PortRange,
    ScatterGather,
    SharedMemory,
    Interrupt,
    Timer,
    WorkItem,
    Pool,
    BufferPool,
    Mdl,
}

impl Resource {
    /// Whether getting one is a duty of `MiniportInitializeEx` that a reader of a run wants to see. Of MDLs there are
    /// too many; an interrupt tells more of itself.
    pub(crate) fn is_a_duty(self) -> bool {
        !matches!(self, Self::Mdl | Self::Interrupt)
    }

    /// The rule broken by keeping it past `MiniportHaltEx`, or the driver's own past its unload.
    pub(crate) fn rule_at_halt(self) -> &'static str {
        match self {
            Self::Configuration => "SDV.NdisOpenConfigurationEx",
            Self::IoSpace => "CO-283",
            Self::PortRange => "CO-284",
            Self::ScatterGather => "SDV.Init_RegisterSG",
            Self::SharedMemory => "DV.E6.0x07",
            Self::Interrupt => "SDV.Init_DeRegisterInterrupt",
            Self::Timer => "SDV.CancelTimerObject",
            Self::WorkItem => "SDV.Init_NdisAllocateIoWorkItem",
            Self::Pool | Self::BufferPool => "SDV.NdisAllocateNetBuffer",
            Self::Mdl => "SDV.NdisAllocateMdl",
        }
    }

    /// The rule broken by keeping it past a failed `MiniportInitializeEx`.
    pub(crate) fn rule_at_failure(self) -> &'static str {
        match self {
            Self::Interrupt => "SDV.Init_RegisterInterrupt",
            Self::ScatterGather => "SDV.Init_RegisterSG",
            Self::WorkItem => "SDV.Init_NdisAllocateIoWorkItem",
            _ => "CO-028",
        }
    }
}

/// The resources of one adapter, or of the driver itself, in the order in which they were obtained.
#[derive(Default)]
pub(crate) struct Ownership {
    held: RefCell<Vec<(Resource, usize, String)>>,
}

impl Ownership {
    /// The driver obtained a resource, known by `key` (a handle or an address) among its kind.
    pub(crate) fn add(&self, resource: Resource, key: usize, what: impl Into<String>) {
        self.held.borrow_mut().push((resource, key, what.into()));
    }

    /// The driver gave one back; false if it had none such.
    pub(crate) fn remove(&self, resource: Resource, key: usize) -> bool {
        let mut held = self.held.borrow_mut();
        let found = held.iter().position(|it| it.0 == resource && it.1 == key);
        found.map(|at| held.remove(at)).is_some()
    }

    /// How many of a kind are held.
    pub(crate) fn count(&self, resource: Resource) -> usize {
        self.held.borrow().iter().filter(|it| it.0 == resource).count()
    }

    /// Forgets and returns everything held.
    pub(crate) fn take(&self) -> Vec<(Resource, usize, String)> {
        self.held.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_given_back_once() {
        let held = Ownership::default();
        held.add(Resource::Timer, 1, "timer");
        held.add(Resource::WorkItem, 1, "work item");
        assert!(held.remove(Resource::Timer, 1));
        assert!(!held.remove(Resource::Timer, 1));
        assert_eq!(held.count(Resource::WorkItem), 1);
        assert_eq!(held.take().len(), 1);
        assert!(held.take().is_empty());
    }
}
