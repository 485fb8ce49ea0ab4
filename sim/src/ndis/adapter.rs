//! The miniport adapter: one card under one driver, and all that hangs on it.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use super::Ndis;
use super::address_family::{AddressFamily, Family};
use super::attributes::Attributes;
use super::client::Client;
use super::configuration::Keywords;
use super::driver::Driver;
use super::handle::{self, Handle, Kind};
use super::io_object::Devices;
use super::oid::Queue;
use super::ownership::{Ownership, Resource};
use super::pend::Pend;
use super::prompt::{Begun, Load};
use super::refused::Given;
use super::status::Status;
use super::tables::{CallManagerHandlers, CoMiniportCharacteristics, MiniportCharacteristics};
use super::throttle::Throttle;
use super::timer::Timer;
use super::vc::Vc;
use super::{finding, note};
use crate::machine::{Machine, Step};
use crate::pci::Slot;

/// The states of an adapter (page "Adapter states of a miniport driver").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not initialized, or halted.
    Halted,
    /// In `MiniportInitializeEx`.
    Initializing,
    /// No data flows.
    Paused,
    /// `MiniportRestart` is not completed.
    Restarting,
    /// Data flows.
    Running,
    /// `MiniportPause` is not completed.
    Pausing,
}

/// A handler of the adapter's that allows what others forbid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// None of the following.
    Other,
    /// `MiniportInitializeEx`.
    Initialize,
    /// `MiniportHaltEx`.
    Halt,
    /// `MiniportShutdownEx`.
    Shutdown,
}

/// One adapter.
pub struct Adapter {
    number: u64,
    driver: Rc<Driver>,
    slot: Option<Rc<Slot>>,
    pub(super) handle: Cell<Handle>,
    pub(super) state: Cell<State>,
    pub(super) phase: Cell<Phase>,
    /// Its device objects, while it has a handle.
    pub(super) devices: RefCell<Option<Devices>>,
    pub(super) attributes: Attributes,
    pub(super) keywords: Keywords,
    pub(super) messages: bool,
    pub(super) owned: Ownership,
    pub(super) pausing: Pend,
    pub(super) restarting: Pend,
    pub(super) restart_status: Cell<Status>,
    pub(super) oids: Queue,
    pub(super) throttle: Throttle,
    pub(super) removed: Cell<bool>,
    /// `MiniportDevicePnPEventNotify` has returned that was told of the removal.
    pub(super) told_removed: Cell<bool>,
    /// `MiniportShutdownEx` has returned: nothing of a driver runs after it, but here.
    pub(super) shut: Cell<bool>,
    /// From the begin of `OID_PNP_SET_POWER` to a low state to that of one to D0.
    pub(super) going_down: Cell<bool>,
    /// The same, from the end of the first on.
    pub(super) asleep: Cell<bool>,
    /// What the driver had told of the link when the card went to sleep.
    pub(super) link_told: Cell<bool>,
    /// When a client or NDIS last did something that the driver may have waited for, and when frames were last returned.
    pub(super) acted: Cell<Duration>,
    pub(super) returned: Cell<Duration>,
    pub(super) paused_at: Cell<Begun>,
    /// What clients have sent and not got back.
    pub(super) sending: Cell<Load>,
    pub(super) timers: RefCell<Vec<Weak<Timer>>>,
    pub(super) error_logged: Cell<bool>,
    pub(super) removal_requested: Cell<bool>,
    /// A list that `MiniportSendNetBufferLists` got and has not completed.
    pub(super) connectionless: RefCell<Option<Rc<Given>>>,
    /// Blocks of pool that the driver had when the adapter was started.
    pub(super) blocks: Cell<usize>,
    /// Bits a second of the link, as the driver said last; zero or all ones if it has none.
    pub(super) link_speed: Cell<u64>,
    families: RefCell<Vec<Family>>,
    opens: RefCell<Vec<Rc<AddressFamily>>>,
    /// How many opens there have been.
    opened: Cell<u64>,
    clients: RefCell<Vec<Rc<dyn Client>>>,
}

impl Adapter {
    /// A card that was found but not started. `keywords` is its registry key; `messages` grants message interrupts
    /// if the card has them, as the INF of a driver asks for.
    pub fn new(driver: &Rc<Driver>, slot: Option<Rc<Slot>>, keywords: Keywords, messages: bool) -> Rc<Self> {
        Rc::new(Self {
            number: Ndis::current().number("adapter"),
            driver: Rc::clone(driver),
            slot,
            handle: Cell::new(std::ptr::null_mut()),
            state: Cell::new(State::Halted),
            phase: Cell::new(Phase::Other),
            devices: RefCell::default(),
            attributes: Attributes::default(),
            keywords,
            messages,
            owned: Ownership::default(),
            pausing: Pend::default(),
            restarting: Pend::default(),
            restart_status: Cell::new(0),
            oids: Queue::default(),
            throttle: Throttle::default(),
            removed: Cell::new(false),
            told_removed: Cell::new(false),
            shut: Cell::new(false),
            going_down: Cell::new(false),
            asleep: Cell::new(false),
            link_told: Cell::default(),
            acted: Cell::default(),
            returned: Cell::default(),
            paused_at: Cell::default(),
            sending: Cell::default(),
            timers: RefCell::default(),
            error_logged: Cell::new(false),
            removal_requested: Cell::new(false),
            connectionless: RefCell::default(),
            blocks: Cell::new(0),
            link_speed: Cell::new(0),
            families: RefCell::default(),
            opens: RefCell::default(),
            opened: Cell::new(0),
            clients: RefCell::default(),
        })
    }

    /// Has `client` bound to the adapter: now, if it is initialized, and at each start to come.
    pub fn bind(self: &Rc<Self>, client: &Rc<dyn Client>) {
        self.clients.borrow_mut().push(Rc::clone(client));
        if !matches!(self.state.get(), State::Halted | State::Initializing) {
            self.announce(client);
        }
    }

    /// Tells a client of every address family.
    pub(super) fn announce(self: &Rc<Self>, client: &Rc<dyn Client>) {
        for family in self.families() {
            client.family_registered(self, family);
        }
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state.get()
    }

    /// The NDIS version that its driver registered, as major and minor.
    pub fn ndis_version(&self) -> (u8, u8) {
        self.driver.ndis_version()
    }

    /// The card.
    pub fn slot(&self) -> Option<&Rc<Slot>> {
        self.slot.as_ref()
    }

    /// What the driver declared with its general attributes.
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// The address families the driver registered.
    pub fn families(&self) -> Vec<Family> {
        self.families.borrow().clone()
    }

    /// The opens of address families.
    pub fn opens(&self) -> Vec<Rc<AddressFamily>> {
        self.opens.borrow().clone()
    }

    /// All VCs.
    pub fn vcs(&self) -> Vec<Rc<Vc>> {
        self.opens.borrow().iter().flat_map(|af| af.vcs()).collect()
    }

    /// Whether the driver has asked for its removal with `NdisMRemoveMiniport`.
    pub fn removal_requested(&self) -> bool {
        self.removal_requested.get()
    }

    /// The adapter behind a handle from the driver.
    pub(super) fn find(handle: Handle) -> Option<Rc<Self>> {
        handle::find(handle, Kind::Adapter, "CO-251")
    }

    pub(super) fn clients(&self) -> Vec<Rc<dyn Client>> {
        self.clients.borrow().clone()
    }

    pub(super) fn forget(&self) {
        self.families.borrow_mut().clear();
        self.opens.borrow_mut().clear();
    }

    pub(super) fn add_family(&self, family: Family) {
        self.families.borrow_mut().push(family);
    }

    pub(super) fn add_open(&self, af: &Rc<AddressFamily>) {
        self.opened.set(self.opened.get() + 1);
        self.opens.borrow_mut().push(Rc::clone(af));
    }

    pub(super) fn remove_open(&self, af: &Rc<AddressFamily>) {
        self.opens.borrow_mut().retain(|it| !Rc::ptr_eq(it, af));
    }

    /// The machine. Not kept here: it owns what owns the adapter.
    #[expect(clippy::unused_self, reason = "says whose machine it is")]
    pub(super) fn machine(&self) -> Rc<Machine> {
        Machine::current()
    }

    /// NDIS in that machine.
    #[expect(clippy::unused_self, reason = "says whose NDIS it is")]
    pub(super) fn ndis(&self) -> Rc<Ndis> {
        Ndis::current()
    }

    pub(super) fn driver(&self) -> &Rc<Driver> {
        &self.driver
    }

    pub(super) fn handlers(&self) -> MiniportCharacteristics {
        self.driver.miniport()
    }

    pub(super) fn co_miniport(&self) -> CoMiniportCharacteristics {
        self.driver.co_miniport()
    }

    pub(super) fn call_manager(&self) -> CallManagerHandlers {
        self.driver.call_manager()
    }

    /// `MiniportAdapterContext`.
    pub(super) fn context(&self) -> usize {
        self.attributes.context()
    }

    pub(super) fn name(&self) -> String {
        format!("adapter {}", self.number)
    }

    /// CO-336: some time after the last client has left, the driver has given back what their calls took. Tables that
    /// have grown are no more blocks than they were.
    pub(super) fn check_forgotten(self: &Rc<Self>) {
        /// Longer than a discovery lingers.
        const LATER: Duration = Duration::from_mins(1);
        /// Tables that are made with the first call, the first that comes in, and the first rate: a few blocks each.
        const TABLES: usize = 32;
        let others = || self.ndis().adapters.borrow().len() != 1;
        if !self.opens.borrow().is_empty() || others() {
            return;
        }
        let (adapter, opened) = (Rc::clone(self), self.opened.get());
        let start = self.blocks.get();
        self.machine().after(LATER, move || {
            let same = adapter.opened.get() == opened && adapter.blocks.get() == start;
            if !same || adapter.state.get() == State::Halted || adapter.ndis().adapters.borrow().len() != 1 {
                return;
            }
            let now = adapter.machine().pool().leaks().len();
            if now > start + TABLES {
                let text = format!("{now} blocks of pool without a client, {start} at the start");
                finding("CO-336", Some(adapter.name()), text);
            }
        });
    }

    /// Whether receives may be indicated. While pausing they still may: what is under way in a DPC cannot be called
    /// back, and the pause does not end before it is returned.
    pub(super) fn may_indicate(&self) -> bool {
        matches!(self.state.get(), State::Running | State::Restarting | State::Pausing)
    }

    /// CO-024: address families are registered last in `MiniportInitializeEx`.
    pub(super) fn check_ready_for_families(&self) {
        if self.phase.get() != Phase::Initialize {
            let text = "an address family registered outside of MiniportInitializeEx".to_owned();
            finding("CO-024", Some(self.name()), text);
        } else if !self.attributes.complete() {
            let text = "an address family registered before the attributes are set".to_owned();
            finding("CO-024", Some(self.name()), text);
        }
    }

    /// CO-015: a service that needs the adapter context, called before the registration attributes are set.
    pub(super) fn check_registered(&self, function: &'static str) {
        if !self.attributes.registered() {
            finding("CO-015", Some(self.name()), format!("{function} before the registration attributes"));
        }
    }

    /// A service for `MiniportInitializeEx` only was called.
    pub(super) fn check_initializing(&self, rule: &'static str, function: &'static str) {
        if self.phase.get() != Phase::Initialize {
            finding(rule, Some(self.name()), format!("{function} outside of MiniportInitializeEx"));
        }
    }

    /// A service that frees was called in `MiniportShutdownEx`.
    pub(super) fn check_not_shutting_down(&self, rule: &'static str, function: &'static str) {
        if self.phase.get() == Phase::Shutdown {
            finding(rule, Some(self.name()), format!("{function} in MiniportShutdownEx"));
        }
    }

    pub(super) fn own(&self, resource: Resource, key: usize, what: impl Into<String>) {
        let what = what.into();
        if resource.is_a_duty() {
            note(Step::new("driver", format!("has {what}")));
        }
        self.owned.add(resource, key, what);
    }
}
