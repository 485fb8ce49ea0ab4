//! The CoNDIS client: what a protocol driver above the adapter is told ([`Client`]) and what it can ask for.
//!
//! The functions stand for `NdisClXxx`, `NdisCoXxx` and `NdisCmXxx` services of NDIS. They call the driver, so
//! they run in an activity, at `PASSIVE_LEVEL` or `DISPATCH_LEVEL`. Each returns what the driver's handler
//! said; after [`status::PENDING`] the matching method of [`Client`] reports the end, possibly before the
//! function has returned. The methods may run at `DISPATCH_LEVEL` and must not block.

use std::rc::Rc;

use super::adapter::Adapter;
use super::address_family::{AddressFamily, Family};
use super::indication::Indication;
use super::oid::OidRequest;
use super::parameters::CallParameters;
use super::receive::Received;
use super::sap::Sap;
use super::send::SendId;
use super::status::{self, Status};
use super::vc::Vc;

/// A CoNDIS client. The defaults suit a client that makes outgoing calls only.
#[expect(unused_variables, reason = "the defaults ignore what they are told")]
pub trait Client {
    /// For the log and the run's printout.
    fn name(&self) -> &'static str;

    /// The adapter offers an address family (`ProtocolCoAfRegisterNotify`); called once bound, at `PASSIVE_LEVEL`.
    fn family_registered(&self, adapter: &Rc<Adapter>, family: Family) {}

    /// A pended [`open_address_family`] ended.
    fn open_complete(&self, af: &Rc<AddressFamily>, status: Status) {}

    /// A pended [`close_address_family`] ended; `af` is dead.
    fn close_complete(&self, af: &Rc<AddressFamily>) {}

    /// The call manager wants this client to leave: `SUCCESS` if the address family is closed on return,
    /// `PENDING` if the client will call [`notify_close_complete`] later.
    fn notify_close(&self, af: &Rc<AddressFamily>) -> Status {
        status::PENDING
    }

    /// A pended [`register_sap`] ended.
    fn register_sap_complete(&self, sap: &Rc<Sap>, status: Status) {}

    /// A pended [`deregister_sap`] ended; `sap` is dead.
    fn deregister_sap_complete(&self, sap: &Rc<Sap>) {}

    /// The call manager creates a VC for an incoming call. Anything but `SUCCESS` refuses it.
    fn create_vc(&self, af: &Rc<AddressFamily>, vc: &Rc<Vc>) -> Status {
        status::NOT_SUPPORTED
    }

    /// The call manager deletes a VC it created.
    fn delete_vc(&self, vc: &Rc<Vc>) {}

    /// A call offered on `sap`: `SUCCESS`, a reason to refuse, or `PENDING` and then [`accept_call`].
    fn incoming_call(&self, sap: &Rc<Sap>, vc: &Rc<Vc>, parameters: &CallParameters) -> Status {
        status::NOT_ACCEPTED
    }

    /// An accepted incoming call is up.
    fn call_connected(&self, vc: &Rc<Vc>) {}

    /// A pended [`make_call`] ended.
    fn make_call_complete(&self, vc: &Rc<Vc>, status: Status, parameters: &CallParameters) {}

    /// A pended [`close_call`] ended.
    fn close_call_complete(&self, vc: &Rc<Vc>, status: Status) {}

    /// A pended [`modify_call`] ended.
    fn modify_call_complete(&self, vc: &Rc<Vc>, status: Status, parameters: &CallParameters) {}

    /// The network changed the parameters of the call.
    fn call_modified(&self, vc: &Rc<Vc>, parameters: &CallParameters) {}

    /// The network ended the call; the client answers with [`close_call`].
    fn incoming_close(&self, vc: &Rc<Vc>, status: Status, data: &[u8]) {}

    /// Frames arrived. Those whose [`Received::must_return`] is set go back by [`return_frames`].
    fn receive(&self, vc: &Rc<Vc>, frames: Vec<Received>) {
        let owned = frames.into_iter().filter(Received::must_return).collect();
        return_frames(vc.adapter(), owned);
    }

    /// A frame list given to [`send`] is done with.
    fn send_complete(&self, vc: &Rc<Vc>, id: SendId, status: Status) {}

    /// The call manager asks the client something. The default refuses what NDPROXY refuses.
    fn oid_request(&self, af: &Rc<AddressFamily>, vc: Option<&Rc<Vc>>, request: &OidRequest) -> Status {
        status::NOT_SUPPORTED
    }

    /// The adapter (or one VC) reports a status.
    fn status(&self, adapter: &Rc<Adapter>, vc: Option<&Rc<Vc>>, indication: &Indication) {}
}

pub use super::address_family::{
    close as close_address_family, notify_close_complete, open as open_address_family,
};
pub use super::call::{close_call, close_call_with, make_call};
pub use super::incoming::{accept_call, ask_for_rate};
pub use super::modification::modify_call;
pub use super::oid::{cm_request as cm_oid_request, co_request as co_oid_request};
pub use super::probe::probe_address_families;
pub use super::receive::return_frames;
pub use super::refused::{add_party, drop_party, send_connectionless};
pub use super::sap::{deregister as deregister_sap, register as register_sap};
pub use super::send::{Frames, cancel as cancel_sends, send};
pub use super::vc::{create as create_vc, delete as delete_vc};
