//! Which locks the code holds, as types: taking them in the wrong order does not compile.
//!
//! A driver declares its levels and their order once, with [`lock_order!`](crate::lock_order!), and each
//! [`SpinLock`](crate::SpinLock) has a level. NDIS calls a handler with no lock held: the shims of this crate hand it an
//! [`Unlocked`] token, which goes from function to function as `&mut`. To take a lock is to lend it that token, for as
//! long as the lock is held; the guard lends another token, for the locks inside ([`Guard::parts`](crate::spin_lock::Guard::parts)).
//! A function that takes a lock which may be an inner one asks for `&mut Locked<impl Before<Level>>`, one that can call
//! back into the driver for `&mut Unlocked`. Nothing of this exists at run time.

use core::fmt;
use core::marker::PhantomData;

/// The level of a lock; declared by [`lock_order!`](crate::lock_order!).
pub trait Level: 'static {}

/// A lock of level `Inner` may be taken while one of this level is held, or while none is ([`NoLock`]).
#[diagnostic::on_unimplemented(
    message = "a lock of level `{Inner}` must not be taken while one of level `{Self}` is held",
    label = "the lock order does not have `{Inner}` behind `{Self}`"
)]
pub trait Before<Inner: Level> {
    /// Whether a lock is held, and so the IRQL is `DISPATCH_LEVEL`.
    const HELD: bool = true;
}

/// No lock is held.
#[derive(Debug)]
pub enum NoLock {}

impl<L: Level> Before<L> for NoLock {
    const HELD: bool = false;
}

/// Proof that locks of level `L` and of those before it may be held, and none of the others. A token is neither `Send`
/// nor `Clone`, so it cannot outlive the callback that made it.
pub struct Locked<L>(PhantomData<(*const (), L)>);

/// Proof that no lock is held. The IRQL is `DISPATCH_LEVEL` or lower.
pub type Unlocked = Locked<NoLock>;

impl<L> Locked<L> {
    /// Made by the shims, since NDIS calls with no lock of the driver held, and by held locks.
    pub(crate) const fn documented() -> Self {
        Self(PhantomData)
    }
}

impl<L> fmt::Debug for Locked<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Locked")
    }
}

/// Declares the levels of a driver's locks. Those of `nested` are taken in the order of the list, outermost first; those
/// of `alone` with no other lock held, and none inside. A [`Leaf`](crate::Leaf) has no level: it is inside all of them.
#[macro_export]
macro_rules! lock_order {
    (
        nested { $($(#[$outer:meta])* $nested:ident,)* }
        alone { $($(#[$single:meta])* $alone:ident,)* }
    ) => {
        $($(#[$outer])* #[derive(Debug)] pub(crate) enum $nested {})*
        $($(#[$single])* #[derive(Debug)] pub(crate) enum $alone {})*
        $(impl $crate::lock_order::Level for $nested {})*
        $(impl $crate::lock_order::Level for $alone {})*
        $crate::lock_order!(@before $($nested)*);
    };
    (@before $first:ident $($rest:ident)*) => {
        $(impl $crate::lock_order::Before<$rest> for $first {})*
        $crate::lock_order!(@before $($rest)*);
    };
    (@before) => {};
}
