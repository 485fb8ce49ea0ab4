//! The scheduler: which virtual processor goes on, and with what.
//!
//! It runs in host context. Each turn runs the callbacks whose time has come, then picks at random one of the
//! processors that can go on, and one of the things that it can do: take a pending interrupt above its IRQL, run a
//! queued DPC below `DISPATCH_LEVEL`, change threads, or go on with what it runs. The chosen activity runs to its next
//! suspension. When no processor can go on, time jumps to the next callback.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::os::fd::RawFd;
use std::rc::Rc;

use corosensei::stack::DefaultStack;

use super::activity::{Activity, Exit, Kind, State, ThreadId};
use super::random::Random;
use super::stuck::Stuck;
use super::{DISPATCH_LEVEL, Machine, PASSIVE_LEVEL};

/// Work that has no activity yet: a DPC or an interrupt.
struct Work {
    kind: Kind,
    name: &'static str,
    f: Box<dyn FnOnce()>,
}

#[derive(Default)]
pub(super) struct Cpu {
    /// What runs here: a thread, above it at most a DPC, above that interrupts. The last one is on.
    pub(super) stack: Vec<Rc<Activity>>,
    dpcs: VecDeque<Work>,
    interrupts: Vec<Work>,
}

impl Cpu {
    fn irql(&self) -> u8 {
        self.stack.last().map_or(PASSIVE_LEVEL, |activity| activity.irql.get())
    }

    /// Index of the pending interrupt to take: the highest, of these the oldest.
    fn interrupt(&self) -> Option<usize> {
        let mut best: Option<(u8, usize)> = None;
        for (index, work) in self.interrupts.iter().enumerate() {
            if let Kind::Isr(irql) = work.kind
                && irql > self.irql()
                && best.is_none_or(|(level, _)| irql > level)
            {
                best = Some((irql, index));
            }
        }
        best.map(|(_, index)| index)
    }
}

/// What a processor can do next.
#[derive(Clone, Copy)]
enum Choice {
    Resume,
    Interrupt(usize),
    Dpc,
    Thread,
}

pub(super) struct Scheduler {
    random: Random,
    /// At a preemption point the scheduler is asked with a probability of one in this.
    rarity: u64,
    pub(super) cpus: RefCell<Vec<Cpu>>,
    /// Threads that could run and are on no processor.
    pub(super) ready: RefCell<Vec<Rc<Activity>>>,
    /// Threads that wait.
    pub(super) blocked: RefCell<BTreeMap<ThreadId, Rc<Activity>>>,
    current: RefCell<Option<Rc<Activity>>>,
    next: Cell<u64>,
    switches: Cell<u64>,
    stacks: RefCell<Vec<DefaultStack>>,
    pub(super) fds: RefCell<BTreeMap<RawFd, Rc<dyn Fn()>>>,
}

impl Scheduler {
    pub(super) fn new(cpus: usize, seed: u64) -> Self {
        let random = Random::new(seed ^ 0x7363_6865_6475_6c65);
        // How often preemption happens differs from seed to seed: rare switches find other bugs than frequent ones.
        let rarity = 2 << random.below(5);
        Self {
            random,
            rarity,
            cpus: RefCell::new((0..cpus).map(|_| Cpu::default()).collect()),
            ready: RefCell::default(),
            blocked: RefCell::default(),
            current: RefCell::default(),
            next: Cell::new(1),
            switches: Cell::new(0),
            stacks: RefCell::default(),
            fds: RefCell::default(),
        }
    }

    /// The activity of this id that is on a processor, and the processor.
    pub(super) fn running(&self, id: ThreadId) -> Option<(usize, Rc<Activity>)> {
        let cpus = self.cpus.borrow();
        let running =
            cpus.iter().enumerate().flat_map(|(index, cpu)| cpu.stack.iter().map(move |a| (index, a)));
        running
            .into_iter()
            .find(|(_, activity)| activity.id == id)
            .map(|(index, activity)| (index, Rc::clone(activity)))
    }

    /// Gives up every activity.
    pub(super) fn clear(&self) {
        let cpus = self.cpus.borrow_mut().iter_mut().map(std::mem::take).collect::<Vec<_>>();
        let threads = (self.ready.take(), self.blocked.take(), self.current.take(), self.fds.take());
        drop((cpus, threads));
    }

    fn id(&self) -> ThreadId {
        let id = self.next.get();
        self.next.set(id + 1);
        ThreadId(id)
    }

    fn activity(&self, kind: Kind, name: &str, f: impl FnOnce() + 'static) -> Rc<Activity> {
        let stack = self.stacks.borrow_mut().pop();
        Activity::new(self.id(), kind, name, stack, f)
    }

    /// The choices of `cpu`.
    fn choices(&self, cpu: &Cpu, now: u64, free: impl Fn(usize) -> bool) -> ([Option<Choice>; 3], usize) {
        let (mut choices, mut count) = ([None; 3], 0);
        let mut add = |choice| {
            choices[count] = Some(choice);
            count += 1;
        };
        // A stalled thread keeps its processor: two of them would pass it to and fro for ever.
        let stalls = cpu
            .stack
            .last()
            .is_some_and(|activity| matches!(activity.state.get(), State::Stalling(until) if until > now));
        if let Some(index) = cpu.interrupt() {
            add(Choice::Interrupt(index));
        }
        if cpu.irql() < DISPATCH_LEVEL {
            if !cpu.dpcs.is_empty() {
                add(Choice::Dpc);
            } else if !self.ready.borrow().is_empty() && !stalls {
                add(Choice::Thread);
            }
        }
        let runnable = cpu.stack.last().is_some_and(|activity| match activity.state.get() {
            State::Runnable => true,
            State::Spinning(key) => free(key),
            State::Stalling(until) => until <= now,
            State::Blocked(_) | State::Finished => false,
        });
        if runnable {
            add(Choice::Resume);
        }
        (choices, count)
    }
}

impl Machine {
    /// Calls `f` with the current activity; `None` in host context.
    pub(crate) fn with_activity<R>(&self, f: impl FnOnce(&Activity) -> R) -> Option<R> {
        self.scheduler.current.borrow().as_ref().map(|activity| f(activity))
    }

    pub(crate) fn activity(&self) -> Option<Rc<Activity>> {
        self.scheduler.current.borrow().clone()
    }

    /// Whether an activity other than the current one is in the driver, though it may wait there.
    pub(crate) fn driver_is_at_work_elsewhere(&self) -> bool {
        let current = self.current_thread();
        let at_work = |it: &Rc<Activity>| Some(it.id) != current && !it.extent.borrow().is_empty();
        let scheduler = &self.scheduler;
        scheduler.cpus.borrow().iter().flat_map(|cpu| &cpu.stack).any(at_work)
            || scheduler.ready.borrow().iter().any(at_work)
            || scheduler.blocked.borrow().values().any(at_work)
    }

    /// The current activity; `None` in host context.
    pub fn current_thread(&self) -> Option<ThreadId> {
        self.with_activity(|activity| activity.id)
    }

    /// The index of the current processor, from zero; zero in host context.
    pub fn cpu(&self) -> usize {
        self.with_activity(|activity| activity.cpu.get()).unwrap_or(0)
    }

    /// How often the scheduler changed activities.
    pub fn switches(&self) -> u64 {
        self.scheduler.switches.get()
    }

    /// Starts a kernel thread at `PASSIVE_LEVEL`. `f` may call the driver, wait and sleep.
    pub fn spawn(&self, name: &str, f: impl FnOnce() + 'static) -> ThreadId {
        let activity = self.scheduler.activity(Kind::Thread, name, f);
        let id = activity.id;
        self.log(format_args!("thread {name}#{id} created"));
        self.scheduler.ready.borrow_mut().push(activity);
        id
    }

    /// Whether the thread has ended.
    pub fn finished(&self, thread: ThreadId) -> bool {
        let scheduler = &self.scheduler;
        !scheduler.blocked.borrow().contains_key(&thread)
            && !scheduler.ready.borrow().iter().any(|activity| activity.id == thread)
            && !scheduler
                .cpus
                .borrow()
                .iter()
                .flat_map(|cpu| &cpu.stack)
                .any(|activity| activity.id == thread)
    }

    /// Which stay in the driver it is, if the thread is inside of a call into it.
    pub(crate) fn stay_in_driver(&self, thread: ThreadId) -> Option<u64> {
        let scheduler = &self.scheduler;
        let stay =
            |it: &Rc<Activity>| (it.id == thread && !it.extent.borrow().is_empty()).then(|| it.stays.get());
        let blocked = scheduler.blocked.borrow().get(&thread).and_then(stay);
        blocked
            .or_else(|| scheduler.ready.borrow().iter().find_map(stay))
            .or_else(|| scheduler.cpus.borrow().iter().flat_map(|cpu| &cpu.stack).find_map(stay))
    }

    fn target(&self, cpu: Option<usize>) -> usize {
        let cpus = self.config().cpus;
        match cpu {
            Some(cpu) => cpu.min(cpus - 1),
            None => usize::try_from(self.scheduler.random.below(cpus as u64)).unwrap_or(0),
        }
    }

    /// Queues a DPC to `cpu`, by default the current one. `f` runs at `DISPATCH_LEVEL`. In any context.
    pub fn queue_dpc(&self, cpu: Option<usize>, name: &'static str, f: impl FnOnce() + 'static) {
        let cpu = self.target(cpu.or_else(|| self.with_activity(|activity| activity.cpu.get())));
        self.log(format_args!("dpc {name} queued to cpu{cpu}"));
        let work = Work { kind: Kind::Dpc, name, f: Box::new(f) };
        self.scheduler.cpus.borrow_mut()[cpu].dpcs.push_back(work);
    }

    /// Interrupts `cpu`, by default a random one: `f` runs at `irql` as soon as the processor's IRQL is below it. In
    /// any context.
    pub fn interrupt(&self, cpu: Option<usize>, irql: u8, name: &'static str, f: impl FnOnce() + 'static) {
        let cpu = self.target(cpu);
        self.log(format_args!("interrupt {name} at irql {irql} to cpu{cpu}"));
        let work = Work { kind: Kind::Isr(irql), name, f: Box::new(f) };
        self.scheduler.cpus.borrow_mut()[cpu].interrupts.push(work);
    }

    /// A preemption point: the scheduler may have others go on first. Nothing in host context.
    pub fn preempt(&self) {
        if self.preemption_due()
            && let Some(activity) = self.activity()
        {
            activity.suspend();
        }
    }

    /// Lets the time of a call pass; whether the scheduler wants to be asked.
    pub(super) fn preemption_due(&self) -> bool {
        self.clock.charge();
        self.clock.due() || self.scheduler.random.below(self.scheduler.rarity) == 0
    }

    /// Lets a blocked activity go on.
    pub(super) fn wake(&self, activity: &Rc<Activity>, timed_out: bool) {
        if !matches!(activity.state.get(), State::Blocked(_)) {
            return;
        }
        activity.timed_out.set(timed_out);
        activity.state.set(State::Runnable);
        // An activity woken before it was suspended is still on its processor.
        if let Some(activity) = self.scheduler.blocked.borrow_mut().remove(&activity.id) {
            self.scheduler.ready.borrow_mut().push(activity);
        }
    }

    /// Runs the machine until `done`, which is asked between turns, says so.
    ///
    /// To be called in host context.
    ///
    /// # Errors
    /// If the driver crashed, nothing can go on any more, or [`super::Config::limit`] has passed.
    ///
    /// # Panics
    /// In an activity.
    pub fn run_until(&self, done: impl Fn() -> bool) -> Result<(), Stuck> {
        assert!(self.activity().is_none(), "run_until is for host context");
        loop {
            if let Some(crash) = self.crash() {
                return Err(self.stuck(format!("driver crashed: {crash}"), Some(crash)));
            }
            if done() {
                return Ok(());
            }
            if self.now() > self.config().limit {
                return Err(self.stuck("the time limit has passed".to_owned(), None));
            }
            if !self.turn() {
                return Err(self.stuck(self.deadlock(), None));
            }
        }
    }

    /// Runs the machine until `thread` has ended.
    pub fn join(&self, thread: ThreadId) -> Result<(), Stuck> {
        self.run_until(|| self.finished(thread))
    }

    /// Runs the machine until no activity can go on and no callback waits, or for `time` of virtual time.
    pub fn run_for(&self, time: std::time::Duration) -> Result<(), Stuck> {
        let end = self.now().saturating_add(time);
        let reached = Rc::new(Cell::new(false));
        let flag = Rc::clone(&reached);
        self.at(end, move || flag.set(true));
        self.run_until(|| reached.get())
    }

    /// One turn of the scheduler; false if nothing will ever happen.
    fn turn(&self) -> bool {
        let scheduler = &self.scheduler;
        if scheduler.switches.get().is_multiple_of(64) {
            self.poll_fds(Some(0));
        }
        let mut called = false;
        while let Some(callback) = self.clock.pop_due() {
            callback();
            called = true;
        }
        let now = self.clock.now();
        let mut candidates = [(0, Choice::Resume); 64];
        let mut count = 0;
        let cpus = scheduler.cpus.borrow();
        for (index, cpu) in cpus.iter().enumerate().take(candidates.len()) {
            let (choices, choice_count) = scheduler.choices(cpu, now, |key| self.locks.is_free(key));
            let pick = match choice_count {
                0 => continue,
                1 => 0,
                n => usize::try_from(scheduler.random.below(n as u64)).unwrap_or(0),
            };
            if let Some(choice) = choices[pick] {
                candidates[count] = (index, choice);
                count += 1;
            }
        }
        drop(cpus);
        if count == 0 {
            // A callback may have been what is waited for: `done` has its say before time passes.
            return called || self.idle();
        }
        let pick =
            if count == 1 { 0 } else { usize::try_from(scheduler.random.below(count as u64)).unwrap_or(0) };
        let (cpu, choice) = candidates[pick];
        self.act(cpu, choice);
        true
    }

    fn act(&self, index: usize, choice: Choice) {
        let scheduler = &self.scheduler;
        let mut cpus = scheduler.cpus.borrow_mut();
        let cpu = &mut cpus[index];
        match choice {
            Choice::Resume => {}
            Choice::Interrupt(at) => {
                self.clock.charge();
                let work = cpu.interrupts.remove(at);
                cpu.stack.push(scheduler.activity(work.kind, work.name, work.f));
            }
            Choice::Dpc => {
                if let Some(work) = cpu.dpcs.pop_front() {
                    cpu.stack.push(scheduler.activity(work.kind, work.name, work.f));
                }
            }
            Choice::Thread => {
                let mut ready = scheduler.ready.borrow_mut();
                let pick = usize::try_from(scheduler.random.below(ready.len() as u64)).unwrap_or(0);
                let thread = ready.swap_remove(pick);
                ready.extend(cpu.stack.pop());
                cpu.stack.push(thread);
            }
        }
        let Some(activity) = cpu.stack.last().cloned() else { return };
        drop(cpus);
        activity.cpu.set(index);
        if !matches!(activity.state.get(), State::Blocked(_)) {
            activity.state.set(State::Runnable);
        }
        self.run(&activity);
        self.settle(index, &activity);
    }

    fn run(&self, activity: &Rc<Activity>) {
        let scheduler = &self.scheduler;
        scheduler.switches.set(scheduler.switches.get() + 1);
        scheduler.current.replace(Some(Rc::clone(activity)));
        let end = activity.resume();
        if let Some((exit, stack)) = end {
            if matches!(exit, Exit::Done) {
                self.check_end(activity);
            }
            scheduler.stacks.borrow_mut().push(stack);
        }
        scheduler.current.replace(None);
    }

    /// Takes the activity off its processor if it ended or waits.
    fn settle(&self, cpu: usize, activity: &Rc<Activity>) {
        match activity.state.get() {
            State::Finished => {
                self.scheduler.cpus.borrow_mut()[cpu].stack.pop();
            }
            State::Blocked(_) => {
                self.scheduler.cpus.borrow_mut()[cpu].stack.pop();
                self.scheduler.blocked.borrow_mut().insert(activity.id, Rc::clone(activity));
            }
            State::Runnable | State::Spinning(_) | State::Stalling(_) => {}
        }
    }

    /// Ends the machine's run from within an activity, for good.
    pub(super) fn halt_activity(&self) -> ! {
        let activity = self.activity().expect("only an activity can be halted");
        activity.state.set(State::Blocked("the end: it crashed"));
        loop {
            activity.suspend();
        }
    }
}
