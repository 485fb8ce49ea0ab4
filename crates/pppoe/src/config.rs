//! What a call asks for, and how patiently.

use core::time::Duration;

use crate::credit::Offer;
use crate::ethernet::Address;
use crate::repr::MAX_PAYLOAD_DEFAULT;

/// What a Host asks for. The slices are copied.
#[derive(Clone, Copy, Debug)]
pub struct Config<'a> {
    /// The address of this station.
    pub own: Address,
    /// The service wanted, at most [`NAME_MAX`](crate::discovery::NAME_MAX) octets of UTF-8; empty: any.
    pub service_name: &'a [u8],
    /// Accept only the Access Concentrator of this name, at most [`NAME_MAX`](crate::discovery::NAME_MAX)
    /// octets.
    pub ac_name: Option<&'a [u8]>,
    /// Accept only the Access Concentrator of this address. Pinning it is the only defence against a rogue
    /// one that answers first.
    pub ac_address: Option<Address>,
    /// Host-Uniq as some providers prescribe it: any octets, at most
    /// [`HOST_UNIQ_MAX`](crate::discovery::HOST_UNIQ_MAX). `None`: a random token.
    pub host_uniq: Option<&'a [u8]>,
    /// Octets of the longest PPP information field this station can send and receive: the MTU of the link
    /// less 8. More than 1,492 is asked for with PPP-Max-Payload (RFC 4638).
    pub max_payload: u16,
    /// Flow control by credits to ask for (RFC 5578); `None`: none.
    pub credits: Option<Offer>,
    /// How often and how fast to repeat.
    pub timing: Timing,
}

impl<'a> Config<'a> {
    /// Any service of any Access Concentrator, with a random Host-Uniq, 1,492 octets and the default timing.
    pub const fn new(own: Address) -> Self {
        Self {
            own,
            service_name: &[],
            ac_name: None,
            ac_address: None,
            host_uniq: None,
            max_payload: MAX_PAYLOAD_DEFAULT,
            credits: None,
            timing: Timing::DEFAULT,
        }
    }

    /// The same for the service `name`.
    #[must_use]
    pub const fn with_service_name(mut self, name: &'a [u8]) -> Self {
        self.service_name = name;
        self
    }
}

/// Repetition of one packet: the n-th wait is the first, doubled n-1 times, but no more than `doublings`
/// times, plus up to a quarter of that at random, so that the hosts of a street do not answer a power cut in
/// step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait; at least 10 ms are waited.
    pub initial: Duration,
    /// How often the wait doubles before it stays.
    pub doublings: u8,
    /// How often the packet is sent; at least once.
    pub tries: u8,
}

impl Backoff {
    /// The wait after sending for the `attempt`-th time, counted from 1, without jitter.
    pub fn wait(&self, attempt: u8) -> Duration {
        let doublings = attempt.saturating_sub(1).min(self.doublings).min(31);
        let factor = 1_u32.wrapping_shl(doublings.into());
        self.initial.max(Duration::from_millis(10)).saturating_mul(factor)
    }
}

/// Repetition of a whole discovery (section 8: repeat and double; after a number of PADRs start again with a
/// PADI).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// For PADI.
    pub padi: Backoff,
    /// For PADR.
    pub padr: Backoff,
    /// How often an unanswered PADR leads back to PADI before the call fails.
    pub restarts: u8,
}

impl Timing {
    /// The RFC leaves the numbers open. Hosts in the field wait 5 s first and give up after about 35 s (pppd
    /// and rp-pppoe: 5, 10, 20 s). Here:
    ///
    /// - PADI after 1, 2, 4, 8 and 16 s, 31 s in all. An answer is a matter of milliseconds, so waiting 5 s
    ///   for a lost frame only keeps the user waiting; a second PADI costs the Access Concentrator nothing,
    ///   since it keeps no state before PADR.
    /// - PADR after 3, 6 and 12 s. Access Concentrators exist that open one more session for each PADR, and
    ///   some ask a RADIUS server before the PADS, so this is slower; a superfluous session gets a PADT.
    /// - Once back to PADI, as the Access Concentrator may have gone in between.
    pub const DEFAULT: Self = Self {
        padi: Backoff { initial: Duration::from_secs(1), doublings: 4, tries: 5 },
        padr: Backoff { initial: Duration::from_secs(3), doublings: 2, tries: 3 },
        restarts: 1,
    };
}

impl Default for Timing {
    fn default() -> Self {
        Self::DEFAULT
    }
}
