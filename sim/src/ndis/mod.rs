//! `ndis.sys`: what NDIS 6 exports to a miniport call manager, and the objects behind it.
//!
//! From below, a driver calls the exports listed by [`exports`]. From above, a script plays `PnP` with [`Driver`] and
//! [`Adapter`], and the protocols with [`client`]. In between, [`AddressFamily`], [`Sap`], [`Vc`] and the call on it
//! are strict state machines: each call of the driver is checked against the state of its object, and an illegal one
//! is a finding and has no effect.
//!
//! Whatever the driver gets from NDIS or from a client (parameters, requests, frames) lies in memory that ends at
//! a guard page and disappears when the driver has completed the operation. Structures are read and written by the
//! layouts of the documentation, not by the bindings that the driver uses, so that an error there shows here.

mod activation;
mod adapter;
mod address_family;
mod attributes;
mod block;
mod bus;
mod call;
mod callback;
mod characteristics;
pub mod client;
mod configuration;
mod dma;
mod driver;
mod exports;
mod handle;
mod holder;
mod incoming;
mod indication;
mod inside;
mod interrupt;
mod io_object;
mod late;
mod lent;
mod lifecycle;
mod modification;
mod net_buffer;
pub mod oid;
mod ownership;
pub mod parameters;
mod pend;
mod probe;
mod prompt;
mod raw;
mod readings;
mod receive;
mod refused;
mod resources;
mod rest;
mod role;
mod rules;
mod sap;
mod send;
pub mod status;
mod system;
mod tables;
#[cfg(test)]
pub(crate) mod tests;
mod throttle;
mod timer;
mod vc;
mod work_item;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

pub use adapter::{Adapter, State};
pub use address_family::{AddressFamily, Family};
pub use attributes::{Attributes, General};
pub use configuration::{Keywords, Value};
pub use driver::{Driver, DriverEntry};
pub use exports::exports;
pub use indication::Indication;
pub(crate) use inside::freed;
#[cfg(test)]
pub(crate) use inside::tests::TRIPS;
pub use lifecycle::HaltAction;
pub use readings::{Contiguity, Course, Flows, Readings, readings, set_readings};
pub use receive::Received;
pub(crate) use rules::RULES;
pub use sap::Sap;
pub use send::{Frames, SendId};
pub use throttle::Limits;
pub use vc::{CallState, Creator, Vc};

use crate::machine::{DISPATCH_LEVEL, Event, EventId, Machine, Step};

/// The state of NDIS in one machine.
pub(crate) struct Ndis {
    readings: Cell<Readings>,
    numbers: RefCell<BTreeMap<&'static str, u64>>,
    drivers: RefCell<Vec<Rc<Driver>>>,
    adapters: RefCell<Vec<Rc<Adapter>>>,
    /// What the adapters' devices stand on, while there are any.
    below: RefCell<Weak<io_object::Below>>,
    /// Set whenever an object's state changed; see [`Self::wait_for`].
    change: Event,
    waiting: Cell<usize>,
    /// Frame lists of the driver's pools, by address.
    nbls: RefCell<BTreeMap<usize, Rc<net_buffer::PoolNbl>>>,
    mdls: RefCell<BTreeMap<usize, (holder::Holder, block::Block)>>,
    /// Frame lists in the hands of the driver for sending, by address.
    sends: RefCell<BTreeMap<usize, Rc<Vc>>>,
    /// OID requests in the hands of the driver, and those it had, by address.
    requests: RefCell<BTreeMap<usize, Rc<oid::Request>>>,
    finished: RefCell<BTreeMap<usize, u64>>,
    /// Handlers of the driver that are running.
    running: RefCell<Vec<inside::Running>>,
    /// `NDIS_EVENT`s by address.
    events: RefCell<BTreeMap<usize, Event>>,
}

impl Ndis {
    /// That of the current machine.
    pub(crate) fn current() -> Rc<Self> {
        Machine::current().extension("ndis", || Self {
            readings: Cell::default(),
            numbers: RefCell::default(),
            drivers: RefCell::default(),
            adapters: RefCell::default(),
            below: RefCell::default(),
            change: Event::new("NDIS"),
            waiting: Cell::new(0),
            nbls: RefCell::default(),
            mdls: RefCell::default(),
            sends: RefCell::default(),
            requests: RefCell::default(),
            finished: RefCell::default(),
            running: RefCell::default(),
            events: RefCell::default(),
        })
    }

    /// The next number, from 1, of a kind of object.
    fn number(&self, kind: &'static str) -> u64 {
        let mut numbers = self.numbers.borrow_mut();
        let number = numbers.entry(kind).or_default();
        *number += 1;
        *number
    }

    /// Something happened that somebody may wait for.
    fn changed(&self) {
        if self.waiting.get() != 0 {
            self.change.set();
        }
    }

    /// Blocks the current thread until `condition` holds (true) or `timeout` has passed (false).
    fn wait_for(&self, what: &'static str, timeout: Duration, condition: impl Fn() -> bool) -> bool {
        let machine = Machine::current();
        let until = machine.now().saturating_add(timeout);
        self.waiting.set(self.waiting.get() + 1);
        while !condition() {
            let left = until.saturating_sub(machine.now());
            if left.is_zero() {
                break;
            }
            machine.log(format_args!("wait for {what}"));
            self.change.reset();
            machine.wait(&self.change, Some(left));
        }
        self.waiting.set(self.waiting.get() - 1);
        condition()
    }

    fn add_driver(&self, driver: &Rc<Driver>) {
        self.drivers.borrow_mut().push(Rc::clone(driver));
    }

    fn remove_driver(&self, driver: &Rc<Driver>) {
        self.drivers.borrow_mut().retain(|it| !Rc::ptr_eq(it, driver));
    }

    fn driver_of(&self, object: usize) -> Option<Rc<Driver>> {
        self.drivers.borrow().iter().find(|it| it.object() == object).cloned()
    }

    /// The driver, if one is loaded and no more.
    fn only_driver(&self) -> Option<Rc<Driver>> {
        match self.drivers.borrow().as_slice() {
            [driver] => Some(Rc::clone(driver)),
            _ => None,
        }
    }

    fn add_adapter(&self, adapter: &Rc<Adapter>) {
        self.adapters.borrow_mut().push(Rc::clone(adapter));
    }

    fn remove_adapter(&self, adapter: &Rc<Adapter>) {
        self.adapters.borrow_mut().retain(|it| !Rc::ptr_eq(it, adapter));
    }

    /// What the adapters' devices stand on.
    fn below(&self) -> Rc<io_object::Below> {
        let known = self.below.borrow().upgrade();
        known.unwrap_or_else(|| {
            let below = Rc::new(io_object::Below::new());
            self.below.replace(Rc::downgrade(&below));
            below
        })
    }

    fn has_adapters(&self, driver: &Rc<Driver>) -> bool {
        self.adapters.borrow().iter().any(|it| Rc::ptr_eq(it.driver(), driver))
    }

    fn pool_nbl(&self, at: usize) -> Option<Rc<net_buffer::PoolNbl>> {
        self.nbls.borrow().get(&at).cloned()
    }

    fn sent(&self, at: usize, vc: &Rc<Vc>) {
        self.sends.borrow_mut().insert(at, Rc::clone(vc));
    }

    fn unsent(&self, at: usize) {
        self.sends.borrow_mut().remove(&at);
    }

    fn sender(&self, at: usize) -> Option<Rc<Vc>> {
        self.sends.borrow().get(&at).cloned()
    }
}

/// Waits on the current thread until `condition` holds, which has to depend on NDIS objects and clients; false after
/// `timeout`. For scripts and clients.
pub fn wait_for(timeout: Duration, condition: impl Fn() -> bool) -> bool {
    Ndis::current().wait_for("a script", timeout, condition)
}

/// Wakes what waits in [`wait_for`]: a client calls it when something that a script waits for has happened.
pub fn changed() {
    Ndis::current().changed();
}

/// Records a violation by the driver, concerning the object named.
fn finding(rule: &'static str, object: Option<String>, text: String) {
    let text = match object {
        Some(object) => format!("{object}: {text}"),
        None => text,
    };
    Machine::current().finding(rule, None, text);
}

/// Tells the reader of the run.
fn note(step: Step) {
    Machine::current().step(step);
}

/// Expects something within `seconds`: `late` is asked then, and names what is not finished.
fn deadline(seconds: u64, rule: &'static str, late: impl FnOnce() -> Option<String> + 'static) -> EventId {
    Machine::current().after(Duration::from_secs(seconds), move || {
        if let Some(object) = late() {
            finding(rule, Some(object), format!("not finished within {seconds} s"));
        }
    })
}

/// The driver must hold no spin lock when it calls what may call it back.
fn no_locks(rule: &'static str, object: impl FnOnce() -> String) {
    let held = Machine::current().locks_held();
    if held != 0 {
        finding(rule, Some(object()), format!("called with {held} spin locks held"));
    }
}

/// A flag that says `DISPATCH_LEVEL` must tell the truth.
fn check_dispatch_flag(rule: &'static str, object: impl FnOnce() -> String, flags: u32) {
    let irql = Machine::current().irql();
    if flags & 1 != 0 && irql != DISPATCH_LEVEL {
        finding(rule, Some(object()), format!("the flag says DISPATCH_LEVEL at IRQL {irql}"));
    }
}
