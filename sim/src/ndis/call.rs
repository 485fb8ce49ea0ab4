//! Calls: the client makes them and closes them; the call manager completes.

use std::rc::Rc;

use super::activation::check_settled;
use super::address_family::Family;
use super::block::Block;
use super::callback::{Level, callback_with};
use super::handle::Handle;
use super::lent::Lent;
use super::parameters::{CALL_PARAMETERS_CHANGED, CallParameters};
use super::pend::Returned;
use super::readings::readings;
use super::status::{self, Status};
use super::vc::{self, CallState, Vc};
use super::{deadline, finding, modification, note, raw};
use crate::machine::{IrqlRange, Step, enter};
use crate::memory::pages::{Access, PAGE, Reservation};

/// `NdisClMakeCall` without a party.
pub fn make_call(vc: &Rc<Vc>, parameters: &CallParameters) -> Status {
    if vc.call.get() != CallState::Idle || !vc.making.begin() {
        return status::NOT_ACCEPTED;
    }
    vc.call.set(CallState::Making);
    vc.close_dispatched.set(false);
    vc.speed.set(vc.adapter().link_speed.get());
    let proxied = is_proxied(vc).then(|| readings().proxy_flows.put_into(parameters));
    let lent = Lent::new(proxied.as_ref().unwrap_or(parameters));
    let address = lent.address();
    vc.parameters.replace(Some(lent));
    let party = Block::poisoned("CallMgrPartyContext");
    note(Step::new("client", format!("{} asks for a call on {}", vc.client().name(), vc.name())));
    let status = callback_with!(
        vc.context(),
        "CmMakeCall",
        Level::UpToDispatch,
        vc.adapter().call_manager().make_call,
        vc.context(),
        address,
        std::ptr::null_mut(),
        party.address(),
    );
    // NULL is allowed too: the handler page of CmMakeCall tells a driver without parties to write it.
    if party.pointer().is_some_and(|context| context != 0) {
        finding("CO-092", Some(vc.name()), "a party context without a party".to_owned());
    }
    match vc.making.returned(status) {
        Returned::Final(status) => {
            call_made(vc, status, address);
            status
        }
        Returned::Pending => {
            let watched = Rc::clone(vc);
            deadline(300, "CO-091", move || watched.making.outstanding().then(|| watched.name()));
            status::PENDING
        }
        Returned::Early => status::PENDING,
        Returned::Twice(status) => {
            let text = format!("CmMakeCall completed and then returned {}", status::name(status));
            finding("CO-089", Some(vc.name()), text);
            status::PENDING
        }
    }
}

/// The make-call request ended; gives the parameters back as the driver left them.
fn call_made(vc: &Rc<Vc>, status: Status, address: usize) -> CallParameters {
    let success = status == status::SUCCESS;
    check_settled(vc, "the call on it completed");
    let parameters = vc
        .parameters
        .take()
        .map_or_else(CallParameters::default, |lent| lent.take_back(vc, address, success));
    if success && !vc.is_active() {
        finding("CO-071", Some(vc.name()), "call completed before the VC is active".to_owned());
    }
    if !success && vc.is_active() {
        finding("CO-075", Some(vc.name()), "call failed and the VC is still active".to_owned());
    }
    if success && is_proxied(vc) {
        check_rates(vc, &parameters);
    }
    // A close that is under way decides what becomes of the VC.
    if vc.call.get() == CallState::Making {
        vc.call.set(if success { CallState::Connected } else { CallState::Idle });
    }
    let how = if success { "connected".to_owned() } else { format!("failed: {}", status::name(status)) };
    note(Step::new("driver", format!("call on {} {how}", vc.name())));
    parameters
}

/// Whether the call is NDPROXY's.
fn is_proxied(vc: &Vc) -> bool {
    vc.address_family().family().family == Family::TAPI_PROXY
}

/// CO-323: TAPI learns the rates of the call from the parameters, which the call manager supplies if the client has none.
fn check_rates(vc: &Rc<Vc>, parameters: &CallParameters) {
    let Some(manager) = &parameters.call_manager else {
        finding("CO-323", Some(vc.name()), "no call-manager parameters are supplied".to_owned());
        return;
    };
    // The link may have got another speed meanwhile.
    let links = [vc.speed.get(), vc.adapter().link_speed.get()];
    let known = |rate: u32| rate != 0 && rate != super::parameters::UNSPECIFIED;
    let of_link = |rate: u32| {
        let unknown = links.iter().any(|&speed| speed == 0 || speed == u64::MAX);
        known(rate) && (unknown || links.contains(&(u64::from(rate) * 8)))
    };
    let flows = [&manager.transmit, &manager.receive];
    let rates = flows.iter().all(|flow| of_link(flow.peak_bandwidth) && of_link(flow.token_rate));
    if !rates || parameters.flags & CALL_PARAMETERS_CHANGED == 0 {
        let text = format!(
            "PeakBandwidth {} and {}, TokenRate {} and {}, flags {:#x}, link {links:?}",
            manager.transmit.peak_bandwidth,
            manager.receive.peak_bandwidth,
            manager.transmit.token_rate,
            manager.receive.token_rate,
            parameters.flags
        );
        finding("CO-323", Some(vc.name()), text);
    }
}

/// `NdisClCloseCall` without a party and without data. Ends a call that is up, offered and accepted, or still being made.
pub fn close_call(vc: &Rc<Vc>) -> Status {
    close(vc, 0, 0)
}

/// The same with data that are to be sent before the call ends. They lie at the end of a page, behind which there is none.
/// Without a byte of it there is a pointer all the same. `INVALID_DATA`, which a call manager may answer to data and to
/// nothing else, leaves the call as it is.
///
/// # Panics
/// If they do not fit in a page.
pub fn close_call_with(vc: &Rc<Vc>, data: &[u8]) -> Status {
    let page = Reservation::new(PAGE);
    page.protect(0, PAGE, Access::ReadWrite);
    let at = page.base() + PAGE.checked_sub(data.len()).expect("a page is enough");
    raw::store(at, data);
    page.protect(0, PAGE, Access::Read);
    close(vc, at, u32::try_from(data.len()).expect("a page is enough"))
}

fn close(vc: &Rc<Vc>, data: usize, size: u32) -> Status {
    let before = vc.call.get();
    if matches!(before, CallState::Idle | CallState::Closing) || !vc.closing.begin() {
        return status::NOT_ACCEPTED;
    }
    vc.call.set(CallState::Closing);
    vc.closed_at.set(vc.adapter().begin());
    note(Step::new("client", format!("{} closes the call on {}", vc.client().name(), vc.name())));
    let status = callback_with!(
        vc.context(),
        "CmCloseCall",
        Level::UpToDispatch,
        vc.adapter().call_manager().close_call,
        vc.context(),
        0,
        data,
        size,
    );
    match vc.closing.returned(status) {
        Returned::Final(status::INVALID_DATA) if size != 0 => {
            vc.call.set(before);
            note(Step::new("driver", format!("sends no data with the close of {}", vc.name())));
            status::INVALID_DATA
        }
        Returned::Final(status) => {
            closed(vc, status);
            status
        }
        Returned::Pending => {
            let watched = Rc::clone(vc);
            deadline(120, "CO-102", move || watched.closing.outstanding().then(|| watched.name()));
            status::PENDING
        }
        Returned::Early => status::PENDING,
        Returned::Twice(status) => {
            let text = format!("CmCloseCall completed and then returned {}", status::name(status));
            finding("CO-102", Some(vc.name()), text);
            status::PENDING
        }
    }
}

fn closed(vc: &Rc<Vc>, status: Status) {
    if status != status::SUCCESS {
        finding("CO-102", Some(vc.name()), format!("the close failed with {}", status::name(status)));
    }
    if vc.is_active() {
        finding("CO-105", Some(vc.name()), "close completed and the VC is still active".to_owned());
    }
    check_settled(vc, "the call on it closed");
    if vc.making.outstanding() {
        finding("CO-107", Some(vc.name()), "close completed before the call it cancels".to_owned());
    }
    modification::check_ended(vc);
    vc.read_supplied();
    vc.unshare();
    vc.check_close();
    vc.adapter().acted();
    vc.call.set(CallState::Idle);
    note(Step::new("driver", format!("call on {} closed", vc.name())));
}

pub(super) unsafe extern "win64" fn make_call_complete(
    status: Status,
    handle: Handle,
    party: Handle,
    party_context: Handle,
    parameters: usize,
) {
    let _call = enter("NdisCmMakeCallComplete", IrqlRange::DISPATCH_OR_BELOW);
    let Some(vc) = vc::find(handle) else { return };
    super::no_locks("CO-109", || vc.name());
    if status == status::PENDING {
        finding("CO-090", Some(vc.name()), "call completed with PENDING".to_owned());
        return;
    }
    if !vc.making.complete() {
        finding("CO-089", Some(vc.name()), "call completed but not pended".to_owned());
        return;
    }
    if !party.is_null() || !party_context.is_null() {
        finding("CO-092", Some(vc.name()), "a party without a multipoint call".to_owned());
    }
    let parameters = call_made(&vc, status, parameters);
    vc.client().make_call_complete(&vc, status, &parameters);
    vc.acted();
    vc.adapter().ndis().changed();
}

pub(super) unsafe extern "win64" fn close_call_complete(status: Status, handle: Handle, party: Handle) {
    let _call = enter("NdisCmCloseCallComplete", IrqlRange::DISPATCH_OR_BELOW);
    let Some(vc) = vc::find(handle) else { return };
    super::no_locks("CO-109", || vc.name());
    if status == status::PENDING {
        finding("CO-102", Some(vc.name()), "close completed with PENDING".to_owned());
        return;
    }
    if !vc.closing.complete() {
        finding("CO-102", Some(vc.name()), "close completed but not pended".to_owned());
        return;
    }
    if !party.is_null() {
        finding("CO-092", Some(vc.name()), "a party without a multipoint call".to_owned());
    }
    closed(&vc, status);
    vc.client().close_call_complete(&vc, status);
    vc.adapter().ndis().changed();
}

/// The network closes the call.
pub(super) unsafe extern "win64" fn dispatch_close(status: Status, handle: Handle, buffer: usize, size: u32) {
    let _call = enter("NdisCmDispatchIncomingCloseCall", IrqlRange::DISPATCH_OR_BELOW);
    let Some(vc) = vc::find(handle) else { return };
    super::no_locks("CO-109", || vc.name());
    if (buffer == 0) != (size == 0) {
        finding(
            "CO-125",
            Some(vc.name()),
            format!("close data of {size} bytes, buffer given: {}", buffer != 0),
        );
        return;
    }
    match vc.call.get() {
        CallState::Making => {
            finding("CO-101", Some(vc.name()), "close of a call that is not completed".to_owned());
            return;
        }
        // The client's rejection of an offer crosses the network's close.
        CallState::Idle if vc.rejected.get() => return,
        CallState::Idle => {
            finding("CO-124", Some(vc.name()), "close without a call".to_owned());
            return;
        }
        // The client's close crosses the network's; NDIS drops the latter.
        CallState::Closing => return,
        CallState::Offered | CallState::Accepted | CallState::Connected => {}
    }
    if vc.close_dispatched.replace(true) {
        finding("CO-124", Some(vc.name()), "close dispatched twice".to_owned());
        return;
    }
    let data = if size == 0 { Vec::new() } else { raw::bytes(buffer, size as usize) };
    note(Step::new("driver", format!("network closes the call on {}: {}", vc.name(), status::name(status))));
    vc.client().incoming_close(&vc, status, &data);
    vc.acted();
    vc.adapter().ndis().changed();
}
