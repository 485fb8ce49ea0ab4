//! Why a call did not come up or went down, and what TAPI calls that.

use crate::status::Status;

/// The end of a call from the driver's point of view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallFailure {
    /// No PADO to the last PADI, or no PADS to the last PADR.
    NoAnswer,
    /// A Service-Name-Error tag (RFC 2516, appendix A).
    ServiceNameError,
    /// An AC-System-Error tag.
    AcSystemError,
    /// A Generic-Error tag.
    GenericError,
    /// The peer sent a PADT.
    PeerTerminated,
    /// The session went silent.
    SessionLost,
    /// Offers came and none could be taken: a tag was longer than can be returned.
    NoMatchingOffer,
    /// The card's link is down.
    LinkDown,
    /// The client closed the call before it came up.
    Aborted,
    /// No memory, session or VC was left.
    Resources,
    /// The adapter is halting or going to sleep.
    GoingDown,
    /// The card is gone.
    Removed,
}

impl CallFailure {
    /// The status for `NdisMCmMakeCallComplete` and `NdisMCmDispatchIncomingCloseCall`.
    ///
    /// NDPROXY turns the `TAPI_DISCONNECTMODE_*` codes into the mode of TAPI's
    /// `LINECALLSTATE_DISCONNECTED`, which RAS turns into its own error numbers.
    pub const fn status(self) -> Status {
        match self {
            Self::NoAnswer => Status::TAPI_DISCONNECTMODE_NOANSWER,
            Self::ServiceNameError => Status::TAPI_DISCONNECTMODE_BADADDRESS,
            Self::AcSystemError => Status::TAPI_DISCONNECTMODE_CONGESTION,
            Self::GenericError => Status::TAPI_DISCONNECTMODE_REJECT,
            Self::PeerTerminated => Status::TAPI_DISCONNECTMODE_NORMAL,
            Self::SessionLost => Status::TAPI_DISCONNECTMODE_UNKNOWN,
            Self::NoMatchingOffer => Status::TAPI_DISCONNECTMODE_INCOMPATIBLE,
            Self::LinkDown => Status::TAPI_DISCONNECTMODE_UNREACHABLE,
            Self::Aborted => Status::REQUEST_ABORTED,
            Self::Resources => Status::TAPI_RESOURCEUNAVAIL,
            Self::GoingDown | Self::Removed => Status::TAPI_DISCONNECTMODE_UNAVAIL,
        }
    }

    /// Whether the peer may still believe in the session, so that it deserves a PADT.
    pub const fn peer_may_live(self) -> bool {
        !matches!(self, Self::PeerTerminated | Self::Removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_is_an_error_to_ndis() {
        for failure in [
            CallFailure::NoAnswer,
            CallFailure::ServiceNameError,
            CallFailure::AcSystemError,
            CallFailure::GenericError,
            CallFailure::PeerTerminated,
            CallFailure::SessionLost,
            CallFailure::NoMatchingOffer,
            CallFailure::LinkDown,
            CallFailure::Aborted,
            CallFailure::Resources,
            CallFailure::GoingDown,
            CallFailure::Removed,
        ] {
            // The severity too: clients test it, and a client keeps a VC whose close "succeeded".
            assert!(failure.status().to_ndis() < 0, "{failure:?}");
        }
    }

    #[test]
    fn only_who_said_goodbye_gets_no_goodbye() {
        assert!(!CallFailure::PeerTerminated.peer_may_live());
        assert!(CallFailure::SessionLost.peer_may_live());
    }
}
