//! Service access points: what incoming calls a client wants.

use core::mem::ManuallyDrop;

use ndis::{Answer, DeregisterSap, PendedDeregisterSap, Ref, Result, SapHandle, SpinLock, Status, Unlocked};

use super::lines::Place;
use super::{AddressFamily, from_condis};
use crate::level;

/// A registered SAP.
pub(crate) struct Sap {
    family: Ref<AddressFamily>,
    handle: SapHandle,
    pub(super) wanted: condis::sap::Sap,
    state: SpinLock<State, level::Sap>,
}

struct State {
    /// Calls that are being offered: NDIS has not returned from the offer.
    offers: u32,
    /// No more.
    deregistered: bool,
    /// A deregistration that waits for the offers. It counts as a reference to this SAP, which so does not end with it in
    /// there.
    waiting: Option<ManuallyDrop<PendedDeregisterSap<Sap>>>,
}

impl ndis::Sap for Sap {
    fn handle(&self) -> &SapHandle {
        &self.handle
    }
}

impl Sap {
    /// `CmRegisterSap`.
    pub(super) fn register(
        family: &Ref<AddressFamily>,
        sap_type: u32,
        bytes: &[u8],
        handle: SapHandle,
        locks: &mut Unlocked,
    ) -> Result<Ref<Self>> {
        if u32::try_from(bytes.len()).map_or(true, |length| length > condis::sap::MAX_LENGTH) {
            return Err(Status::INVALID_DATA);
        }
        let adapter = family.owner();
        let lines = adapter.lines(locks);
        let wanted = condis::sap::Sap::parse(family.kind(), sap_type, bytes, &lines).map_err(from_condis)?;
        let state = SpinLock::new(State { offers: 0, deregistered: false, waiting: None });
        let sap = Ref::new(Self { family: Ref::clone(family), handle, wanted, state })?;
        family.object_added(locks)?;
        let added = family.sap_added(wanted, locks).and_then(|()| {
            let added = adapter.sap_added(&sap, locks);
            added.inspect_err(|_| family.sap_removed(&wanted, locks))
        });
        if let Err(status) = added {
            family.object_removed(locks);
            return Err(status);
        }
        Ok(sap)
    }

    /// `CmDeregisterSap`: at once, or when NDIS has returned from the last offer.
    pub(super) fn deregister(&self, request: DeregisterSap<Self>, locks: &mut Unlocked) -> Answer {
        self.family.owner().sap_removed(self, locks);
        self.family.sap_removed(&self.wanted, locks);
        let mut state = self.state.lock(locks);
        state.deregistered = true;
        if state.offers != 0 {
            let (pended, answer) = request.pend();
            state.waiting = Some(ManuallyDrop::new(pended));
            return answer;
        }
        drop(state);
        self.family.object_removed(locks);
        request.finish()
    }

    /// A call is about to be offered: whether the SAP is still there. [`Self::end_offer`] follows.
    pub(super) fn begin_offer(&self, locks: &mut Unlocked) -> bool {
        let mut state = self.state.lock(locks);
        if !state.deregistered {
            state.offers = state.offers.saturating_add(1);
        }
        !state.deregistered
    }

    /// NDIS has returned from an offer.
    pub(super) fn end_offer(&self, locks: &mut Unlocked) {
        let mut state = self.state.lock(locks);
        state.offers = state.offers.saturating_sub(1);
        let waiting = if state.offers == 0 { state.waiting.take() } else { None };
        drop(state);
        if let Some(pended) = waiting {
            ManuallyDrop::into_inner(pended).complete(locks);
            self.family.object_removed(locks);
        }
    }

    /// The address family.
    pub(super) fn family(&self) -> &Ref<AddressFamily> {
        &self.family
    }

    /// The line that calls come in on.
    pub(super) fn line(&self) -> Place {
        match self.wanted {
            condis::sap::Sap::Tapi(sap) => Place::of(sap.line),
            condis::sap::Sap::Ppp(_) => Place::Nowhere,
        }
    }

    /// The media modes of calls that are offered to a client that knows such.
    pub(super) const fn call_mode(&self) -> Option<u32> {
        match &self.wanted {
            condis::sap::Sap::Tapi(sap) => sap.call_mode(),
            condis::sap::Sap::Ppp(_) => None,
        }
    }
}
