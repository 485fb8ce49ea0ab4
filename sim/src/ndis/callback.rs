//! Calls into the driver.

use crate::machine::{DISPATCH_LEVEL, Machine, PASSIVE_LEVEL};

/// At which IRQL NDIS calls a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// `PASSIVE_LEVEL`; the caller is there.
    Passive,
    /// At the caller's IRQL, or raised to `DISPATCH_LEVEL`: the handler must do with either.
    UpToDispatch,
    /// The caller has seen to it.
    AsIs,
}

/// Runs `f`, which calls the driver's handler `name`.
pub(crate) fn into_driver<R>(name: &'static str, level: Level, f: impl FnOnce() -> R) -> R {
    let machine = Machine::current();
    if level == Level::UpToDispatch && machine.irql() == PASSIVE_LEVEL && machine.chance(1, 2) {
        let old = machine.raise_irql(DISPATCH_LEVEL);
        let result = machine.call_driver(name, f);
        machine.lower_irql(old);
        return result;
    }
    machine.call_driver(name, f)
}

/// `callback!(name, level, handler, arguments...)`: calls an optional handler of the driver, which registration has
/// checked to be there.
macro_rules! callback {
    ($name:literal, $level:expr, $handler:expr $(, $argument:expr)* $(,)?) => {{
        let handler = $handler.expect(concat!($name, " is checked at registration"));
        $crate::ndis::callback::into_driver($name, $level, || {
            // SAFETY: the driver gave this pointer as its handler of this type; the arguments are what NDIS gives.
            unsafe { handler($($argument),*) }
        })
    }};
}

/// The same for a handler that is called with a context, which the driver keeps until it returns.
macro_rules! callback_with {
    ($context:expr, $name:literal, $level:expr, $handler:expr $(, $argument:expr)* $(,)?) => {{
        let handler = $handler.expect(concat!($name, " is checked at registration"));
        let context = $context;
        $crate::ndis::callback::into_driver($name, $level, || {
            let _inside = $crate::ndis::inside::inside($name, context);
            // SAFETY: as for `callback`.
            unsafe { handler($($argument),*) }
        })
    }};
}

pub(crate) use {callback, callback_with};
