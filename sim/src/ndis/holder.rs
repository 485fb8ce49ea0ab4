//! For whom a driver obtains something: one of its adapters, or itself.
//!
//! "An NDIS handle that was obtained during caller initialization" is either handle of a miniport driver's. The page of
//! `NdisAllocateIoWorkItem` names both, and says by when what was obtained with which is given back; "Obtaining Pool Handles"
//! names that of the adapter alone, and Microsoft's samples pass that of the driver.

use std::rc::Rc;

use super::adapter::Adapter;
use super::driver::Driver;
use super::finding;
use super::handle::{self, Handle, Kind};
use super::ownership::Resource;
use super::{Ndis, note};
use crate::machine::Step;

/// The holder of what NDIS gave.
#[derive(Clone)]
pub(crate) enum Holder {
    /// Gives it back by the end of `MiniportHaltEx`.
    Adapter(Rc<Adapter>),
    /// Gives it back by the end of `MiniportDriverUnload`.
    Driver(Rc<Driver>),
}

impl Holder {
    /// The holder by a handle of an adapter or of a miniport driver.
    pub(super) fn find(handle: Handle) -> Option<Self> {
        if handle::is_of(Kind::Driver, handle) {
            Driver::find(handle).map(Self::Driver)
        } else {
            Adapter::find(handle).map(Self::Adapter)
        }
    }

    /// The same where a handle is optional: without one it is the driver, if there is no other.
    pub(super) fn find_or_caller(handle: Handle) -> Option<Self> {
        if !handle.is_null() {
            return Self::find(handle);
        }
        let caller = Ndis::current().only_driver().map(Self::Driver);
        if caller.is_none() {
            finding("CO-084", None, "no handle, and several drivers to whom the call may belong".to_owned());
        }
        caller
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Adapter(adapter) => adapter.name(),
            Self::Driver(driver) => driver.name(),
        }
    }

    /// The adapter, if it is one.
    pub(super) fn adapter(&self) -> Option<&Rc<Adapter>> {
        match self {
            Self::Adapter(adapter) => Some(adapter),
            Self::Driver(_) => None,
        }
    }

    pub(super) fn own(&self, resource: Resource, key: usize, what: &str) {
        match self {
            Self::Adapter(adapter) => adapter.own(resource, key, what),
            Self::Driver(driver) => {
                if resource.is_a_duty() {
                    note(Step::new("driver", format!("has {what} of its own")));
                }
                driver.owned.add(resource, key, what);
            }
        }
    }

    /// The driver gave it back.
    pub(super) fn disown(&self, resource: Resource, key: usize) {
        match self {
            Self::Adapter(adapter) => adapter.owned.remove(resource, key),
            Self::Driver(driver) => driver.owned.remove(resource, key),
        };
    }
}
