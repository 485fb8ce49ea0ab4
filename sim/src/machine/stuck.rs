//! The report of a machine that cannot go on.

use std::fmt;
use std::rc::Rc;

use super::Machine;
use super::activity::{Activity, State};
use super::crash::Crash;

/// Why [`Machine::run_until`] gave up.
#[derive(Clone, Debug)]
pub struct Stuck {
    /// What happened, in a line.
    pub reason: String,
    /// The crash, if that is what happened.
    pub crash: Option<Crash>,
    /// Every activity that has not ended, and what it does.
    pub activities: Vec<String>,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        for activity in &self.activities {
            write!(f, "\n  {activity}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Stuck {}

impl Machine {
    pub(super) fn stuck(&self, reason: String, crash: Option<Crash>) -> Stuck {
        let scheduler = &self.scheduler;
        let describe = |activity: &Rc<Activity>| {
            let state = match activity.state.get() {
                State::Runnable => "runnable".to_owned(),
                State::Blocked(why) => format!("waits for {why}"),
                State::Spinning(key) => format!("spins for {}", self.lock_name(key)),
                State::Stalling(_) => "stalls".to_owned(),
                State::Finished => "ended".to_owned(),
            };
            let held: Vec<_> = activity.locks.borrow().iter().map(|&(key, _)| self.lock_name(key)).collect();
            let held = if held.is_empty() { String::new() } else { format!(", holds {}", held.join(", ")) };
            let call = activity.call.get().map_or_else(String::new, |call| format!(" in {}", call.export));
            format!("{}: {state}{call}{held}", activity.label)
        };
        let cpus = scheduler.cpus.borrow();
        let blocked = scheduler.blocked.borrow();
        let ready = scheduler.ready.borrow();
        let running = cpus.iter().flat_map(|cpu| &cpu.stack);
        let activities = running.chain(blocked.values()).chain(ready.iter()).map(describe).collect();
        Stuck { reason, crash, activities }
    }

    pub(super) fn deadlock(&self) -> String {
        let cpus = self.scheduler.cpus.borrow();
        let spinning = cpus
            .iter()
            .flat_map(|cpu| &cpu.stack)
            .any(|activity| matches!(activity.state.get(), State::Spinning(_)));
        drop(cpus);
        if spinning {
            self.finding("BC.133", None, "every processor that runs spins for a lock".to_owned());
            "deadlock".to_owned()
        } else {
            "nothing can go on and no callback waits".to_owned()
        }
    }
}
