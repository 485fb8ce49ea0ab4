//! How an Access Concentrator presents itself, and how much it lets be done to it.

use core::time::Duration;

use super::limiter::Rate;
use crate::bounded::Bytes;
use crate::discovery::NAME_MAX;
use crate::ethernet::Address;
use crate::repr::MAX_PAYLOAD_DEFAULT;

/// Configuration of a [`Concentrator`](super::Concentrator).
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The address of this station.
    pub own: Address,
    /// AC-Name: UTF-8, unique in the network (Appendix A). Not empty.
    pub ac_name: Bytes<NAME_MAX>,
    /// Octets of the longest PPP information field this station can send and receive: the MTU of the link less 8.
    /// More than 1,492 is granted to who asks for it with PPP-Max-Payload (RFC 4638).
    pub max_payload: u16,
    /// Octets that a Host which asks for flow control by credits (RFC 5578) gets credits for, and is kept at; `None`: it
    /// is not agreed to.
    pub credits: Option<u32>,
    /// How long a cookie serves, to a quarter of a second: from PADO to the first PADR. At most a minute. Hosts that
    /// collect offers wait up to 5 s before they choose.
    pub cookie_lifetime: Duration,
    /// How long a request waits for [`accept`](super::Concentrator::accept) or
    /// [`reject`](super::Concentrator::reject).
    pub patience: Duration,
    /// How long an answered request is remembered, to give the same answer to a Host that did not get it. At least as
    /// long as its cookie would serve, so that no cookie serves twice.
    pub memory: Duration,
    /// What it lets be done to it.
    pub limits: Limits,
}

impl Config {
    /// 1,492 octets; no credits; cookies of 8 s; 30 s for an answer, since Hosts give up after about 35 s; 16 s of memory, in
    /// which a Host that lost the PADS has sent its PADR again twice (after 5 and 10 s, pppd's and rp-pppoe's
    /// timing); and [`Limits::DEFAULT`].
    pub const fn new(own: Address, ac_name: Bytes<NAME_MAX>) -> Self {
        Self {
            own,
            ac_name,
            max_payload: MAX_PAYLOAD_DEFAULT,
            credits: None,
            cookie_lifetime: Duration::from_secs(8),
            patience: Duration::from_secs(30),
            memory: Duration::from_secs(16),
            limits: Limits::DEFAULT,
        }
    }
}

/// Bounds of time and memory, whoever floods.
///
/// A station is an Ethernet address. A relay agent that puts its own address into what it forwards stands for many
/// Hosts; where there is one, the limits for a station must be those of a street.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Answers to one station, and requests from it: each successful discovery takes two. `None`: any number.
    pub station: Option<Rate>,
    /// The same for all stations together. The last half of the burst is for those that answer an offer.
    pub all: Option<Rate>,
    /// Requests without an answer of the caller. While there are so many, nothing is answered.
    pub starting: u16,
    /// Requests remembered, with those that wait for an answer; the same. Divided by [`Config::memory`], the greatest
    /// rate of new sessions.
    pub requests: u16,
    /// The same for one station. Looking for one costs time in proportion.
    pub station_requests: u8,
    /// Sessions; there are no more than 65,534 ids.
    pub sessions: u16,
    /// Sessions with one station. Looking for one costs time in proportion.
    pub station_sessions: u8,
}

impl Limits {
    /// Five thousand discoveries a second of all stations, one of each after a burst of five; 256 calls being offered;
    /// 65,534 sessions, 16 with each station. A remembered request takes about 0.3 KiB, but up to 1.7 KiB with the
    /// longest tags; there are at most 4,096.
    pub const DEFAULT: Self = Self {
        station: Some(Rate { per_second: 2, burst: 10 }),
        all: Some(Rate { per_second: 10_000, burst: 2500 }),
        starting: 256,
        requests: 4096,
        station_requests: 8,
        sessions: 65_534,
        station_sessions: 16,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
