//! What a client asks of a call's rate, and what it gets.
//!
//! The driver can hold what it sends to a rate below that of the link ([`crate::token_bucket`]). It cannot make the link or
//! the network behind it faster, promise a delay, or hold the peer to anything.

use core::num::NonZeroU32;

use crate::call_parameters::{BEST_EFFORT, FlowSpec, UNSPECIFIED};
use crate::status::Status;
use crate::token_bucket::{LOOKS_A_SECOND, Shape};

/// `SERVICETYPE_*` besides best effort (qos.h). Flags are in the upper half.
const NO_TRAFFIC: u32 = 0;
const NO_CHANGE: u32 = 6;
const NETWORK_UNAVAILABLE: u32 = 4;
const GENERAL_INFORMATION: u32 = 5;
const SERVICE_MASK: u32 = 0xFFFF;

/// What limits the calls of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes a second of the link.
    pub link_rate: u32,
    /// Bytes of the longest frame of a call, address and control field included.
    pub longest: u32,
}

/// The transmit rate that a call has been granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// `None`: the whole link.
    pub shape: Option<Shape>,
}

impl Grant {
    /// The rate to be reported, in bytes a second.
    pub fn rate(&self, limits: &Limits) -> u32 {
        self.shape.map_or(limits.link_rate, |shape| shape.rate.get().min(limits.link_rate))
    }

    /// The peak rate to be reported.
    pub fn peak(&self, limits: &Limits) -> u32 {
        self.shape.map_or(limits.link_rate, |shape| {
            shape.peak.map_or(limits.link_rate, |peak| peak.get().min(limits.link_rate))
        })
    }

    /// The size of bursts to be reported.
    pub fn burst(&self) -> u32 {
        self.shape.map_or(UNSPECIFIED, |shape| shape.burst)
    }
}

/// What a make call gets: the rate that it asks for, where that can be had, and otherwise the whole link. What else it asks
/// for it does not get; the client reads that in the parameters that it gets back.
pub fn grant(transmit: &FlowSpec, limits: &Limits) -> Grant {
    let service_type = service(transmit).unwrap_or(BEST_EFFORT);
    Grant { shape: shape(&FlowSpec { service_type, ..*transmit }, *limits).unwrap_or(None) }
}

/// What a change of an active call gets: all that it asks for.
///
/// # Errors
/// `INVALID_DATA`: values that contradict each other or frames of the call. `RESOURCES`: more than the link has.
/// `NOT_SUPPORTED`: a service other than best effort, or another receive rate than the call has.
pub fn change(
    transmit: &FlowSpec,
    receive: &FlowSpec,
    present: &Grant,
    limits: &Limits,
) -> Result<Grant, Status> {
    let receive_rate = specified(receive.token_rate).filter(|_| !is_open(receive));
    if service(receive).is_none() || receive_rate.is_some_and(|rate| rate.get() != limits.link_rate) {
        return Err(Status::NOT_SUPPORTED);
    }
    match service(transmit) {
        None => Err(Status::NOT_SUPPORTED),
        Some(NO_CHANGE) => Ok(*present),
        Some(_) if specified(transmit.token_rate).is_some_and(|rate| rate.get() > limits.link_rate) => {
            Err(Status::RESOURCES)
        }
        Some(_) => Ok(Grant { shape: shape(transmit, *limits)? }),
    }
}

/// The service of a flow, if it can be had.
fn service(flow: &FlowSpec) -> Option<u32> {
    let service = flow.service_type & SERVICE_MASK;
    matches!(service, NO_TRAFFIC | BEST_EFFORT | NO_CHANGE | NETWORK_UNAVAILABLE | GENERAL_INFORMATION)
        .then_some(service)
}

/// Whether a flow asks for nothing.
fn is_open(flow: &FlowSpec) -> bool {
    matches!(flow.service_type & SERVICE_MASK, NO_TRAFFIC | NO_CHANGE)
}

/// A value that is given. Clients leave fields zero that they do not know.
fn specified(value: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(value).filter(|value| value.get() != UNSPECIFIED)
}

/// The shape of a flow; `None` for one that asks for no less than the link.
fn shape(flow: &FlowSpec, limits: Limits) -> Result<Option<Shape>, Status> {
    if is_open(flow) {
        return Ok(None);
    }
    let peak = specified(flow.peak_bandwidth);
    let rate = specified(flow.token_rate).or(peak);
    let Some(rate) = rate.filter(|rate| rate.get() < limits.link_rate) else { return Ok(None) };
    let least = specified(flow.minimum_policed_size).map_or(0, NonZeroU32::get);
    let burst = match specified(flow.token_bucket_size) {
        Some(size) => size.get(),
        // A frame, and what comes in between two looks: a sender who is let through at ticks of the clock keeps its rate.
        None => limits.longest.saturating_add((rate.get() / LOOKS_A_SECOND).max(limits.longest)),
    };
    // A frame must fit, or it would never go out.
    if peak.is_some_and(|peak| peak < rate) || burst < limits.longest || least > limits.longest {
        return Err(Status::INVALID_DATA);
    }
    let peak = peak.filter(|peak| peak.get() < limits.link_rate);
    Ok(Some(Shape { rate, burst, peak, least, longest: limits.longest }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { link_rate: 12_500_000, longest: 1496 };
    const OPEN: FlowSpec = FlowSpec {
        token_rate: UNSPECIFIED,
        token_bucket_size: UNSPECIFIED,
        peak_bandwidth: UNSPECIFIED,
        latency: UNSPECIFIED,
        delay_variation: UNSPECIFIED,
        service_type: BEST_EFFORT,
        max_sdu_size: UNSPECIFIED,
        minimum_policed_size: UNSPECIFIED,
    };

    fn changed(transmit: FlowSpec) -> Result<Grant, Status> {
        change(&transmit, &OPEN, &Grant::default(), &LIMITS)
    }

    fn wanted(rate: u32) -> FlowSpec {
        FlowSpec { token_rate: rate, ..OPEN }
    }

    #[test]
    fn a_rate_below_the_link_is_kept() {
        let grant =
            changed(FlowSpec { token_bucket_size: 5000, peak_bandwidth: 2_000_000, ..wanted(1_000_000) })
                .unwrap();
        let shape = grant.shape.unwrap();
        assert_eq!(
            (shape.rate.get(), shape.burst, shape.peak.map(NonZeroU32::get)),
            (1_000_000, 5000, Some(2_000_000))
        );
        assert_eq!((grant.rate(&LIMITS), grant.peak(&LIMITS), grant.burst()), (1_000_000, 2_000_000, 5000));
        assert_eq!(changed(wanted(1_000_000)).unwrap().burst(), 31_250 + 1496);
        assert_eq!(changed(wanted(1000)).unwrap().burst(), 2992);
        assert_eq!(
            changed(FlowSpec { peak_bandwidth: 700, ..OPEN }).unwrap().rate(&LIMITS),
            700,
            "a peak alone"
        );
    }

    #[test]
    fn the_whole_link_needs_no_shape() {
        for flow in
            [OPEN, wanted(0), wanted(LIMITS.link_rate), FlowSpec { service_type: NO_TRAFFIC, ..wanted(5) }]
        {
            assert_eq!(changed(flow), Ok(Grant::default()));
            assert_eq!(grant(&flow, &LIMITS), Grant::default());
        }
        assert_eq!(grant(&wanted(LIMITS.link_rate + 1), &LIMITS), Grant::default());
    }

    #[test]
    fn what_cannot_be_had_is_refused() {
        for (flow, status) in [
            (wanted(LIMITS.link_rate + 1), Status::RESOURCES),
            (FlowSpec { peak_bandwidth: 999, ..wanted(1000) }, Status::INVALID_DATA),
            (FlowSpec { token_bucket_size: 1495, ..wanted(1000) }, Status::INVALID_DATA),
            (FlowSpec { minimum_policed_size: 1497, ..wanted(1000) }, Status::INVALID_DATA),
            (FlowSpec { service_type: 2, ..wanted(1000) }, Status::NOT_SUPPORTED),
            (FlowSpec { service_type: 3, ..OPEN }, Status::NOT_SUPPORTED),
            (FlowSpec { service_type: 0x13, ..OPEN }, Status::NOT_SUPPORTED),
        ] {
            assert_eq!(changed(flow), Err(status), "{flow:?}");
        }
        // A call that is being made is served as best it can.
        assert_eq!(grant(&FlowSpec { service_type: 3, ..wanted(1000) }, &LIMITS).rate(&LIMITS), 1000);
        assert_eq!(grant(&FlowSpec { token_bucket_size: 1, ..wanted(1000) }, &LIMITS), Grant::default());
    }

    #[test]
    fn the_peer_cannot_be_held_to_a_rate() {
        let ask = |receive| {
            change(&wanted(1000), &receive, &Grant::default(), &LIMITS).map(|grant| grant.rate(&LIMITS))
        };
        assert_eq!(ask(wanted(5000)), Err(Status::NOT_SUPPORTED));
        assert_eq!(ask(FlowSpec { service_type: 3, ..OPEN }), Err(Status::NOT_SUPPORTED));
        assert_eq!(ask(wanted(LIMITS.link_rate)), Ok(1000));
        assert_eq!(ask(FlowSpec { service_type: NO_CHANGE, ..wanted(5000) }), Ok(1000));
    }

    #[test]
    fn no_change_changes_nothing() {
        let present = changed(wanted(1000)).unwrap();
        let flow = FlowSpec { service_type: NO_CHANGE, ..wanted(5) };
        assert_eq!(change(&flow, &OPEN, &present, &LIMITS), Ok(present));
    }

    proptest! {
        /// Whatever is asked for, what is granted lets every frame out and is no more than the link.
        #[test]
        fn grants_are_sound(values in prop::array::uniform8(prop_oneof![any::<u32>(), 0_u32..20_000])) {
            let [token_rate, token_bucket_size, peak_bandwidth, latency, delay_variation, service_type, max_sdu_size, minimum_policed_size] = values;
            let flow = FlowSpec { token_rate, token_bucket_size, peak_bandwidth, latency, delay_variation, service_type, max_sdu_size, minimum_policed_size };
            for grant in [Ok(grant(&flow, &LIMITS)), changed(flow)].into_iter().flatten() {
                prop_assert!(grant.rate(&LIMITS) <= grant.peak(&LIMITS) && grant.peak(&LIMITS) <= LIMITS.link_rate);
                if let Some(shape) = grant.shape {
                    let mut shaper = crate::token_bucket::Shaper::new(&shape, 0);
                    prop_assert_eq!(shaper.pass(LIMITS.longest, 0), Ok(()));
                }
            }
        }
    }
}
