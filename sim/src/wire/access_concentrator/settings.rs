//! What an access concentrator is told to be.

use std::time::Duration;

use rand_core::Rng;
use rand_pcg::Pcg64;

use crate::wire::credits::Plan;

/// How it treats requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Serves them.
    #[default]
    Serve,
    /// Offers, then refuses every request with Service-Name-Error.
    ServiceNameError,
    /// Offers, then refuses every request with AC-System-Error.
    AcSystemError,
    /// Offers, then refuses every request with Generic-Error.
    GenericError,
    /// Answers nothing.
    Silent,
}

/// When it ends sessions by itself: a time drawn for each session between the two, after its PADS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HangUp {
    /// Not before.
    pub after: Duration,
    /// Not later.
    pub before: Duration,
}

impl HangUp {
    pub(super) fn draw(&self, random: &mut Pcg64) -> Duration {
        let span = self.before.saturating_sub(self.after).as_nanos();
        let part = (u128::from(random.next_u64()) * (span + 1)) >> 64;
        self.after + Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX))
    }
}

/// The settings of an access concentrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its address.
    pub mac: [u8; 6],
    /// Its name.
    pub ac_name: String,
    /// The services it has; a request for any service is always served.
    pub services: Vec<String>,
    /// Largest PPP payload it can take; above 1,492 it grants RFC 4638 requests.
    pub max_payload: u16,
    /// How it does flow control by credits (RFC 5578), if at all.
    pub credits: Option<Plan>,
    /// From a frame's arrival until its answer is at the host.
    pub latency: Duration,
    /// How it treats requests.
    pub mode: Mode,
    /// Whether it ends sessions by itself.
    pub hang_up: Option<HangUp>,
    /// Seed of its secret, its session ids and its moods.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mac: [0x02, 0x00, 0x00, 0x00, 0xac, 0x01],
            ac_name: "AC-sim".to_owned(),
            services: vec!["internet".to_owned()],
            max_payload: 1500,
            credits: None,
            latency: Duration::from_micros(200),
            mode: Mode::Serve,
            hang_up: None,
            seed: 0,
        }
    }
}
