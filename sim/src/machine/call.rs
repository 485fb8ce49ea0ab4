//! The border between driver and kernel: what happens at each call across it, in both directions.

use std::{
    cell::{Cell, RefCell},
    fmt,
};

use super::activity::{Activity, Kind};
use super::{APC_LEVEL, DISPATCH_LEVEL, HIGH_LEVEL, Machine, PASSIVE_LEVEL};

/// The IRQLs at which a routine may be called, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IrqlRange {
    /// Lowest IRQL.
    pub min: u8,
    /// Highest IRQL.
    pub max: u8,
}

impl IrqlRange {
    /// `PASSIVE_LEVEL` exactly.
    pub const PASSIVE: Self = Self { min: PASSIVE_LEVEL, max: PASSIVE_LEVEL };
    /// At most `APC_LEVEL`.
    pub const APC: Self = Self { min: PASSIVE_LEVEL, max: APC_LEVEL };
    /// At most `DISPATCH_LEVEL`.
    pub const DISPATCH_OR_BELOW: Self = Self { min: PASSIVE_LEVEL, max: DISPATCH_LEVEL };
    /// `DISPATCH_LEVEL` exactly.
    pub const DISPATCH: Self = Self { min: DISPATCH_LEVEL, max: DISPATCH_LEVEL };
    /// At least `DISPATCH_LEVEL`.
    pub const DISPATCH_OR_ABOVE: Self = Self { min: DISPATCH_LEVEL, max: HIGH_LEVEL };
    /// Any IRQL.
    pub const ANY: Self = Self { min: PASSIVE_LEVEL, max: HIGH_LEVEL };
}

/// Where the driver called an export from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallSite {
    /// The export.
    pub export: &'static str,
    /// The return address, or zero if the call did not come through an import thunk.
    pub return_address: usize,
    /// The stack pointer at that call, or zero.
    pub stack_pointer: usize,
}

/// An export in progress: made by [`enter`], ends when it is dropped.
#[must_use = "the call ends when the guard is dropped"]
pub struct Call {
    machine: std::rc::Rc<Machine>,
    outer: Option<CallSite>,
    entered: bool,
}

/// The prologue of an export: a preemption point, the check of the IRQL (finding `IRQL.<name>`) and a line in the event
/// log. The guard's drop is the preemption point at the export's exit.
///
/// # Panics
/// If this OS thread has no machine.
pub fn enter(name: &'static str, irql: IrqlRange) -> Call {
    let machine = Machine::current();
    let [return_address, stack_pointer] = machine.last_call().each_ref().map(std::cell::Cell::take);
    machine.preempt();
    let site = CallSite { export: name, return_address, stack_pointer };
    let entered = machine.with_activity(|activity| activity.call.replace(Some(site)));
    let actual = machine.irql();
    machine.log(format_args!("> {name}"));
    machine.count_call();
    if actual < irql.min || actual > irql.max {
        let allowed = if irql.min == irql.max {
            format!("IRQL {} only", irql.min)
        } else {
            format!("IRQL {} to {}", irql.min, irql.max)
        };
        machine.finding(
            format!("IRQL.{name}"),
            None,
            format!("called at IRQL {actual}; allowed at {allowed}"),
        );
    }
    Call { machine, outer: entered.flatten(), entered: entered.is_some() }
}

impl Call {
    /// The machine.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.entered {
            self.machine.with_activity(|activity| activity.call.set(self.outer));
        }
        if !std::thread::panicking() {
            self.machine.preempt();
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("outer", &self.outer).finish_non_exhaustive()
    }
}

impl Machine {
    /// Calls into the driver: every entry point is called through this, in an activity.
    ///
    /// Preemption points lie on both sides. At its return the driver must be at the IRQL it was called at (`CO-305`,
    /// `DV.C4.0x111` for an ISR) and hold no spin lock that it did not hold before (`SDV.SpinLock`); what is wrong is
    /// a finding and is put right.
    ///
    /// # Panics
    /// In host context.
    pub fn call_driver<R>(&self, entry: &'static str, f: impl FnOnce() -> R) -> R {
        self.preempt();
        self.log(format_args!("driver {entry} {{"));
        let before = self.with_activity(|activity| {
            if activity.extent.borrow().is_empty() {
                activity.stays.set(activity.stays.get() + 1);
            }
            activity.extent.borrow_mut().push(entry);
            let locks = activity.locks.borrow().len();
            (activity.irql.get(), locks, activity.call.take())
        });
        assert!(before.is_some(), "{entry} called in host context");
        let result = f();
        if let (Some((irql, locks, call)), Some(activity)) = (before, self.activity()) {
            self.check_return(&activity, entry, irql, locks);
            activity.extent.borrow_mut().pop();
            activity.call.set(call);
        }
        self.log(format_args!("driver {entry} }}"));
        self.preempt();
        result
    }

    /// The driver's entry points in progress on the current activity, innermost last.
    pub fn extent(&self) -> Vec<&'static str> {
        self.with_activity(|activity| activity.extent.borrow().clone()).unwrap_or_default()
    }

    fn check_return(&self, activity: &Activity, entry: &'static str, irql: u8, locks: usize) {
        let held = activity.locks.borrow().len();
        for _ in locks..held {
            let last = activity.locks.borrow().last().copied();
            if let Some((key, _)) = last {
                let name = self.lock_name(key);
                self.finding("SDV.SpinLock", None, format!("{entry} returned holding {name}"));
                self.locks_forget(activity, key);
            }
        }
        let actual = activity.irql.get();
        if actual != irql {
            let rule = if matches!(activity.kind, Kind::Isr(_)) { "DV.C4.0x111" } else { "CO-305" };
            self.finding(rule, None, format!("{entry} called at IRQL {irql} returned at {actual}"));
            activity.irql.set(irql);
        }
    }

    /// An activity must end holding no spin lock.
    pub(super) fn check_end(&self, activity: &Activity) {
        let held: Vec<usize> = activity.locks.borrow().iter().map(|&(key, _)| key).collect();
        for key in held {
            let name = self.lock_name(key);
            self.finding("DV.C4.0x100A", None, format!("{} ended holding {name}", activity.label));
            self.locks_forget(activity, key);
        }
    }
}

/// The number of a call, and what happens at it.
type At = (u64, Box<dyn FnOnce()>);

/// The calls of exports so far, and what happens at one of them.
#[derive(Default)]
pub(super) struct Calls {
    count: Cell<u64>,
    at: RefCell<Option<At>>,
}

impl Machine {
    /// How many exports the driver has called.
    pub fn calls(&self) -> u64 {
        self.calls.count.get()
    }

    /// Runs `then` in the middle of the driver's call number `call`, counted from the machine's start, on its stack and
    /// at its IRQL: something that happens outside of the processor, such as the loss of a card.
    pub fn at_call(&self, call: u64, then: impl FnOnce() + 'static) {
        self.calls.at.replace(Some((call, Box::new(then))));
    }

    /// Whether something is still to happen at a call.
    pub fn call_is_awaited(&self) -> bool {
        self.calls.at.borrow().is_some()
    }

    fn count_call(&self) {
        let call = self.calls.count.get();
        self.calls.count.set(call + 1);
        let due = self.calls.at.borrow_mut().take_if(|(at, _)| *at == call);
        if let Some((_, then)) = due {
            then();
        }
    }
}

impl Machine {
    /// The export in progress and the driver's call of it, for findings.
    pub fn call_site(&self) -> Option<String> {
        let call = self.with_activity(|activity| activity.call.get())??;
        let caller = self.image().and_then(|image| image.symbol(call.return_address));
        Some(match caller {
            Some(caller) => format!("{} from {caller}", call.export),
            None => call.export.to_owned(),
        })
    }

    /// As [`Self::call_site`], but a call by the standard library is attributed to its caller: what looks like the next
    /// return address outside the library.
    pub fn allocation_site(&self) -> Option<String> {
        /// How far to look, in words.
        const DEPTH: usize = 256;
        let site = self.call_site()?;
        let (activity, image) = (self.activity()?, self.image()?);
        let call = activity.call.get()?;
        if image.symbol(call.return_address).is_none_or(|caller| !is_library(&caller)) {
            return Some(site);
        }
        let words = activity.words(call.stack_pointer + size_of::<usize>()).take(DEPTH);
        let mut callers =
            words.filter(|&word| image.is_return_address(word)).filter_map(|word| image.symbol(word));
        let caller = callers.find(|caller| !is_library(caller));
        Some(caller.map_or(site.clone(), |caller| format!("{site}, called by {caller}")))
    }

    /// The driver's frames on the current stack, innermost first: the export in progress and its callers.
    pub fn call_stack(&self) -> Vec<String> {
        let mut stack: Vec<String> = self.call_site().into_iter().collect();
        if let (Some(activity), Some(call)) =
            (self.activity(), self.with_activity(|activity| activity.call.get()))
        {
            let pointer = call.map_or(0, |call| call.stack_pointer + size_of::<usize>());
            stack.extend(self.scan_stack(&activity, pointer));
        }
        stack
    }

    /// What looks like return addresses into the driver on the activity's stack from `pointer` up.
    pub(super) fn scan_stack(&self, activity: &Activity, pointer: usize) -> Vec<String> {
        /// Enough to see which entry point it was, in words and in frames.
        const DEPTH: (usize, usize) = (4096, 16);
        let Some(image) = self.image() else { return Vec::new() };
        let words = activity.words(pointer).take(DEPTH.0);
        words
            .filter(|&word| image.is_return_address(word))
            .filter_map(|word| image.symbol(word))
            .take(DEPTH.1)
            .collect()
    }
}

/// Whether the symbol is one of Rust's library.
fn is_library(symbol: &str) -> bool {
    let symbol = symbol.trim_start_matches('<');
    ["alloc::", "core::", "wdk_alloc::", "__rust"].iter().any(|prefix| symbol.starts_with(prefix))
}
