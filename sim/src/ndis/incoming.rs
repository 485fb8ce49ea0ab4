//! Incoming calls: the call manager offers them on a SAP, the client answers.

use std::rc::Rc;
use std::time::Duration;

use super::activation::check_settled;
use super::callback::{Level, callback_with};
use super::handle::Handle;
use super::parameters::{CALL_PARAMETERS_CHANGED, CallParameters, read_foreign};
use super::readings::readings;
use super::status::{self, Status};
use super::vc::{self, CallState, Creator, Vc};
use super::{finding, modification, note, raw, sap};
use crate::machine::{IrqlRange, Step, enter};

/// How long an offer may be on its way to NDIS.
const CROSSING: Duration = Duration::from_micros(50);

/// `NdisClIncomingCallComplete`: the client's answer to an offer it pended.
pub fn accept_call(vc: &Rc<Vc>, status: Status) {
    if vc.call.get() != CallState::Offered {
        return;
    }
    let accepted = status == status::SUCCESS;
    vc.modifications.taken(vc.offered.get());
    vc.call.set(if accepted { CallState::Accepted } else { CallState::Idle });
    vc.rejected.set(!accepted);
    let verb = if accepted { "accepts" } else { "rejects" };
    note(Step::new("client", format!("{} {verb} the call on {}", vc.client().name(), vc.name())));
    complete(vc, status);
}

/// Has the client ask for another rate, in bytes a second, than it was offered: it writes to the parameters of the offer,
/// which are its own until it has answered.
pub fn ask_for_rate(vc: &Rc<Vc>, rate: u32) {
    let at = vc.offered.get();
    raw::write(at as *mut u32, raw::read(at as *const u32) | CALL_PARAMETERS_CHANGED);
    let manager = raw::read((at + 8) as *const usize);
    // Transmit.TokenRate and Transmit.PeakBandwidth.
    for field in [manager, manager + 8] {
        raw::write(field as *mut u32, rate);
    }
}

fn complete(vc: &Rc<Vc>, status: Status) {
    callback_with!(
        vc.context(),
        "CmIncomingCallComplete",
        Level::UpToDispatch,
        vc.adapter().call_manager().incoming_call_complete,
        status,
        vc.context(),
        vc.offered.get(),
    );
}

pub(super) unsafe extern "win64" fn dispatch(sap: Handle, handle: Handle, parameters: usize) -> Status {
    let _call = enter("NdisCmDispatchIncomingCall", IrqlRange::DISPATCH_OR_BELOW);
    let Some(sap) = sap::find(sap, "CO-114") else { return status::FAILURE };
    let Some(vc) = vc::find(handle) else { return status::FAILURE };
    super::no_locks("CO-109", || vc.name());
    if !sap.takes_calls() {
        // The offer may have been on its way when the deregistration came, which then waits for it.
        if sap.has_left_for(CROSSING) {
            finding("CO-055", Some(sap.name()), "offers a call while being deregistered".to_owned());
        }
        return status::INVALID_SAP;
    }
    if !Rc::ptr_eq(sap.address_family(), vc.address_family()) {
        finding("CO-065", Some(vc.name()), "the VC belongs to another client than the SAP".to_owned());
        return status::INVALID_SAP;
    }
    if vc.creator() != Creator::CallManager {
        finding("CO-113", Some(vc.name()), "an offer on a VC that the client created".to_owned());
        return status::FAILURE;
    }
    if vc.call.get() != CallState::Idle {
        let text = format!("an offer while {:?}", vc.call.get());
        finding("CO-115", Some(vc.name()), text);
        return status::FAILURE;
    }
    vc.call.set(CallState::Offered);
    vc.rejected.set(false);
    vc.close_dispatched.set(false);
    vc.offered.set(parameters);
    let offer: CallParameters = read_foreign(parameters, raw::bytes);
    note(Step::new("driver", format!("offers a call on {} to {}", vc.name(), vc.client().name())));
    let status = vc.client().incoming_call(&sap, &vc, &offer);
    match status {
        status::PENDING => return status,
        status::SUCCESS => {
            vc.modifications.taken(parameters);
            vc.call.set(CallState::Accepted);
        }
        _ => {
            vc.call.set(CallState::Idle);
            vc.rejected.set(true);
        }
    }
    if readings().every_answer_completed {
        complete(&vc, status);
    }
    status
}

pub(super) unsafe extern "win64" fn connected(handle: Handle) {
    let _call = enter("NdisCmDispatchCallConnected", IrqlRange::DISPATCH_OR_BELOW);
    let Some(vc) = vc::find(handle) else { return };
    super::no_locks("CO-109", || vc.name());
    if vc.creator() != Creator::CallManager {
        finding("CO-120", Some(vc.name()), "connected on a VC that the client created".to_owned());
        return;
    }
    match vc.call.get() {
        CallState::Accepted => {}
        // The client's close crosses; it no longer wants to know.
        CallState::Closing => return,
        other => {
            finding("CO-119", Some(vc.name()), format!("connected while {other:?}"));
            return;
        }
    }
    check_settled(&vc, "the call on it connected");
    if !vc.is_active() {
        finding("CO-072", Some(vc.name()), "connected on an inactive VC".to_owned());
    }
    modification::check_taken(&vc);
    vc.call.set(CallState::Connected);
    note(Step::new("driver", format!("call on {} connected", vc.name())));
    vc.client().call_connected(&vc);
    vc.adapter().ndis().changed();
}
