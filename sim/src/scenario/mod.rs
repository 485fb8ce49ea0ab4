//! A whole run: the image is loaded, the driver started on a card, calls are made over the chosen peer, frames go
//! both ways and are compared, everything is taken down again, and what is left over is looked for.

mod audit;
mod backend;
mod burst;
mod destination;
mod dialler;
mod outcome;
mod pattern;
mod peer;
mod progress;
mod run;
mod story;
#[cfg(test)]
pub(crate) mod tests;
mod totals;
mod traffic;

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

pub use backend::Backend;
pub use burst::MAX_BURST;
pub use outcome::{Found, Outcome};
pub use progress::Progress;
pub(crate) use run::RULES;
pub use run::RunError;

use crate::{
    machine::{Step, TICK},
    ndis::Readings,
    nic::Model,
};

/// Largest PPP frame, from the protocol field on, without RFC 4638: the PPPoE payload of a 1,500-byte packet.
pub const MAX_FRAME: usize = 1494;
/// Smallest PPP frame: a protocol field, an IPv4 and a UDP header, and what tells it from any other.
pub const MIN_FRAME: usize = 42;

/// Most bytes of a capture, unless a run says otherwise.
pub const PCAP_LIMIT: u64 = 64 << 20;

/// What the card is plugged into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Peer {
    /// The access concentrator inside the simulator, in virtual time.
    #[default]
    Embedded,
    /// Debian's `pppoe-server` in a network namespace made for the run, in real time.
    RpPppoe,
    /// Debian's `pppoe` as hosts that dial the card, in a network namespace made for the run, in real time.
    RpPppoeClient,
    /// A Linux interface, in real time.
    Interface(String),
}

impl Peer {
    /// Whether the peer lives in real time, so that a run is not a function of its seed.
    pub fn is_real(&self) -> bool {
        *self != Self::Embedded
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embedded => "embedded",
            Self::RpPppoe => "rp-pppoe",
            Self::RpPppoeClient => "rp-pppoe-client",
            Self::Interface(name) => name,
        })
    }
}

impl FromStr for Peer {
    type Err = std::convert::Infallible;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(match name {
            "embedded" => Self::Embedded,
            "rp-pppoe" => Self::RpPppoe,
            "rp-pppoe-client" => Self::RpPppoeClient,
            interface => Self::Interface(interface.to_owned()),
        })
    }
}

/// How the calls end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// The client closes them.
    #[default]
    Client,
    /// The access concentrator closes them, at random moments (embedded peer only).
    Network,
    /// The card is pulled out at a random moment.
    SurpriseRemoval,
}

/// A run to be made.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The driver's image.
    pub sys: PathBuf,
    /// The card.
    pub nic: Model,
    /// Who plays it.
    pub backend: Backend,
    /// What it is plugged into.
    pub peer: Peer,
    /// Virtual processors.
    pub cpus: usize,
    /// Calls that the clients make, all up at the same time.
    pub calls: u32,
    /// Calls that hosts make, up at the same time as the others (embedded peer, or rp-pppoe's client).
    pub incoming: u32,
    /// Frames sent on each call; each is expected back.
    pub frames: u32,
    /// Frames that arrive at the card at once, besides, of all calls together; 0 for none (embedded peer only).
    pub burst: u32,
    /// Bytes of a frame from the PPP protocol field on, [`MIN_FRAME`] to [`MAX_FRAME`].
    pub size: usize,
    /// Seed of every decision of the run.
    pub seed: u64,
    /// Service asked for; empty for any. The embedded peer and rp-pppoe are told to have it.
    pub service: String,
    /// Name of the access concentrator asked for; empty for any. Embedded peer and rp-pppoe are told to be it.
    pub ac: String,
    /// How the calls end.
    pub ending: Ending,
    /// The cable loses, repeats, delays and reorders discovery frames (embedded peer only).
    pub bad_cable: bool,
    /// How NDIS reads its documents; `None`: as the seed draws ([`Readings::drawn`]).
    pub readings: Option<Readings>,
    /// What the clock ticks in, 0 for one that is exact; `None`: as the seed draws.
    pub tick: Option<Duration>,
    /// The number, from 0, of the fallible kernel call that is made to fail; errors then end the run early, and
    /// that is no fault.
    pub fail: Option<u64>,
    /// The event log goes to standard error.
    pub trace: bool,
    /// Where the capture goes.
    pub pcap: Option<PathBuf>,
    /// Most bytes of the capture; what comes later is left out.
    pub pcap_limit: u64,
    /// Where it is told how far the run is.
    pub progress: Option<Arc<Progress>>,
}

impl Scenario {
    /// One call over the embedded peer with `sys` on an 82574L.
    pub fn new(sys: PathBuf) -> Self {
        Self {
            sys,
            nic: Model::I82574l,
            backend: Backend::default(),
            peer: Peer::Embedded,
            cpus: 2,
            calls: 1,
            incoming: 0,
            frames: 10,
            burst: 0,
            size: 512,
            seed: 1,
            service: String::new(),
            ac: String::new(),
            ending: Ending::Client,
            bad_cable: false,
            readings: Some(Readings::DEFAULT),
            tick: Some(TICK),
            fail: None,
            trace: false,
            pcap: None,
            pcap_limit: PCAP_LIMIT,
            progress: None,
        }
    }

    /// Makes the run on an OS thread of its own; `told` hears of each step as it is taken.
    ///
    /// # Errors
    /// When the run could not begin. What goes wrong in it is in the [`Outcome`].
    pub fn run(&self, told: impl Fn(Duration, &Step) + Send + 'static) -> Result<Outcome, RunError> {
        run::run(self.clone(), told)
    }
}
