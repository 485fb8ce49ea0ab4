//! Makes the wire that a scenario asks for.

use std::{cell::RefCell, rc::Rc, time::Duration};

use super::{Ending, Peer, RunError, Scenario};
use crate::wire::{
    AccessConcentrator, Impaired, LinuxInterface, RpPppoe, Wire,
    access_concentrator::{self, HangUp, Tally},
    impair::Plan,
    rp_pppoe,
};

/// Names of the peers that can be given one and are not.
const SERVICE: &str = "internet";
const AC: &str = "AC-sim";

/// A wire and what is known about its far end.
pub(super) struct Connected {
    pub(super) wire: Box<dyn Wire>,
    /// What the embedded access concentrator sees.
    pub(super) tally: Option<Rc<RefCell<Tally>>>,
    /// How long to wait between the end of call set-up and traffic.
    pub(super) settle: Duration,
}

fn or<'a>(name: &'a str, default: &'a str) -> &'a str {
    if name.is_empty() { default } else { name }
}

pub(super) fn connect(scenario: &Scenario) -> Result<Connected, RunError> {
    match &scenario.peer {
        Peer::Embedded => Ok(embedded(scenario)),
        Peer::RpPppoe => {
            let settings = rp_pppoe::Settings {
                ac_name: or(&scenario.ac, AC).to_owned(),
                service: scenario.service.clone(),
                sessions: u16::try_from(scenario.calls).unwrap_or(u16::MAX).saturating_add(4),
                stand_in: std::env::current_exe().map_err(|error| RunError::Peer(error.to_string()))?,
                echo: true,
                message: None,
            };
            let peer = RpPppoe::start(&settings).map_err(|error| RunError::Peer(error.to_string()))?;
            Ok(Connected { wire: Box::new(peer), tally: None, settle: rp_pppoe::DEAF_AFTER_PADS })
        }
        Peer::Interface(name) => {
            let peer = LinuxInterface::open(name).map_err(|error| RunError::Peer(error.to_string()))?;
            // Whoever is there may be an rp-pppoe.
            Ok(Connected { wire: Box::new(peer), tally: None, settle: rp_pppoe::DEAF_AFTER_PADS })
        }
    }
}

fn embedded(scenario: &Scenario) -> Connected {
    // Long enough to hit call set-up, traffic and idleness alike; a bad cable delays the PADS itself.
    let span = Duration::from_millis(if scenario.bad_cable { 150 } else { 10 });
    let hang_up =
        (scenario.ending == Ending::Network).then_some(HangUp { after: Duration::ZERO, before: span });
    let settings = access_concentrator::Settings {
        ac_name: or(&scenario.ac, AC).to_owned(),
        services: vec![or(&scenario.service, SERVICE).to_owned()],
        hang_up,
        seed: scenario.seed,
        ..access_concentrator::Settings::default()
    };
    let peer = AccessConcentrator::new(settings);
    let tally = Some(peer.tally());
    let wire: Box<dyn Wire> = if scenario.bad_cable {
        Box::new(Impaired::new(Box::new(peer), Plan::hostile(), scenario.seed))
    } else {
        Box::new(peer)
    };
    Connected { wire, tally, settle: Duration::ZERO }
}
