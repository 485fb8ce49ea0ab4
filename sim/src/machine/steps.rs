//! The steps of a run that its reader is told about.

use std::borrow::Cow;
use std::cell::RefCell;
use std::time::Duration;

use super::Machine;

/// One step of the run, such as "VC 1 active".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Who did it: "loader", "NDIS", "driver", "client", "wire" ...
    pub actor: &'static str,
    /// What was done.
    pub text: Cow<'static, str>,
}

impl Step {
    /// A step of `actor`.
    pub fn new(actor: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self { actor, text: text.into() }
    }
}

type Listener = dyn Fn(Duration, &Step);

#[derive(Default)]
pub(super) struct Steps {
    taken: RefCell<Vec<(Duration, Step)>>,
    listener: RefCell<Option<std::rc::Rc<Listener>>>,
}

impl Machine {
    /// Records a step, in the event log too.
    pub fn step(&self, step: Step) {
        self.log(format_args!("* {}: {}", step.actor, step.text));
        let listener = self.steps.listener.borrow().clone();
        if let Some(listener) = listener {
            listener(self.now(), &step);
        }
        self.steps.taken.borrow_mut().push((self.now(), step));
    }

    /// Tells the listener what is no part of the run, and of neither its steps nor its event log.
    pub(crate) fn remark(&self, step: &Step) {
        let listener = self.steps.listener.borrow().clone();
        if let Some(listener) = listener {
            listener(self.now(), step);
        }
    }

    /// The steps so far, with their times.
    pub fn steps(&self) -> Vec<(Duration, Step)> {
        self.steps.taken.borrow().clone()
    }

    /// Has each further step told to `f` as it is taken.
    pub fn on_step(&self, f: impl Fn(Duration, &Step) + 'static) {
        self.steps.listener.replace(Some(std::rc::Rc::new(f)));
    }
}
