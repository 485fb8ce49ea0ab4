//! Activation and deactivation of VCs. NDIS may end either at once or later; see [`Course`].

use std::rc::Rc;
use std::time::Duration;

use super::callback::{Level, callback, callback_with};
use super::handle::Handle;
use super::readings::{Course, readings};
use super::status::{self, Status};
use super::vc::{self, CallState, Creator, Vc};
use super::{finding, note, raw};
use crate::machine::{IrqlRange, Machine, Step, enter};

/// What of a VC has begun and not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// `NdisMCmActivateVc`.
    Activation,
    /// `NdisMCmDeactivateVc`.
    Deactivation,
}

/// Longest time, in microseconds, until a completion that comes later.
const LATER: u64 = 300;

/// CO-074: the driver does something to a VC, named by `what`, that has to wait for the end of a change.
pub(super) fn check_settled(vc: &Vc, what: &str) {
    if let Some(change) = vc.change.get() {
        finding("CO-074", Some(vc.name()), format!("{what} while its {change:?} is pending"));
    }
}

pub(super) unsafe extern "win64" fn activate(handle: Handle, parameters: usize) -> Status {
    let _call = enter("NdisMCmActivateVc", IrqlRange::DISPATCH_OR_BELOW);
    let Some(vc) = vc::find(handle) else { return status::FAILURE };
    super::no_locks("CO-109", || vc.name());
    if let Err(refusal) = check_activation(&vc, parameters) {
        return refusal;
    }
    vc.change.set(Some(Change::Activation));
    if readings().miniport_vc_handlers {
        let status = callback!(
            "MiniportCoActivateVc",
            Level::AsIs,
            vc.adapter().co_miniport().co_activate_vc,
            vc.context(),
            parameters,
        );
        if status != status::SUCCESS {
            miniport_refuses(&vc, "MiniportCoActivateVc", status);
            vc.change.set(None);
            return status::FAILURE;
        }
    }
    let failed = vc.adapter().machine().should_fail("NdisMCmActivateVc");
    let status = if failed { status::RESOURCES } else { status::SUCCESS };
    run(readings().activation, &vc, status, move |vc, announce| activated(vc, status, parameters, announce))
}

fn check_activation(vc: &Rc<Vc>, parameters: usize) -> Result<(), Status> {
    if parameters == 0 {
        finding("CO-073", Some(vc.name()), "activated without parameters".to_owned());
        return Err(status::INVALID_DATA);
    }
    let given = super::parameters::read_foreign(parameters, raw::bytes);
    if given.media.is_none() {
        finding("CO-073", Some(vc.name()), "activated without media parameters".to_owned());
        return Err(status::INVALID_DATA);
    }
    if let Some(change) = vc.change.get() {
        check_settled(vc, "activated");
        return Err(if change == Change::Activation { status::NOT_ACCEPTED } else { status::CLOSING });
    }
    if vc.call.get() == CallState::Idle && vc.creator() == Creator::Client {
        finding("CO-070", Some(vc.name()), "activated without a call".to_owned());
        return Err(status::NOT_ACCEPTED);
    }
    if vc.active.get() && vc.call.get() == CallState::Making {
        finding("CO-070", Some(vc.name()), "activated twice for one call".to_owned());
        return Err(status::NOT_ACCEPTED);
    }
    Ok(())
}

/// The activation has ended.
fn activated(vc: &Rc<Vc>, status: Status, parameters: usize, announce: bool) {
    if status == status::SUCCESS {
        vc.active.set(true);
        vc.modifications.activated(&super::parameters::read_foreign(parameters, raw::bytes));
        note(Step::new("driver", format!("{} active", vc.name())));
    }
    if announce {
        // They are still the driver's to keep: freed ones fault here.
        super::parameters::read_foreign(parameters, raw::bytes);
        callback_with!(
            vc.context(),
            "CmActivateVcComplete",
            Level::UpToDispatch,
            vc.adapter().call_manager().activate_vc_complete,
            status,
            vc.context(),
            parameters,
        );
    }
}

pub(super) unsafe extern "win64" fn deactivate(handle: Handle) -> Status {
    let _call = enter("NdisMCmDeactivateVc", IrqlRange::DISPATCH_OR_BELOW);
    let Some(vc) = vc::find(handle) else { return status::FAILURE };
    super::no_locks("CO-109", || vc.name());
    if vc.change.get().is_some() {
        check_settled(&vc, "deactivated");
        return status::NOT_ACCEPTED;
    }
    if !vc.active.get() {
        finding("CO-077", Some(vc.name()), "deactivated but not active".to_owned());
        return status::NOT_ACCEPTED;
    }
    let (sends, receives) = (vc.sends.taken(), vc.receives_outstanding());
    if sends != 0 {
        finding("CO-078", Some(vc.name()), format!("deactivated with {sends} sends not completed"));
    }
    if receives != 0 {
        finding("CO-078", Some(vc.name()), format!("deactivated with {receives} receives not returned"));
    }
    vc.active.set(false);
    vc.call_ended();
    vc.change.set(Some(Change::Deactivation));
    if readings().miniport_vc_handlers {
        let status = callback!(
            "MiniportCoDeactivateVc",
            Level::AsIs,
            vc.adapter().co_miniport().co_deactivate_vc,
            vc.context(),
        );
        if status != status::SUCCESS {
            miniport_refuses(&vc, "MiniportCoDeactivateVc", status);
        }
    }
    run(readings().deactivation, &vc, status::SUCCESS, deactivated)
}

/// The deactivation has ended.
fn deactivated(vc: &Rc<Vc>, announce: bool) {
    note(Step::new("driver", format!("{} inactive", vc.name())));
    if announce {
        let machine = Machine::current();
        // The VC is inactive whatever the status says.
        let failed = machine.should_fail("ProtocolCmDeactivateVcComplete");
        callback_with!(
            vc.context(),
            "CmDeactivateVcComplete",
            Level::UpToDispatch,
            vc.adapter().call_manager().deactivate_vc_complete,
            if failed { status::FAILURE } else { status::SUCCESS },
            vc.context(),
        );
    }
}

/// CO-085: what a miniport of its own may answer, and the miniport half of a call manager may not.
fn miniport_refuses(vc: &Vc, handler: &str, status: Status) {
    let text = format!("{handler} of a miniport call manager returned {}", status::name(status));
    finding("CO-085", Some(vc.name()), text);
}

/// Ends a change of `vc` by `end` on its course; its argument says whether to call the completion handler. Returns what
/// the function returns.
fn run(course: Course, vc: &Rc<Vc>, status: Status, end: impl FnOnce(&Rc<Vc>, bool) + 'static) -> Status {
    let course = course.draw();
    if course != Course::Later {
        vc.change.set(None);
        end(vc, course != Course::Returned);
        return if course == Course::Inline { status::PENDING } else { status };
    }
    let vc = Rc::clone(vc);
    elsewhere(move || {
        vc.change.set(None);
        vc.acted();
        if vc.is_deleted() {
            // There is a finding; no context is left to call with.
            return;
        }
        end(&vc, true);
    });
    status::PENDING
}

/// Runs `f` in a DPC on any processor, or in a thread after a while.
fn elsewhere(f: impl FnOnce() + 'static) {
    let machine = Machine::current();
    if machine.chance(1, 2) {
        let cpu = machine.below(machine.config().cpus as u64);
        machine.queue_dpc(usize::try_from(cpu).ok(), "NDIS", f);
        return;
    }
    let delay = Duration::from_micros(machine.below(LATER));
    machine.spawn("NDIS", move || {
        Machine::current().sleep(delay);
        f();
    });
}
