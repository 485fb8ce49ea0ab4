//! Service access points: what incoming calls a client wants.

use ndis::{Ref, Result, SapHandle, Status};

use super::{AddressFamily, from_condis};

/// A registered SAP.
pub(crate) struct Sap {
    family: Ref<AddressFamily>,
    _handle: SapHandle,
    wanted: condis::sap::Sap,
}

impl Sap {
    /// `CmRegisterSap`.
    pub(super) fn register(
        family: &Ref<AddressFamily>,
        sap_type: u32,
        bytes: &[u8],
        handle: SapHandle,
    ) -> Result<Ref<Self>> {
        if u32::try_from(bytes.len()).map_or(true, |length| length > condis::sap::MAX_LENGTH) {
            return Err(Status::INVALID_DATA);
        }
        let lines = family.owner().lines();
        let wanted = condis::sap::Sap::parse(family.kind(), sap_type, bytes, &lines).map_err(from_condis)?;
        let sap = Ref::new(Self { family: Ref::clone(family), _handle: handle, wanted })?;
        family.object_added()?;
        if let Err(status) = family.sap_added(wanted) {
            family.object_removed();
            return Err(status);
        }
        Ok(sap)
    }

    /// `CmDeregisterSap`.
    pub(super) fn deregister(&self) {
        self.family.sap_removed(&self.wanted);
        self.family.object_removed();
    }
}
