//! Makes the wire that a scenario asks for.

use std::{cell::RefCell, rc::Rc, time::Duration};

use super::{Ending, Peer, RunError, Scenario};
use crate::machine::Machine;
use crate::ndis::wait_for;
use crate::wire::{
    AccessConcentrator, Burst, Hosts, Hub, Impaired, LinuxInterface, RpPppoe, RpPppoeHosts, Wire,
    access_concentrator::{self, HangUp, Tally},
    burst,
    host::{Control, Dial},
    impair::Plan,
    rp_pppoe::{self, RpPppoeClients},
};

/// Names of the peers that can be given one and are not.
const SERVICE: &str = "internet";
const AC: &str = "AC-sim";
/// How long a frame of an embedded host is under way.
const HOST_LATENCY: Duration = Duration::from_micros(20);

/// How long whoever is at a Linux interface may be deaf after a PADS: an rp-pppoe server starts the relay of a session only
/// then (8 ms measured on an idle machine).
const DEAF_AFTER_PADS: Duration = Duration::from_millis(50);
/// How long the relays of sessions may take to start.
const RELAYS: Duration = Duration::from_secs(20);

/// When the far end takes frames of calls that are up.
pub(super) enum Ready {
    /// At once.
    AtOnce,
    /// After a while.
    After(Duration),
    /// When each has a relay that listens; how many do.
    Relays(Box<dyn Fn() -> usize>),
}

impl Ready {
    /// Waits until the far end is ready for so many calls. Frames tell if it is not.
    pub(super) fn wait(&self, calls: impl Fn() -> usize) {
        match self {
            Self::AtOnce => {}
            Self::After(time) => Machine::current().sleep(*time),
            Self::Relays(listening) => _ = wait_for(RELAYS, || listening() >= calls()),
        }
    }
}

/// A wire and what is known about its far end.
pub(super) struct Connected {
    pub(super) wire: Box<dyn Wire>,
    /// What the embedded access concentrator sees.
    pub(super) tally: Option<Rc<RefCell<Tally>>>,
    /// What to wait for between the end of call set-up and traffic.
    pub(super) ready: Ready,
    /// Who dials the card.
    pub(super) hosts: Callers,
    /// Has frames arrive at once, if that is wanted.
    pub(super) burst: Option<burst::Control>,
}

/// Who dials the card.
pub(super) enum Callers {
    /// Nobody.
    Nobody,
    /// The hosts inside the simulator.
    Embedded(Control),
    /// rp-pppoe's clients.
    RpPppoe(RpPppoeClients),
}

impl Callers {
    /// Has somebody dial, for the nth time, and hang up after a while, if so.
    pub(super) fn dial(&self, nth: u32, service: &str, hang_up: Option<Duration>) -> Result<(), String> {
        match self {
            Self::Nobody => Err("nobody is there who could call".to_owned()),
            Self::Embedded(control) => {
                let [_, _, high, low] = nth.to_be_bytes();
                let (mac, service) = ([0x02, 0, 0, 0xbb, high, low], service.to_owned());
                control.dial(Dial { mac, service, hang_up, ..Dial::default() });
                Ok(())
            }
            Self::RpPppoe(clients) => clients.dial(service).map(|_| ()).map_err(|error| error.to_string()),
        }
    }
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
            let relays = peer.relays();
            let ready = Ready::Relays(Box::new(move || relays.map_or(0, |relays| relays.listening())));
            Ok(Connected { wire: Box::new(peer), tally: None, ready, hosts: Callers::Nobody, burst: None })
        }
        Peer::RpPppoeClient => {
            let peer = RpPppoeHosts::start().map_err(|error| RunError::Peer(error.to_string()))?;
            let clients = peer.clients();
            let hosts = Callers::RpPppoe(clients.clone());
            let ready = Ready::Relays(Box::new(move || clients.listening()));
            Ok(Connected { wire: Box::new(peer), tally: None, ready, hosts, burst: None })
        }
        Peer::Interface(name) => {
            let peer = LinuxInterface::open(name).map_err(|error| RunError::Peer(error.to_string()))?;
            let (ready, hosts) = (Ready::After(DEAF_AFTER_PADS), Callers::Nobody);
            Ok(Connected { wire: Box::new(peer), tally: None, ready, hosts, burst: None })
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
    let mut wire: Box<dyn Wire> = Box::new(peer);
    let mut hosts = Callers::Nobody;
    if scenario.incoming != 0 {
        let control = Control::new();
        wire = Box::new(Hub::new(vec![wire, Box::new(Hosts::new(control.clone(), HOST_LATENCY))]));
        hosts = Callers::Embedded(control);
    }
    if scenario.bad_cable {
        wire = Box::new(Impaired::new(wire, Plan::hostile(), scenario.seed));
    }
    let burst = (scenario.burst != 0).then(burst::Control::default);
    if let Some(control) = &burst {
        wire = Box::new(Burst::new(wire, control.clone()));
    }
    Connected { wire, tally, ready: Ready::AtOnce, hosts, burst }
}
