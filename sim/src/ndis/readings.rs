//! What NDIS does where its documents leave it open or contradict each other. A driver has to be right under every
//! reading; ARCHITECTURE.md lists the documents.

use super::Ndis;
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

/// Has NDIS in the current machine behave so from now on.
pub fn set_readings(readings: Readings) {
    Ndis::current().readings.set(readings);
}

/// How NDIS in the current machine behaves.
pub(crate) fn readings() -> Readings {
    Ndis::current().readings.get()
}
