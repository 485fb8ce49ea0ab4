//! `ndis::Directory`, on real processors at once: the driver's own source, with a lock of std's in the kernel's place.

extern crate alloc;

use std::{
    collections::BTreeMap,
    num::NonZeroU64,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

#[allow(dead_code, unreachable_pub, reason = "the driver uses the rest")]
#[path = "../../crates/ndis/src/directory.rs"]
mod directory;
#[allow(dead_code, unreachable_pub, reason = "the driver uses the rest")]
#[path = "../../crates/ndis/src/memory.rs"]
mod memory;
#[allow(dead_code, unreachable_pub, reason = "the driver uses the rest")]
#[path = "../../crates/ndis/src/reference.rs"]
mod reference;

/// What stands for NDIS's.
mod status {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Status;

    impl Status {
        pub(crate) const RESOURCES: Self = Self;
    }

    pub(crate) type Result<T> = core::result::Result<T, Status>;
}

/// What stands for the kernel's.
mod spin_lock {
    use std::sync::{Mutex, MutexGuard};

    pub(crate) struct Leaf<T>(Mutex<T>);

    impl<T> Leaf<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(Mutex::new(value))
        }

        pub(crate) fn acquire(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("nobody panics with the lock")
        }
    }
}

use directory::{Directory, Spread};
use reference::Ref;

/// Sends many keys to few places, so that probes are long.
struct Poor;

impl Spread for Poor {
    fn spread(&self, key: NonZeroU64) -> u64 {
        key.get() / 3
    }
}

static ALIVE: AtomicUsize = AtomicUsize::new(0);

struct Session(u64);

impl Session {
    fn new(key: u64) -> Ref<Self> {
        ALIVE.fetch_add(1, Ordering::Relaxed);
        Ref::new(Self(key)).expect("memory")
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

fn key(number: u64) -> NonZeroU64 {
    NonZeroU64::new(number).expect("not zero")
}

// covers: SEQ:lookup-beside-call-setup
#[test]
fn readers_find_what_is_there_and_nothing_else_while_writers_come_and_go() {
    let directory = Directory::new(Poor);
    // Odd keys are always there, even ones sometimes.
    for number in (1..64).step_by(2) {
        assert_eq!(directory.insert(key(number), &Session::new(number)), Ok(true));
        assert_eq!(directory.insert(key(number), &Session::new(number)), Ok(false), "one of a key");
    }
    thread::scope(|scope| {
        for writer in 0..2 {
            let directory = &directory;
            scope.spawn(move || {
                for round in 0..60_000_u64 {
                    // Each writer has keys of its own; they grow, so that arrays are replaced.
                    let number = 2 * (2 * (round % 300) + writer) + 2;
                    assert_eq!(directory.insert(key(number), &Session::new(number)), Ok(true));
                    directory.collect();
                    if round % 7 == 0 {
                        thread::yield_now();
                    }
                    assert!(directory.remove(key(number)));
                    assert!(!directory.remove(key(number)));
                    directory.collect();
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                for round in 0..120_000_u64 {
                    let reader = directory.read();
                    for number in round % 50 + 1..round % 50 + 10 {
                        let found = reader.get(key(number));
                        assert!(
                            found.as_ref().is_none_or(|session| session.0 == number),
                            "another's session"
                        );
                        assert!(found.is_some() || number % 2 == 0 || number > 63, "{number} is missing");
                    }
                }
            });
        }
    });
    directory.collect();
    assert_eq!(ALIVE.load(Ordering::Relaxed), 32, "removed sessions are dropped");
    let reader = directory.read();
    let kept = reader.get(key(1)).expect("it is there");
    assert!(directory.remove(key(1)));
    directory.collect();
    assert_eq!((kept.0, reader.get(key(1)).is_none()), (1, true));
    drop(kept);
    assert_eq!(ALIVE.load(Ordering::Relaxed), 32, "kept while somebody reads");
    drop(reader);
    assert_eq!(ALIVE.load(Ordering::Relaxed), 31, "and no longer");
    drop(directory);
    assert_eq!(ALIVE.load(Ordering::Relaxed), 0);
}

// covers: SEQ:lookup-beside-call-setup
#[test]
fn it_grows_and_shrinks_and_forgets_nothing_on_the_way() {
    for reserved in [None, Some(2000)] {
        let directory = Directory::new(Poor);
        if let Some(entries) = reserved {
            assert_eq!(directory.try_reserve(entries), Ok(()));
        }
        come_and_go(directory);
    }
}

static OF_THIS_TEST: AtomicUsize = AtomicUsize::new(0);

struct Counted(u64);

impl Drop for Counted {
    fn drop(&mut self) {
        OF_THIS_TEST.fetch_sub(1, Ordering::Relaxed);
    }
}

fn come_and_go(directory: Directory<Counted, Poor>) {
    let mut known = BTreeMap::new();
    let mut random = 7_u64;
    // Keys come and go, mostly the one and then mostly the other; several times, so that arrays of all sizes follow.
    for round in 0..200_000_u64 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (number, dice) = ((random >> 33) % 6000 + 1, (random >> 20) % 10);
        if (dice < 7) == (round / 25_000 % 2 == 0) {
            OF_THIS_TEST.fetch_add(1, Ordering::Relaxed);
            let fresh = Ref::new(Counted(round)).expect("memory");
            let added = !known.contains_key(&number);
            assert_eq!(directory.insert(key(number), &fresh), Ok(added));
            if added {
                known.insert(number, round);
            }
        } else {
            assert_eq!(directory.remove(key(number)), known.remove(&number).is_some());
        }
        directory.collect();
        let reader = directory.read();
        assert_eq!(reader.get(key(number)).map(|it| it.0), known.get(&number).copied());
        if round % 5000 == 0 {
            for number in 1..=6000 {
                assert_eq!(reader.get(key(number)).map(|it| it.0), known.get(&number).copied(), "{number}");
            }
        }
    }
    assert_eq!(OF_THIS_TEST.load(Ordering::Relaxed), known.len());
    for number in known.keys() {
        assert!(directory.remove(key(*number)));
    }
    directory.collect();
    assert_eq!(OF_THIS_TEST.load(Ordering::Relaxed), 0);
    OF_THIS_TEST.fetch_add(1, Ordering::Relaxed);
    assert_eq!(directory.insert(key(1), &Ref::new(Counted(0)).expect("memory")), Ok(true));
    drop(directory);
    assert_eq!(OF_THIS_TEST.load(Ordering::Relaxed), 0);
}
