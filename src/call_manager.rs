//! The call manager: address families, service access points, virtual circuits, and the calls on them.

mod activation;
mod address_family;
mod call;
mod calls;
mod change;
mod discovery;
mod ending;
mod extension;
mod incoming;
mod lines;
mod offered;
mod qos;
mod request;
mod sap;
mod steps;
mod vc;

use ndis::{
    AddressFamilyHandle, AddressFamilyId, Answer, CallParameters, Chain, CloseAddressFamily, CloseCall,
    DeregisterSap, MakeCall, ModifyCall, OidRequest, Ref, Result, ReturnedChain, SapHandle, Status, Unlocked,
    VcHandle, Verdict,
};

pub(crate) use self::address_family::AddressFamily;
pub(crate) use self::calls::Calls;
pub(crate) use self::lines::Lines;
pub(crate) use self::sap::Sap;
pub(crate) use self::vc::Vc;
use crate::adapter::Adapter;
use condis::address_family::AddressFamily as Family;

/// The NDIS status of a status of crate `condis`, which does not know NDIS.
pub(crate) fn from_condis(status: condis::status::Status) -> Status {
    Status::new(status.code())
}

impl ndis::CallManager for Adapter {
    const ADDRESS_FAMILIES: &'static [AddressFamilyId] =
        &[AddressFamilyId(Family::TapiProxy.number()), AddressFamilyId(Family::Ppp.number())];

    type AddressFamily = AddressFamily;
    type Sap = Sap;
    type Vc = Vc;

    fn open_address_family(
        this: &Ref<Self>,
        family: AddressFamilyId,
        handle: AddressFamilyHandle,
        locks: &mut Unlocked,
    ) -> Result<Ref<AddressFamily>> {
        AddressFamily::open(this, family, handle, locks)
    }

    fn close_address_family(
        family: &Ref<AddressFamily>,
        request: CloseAddressFamily<AddressFamily>,
        locks: &mut Unlocked,
    ) -> Answer {
        family.close(request, locks)
    }

    fn register_sap(
        family: &Ref<AddressFamily>,
        sap_type: u32,
        sap: &[u8],
        handle: SapHandle,
        locks: &mut Unlocked,
    ) -> Result<Ref<Sap>> {
        Sap::register(family, sap_type, sap, handle, locks)
    }

    fn deregister_sap(sap: &Ref<Sap>, request: DeregisterSap<Sap>, locks: &mut Unlocked) -> Answer {
        sap.deregister(request, locks)
    }

    fn create_vc(family: &Ref<AddressFamily>, handle: VcHandle, locks: &mut Unlocked) -> Result<Ref<Vc>> {
        Vc::create(family, handle, locks)
    }

    fn delete_vc(vc: &Ref<Vc>, locks: &mut Unlocked) -> Result<()> {
        vc.delete(locks)
    }

    fn make_call(vc: &Ref<Vc>, request: MakeCall, locks: &mut Unlocked) -> Answer {
        Vc::make_call(vc, request, locks)
    }

    fn close_call(vc: &Ref<Vc>, request: CloseCall, locks: &mut Unlocked) -> Answer {
        Vc::close_call(vc, request, locks)
    }

    fn incoming_call_complete(
        vc: &Ref<Vc>,
        verdict: Verdict,
        parameters: Option<&CallParameters>,
        locks: &mut Unlocked,
    ) {
        Vc::answered(vc, verdict, parameters, locks);
    }

    fn vc_activated(vc: &Ref<Vc>, result: Result<()>, locks: &mut Unlocked) {
        Vc::activation_completed(vc, result.is_ok(), locks);
    }

    fn modify_call(vc: &Ref<Vc>, request: ModifyCall, locks: &mut Unlocked) -> Answer {
        Vc::modify_call(vc, request, locks)
    }

    fn vc_deactivated(vc: &Ref<Vc>, locks: &mut Unlocked) {
        Vc::deactivation_completed(vc, locks);
    }

    fn send(vc: &Ref<Vc>, chain: Chain<Vc>, locks: &mut Unlocked) {
        vc.adapter().send(vc, chain, locks);
    }

    fn receives_returned(this: &Ref<Self>, chain: ReturnedChain<Vc>, locks: &mut Unlocked) {
        this.receives_returned(chain, locks);
    }

    fn co_oid_request(this: &Ref<Self>, vc: Option<&Ref<Vc>>, request: &mut OidRequest<'_>) -> Status {
        let oid = request.oid();
        let status = Adapter::co_oid(this, condis::oid::Path::Co, vc, request);
        if let Some(vc) = vc {
            Vc::asked(vc, oid, request.locks());
        }
        status
    }

    fn cm_oid_request(
        family: &Ref<AddressFamily>,
        vc: Option<&Ref<Vc>>,
        request: &mut OidRequest<'_>,
    ) -> Status {
        Adapter::co_oid(family.owner(), condis::oid::Path::Cm(family.kind()), vc, request)
    }
}
