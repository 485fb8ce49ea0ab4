//! The receive throttle: how many frames a DPC may indicate, and whether NDIS calls it again for those that are left
//! (`NDIS_RECEIVE_THROTTLE_PARAMETERS`).

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use super::{finding, readings};
use crate::machine::{Machine, ThreadId};

/// `NDIS_INDICATE_ALL_NBLS`.
const ALL: u32 = u32::MAX;
/// The highest limit that is drawn: above and below what drivers allow themselves.
const HIGHEST: u64 = 300;

/// How often NDIS limits what a DPC may indicate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limits {
    /// Never: `NDIS_INDICATE_ALL_NBLS`.
    Never,
    /// Every other DPC on the average, to 1 to 300 frames.
    #[default]
    Sometimes,
    /// Each DPC, to 1 to 300 frames.
    Always,
}

impl Limits {
    /// `MaxNblsToIndicate` of the next DPC.
    fn draw(self) -> u32 {
        let machine = Machine::current();
        let limited = match self {
            Self::Never => false,
            Self::Sometimes => machine.chance(1, 2),
            Self::Always => true,
        };
        if limited { u32::try_from(1 + machine.below(HIGHEST)).unwrap_or(1) } else { ALL }
    }
}

/// One run of an interrupt DPC.
pub(super) struct Pass {
    on: Option<ThreadId>,
    message: u32,
    pub(super) limit: u32,
    indicated: Cell<u32>,
    /// Whether it has let the card interrupt again.
    unmasked: Cell<bool>,
}

/// The throttle of an adapter.
#[derive(Default)]
pub(super) struct Throttle {
    /// The DPCs that run.
    passes: RefCell<Vec<Rc<Pass>>>,
    /// Messages, 0 for the line, whose DPC NDIS is about to call again for frames that are left.
    continued: RefCell<BTreeSet<u32>>,
}

impl Throttle {
    /// A DPC begins.
    pub(super) fn begin(&self, message: u32) -> Rc<Pass> {
        self.continued.borrow_mut().remove(&message);
        let on = Machine::current().current_thread();
        let limit = readings::readings().receive_limits.draw();
        let pass = Pass { on, message, limit, indicated: Cell::new(0), unmasked: Cell::new(false) };
        let pass = Rc::new(pass);
        self.passes.borrow_mut().push(Rc::clone(&pass));
        pass
    }

    /// It has ended, with `MoreNblsPending` as given; whether NDIS calls it again. `who` names the adapter.
    pub(super) fn end(&self, pass: &Rc<Pass>, more: bool, who: &str) -> bool {
        self.passes.borrow_mut().retain(|it| !Rc::ptr_eq(it, pass));
        let found = |rule, text: String| finding(rule, Some(who.to_owned()), text);
        let indicated = pass.indicated.get();
        if indicated > pass.limit {
            found("CO-232", format!("{indicated} lists indicated in a DPC that was allowed {}", pass.limit));
        }
        if !more {
            return false;
        }
        if pass.limit == ALL {
            found("CO-341", format!("MoreNblsPending after {indicated} lists, without a limit"));
            return !readings::readings().more_pending_ignored;
        }
        if pass.unmasked.get() {
            found(
                "CO-342",
                format!("message {}: unmasked by the DPC that sets MoreNblsPending", pass.message),
            );
        }
        self.continued.borrow_mut().insert(pass.message);
        true
    }

    /// The run of a DPC that the current activity is.
    fn current(&self) -> Option<Rc<Pass>> {
        let on = Machine::current().current_thread();
        self.passes.borrow().iter().find(|pass| pass.on == on).cloned()
    }

    /// The driver indicates lists; `receive` is the message by which its card tells of frames, if that is known.
    pub(super) fn indicated(&self, lists: usize, receive: Option<u16>, who: &str) {
        let Some(pass) = self.current() else { return };
        pass.indicated.set(pass.indicated.get().saturating_add(u32::try_from(lists).unwrap_or(u32::MAX)));
        if let Some(receive) = receive.filter(|&receive| u32::from(receive) != pass.message) {
            let text = format!("the DPC of message {} indicates frames of message {receive}", pass.message);
            finding("CO-343", Some(who.to_owned()), text);
        }
    }

    /// The driver lets the card interrupt by a message, or by its line, which is message 0.
    pub(super) fn unmasked(&self, message: u32, who: &str) {
        match self.current().filter(|pass| pass.message == message) {
            Some(pass) => pass.unmasked.set(true),
            None if self.continued.borrow().contains(&message) => {
                let text = format!("message {message}: unmasked while NDIS is about to call the DPC again");
                finding("CO-342", Some(who.to_owned()), text);
            }
            None => {}
        }
    }

    /// The card was reset: whatever was masked is forgotten.
    pub(super) fn reset(&self) {
        self.continued.borrow_mut().clear();
    }
}
