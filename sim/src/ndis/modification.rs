//! Changes of a call's parameters: asked for by the client, with `NdisClModifyCallQoS` or with its answer to an offer, or
//! told by the call manager.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::callback::{Level, callback};
use super::handle::Handle;
use super::lent::Lent;
use super::parameters::{CALL_PARAMETERS_CHANGED, CallManagerParameters, CallParameters, read_foreign};
use super::pend::{Pend, Returned, Stage};
use super::status::{self, Status};
use super::vc::{self, CallState, Vc};
use super::{deadline, finding, raw};
use crate::machine::{IrqlRange, enter};

/// What changes on a VC.
#[derive(Default)]
pub(super) struct Modifications {
    /// Requests that have not ended, in their order.
    requests: RefCell<Vec<Rc<Request>>>,
    /// What the VC was activated with last.
    activated: RefCell<Option<CallManagerParameters>>,
    /// What the client has taken a call with in place of what it was offered.
    taken: RefCell<Option<CallManagerParameters>>,
}

/// One `NdisClModifyCallQoS`.
struct Request {
    pend: Pend,
    address: usize,
    lent: Cell<Option<Lent>>,
}

impl Modifications {
    /// The VC was activated.
    pub(super) fn activated(&self, parameters: &CallParameters) {
        self.activated.replace(parameters.call_manager.clone());
    }

    /// The client takes a call with these parameters.
    pub(super) fn taken(&self, parameters: usize) {
        let parameters = read_foreign(parameters, raw::bytes);
        let changed = parameters.flags & CALL_PARAMETERS_CHANGED != 0;
        self.taken.replace(parameters.call_manager.filter(|_| changed));
    }

    /// Whether the rates are those that the VC was activated with last.
    fn are_active(&self, wanted: &CallManagerParameters) -> bool {
        let rates = |it: &CallManagerParameters| [it.transmit.token_rate, it.receive.token_rate];
        self.activated.borrow().as_ref().is_some_and(|active| rates(active) == rates(wanted))
    }
}

/// `NdisClModifyCallQoS`, for a call that is up, or offered and not answered. The client may ask again before that has
/// ended.
pub fn modify_call(vc: &Rc<Vc>, parameters: &CallParameters) -> Status {
    if !matches!(vc.call.get(), CallState::Connected | CallState::Offered) {
        return status::NOT_ACCEPTED;
    }
    let lent = Lent::new(parameters);
    let address = lent.address();
    let request = Rc::new(Request { pend: Pend::default(), address, lent: Cell::new(Some(lent)) });
    request.pend.start();
    vc.modifications.requests.borrow_mut().push(Rc::clone(&request));
    let status = callback!(
        "CmModifyCallQoS",
        Level::UpToDispatch,
        vc.adapter().call_manager().modify_call_qos,
        vc.context(),
        address,
    );
    match request.pend.returned(status) {
        Returned::Final(status) => {
            end(vc, &request, address, status);
            status
        }
        Returned::Pending => {
            if vc.call.get() == CallState::Idle {
                outlived(vc);
            }
            let watched = Rc::clone(vc);
            deadline(120, "CO-132", move || request.pend.outstanding().then(|| watched.name()));
            status::PENDING
        }
        Returned::Early => status::PENDING,
        Returned::Twice(status) => {
            let text = format!("CmModifyCallQoS completed and then returned {}", status::name(status));
            finding("CO-132", Some(vc.name()), text);
            status::PENDING
        }
    }
}

/// A request has ended; gives the parameters back as the driver left them.
fn end(vc: &Rc<Vc>, request: &Rc<Request>, address: usize, status: Status) -> CallParameters {
    vc.modifications.requests.borrow_mut().retain(|other| !Rc::ptr_eq(other, request));
    let success = status == status::SUCCESS;
    let lent = request.lent.take();
    let parameters = lent.map_or_else(CallParameters::default, |lent| lent.take_back(vc, address, success));
    let missing = parameters.call_manager.as_ref().is_some_and(|it| !vc.modifications.are_active(it));
    if success && missing {
        let text = "changed without NdisMCmActivateVc with the new parameters".to_owned();
        finding("CO-133", Some(vc.name()), text);
    }
    parameters
}

/// CO-132: the call on a VC has closed, and no change of it is left. One that the driver is just being asked for may be
/// refused yet.
pub(super) fn check_ended(vc: &Vc) {
    if vc.modifications.requests.borrow().iter().any(|request| request.pend.stage() == Stage::Pending) {
        outlived(vc);
    }
}

fn outlived(vc: &Vc) {
    let text = "close completed before the change of the call".to_owned();
    finding("CO-132", Some(vc.name()), text);
}

/// CO-123: a call that the client has taken with other parameters connects with these.
pub(super) fn check_taken(vc: &Vc) {
    let Some(wanted) = vc.modifications.taken.take() else { return };
    if !vc.modifications.are_active(&wanted) {
        let text = format!(
            "taken at {} bytes a second, connected without NdisMCmActivateVc with that",
            wanted.transmit.token_rate
        );
        finding("CO-123", Some(vc.name()), text);
    }
}

pub(super) unsafe extern "win64" fn complete(status: Status, handle: Handle, parameters: usize) {
    let _call = enter("NdisCmModifyCallQoSComplete", IrqlRange::DISPATCH_OR_BELOW);
    let Some(vc) = vc::find(handle) else { return };
    super::no_locks("CO-109", || vc.name());
    let request = {
        let requests = vc.modifications.requests.borrow();
        let meant = requests.iter().find(|it| it.address == parameters && it.pend.outstanding());
        meant.or_else(|| requests.iter().find(|it| it.pend.outstanding())).cloned()
    };
    let Some(request) = request.filter(|it| status != status::PENDING && it.pend.complete()) else {
        finding("CO-132", Some(vc.name()), "modification completed but not pended".to_owned());
        return;
    };
    let parameters = end(&vc, &request, parameters, status);
    vc.client().modify_call_complete(&vc, status, &parameters);
    vc.adapter().ndis().changed();
}

/// The network changed the parameters of the call.
pub(super) unsafe extern "win64" fn dispatch(handle: Handle, parameters: usize) {
    let _call = enter("NdisCmDispatchIncomingCallQoSChange", IrqlRange::DISPATCH_OR_BELOW);
    let Some(vc) = vc::find(handle) else { return };
    super::no_locks("CO-109", || vc.name());
    if vc.call.get() != CallState::Connected || !vc.is_active() {
        finding("CO-136", Some(vc.name()), "parameters changed without a call".to_owned());
        return;
    }
    let parameters = read_foreign(parameters, raw::bytes);
    vc.client().call_modified(&vc, &parameters);
}
