//! What may happen in a run: the steps of clients, of the peer, of the cable and of Windows.

use std::fmt;

/// What a call is made to: decides how it may end. The peer reads it from the Service-Name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wish {
    /// One access concentrator serves it.
    Served,
    /// Three of them offer it and serve it.
    Many,
    /// It is served after a while.
    Slow,
    /// Every answer comes twice.
    Twice,
    /// Refused with Service-Name-Error.
    Unknown,
    /// Refused with AC-System-Error.
    Full,
    /// Refused with Generic-Error.
    Refused,
    /// One offers and refuses, another one serves.
    Mixed,
    /// Offered, and requests are not answered.
    Deaf,
    /// Nobody answers.
    Absent,
    /// An access concentrator that does not exist is asked for by name.
    Elsewhere,
    /// No media parameters.
    NoMedia,
    /// A block that ends in its fixed part.
    Short,
    /// Names that lie outside of the block.
    Outside,
    /// A multipoint call.
    Multipoint,
    /// Served, by one whose answers carry every tag that there is.
    Adorned,
}

impl Wish {
    pub(crate) const ALL: [Self; 16] = [
        Self::Served,
        Self::Many,
        Self::Slow,
        Self::Twice,
        Self::Unknown,
        Self::Full,
        Self::Refused,
        Self::Mixed,
        Self::Deaf,
        Self::Absent,
        Self::Elsewhere,
        Self::NoMedia,
        Self::Short,
        Self::Outside,
        Self::Multipoint,
        Self::Adorned,
    ];

    /// The service to ask for in the call of this number.
    pub(crate) fn service(self, call: u32) -> String {
        format!("{self:?}-{call}")
    }

    /// The wish and the call of a service.
    pub(crate) fn of_service(service: &[u8]) -> Option<(Self, u32)> {
        let (name, call) = std::str::from_utf8(service).ok()?.split_once('-')?;
        let wish = Self::ALL.into_iter().find(|wish| format!("{wish:?}") == name)?;
        Some((wish, call.parse().ok()?))
    }

    /// Whether the parameters are such that no call can be made of them.
    pub(crate) fn is_bad(self) -> bool {
        matches!(self, Self::NoMedia | Self::Short | Self::Outside | Self::Multipoint)
    }
}

/// A forged packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forgery {
    /// A PADT of the session from another station.
    PadtOfAnother,
    /// A PADT from the peer for a session that is none.
    PadtOfNothing,
    /// A PADT that cannot be told from the peer's.
    PerfectPadt,
    /// A PADS with the call's Host-Uniq from another station.
    PadsOfAnother,
}

/// What a client asks for in the parameters of a call that is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// A transmit rate, and another.
    Slow,
    Fast,
    /// No rate.
    Open,
    /// More than the link has.
    TooFast,
    /// A burst that holds no frame of the call.
    Contradiction,
    /// Guaranteed service.
    Guaranteed,
    /// A receive rate.
    Receive,
    /// No flows at all.
    Bare,
}

impl Flow {
    pub(crate) const ALL: [Self; 8] = [
        Self::Slow,
        Self::Fast,
        Self::Open,
        Self::TooFast,
        Self::Contradiction,
        Self::Guaranteed,
        Self::Receive,
        Self::Bare,
    ];

    /// Bytes a second and of a burst, of one that can be had.
    pub(crate) fn rate(self) -> Option<(u32, u32)> {
        match self {
            Self::Slow => Some((50_000, 4_000)),
            Self::Fast => Some((1_000_000, 20_000)),
            _ => None,
        }
    }
}

/// Frames that mean nothing or no good. None of them may have an effect but on the time of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Junk {
    /// Random codes, sessions and contents, from nobody.
    Noise,
    /// Packets about a call that end too early.
    Cut,
    /// The same, of another version of the protocol.
    Version,
    /// Data in a session from others than its peer.
    Strangers,
    /// Damaged data in a session.
    Damaged,
    /// PADIs of ever new stations, for the service of no call.
    Solicitations,
    /// PADRs with cookies that nobody has baked.
    Requests,
    /// PADTs in the card's own name, from groups, of no session.
    Terminations,
}

impl Junk {
    pub(crate) const ALL: [Self; 8] = [
        Self::Noise,
        Self::Cut,
        Self::Version,
        Self::Strangers,
        Self::Damaged,
        Self::Solicitations,
        Self::Requests,
        Self::Terminations,
    ];
}

/// What a peer may say in a session beside PPP (RFC 5578, draft-carrel-info-pppoe-ext). No call ends of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Saying {
    /// PADQ with metrics, without, and with what is none.
    Metrics,
    Question,
    BadMetrics,
    /// PADM and PADN.
    Message,
    Routes,
    /// PADG and PADC, though credits were never agreed on.
    Grant,
    Credit,
    /// A code that means nothing.
    Unknown,
}

impl Saying {
    pub(crate) const ALL: [Self; 8] = [
        Self::Metrics,
        Self::Question,
        Self::BadMetrics,
        Self::Message,
        Self::Routes,
        Self::Grant,
        Self::Credit,
        Self::Unknown,
    ];
}

/// One step. Numbers choose among what there is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Open {
        ppp: bool,
    },
    CloseFamily {
        nth: u64,
        busy: bool,
    },
    Register {
        nth: u64,
        good: bool,
    },
    Deregister {
        nth: u64,
    },
    Create {
        nth: u64,
    },
    Delete {
        nth: u64,
    },
    Call {
        nth: u64,
        wish: Wish,
    },
    Close {
        nth: u64,
    },
    Send {
        nth: u64,
        frames: u8,
        len: u16,
    },
    /// A host calls the card.
    Dial,
    HangUp {
        nth: u64,
    },
    Forge {
        nth: u64,
        what: Forgery,
    },
    Link {
        up: bool,
    },
    Pause,
    Restart,
    Sleep,
    Wake,
    Ask {
        nth: u64,
    },
    /// Everything comes to rest, and what must have happened by then is looked for.
    Rest {
        long: bool,
    },
    /// The adapter is halted with whatever is open, and started again.
    NewLife,
    Remove,
    /// A client changes the parameters of a call.
    Modify {
        nth: u64,
        flow: Flow,
    },
    Junk {
        nth: u64,
        what: Junk,
        count: u8,
    },
    Say {
        nth: u64,
        what: Saying,
    },
    /// From now on one in so many allocations and other calls that can fail does; with 0 none.
    Starve {
        one_in: u8,
    },
}

/// A step and when it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Microseconds after the one before.
    pub(crate) after: u64,
    /// In a thread of its own; the next one does not wait for its end.
    pub(crate) apart: bool,
    pub(crate) op: Op,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let apart = if self.apart { ", in a thread of its own" } else { "" };
        write!(f, "after {} us: {:?}{apart}", self.after, self.op)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_names_wish_and_call() {
        for wish in Wish::ALL {
            assert_eq!(Wish::of_service(wish.service(7).as_bytes()), Some((wish, 7)));
        }
        assert_eq!(Wish::of_service(b"internet"), None);
    }
}
