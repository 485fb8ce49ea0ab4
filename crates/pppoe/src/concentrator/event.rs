//! What a packet meant to an Access Concentrator, and what it may answer.

use super::cookie::BadCookie;
use crate::credit::Agreement;
use crate::ethernet::Address;
use crate::packet::Code;
use crate::session::Session;
use crate::tag::TagType;

/// What a received PADI or PADR meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Nothing; nothing is to be sent.
    Ignored(Ignored),
    /// A frame is to be sent.
    Answer(Answer),
    /// A Host wants a session: to be accepted or rejected.
    Requested(Request<'a>),
}

/// A frame to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Octets, from the start of the buffer.
    pub len: usize,
    /// PADO or PADS.
    pub code: Code,
    /// The refusal in it.
    pub refusal: Option<Refusal>,
}

/// A Host's request for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// For [`accept`](super::Concentrator::accept) and [`reject`](super::Concentrator::reject).
    pub id: RequestId,
    /// The Host.
    pub peer: Address,
    /// The service asked for; empty: any.
    pub service_name: &'a [u8],
    /// What [`Services::find`](super::Services::find) found.
    pub offer: u32,
    /// As in [`Session::max_payload`] once accepted.
    pub max_payload: u16,
}

/// A request. It outlives the request harmlessly: a number in use again is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId {
    pub(super) index: u32,
    pub(super) generation: u32,
}

/// An accepted request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The session, from now on.
    pub session: Session,
    /// What it has of flow control by credits.
    pub credits: Option<Agreement>,
    /// Octets of the PADS, from the start of the buffer.
    pub len: usize,
}

/// Why a request was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotAccepted {
    /// It is not there any more, or has been answered.
    Gone,
    /// No id or memory for a session, or the buffer is too short. The request still waits for an answer.
    Resources,
}

/// Why a Host gets no session (Appendix A), with a text in UTF-8 for its user. A text that does not fit the frame is
/// left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Service-Name-Error: the service cannot be had.
    ServiceName(&'static str),
    /// AC-System-Error: the lack of a resource.
    AcSystem(&'static str),
    /// Generic-Error: anything else.
    Generic(&'static str),
}

impl Refusal {
    pub(super) const fn tag(self) -> (TagType, &'static str) {
        match self {
            Self::ServiceName(text) => (TagType::ServiceNameError, text),
            Self::AcSystem(text) => (TagType::AcSystemError, text),
            Self::Generic(text) => (TagType::GenericError, text),
        }
    }
}

/// Why a packet was ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ignored {
    /// Neither PADI nor PADR.
    Code,
    /// Not addressed to this station, or not from another one.
    Address,
    /// Carries an error.
    Error,
    /// A PADI for a service that is not offered (section 5.2: not to be answered).
    ServiceName,
    /// A PADI while no session could be given.
    Full,
    /// More answers than allowed, to this station or to all.
    Rate,
    /// The answer, which returns what the packet has, would not fit a frame.
    TooLong,
    /// A PADR without a cookie that serves.
    Cookie(BadCookie),
    /// A PADR again, of a request that waits for an answer.
    Waiting,
    /// A PADR again, of a session that is over.
    Over,
}
