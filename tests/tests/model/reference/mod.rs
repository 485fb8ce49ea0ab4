//! The reference: what the CoNDIS contract and RFC 2516 allow a miniport call manager, written without a line of it.
//!
//! It is told every event at the driver's two borders in the order in which they happen: what clients ask for and are
//! answered, what passes on the cable, what Windows does. From each it learns what may follow; where a race leaves
//! several ends open, all of them. An event that may not be, and at a rest one that must have been, is a disagreement.

mod call;
mod event;
mod family;
mod incoming;
mod rate;
mod session;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use call::Call;
pub(crate) use event::{Event, Key};
use family::{Family, Sap, Vc};
use ndis_sim::ndis::status::{self, Status};
use session::Session;

/// Frames that are in the card when their reason is gone leave it within this time.
const IN_CARD: Duration = Duration::from_millis(20);
/// What follows at once follows within this time.
const SOON: Duration = Duration::from_secs(2);
/// What may take as long as a person waits: all repetitions of a discovery.
const LONG: Duration = Duration::from_secs(140);
/// How long a flood of requests leaves none for others.
const FLOODED: Duration = Duration::from_secs(10);
/// Until a link is up again, and the driver knows of it.
const LINK_UP: Duration = Duration::from_secs(8);

/// What it cannot agree to, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Disagreement(pub(crate) String);

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is known of the adapter.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
struct Adapter {
    link: bool,
    /// Until then the driver may or may not know of the link's last change.
    link_unsure: Duration,
    data: bool,
    awake: bool,
    /// Power is being changed.
    between: bool,
    halting: bool,
    halted: bool,
    removed: bool,
    /// Allocations fail.
    starved: bool,
    /// Until then it may show that they did.
    hungry: Duration,
    /// Until then hosts may not be answered.
    flooded: Duration,
}

/// The reference; see the module.
#[derive(Debug)]
pub(crate) struct Reference {
    now: Duration,
    adapter: Adapter,
    families: BTreeMap<u32, Family>,
    saps: BTreeMap<u32, Sap>,
    vcs: BTreeMap<u32, Vc>,
    calls: BTreeMap<u32, Call>,
    sessions: BTreeMap<Key, Session>,
    /// The first one.
    disagreement: Option<Disagreement>,
    events: Vec<(Duration, Event)>,
    /// Calls that came up.
    pub(crate) connected: u32,
    /// Changes of calls that succeeded.
    pub(crate) changed: u32,
    /// A SAP was ever registered.
    ever_took_calls: bool,
    /// Calls that ended in each way, for the statistics of a run.
    pub(crate) ends: BTreeMap<Status, u32>,
}

impl Default for Reference {
    fn default() -> Self {
        Self {
            now: Duration::ZERO,
            adapter: Adapter {
                link: true,
                link_unsure: Duration::ZERO,
                data: false,
                awake: true,
                between: false,
                halting: false,
                halted: true,
                removed: false,
                starved: false,
                hungry: Duration::ZERO,
                flooded: Duration::ZERO,
            },
            families: BTreeMap::new(),
            saps: BTreeMap::new(),
            vcs: BTreeMap::new(),
            calls: BTreeMap::new(),
            sessions: BTreeMap::new(),
            disagreement: None,
            events: Vec::new(),
            connected: 0,
            changed: 0,
            ever_took_calls: false,
            ends: BTreeMap::new(),
        }
    }
}

/// What an event leads to in the reference.
type Judged = Result<(), String>;

impl Reference {
    /// An event; what it contradicts is kept for [`Self::disagreement`].
    pub(crate) fn tell(&mut self, now: Duration, event: Event) {
        self.now = now;
        if let Err(text) = self.judge(event.clone()) {
            self.disagree(&format!("{}: {text}", event.short()));
        }
        self.events.push((now, event));
    }

    /// Everything has come to rest by `now`: what had to happen has.
    pub(crate) fn rest(&mut self, now: Duration) {
        self.now = now;
        if let Err(text) = self.look_for_the_missing() {
            self.disagree(&text);
        }
    }

    /// Something outside of the reference went wrong.
    pub(crate) fn disagree(&mut self, text: &str) {
        let text = format!("at {:?}: {text}", self.now);
        self.disagreement.get_or_insert(Disagreement(text));
    }

    /// The first thing that it did not agree to.
    pub(crate) fn disagreement(&self) -> Option<&Disagreement> {
        self.disagreement.as_ref()
    }

    /// The last events, one a line, frames by their length.
    pub(crate) fn history(&self, count: usize) -> String {
        let from = self.events.len().saturating_sub(count);
        let line = |(at, event): &(Duration, Event)| format!("  {at:>12.6?}  {}\n", event.short());
        self.events[from..].iter().map(line).collect()
    }

    /// Calls that are neither closed nor failed.
    pub(crate) fn open_calls(&self) -> impl Iterator<Item = u32> {
        self.calls.iter().filter(|(_, call)| !call.is_over()).map(|(&number, _)| number)
    }

    /// Whether the driver surely sees the link.
    fn link_is_up(&self) -> bool {
        self.adapter.link && self.now >= self.adapter.link_unsure
    }

    /// Whether no frame is lost.
    fn loses_nothing(&self) -> bool {
        self.link_is_up() && !self.adapter.removed && !self.is_hungry()
    }

    /// Whether the card can send and receive, and the driver knows it.
    fn is_reachable(&self) -> bool {
        self.link_is_up() && self.has_power()
    }

    fn has_power(&self) -> bool {
        let it = &self.adapter;
        it.awake && !it.between && !it.halting && !it.halted && !it.removed
    }

    /// Whether something may fail for want of memory.
    fn is_hungry(&self) -> bool {
        self.adapter.starved || self.now < self.adapter.hungry
    }

    /// Whether strangers may have used up what hosts are answered.
    fn is_flooded(&self) -> bool {
        self.now < self.adapter.flooded
    }

    /// How things may fail for want of memory.
    fn hunger(&self) -> BTreeSet<Status> {
        let all = [status::RESOURCES, status::TAPI_RESOURCEUNAVAIL];
        if self.is_hungry() { BTreeSet::from(all) } else { BTreeSet::new() }
    }

    /// How calls may fail because of the adapter's present state.
    fn excuses(&self) -> BTreeSet<Status> {
        let mut excuses = self.hunger();
        if !self.link_is_up() {
            excuses.insert(status::TAPI_DISCONNECTMODE_UNREACHABLE);
            // What was sent is lost, and nobody answers.
            excuses.insert(status::TAPI_DISCONNECTMODE_NOANSWER);
        }
        if !self.has_power() {
            excuses.extend([status::TAPI_DISCONNECTMODE_UNAVAIL, status::NOT_ACCEPTED]);
        }
        excuses
    }

    fn judge(&mut self, event: Event) -> Judged {
        match event {
            Event::Open { .. }
            | Event::Opened { .. }
            | Event::CloseFamily { .. }
            | Event::FamilyClosed { .. }
            | Event::AskedToLeave { .. }
            | Event::Register { .. }
            | Event::Registered { .. }
            | Event::Deregister { .. }
            | Event::Deregistered { .. }
            | Event::Create { .. }
            | Event::Created { .. }
            | Event::Delete { .. }
            | Event::Deleted { .. }
            | Event::VcMade { .. }
            | Event::VcUnmade { .. } => self.judge_family(&event),
            Event::Make { .. }
            | Event::Made { .. }
            | Event::Close { .. }
            | Event::Closed { .. }
            | Event::NetworkClosed { .. }
            | Event::Send { .. }
            | Event::Sent { .. }
            | Event::Received { .. } => self.judge_call(event),
            Event::Modify { .. } | Event::Modified { .. } => self.judge_rate(&event),
            Event::Padi { .. }
            | Event::Offered { .. }
            | Event::Padr { .. }
            | Event::Granted { .. }
            | Event::Confirmed { .. }
            | Event::Padt { .. }
            | Event::Data { .. }
            | Event::Echoed { .. }
            | Event::HungUp { .. }
            | Event::GoodBye { .. }
            | Event::Established { .. }
            | Event::Forged { .. } => self.judge_frame(event),
            Event::Dialled { .. }
            | Event::Solicited { .. }
            | Event::OfferedToHost { .. }
            | Event::Requested { .. }
            | Event::HostRefused { .. }
            | Event::GaveUp { .. }
            | Event::Offer { .. }
            | Event::Answered { .. }
            | Event::Connected { .. } => self.judge_incoming(&event),
            _ => self.judge_adapter(&event),
        }
    }

    fn judge_adapter(&mut self, event: &Event) -> Judged {
        let now = self.now;
        match event {
            Event::Link { up } => {
                self.adapter.link = *up;
                self.adapter.link_unsure = now + LINK_UP;
                self.disturb_all();
            }
            Event::Pausing => self.adapter.data = false,
            Event::Restarted => self.adapter.data = true,
            Event::FallingAsleep => {
                self.adapter.between = true;
                self.disturb_all();
            }
            Event::Asleep => {
                self.adapter.awake = false;
                self.adapter.between = false;
            }
            Event::Awake => {
                self.adapter.awake = true;
                self.adapter.link_unsure = now + LINK_UP;
            }
            Event::Halting => {
                self.adapter.halting = true;
                self.disturb_all();
            }
            Event::Halted => {
                self.adapter.halted = true;
                self.adapter.halting = false;
                self.look_for_the_living()?;
            }
            Event::Started => {
                self.adapter.halted = false;
                self.adapter.data = false;
                self.adapter.awake = true;
                self.adapter.link_unsure = now + LINK_UP;
            }
            Event::Starving { starved } => {
                self.adapter.starved = *starved;
                self.adapter.hungry = now + SOON;
                self.disturb_all();
            }
            Event::Flooded => {
                self.adapter.flooded = now + FLOODED;
                for call in
                    self.calls.values_mut().filter(|call| call.incoming.is_some() && call.made.is_none())
                {
                    call.disturbed = Some(now);
                }
            }
            Event::Removed => {
                self.adapter.removed = true;
                self.disturb_all();
            }
            _ => {}
        }
        if matches!(event, Event::Pausing | Event::Paused | Event::Restarted) {
            for call in self.calls.values_mut() {
                call.data_disturbed(now);
            }
        }
        Ok(())
    }

    /// The adapter's state changes under all calls.
    fn disturb_all(&mut self) {
        let (now, excuses) = (self.now, self.excuses());
        let lossy = !self.loses_nothing();
        let gone = self.adapter.between || self.adapter.halting || self.adapter.removed;
        for call in self.calls.values_mut() {
            call.disturb(now, &excuses, lossy, gone);
        }
    }

    /// Nothing outlives the halt.
    fn look_for_the_living(&self) -> Judged {
        let family = self.families.iter().find(|(_, it)| it.is_alive());
        let vc = self.vcs.iter().find(|(_, it)| it.is_alive());
        let call = self.calls.iter().find(|(_, it)| !it.is_over() && it.is_known());
        match (family, vc, call) {
            (None, None, None) => Ok(()),
            found => Err(format!("the adapter is halted, and there are {found:?}")),
        }
    }

    fn look_for_the_missing(&self) -> Judged {
        for (number, family) in &self.families {
            self.check_family(*number, family)?;
        }
        for (number, call) in &self.calls {
            let sure_down =
                self.has_power() && !self.adapter.link && self.now >= self.adapter.link_unsure + SOON;
            call.check(self.now, sure_down).map_err(|text| format!("call {number}: {text}"))?;
        }
        self.check_sessions()
    }
}
