//! Activities: what a virtual processor runs. A thread, a DPC and an interrupt service routine are each a coroutine
//! with a stack of its own.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use corosensei::stack::{DefaultStack, Stack};
use corosensei::trap::CoroutineTrapHandler;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::call::CallSite;
use super::spin_lock::LockKind;

/// Names an activity, in the order of their creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ThreadId(pub(super) u64);

impl fmt::Display for ThreadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Stack of an activity. Windows gives a kernel thread 24 KiB; the simulator's own frames lie on it too.
const STACK: usize = 512 << 10;

/// The inaccessible page below a stack.
const GUARD: usize = crate::memory::pages::PAGE;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Thread,
    Dpc,
    /// At this IRQL.
    Isr(u8),
}

/// Why an activity does not go on by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Runnable,
    /// Waits, off any processor, to be woken.
    Blocked(&'static str),
    /// Holds its processor until the lock of this key is free.
    Spinning(usize),
    /// Holds its processor until this time.
    Stalling(u64),
    Finished,
}

/// How a coroutine ended.
#[derive(Clone, Copy)]
pub(crate) enum Exit {
    Done,
    /// By a trap: the stack was thrown away.
    Crashed,
}

type Body = Coroutine<(), (), Exit, DefaultStack>;

pub(crate) struct Activity {
    pub(crate) id: ThreadId,
    /// `kind name#id`, for the log.
    pub(crate) label: String,
    pub(crate) kind: Kind,
    pub(crate) irql: Cell<u8>,
    pub(crate) cpu: Cell<usize>,
    pub(crate) state: Cell<State>,
    /// The timeout of a wait, if it ended it.
    pub(crate) timed_out: Cell<bool>,
    /// Spin locks held, in the order of their acquisition.
    pub(crate) locks: RefCell<Vec<(usize, LockKind)>>,
    /// The export in progress and where the driver called it from.
    pub(crate) call: Cell<Option<CallSite>>,
    /// The driver's entry points in progress, innermost last.
    pub(crate) extent: RefCell<Vec<&'static str>>,
    /// How often a call into the driver came from outside.
    pub(crate) stays: Cell<u64>,
    /// The addresses of the stack, its guard page included.
    stack: std::ops::Range<usize>,
    body: RefCell<Option<Body>>,
    yielder: Rc<Cell<*const Yielder<(), ()>>>,
    trap: Cell<Option<CoroutineTrapHandler<Exit>>>,
}

impl Activity {
    pub(crate) fn new(
        id: ThreadId,
        kind: Kind,
        name: &str,
        stack: Option<DefaultStack>,
        f: impl FnOnce() + 'static,
    ) -> Rc<Self> {
        let (prefix, irql) = match kind {
            Kind::Thread => ("thread", super::PASSIVE_LEVEL),
            Kind::Dpc => ("dpc", super::DISPATCH_LEVEL),
            Kind::Isr(irql) => ("isr", irql),
        };
        let stack = stack.unwrap_or_else(|| DefaultStack::new(STACK).expect("memory for a stack"));
        let limits = stack.limit().get()..stack.base().get();
        let yielder = Rc::new(Cell::new(std::ptr::null()));
        let slot = Rc::clone(&yielder);
        let body = Coroutine::with_stack(stack, move |yielder: &Yielder<(), ()>, ()| {
            slot.set(yielder);
            f();
            Exit::Done
        });
        Rc::new(Self {
            id,
            label: format!("{prefix} {name}#{id}"),
            kind,
            irql: Cell::new(irql),
            cpu: Cell::new(0),
            state: Cell::new(State::Runnable),
            timed_out: Cell::new(false),
            locks: RefCell::default(),
            call: Cell::new(None),
            extent: RefCell::default(),
            stays: Cell::default(),
            stack: limits,
            trap: Cell::new(Some(body.trap_handler())),
            body: RefCell::new(Some(body)),
            yielder,
        })
    }

    /// Goes on until the activity's next suspension or its end; the end hands back the stack.
    ///
    /// # Panics
    /// If the activity has ended or is running; and with the activity's own panic.
    pub(super) fn resume(&self) -> Option<(Exit, DefaultStack)> {
        let mut body = self.body.borrow_mut().take().expect("an activity that has not ended");
        match body.resume(()) {
            CoroutineResult::Yield(()) => {
                self.body.replace(Some(body));
                None
            }
            CoroutineResult::Return(exit) => {
                self.state.set(State::Finished);
                self.trap.set(None);
                Some((exit, body.into_stack()))
            }
        }
    }

    /// Gives control back to the scheduler. To be called on this activity's own stack only.
    pub(super) fn suspend(&self) {
        let yielder = self.yielder.get();
        // SAFETY: the activity is the current one, so its coroutine runs and has set the pointer to its yielder, which
        // lives at the base of its stack until it ends.
        let yielder = unsafe { &*yielder };
        yielder.suspend(());
    }

    /// The words of the stack from `pointer` up, none if it does not point there.
    pub(super) fn words(&self, pointer: usize) -> impl Iterator<Item = usize> {
        let pointer = pointer.next_multiple_of(8);
        let inside = pointer >= self.stack.start + GUARD && pointer < self.stack.end;
        let end = if inside { self.stack.end } else { pointer };
        (pointer..end).step_by(8).map(|address| {
            // SAFETY: the word lies in this stack, above its guard page; the current activity may look at it.
            unsafe { std::ptr::with_exposed_provenance::<usize>(address).read() }
        })
    }

    /// Whether `address` is where the stack overflows to.
    pub(super) fn overflows(&self, address: usize) -> bool {
        (self.stack.start..self.stack.start + GUARD).contains(&address)
    }

    pub(super) fn trap(&self) -> Option<CoroutineTrapHandler<Exit>> {
        self.trap.get()
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        if let Some(body) = self.body.get_mut()
            && body.started()
        {
            // Frames of the driver cannot be unwound: what the suspended stack owns is given up.
            // SAFETY: the values on the stack are leaked, which is sound, and no reference into the stack survives
            // the activity: the scheduler keeps none.
            unsafe { body.force_reset() };
        }
    }
}
