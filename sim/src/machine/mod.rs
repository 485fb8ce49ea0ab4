//! The machine: a deterministic kernel on one OS thread.
//!
//! Kernel threads, DPCs and interrupt service routines are stackful coroutines (`activity.rs`); virtual processors run
//! them, nesting interrupts over DPCs over threads by IRQL (`scheduler.rs`). A processor may be left for another at
//! each preemption point: the entry and the exit of every routine the driver imports (`call.rs`) and every register
//! access (`mmio.rs`). A generator seeded by [`Config::seed`] takes every decision and time is virtual (`clock.rs`), so
//! that a run is a function of its configuration; the log's hash proves it.
//!
//! Two contexts exist. *Host context* is the OS thread's own stack: the test or command that drives the machine, the
//! callbacks of [`Machine::at`] and of file descriptors, and device models. *Activities* run the driver. Only an
//! activity may call the driver, wait or sleep.
//!
//! No `RefCell` of the machine stays borrowed across a switch between activities, a callback or a call into the
//! driver.

pub(crate) mod activity;
mod call;
mod clock;
mod config;
mod crash;
mod decode;
mod event;
mod fault;
mod idle;
mod irql;
mod log;
mod mmio;
mod poll;
mod port;
mod random;
mod registers;
mod scheduler;
mod shared_data;
mod spin_lock;
mod steps;
mod stuck;
mod windows;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

pub use activity::ThreadId;
pub use call::{Call, CallSite, IrqlRange, enter};
pub use clock::{EventId, TICK, drawn_tick};
pub use config::{Config, FailPlan};
pub use crash::Crash;
pub use event::{Event, EventKind};
pub use irql::{APC_LEVEL, DISPATCH_LEVEL, HIGH_LEVEL, PASSIVE_LEVEL};
pub use mmio::Mmio;
pub use shared_data::{BOOT, QPC_FREQUENCY};
pub use spin_lock::LockKind;
pub use steps::Step;
pub use stuck::Stuck;
pub use windows::Windows;

use crate::image::Image;
use crate::memory::{Handles, Pool};
use crate::verifier::Verifier;

/// One simulated computer.
///
/// A machine belongs to the OS thread that made it, and an OS thread has at most one at a time.
pub struct Machine {
    config: Config,
    clock: clock::Clock,
    random: random::Random,
    log: log::Log,
    steps: steps::Steps,
    scheduler: scheduler::Scheduler,
    locks: spin_lock::Locks,
    mmio: mmio::Regions,
    ports: port::Ports,
    failures: config::Failures,
    calls: call::Calls,
    verifier: Verifier,
    pool: Pool,
    handles: Handles,
    image: RefCell<Option<Rc<Image>>>,
    crash: RefCell<Option<Crash>>,
    /// Set by the import thunks of [`crate::image`]: where in the driver the export in progress was called from.
    last_call: Box<CallRegister>,
    extensions: RefCell<BTreeMap<&'static str, Rc<dyn Any>>>,
}

/// What an import thunk writes before it jumps to the export: `[return address, stack pointer]`.
pub(crate) type CallRegister = [Cell<usize>; 2];

thread_local! {
    static CURRENT: RefCell<Weak<Machine>> = const { RefCell::new(Weak::new()) };
}

impl Machine {
    /// Makes the machine of this OS thread. A former one is retired.
    pub fn new(mut config: Config) -> Rc<Self> {
        config.cpus = config.cpus.clamp(1, 64);
        if let Some(former) = Self::try_current() {
            former.retire();
        }
        fault::install();
        let machine = Rc::new(Self {
            clock: clock::Clock::new(config.real_time, config.tick, config.seed),
            random: random::Random::new(config.seed),
            log: log::Log::new(config.trace, config.log),
            steps: steps::Steps::default(),
            scheduler: scheduler::Scheduler::new(config.cpus, config.seed),
            locks: spin_lock::Locks::default(),
            mmio: mmio::Regions::default(),
            ports: port::Ports::default(),
            failures: config::Failures::new(config.fail.clone()),
            calls: call::Calls::default(),
            verifier: Verifier::default(),
            pool: Pool::new(config.guard),
            handles: Handles::new(),
            image: RefCell::new(None),
            crash: RefCell::new(None),
            last_call: Box::default(),
            extensions: RefCell::new(BTreeMap::new()),
            config,
        });
        CURRENT.with(|current| current.replace(Rc::downgrade(&machine)));
        machine
    }

    /// Ends the machine: activities that have not ended never go on, callbacks are dropped, memory and addresses of
    /// the driver are given back. The log, the steps and the findings can still be read.
    ///
    /// A machine whose activities have all ended goes with its last `Rc`. The stacks of others own an `Rc` too, and
    /// cannot be unwound through the driver's frames: what they own is lost, but for what is given back here.
    pub fn retire(&self) {
        self.scheduler.clear();
        self.clock.clear();
        self.mmio.clear();
        self.ports.clear();
        self.handles.release();
        self.extensions.take();
        self.set_image(None);
        // Last, since objects behind handles give their blocks back when they are dropped.
        self.pool.release();
        CURRENT.with(|current| current.replace(Weak::new()));
    }

    /// The machine of this OS thread.
    ///
    /// # Panics
    /// If there is none.
    pub fn current() -> Rc<Self> {
        Self::try_current().expect("no machine on this OS thread")
    }

    /// The machine of this OS thread, if it has one.
    pub fn try_current() -> Option<Rc<Self>> {
        CURRENT.try_with(|current| current.borrow().upgrade()).ok().flatten()
    }

    /// What the machine was made from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The nonpaged pool.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The handles given to the driver.
    pub fn handles(&self) -> &Handles {
        &self.handles
    }

    /// The rules and the findings so far.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Makes `image` the driver whose addresses are named in findings.
    pub fn set_image(&self, image: Option<Rc<Image>>) {
        self.image.replace(image);
    }

    /// The driver's image.
    pub fn image(&self) -> Option<Rc<Image>> {
        self.image.borrow().clone()
    }

    pub(crate) fn last_call(&self) -> &CallRegister {
        &self.last_call
    }

    /// The state that another part of the simulator keeps in the machine under `name`, made by `init` at first use.
    ///
    /// # Panics
    /// If the state under `name` has another type.
    pub fn extension<T: 'static>(&self, name: &'static str, init: impl FnOnce() -> T) -> Rc<T> {
        let known = self.extensions.borrow().get(name).cloned();
        let any = known.unwrap_or_else(|| {
            let state: Rc<dyn Any> = Rc::new(init());
            self.extensions.borrow_mut().insert(name, Rc::clone(&state));
            state
        });
        any.downcast().expect("one type a name")
    }
}

#[cfg(test)]
pub(crate) mod tests;
