//! Call-manager clients that drive the adapter from above: what they ask, and what they put into calls and SAPs.
//!
//! [`tapi_proxy`] stands for NDPROXY, which makes the calls of TAPI applications such as RAS; [`wan`] for NDISWAN,
//! which moves the frames; [`ppp`] for a kernel client of one's own. They build their parameter blocks from the
//! documented layouts, not with the driver's code, so that an error there shows here.

mod answers;
mod ndiswan;
pub mod ppp;
pub mod tapi_proxy;
pub mod wan;

pub(crate) use answers::RULES;

use crate::ndis::parameters::{
    CallManagerParameters, CallParameters, FlowSpec, MediaParameters, Specific, TRANSMIT_AND_RECEIVE,
};

/// Parameters of a call without quality of service, with a block of the medium's.
fn call_parameters(bytes_per_second: u32, param_type: u32, block: Vec<u8>) -> CallParameters {
    let flow = FlowSpec::best_effort(bytes_per_second);
    CallParameters {
        flags: 0,
        call_manager: Some(CallManagerParameters {
            transmit: flow,
            receive: flow,
            specific: Specific::default(),
        }),
        media: Some(MediaParameters {
            flags: TRANSMIT_AND_RECEIVE,
            specific: Specific { param_type, parameters: block },
            ..MediaParameters::default()
        }),
    }
}
