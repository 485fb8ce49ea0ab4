//! What NDIS does where its documents leave it open or contradict each other. A driver has to be right under every
//! reading; ARCHITECTURE.md lists the documents.

use super::Ndis;
use super::parameters::{CallParameters, FlowSpec};
use super::throttle::Limits;
use crate::machine::Machine;
use crate::nic::Board;

/// How NDIS ends `NdisMCmActivateVc` and `NdisMCmDeactivateVc`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Course {
    /// The function returns the final status, and nothing follows (`NDIS_CO_CALL_MANAGER_OPTIONAL_HANDLERS`: a
    /// miniport call manager's completion handlers are not called).
    #[default]
    Returned,
    /// The completion handler is called before the function returns the same final status ("Activating a VC": NDIS
    /// completes the sequence by calling `ProtocolCmActivateVcComplete`, whatever was returned).
    Announced,
    /// The completion handler is called before the function returns `PENDING`.
    Inline,
    /// `PENDING` is returned; the completion handler is called on another processor or later on this one
    /// (`NdisMCmActivateVc`).
    Later,
    /// One of the others, drawn anew each time.
    Drawn,
}

/// What NDPROXY puts into the flows of a call that it makes: "No other call parameters are meaningful" than those of TAPI
/// ("Making Outgoing Calls").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flows {
    /// What the client gives.
    #[default]
    Given,
    /// No call-manager parameters at all: the call manager supplies them.
    Absent,
    /// The rate of a link that was slower.
    OldSpeed,
    /// Anything.
    Nonsense,
    /// One of the others, drawn anew each time.
    Drawn,
}

/// How much memory in one piece `NdisMAllocateSharedMemory` finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Contiguity {
    /// As much as is asked for.
    #[default]
    Whole,
    /// Now and then no more bytes than these.
    Seldom(u32),
    /// Never more bytes than these: the machine has run for long.
    Never(u32),
}

impl Contiguity {
    /// Whether so many bytes cannot be had in one piece this time.
    pub(super) fn refuses(self, len: u32) -> bool {
        match self {
            Self::Whole => false,
            Self::Seldom(most) => len > most && Machine::current().chance(1, 2),
            Self::Never(most) => len > most,
        }
    }
}

/// One way to read the documents. The default is what most pages say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent questions")]
pub struct Readings {
    /// How an activation ends.
    pub activation: Course,
    /// How a deactivation ends.
    pub deactivation: Course,
    /// `MiniportCoActivateVc` and `MiniportCoDeactivateVc` are called for a miniport call manager too.
    pub miniport_vc_handlers: bool,
    /// `ProtocolCmIncomingCallComplete` follows every answer of a client, and not only one that it pended
    /// (`NdisMCmDispatchIncomingCall`). It is called before `NdisMCmDispatchIncomingCall` returns the same answer.
    pub every_answer_completed: bool,
    /// An adapter registers one address family; a second registration fails.
    pub one_address_family: bool,
    /// `MiniportHaltEx` may be called without a pause before.
    pub halt_unpaused: bool,
    /// Requests to `MiniportCoOidRequest` and `ProtocolCoOidRequest` are serialised.
    pub serial_co_oids: bool,
    /// How often a DPC may not indicate all the frames it has.
    pub receive_limits: Limits,
    /// `MoreNblsPending` means nothing in a DPC that may indicate all (`NDIS_RECEIVE_THROTTLE_PARAMETERS`: the driver has
    /// to say `FALSE` then).
    pub more_pending_ignored: bool,
    /// What NDPROXY puts into the flows of its calls.
    pub proxy_flows: Flows,
    /// NDISWAN goes by what is indicated to it on a VC, and does not ask for the VC's link parameters before it sets them
    /// (`OID_WAN_CO_SET_LINK_INFO` has limits that `OID_WAN_CO_GET_LINK_INFO` tells; that it is asked first stands nowhere).
    pub wan_does_not_ask: bool,
    /// NDISWAN takes received frames with address and control field only: it has not negotiated their compression
    /// (`OID_WAN_CO_GET_INFO`). The adapter has the keyword for such a one.
    pub wan_wants_framing: bool,
    /// Memory in one piece.
    pub memory: Contiguity,
    /// What surrounds the cards that the simulator plays itself.
    pub board: Board,
}

impl Readings {
    /// The same as [`Default::default`].
    pub const DEFAULT: Self = Self {
        activation: Course::Returned,
        deactivation: Course::Returned,
        miniport_vc_handlers: false,
        every_answer_completed: false,
        one_address_family: false,
        halt_unpaused: false,
        serial_co_oids: false,
        receive_limits: Limits::Sometimes,
        more_pending_ignored: false,
        proxy_flows: Flows::Given,
        wan_does_not_ask: false,
        wan_wants_framing: false,
        memory: Contiguity::Whole,
        board: Board::DEFAULT,
    };

    /// One reading for each question, drawn from the machine's seed. Those that change what a script may do stay as
    /// they are: all address families, a pause before each halt.
    pub fn drawn(machine: &Machine) -> Self {
        let course = || match machine.below(4) {
            0 => Course::Returned,
            1 => Course::Inline,
            2 => Course::Later,
            _ => Course::Drawn,
        };
        Self {
            activation: course(),
            deactivation: course(),
            miniport_vc_handlers: machine.chance(1, 2),
            every_answer_completed: machine.chance(1, 2),
            serial_co_oids: machine.chance(1, 2),
            receive_limits: [Limits::Never, Limits::Sometimes, Limits::Always]
                [usize::try_from(machine.below(3)).unwrap_or(0)],
            more_pending_ignored: machine.chance(1, 2),
            proxy_flows: if machine.chance(1, 2) { Flows::Drawn } else { Flows::Given },
            wan_does_not_ask: machine.chance(1, 2),
            wan_wants_framing: machine.chance(1, 2),
            memory: memory(machine),
            board: Board::drawn(machine),
            ..Self::default()
        }
    }
}

/// Bytes in one piece, from a page to 512 KiB where there are not as many as are asked for.
fn memory(machine: &Machine) -> Contiguity {
    let most = 4096 << machine.below(8);
    match machine.below(4) {
        0 => Contiguity::Never(most),
        1 => Contiguity::Seldom(most),
        _ => Contiguity::Whole,
    }
}

impl Course {
    /// What it is this time.
    pub(super) fn draw(self) -> Self {
        if self != Self::Drawn {
            return self;
        }
        [Self::Returned, Self::Announced, Self::Inline, Self::Later]
            [usize::try_from(Machine::current().below(4)).unwrap_or(0)]
    }
}

impl Flows {
    /// The parameters of a call that NDPROXY makes in place of these.
    pub(super) fn put_into(self, parameters: &CallParameters) -> CallParameters {
        /// A link of 10 Mb/s, in bytes a second.
        const SLOW: u32 = 1_250_000;
        let machine = Machine::current();
        let flows = match self {
            Self::Drawn => [Self::Given, Self::Absent, Self::OldSpeed, Self::Nonsense]
                [usize::try_from(machine.below(4)).unwrap_or(0)],
            other => other,
        };
        let word = || u32::try_from(machine.random() >> 32).unwrap_or(0) >> machine.below(32);
        let flow = || match flows {
            Self::OldSpeed => FlowSpec::best_effort(SLOW),
            _ => FlowSpec {
                token_rate: word(),
                token_bucket_size: word(),
                peak_bandwidth: word(),
                latency: word(),
                delay_variation: word(),
                service_type: word(),
                max_sdu_size: word(),
                minimum_policed_size: word(),
            },
        };
        let mut parameters = parameters.clone();
        match (flows, &mut parameters.call_manager) {
            (Self::Absent, manager) => *manager = None,
            (Self::OldSpeed | Self::Nonsense, Some(manager)) => {
                (manager.transmit, manager.receive) = (flow(), flow());
            }
            _ => {}
        }
        parameters
    }
}

/// Has NDIS in the current machine behave so from now on.
pub fn set_readings(readings: Readings) {
    Ndis::current().readings.set(readings);
}

/// How NDIS in the current machine behaves.
pub fn readings() -> Readings {
    Ndis::current().readings.get()
}
