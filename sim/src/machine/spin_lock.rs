//! Spin locks, their owners, and the order in which they are taken.
//!
//! A lock is known by a key: the address of the driver's `KSPIN_LOCK`, or that of a handle. IRQL is the business of the
//! caller: `KeAcquireSpinLockRaiseToDpc` raises it, `KeAcquireSpinLockAtDpcLevel` does not.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::Machine;
use super::activity::{Activity, State, ThreadId};

/// How a lock was acquired; it has to be released the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// By a routine that raised the IRQL to `DISPATCH_LEVEL`.
    Raising,
    /// By a routine called at `DISPATCH_LEVEL` already.
    AtDpcLevel,
    /// By `KeTryToAcquireSpinLockAtDpcLevel`: its page has `KeReleaseSpinLock` release the lock; the page of
    /// `KeReleaseSpinLockFromDpcLevel` forbids only what `KeAcquireSpinLock` acquired.
    Tried,
    /// By the simulator itself or at a device's IRQL; the order is checked, the kind is not.
    Other,
}

#[derive(Default)]
struct Lock {
    /// In the order of first use: the lock's name in logs.
    number: usize,
    owner: Option<ThreadId>,
    contended: u64,
}

#[derive(Default)]
pub(super) struct Locks {
    known: RefCell<BTreeMap<usize, Lock>>,
    /// `(a, b)`: `b` was acquired while `a` was held.
    order: RefCell<BTreeSet<(usize, usize)>>,
    next: std::cell::Cell<usize>,
}

impl Locks {
    pub(super) fn is_free(&self, key: usize) -> bool {
        self.known.borrow().get(&key).is_none_or(|lock| lock.owner.is_none())
    }

    fn number(&self, key: usize) -> usize {
        self.known
            .borrow_mut()
            .entry(key)
            .or_insert_with(|| {
                self.next.set(self.next.get() + 1);
                Lock { number: self.next.get(), ..Lock::default() }
            })
            .number
    }

    /// Whether `to` was ever acquired, directly or through others, while `from` was held.
    fn reaches(&self, from: usize, to: usize) -> bool {
        let order = self.order.borrow();
        let (mut seen, mut queue) = (BTreeSet::new(), vec![from]);
        while let Some(key) = queue.pop() {
            if key == to {
                return true;
            }
            if seen.insert(key) {
                queue.extend(order.range((key, 0)..=(key, usize::MAX)).map(|&(_, next)| next));
            }
        }
        false
    }
}

impl Machine {
    /// The name of a lock in logs and findings: numbered in the order of first use.
    pub fn lock_name(&self, key: usize) -> String {
        format!("lock#{}", self.locks.number(key))
    }

    /// Whether the current activity holds the lock.
    pub fn holds_lock(&self, key: usize) -> bool {
        self.with_activity(|activity| activity.locks.borrow().iter().any(|&(held, _)| held == key))
            .unwrap_or(false)
    }

    /// How many spin locks the current activity holds.
    pub fn locks_held(&self) -> usize {
        self.with_activity(|activity| activity.locks.borrow().len()).unwrap_or(0)
    }

    /// Whether nobody holds the lock.
    pub fn lock_is_free(&self, key: usize) -> bool {
        self.locks.is_free(key)
    }

    /// Acquires the lock for the current activity, spinning while another holds it.
    ///
    /// Acquiring a lock that the activity holds already is the finding `SDV.SpinLock` and ends the run: Windows
    /// hangs. Acquiring locks in an order opposite to an earlier one is the finding `DV.C4.0x1001`.
    ///
    /// # Panics
    /// In host context.
    pub fn acquire(&self, key: usize, kind: LockKind) {
        let activity = self.activity().expect("only an activity can acquire a lock");
        self.locks.number(key);
        self.check_acquire(&activity, key);
        while !self.locks.is_free(key) {
            if let Some(lock) = self.locks.known.borrow_mut().get_mut(&key) {
                lock.contended += 1;
            }
            self.check_deadlock(&activity, key);
            activity.state.set(State::Spinning(key));
            activity.suspend();
        }
        activity.state.set(State::Runnable);
        if let Some(lock) = self.locks.known.borrow_mut().get_mut(&key) {
            lock.owner = Some(activity.id);
        }
        activity.locks.borrow_mut().push((key, kind));
    }

    /// Whether the lock can ever be free: it cannot if its holder spins for a lock that the activity holds, directly or
    /// through others, or was interrupted by the activity on the same processor.
    fn check_deadlock(&self, activity: &Activity, key: usize) {
        let mut chain = format!("{} spins for {}", activity.label, self.lock_name(key));
        let mut wanted = key;
        loop {
            let owner = self.locks.known.borrow().get(&wanted).and_then(|lock| lock.owner);
            let Some((cpu, owner)) = owner.and_then(|owner| self.scheduler.running(owner)) else { return };
            _ = write!(chain, ", held by {}", owner.label);
            if owner.id == activity.id {
                self.stop("BC.133", format!("deadlock: {chain}"));
            }
            if cpu == activity.cpu.get() {
                self.stop("BC.133", format!("deadlock: {chain}, which it interrupted"));
            }
            let State::Spinning(next) = owner.state.get() else { return };
            _ = write!(chain, ", which spins for {}", self.lock_name(next));
            wanted = next;
        }
    }

    fn check_acquire(&self, activity: &Activity, key: usize) {
        let held = activity.locks.borrow().clone();
        if held.iter().any(|&(other, _)| other == key) {
            let name = self.lock_name(key);
            self.stop(
                "SDV.SpinLock",
                format!("{} waits for {name}, which it holds: it hangs", activity.label),
            );
        }
        for (other, _) in held {
            if !self.locks.order.borrow().contains(&(other, key)) && self.locks.reaches(key, other) {
                let detail = format!(
                    "{} acquired while {} is held; they were acquired in the opposite order before",
                    self.lock_name(key),
                    self.lock_name(other)
                );
                self.finding("DV.C4.0x1001", None, detail);
            }
            self.locks.order.borrow_mut().insert((other, key));
        }
    }

    /// Releases the lock; false, after a finding, if the current activity does not hold it.
    pub fn release(&self, key: usize, kind: LockKind) -> bool {
        let Some(activity) = self.activity() else { return false };
        let position = activity.locks.borrow().iter().rposition(|&(held, _)| held == key);
        let Some(position) = position else {
            let name = self.lock_name(key);
            let owner = self.locks.known.borrow().get(&key).and_then(|lock| lock.owner);
            let detail = match owner {
                Some(owner) => format!("{name} released; activity {owner} holds it"),
                None => format!("{name} released; nobody holds it"),
            };
            self.finding("SDV.SpinLockRelease", None, detail);
            return false;
        };
        let (_, acquired) = activity.locks.borrow_mut().remove(position);
        let either = [acquired, kind].iter().any(|it| matches!(it, LockKind::Other | LockKind::Tried));
        if acquired != kind && !either {
            let name = self.lock_name(key);
            let detail = format!("{name} acquired as {acquired:?}, released as {kind:?}");
            self.finding("SDV.SpinLockDprRelease", None, detail);
        }
        if let Some(lock) = self.locks.known.borrow_mut().get_mut(&key) {
            lock.owner = None;
        }
        true
    }

    /// Forgets that `activity` holds the lock.
    pub(super) fn locks_forget(&self, activity: &Activity, key: usize) {
        activity.locks.borrow_mut().retain(|&(held, _)| held != key);
        if let Some(lock) = self.locks.known.borrow_mut().get_mut(&key) {
            lock.owner = None;
        }
    }

    /// The memory of `range` is free: locks in it are gone. Held ones are findings (`DV.C4.0x100B`).
    pub(crate) fn forget_locks(&self, range: std::ops::Range<usize>) {
        let gone: Vec<(usize, Option<ThreadId>)> =
            self.locks.known.borrow().range(range).map(|(&key, lock)| (key, lock.owner)).collect();
        for (key, owner) in gone {
            if let Some(owner) = owner {
                let name = self.lock_name(key);
                self.finding(
                    "DV.C4.0x100B",
                    None,
                    format!("memory of {name} freed; activity {owner} holds it"),
                );
            }
            if let Some((_, owner)) = owner.and_then(|owner| self.scheduler.running(owner)) {
                owner.locks.borrow_mut().retain(|&(held, _)| held != key);
            }
            self.locks.known.borrow_mut().remove(&key);
            self.locks.order.borrow_mut().retain(|&(a, b)| a != key && b != key);
        }
    }

    /// How often an activity found a lock taken.
    pub fn contentions(&self) -> u64 {
        self.locks.known.borrow().values().map(|lock| lock.contended).sum()
    }
}
