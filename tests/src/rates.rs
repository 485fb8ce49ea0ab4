//! The rates of calls, as clients ask for them.

use std::rc::Rc;

use ndis_sim::ndis::{
    Family, Vc, client,
    parameters::{CallParameters, FlowSpec},
    status::{self, Status},
    wait_for,
};

use crate::{
    Record,
    blocks::{self, Destination},
    caller::PATIENCE,
};

/// `QOS_NOT_SPECIFIED`.
pub const OPEN: u32 = u32::MAX;

/// A flow that asks for nothing but a rate.
pub fn flow(rate: u32) -> FlowSpec {
    FlowSpec {
        token_rate: rate,
        token_bucket_size: OPEN,
        peak_bandwidth: OPEN,
        minimum_policed_size: OPEN,
        ..FlowSpec::best_effort(rate)
    }
}

/// A request for flows.
pub fn request(transmit: FlowSpec, receive: FlowSpec) -> CallParameters {
    let mut parameters = blocks::call(Family::PPP, &Destination::default());
    if let Some(manager) = &mut parameters.call_manager {
        (manager.transmit, manager.receive) = (transmit, receive);
    }
    parameters
}

/// Asks for a transmit rate on a call; how that ended, and what the client has then.
///
/// # Panics
/// If it does not end.
pub fn modify(vc: &Rc<Vc>, parameters: &CallParameters) -> (Status, CallParameters) {
    let record = Record::of(vc);
    record.modified.take();
    let status = client::modify_call(vc, parameters);
    if status != status::PENDING {
        return (status, parameters.clone());
    }
    assert!(wait_for(PATIENCE, || !record.modified.borrow().is_empty()), "the change does not end");
    record.modified.take().pop().expect("just waited for")
}
