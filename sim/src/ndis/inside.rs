//! Handlers of the driver that are running, by the contexts that they were called with: a driver keeps a context for as
//! long as NDIS is inside of a handler with it. Handlers that end a context do not count: what else counts on it may free it
//! while they return.

use std::ops::Range;

use super::{Ndis, finding};
use crate::machine::{Machine, ThreadId};

/// One handler that is running.
pub(super) struct Running {
    number: u64,
    context: usize,
    handler: &'static str,
    by: Option<ThreadId>,
}

/// A handler runs with a context until this is dropped.
pub(super) struct Inside(u64);

/// A handler is about to be called with `context`.
pub(super) fn inside(handler: &'static str, context: usize) -> Inside {
    let ndis = Ndis::current();
    let number = ndis.number("handler");
    let by = Machine::current().current_thread();
    ndis.running.borrow_mut().push(Running { number, context, handler, by });
    Inside(number)
}

impl Drop for Inside {
    fn drop(&mut self) {
        Ndis::current().running.borrow_mut().retain(|it| it.number != self.0);
    }
}

/// The driver frees memory: no handler may be running with a context in it, but for the one that frees it.
pub(crate) fn freed(machine: &Machine, block: Range<usize>) {
    let ndis = Ndis::current();
    let running = ndis.running.borrow();
    let by = machine.current_thread();
    let own = running.iter().rfind(|it| it.by == by).map(|it| it.number);
    let other = running.iter().find(|it| block.contains(&it.context) && Some(it.number) != own);
    if let Some(Running { handler, .. }) = other {
        finding("CO-332", None, format!("a context is freed while {handler} runs with it"));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::machine::{Config, IrqlRange, enter};
    use crate::nt;
    use crate::verifier::trips::Trip;

    pub(crate) const TRIPS: &[Trip] = &[("CO-332", a_context_freed_under_a_handler)];

    /// Allocates a context, calls `f` with it in a thread, and counts the findings.
    fn findings(f: impl FnOnce(usize) + 'static) -> u64 {
        let machine = Machine::new(Config::default());
        let thread = machine.spawn("test", move || {
            let call = enter("test", IrqlRange::DISPATCH_OR_BELOW);
            let block = nt::pool::allocate(&call, "test", 64, u32::from_le_bytes(*b"test"), true);
            drop(call);
            f(block.expect("memory").addr());
        });
        machine.join(thread).expect("an end");
        machine.verifier().count("CO-332")
    }

    fn free(block: usize) {
        let call = enter("test", IrqlRange::DISPATCH_OR_BELOW);
        nt::pool::free(&call, "test", block as *mut _, None);
    }

    fn a_context_freed_under_a_handler() {
        let found = findings(|block| {
            let _inside = inside("a handler", block);
            let machine = Machine::current();
            let other = machine.spawn("other", move || free(block));
            machine.sleep(Duration::from_millis(1));
            assert!(machine.finished(other));
        });
        assert_eq!(found, 1);
    }

    #[test]
    fn contexts_stay_while_handlers_run() {
        a_context_freed_under_a_handler();
        // From within, by a handler that was called from within: the outer one goes on with it.
        let nested = findings(|block| {
            let _outer = inside("a handler", block);
            let _inner = inside("another", block);
            free(block);
        });
        assert_eq!(nested, 1);
    }

    #[test]
    fn a_handler_may_free_its_own() {
        let found = findings(|block| {
            {
                let _inside = inside("a handler", block);
            }
            let _other = inside("another", block + 64);
            let _inside = inside("a handler", block);
            free(block);
        });
        assert_eq!(found, 0);
    }
}
