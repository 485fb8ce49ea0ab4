//! What does not go straight into the transmit ring: sends that wait for room in it, or for their rate or credits.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use condis::token_bucket::Shape;
use ndis::memory::push_reserved;
use ndis::{Chain, NetBufferList, Ref, Result, Status};
use pppoe::credit::{Account, Agreement};
use pppoe::extension::Flow;
use pppoe::{Instant, SessionKey};

use super::outgoing::Outgoing;
use super::shaper::Shapers;
use crate::call_manager::Vc;

/// Where a VC stands in the backlog. Written under the lock on the backlog only.
#[derive(Debug, Default)]
pub(crate) struct Place(AtomicU32);

/// The same, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// Its sends go straight into the ring.
    Nowhere,
    /// It waits for room.
    Waiting(usize),
    /// It has a shape or an account of credits.
    Shaped(usize),
}

impl Place {
    /// Tells shaped VCs from waiting ones, and those of them that have an account; the other bits are the place plus one.
    const SHAPED: u32 = 1 << 31;
    const ACCOUNT: u32 = 1 << 30;

    /// Whether the VC has an account of credits: a hint to who does not have the lock on the backlog.
    #[inline]
    pub(crate) fn may_have_account(&self) -> bool {
        self.0.load(Ordering::Relaxed) & Self::ACCOUNT != 0
    }

    fn get(&self) -> Stand {
        let bits = self.0.load(Ordering::Relaxed);
        let place = (bits & !Self::SHAPED & !Self::ACCOUNT).wrapping_sub(1) as usize;
        match bits {
            0 => Stand::Nowhere,
            _ if bits & Self::SHAPED != 0 => Stand::Shaped(place),
            _ => Stand::Waiting(place),
        }
    }

    fn set(&self, stand: Stand) {
        let bits = |place| u32::try_from(place).map_or(0, |place: u32| place.wrapping_add(1));
        self.0.store(
            match stand {
                Stand::Nowhere => 0,
                Stand::Waiting(place) => bits(place),
                Stand::Shaped(place) => bits(place) | Self::SHAPED,
            },
            Ordering::Relaxed,
        );
    }
}

/// Lists of one VC.
struct Waiting {
    vc: Ref<Vc>,
    outgoing: Outgoing,
    lists: Chain<Vc>,
}

/// What waits for room, VC by VC: they take turns, so that one that sends much cannot starve the others. Each VC notes its
/// place, so that nothing depends on how many there are. Those with a shape or an account wait for their rate or their credits before.
pub(super) struct Backlog {
    waiting: Vec<Waiting>,
    turn: usize,
    shapers: Shapers,
    /// VCs that wait, or have a shape or an account.
    detours: usize,
}

impl Backlog {
    /// Nothing waits.
    pub(super) fn new() -> Self {
        Self { waiting: Vec::new(), turn: 0, shapers: Shapers::default(), detours: 0 }
    }

    /// Whether nothing waits for room.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether sends on a VC go straight into the ring: mostly those on all VCs do.
    pub(super) fn is_straight(&self, vc: &Vc) -> bool {
        self.detours == 0 || self.waiting.is_empty() && vc.place.get() == Stand::Nowhere
    }

    /// Adds lists behind those of the same VC. Those for which there is no memory stay in `lists`.
    pub(super) fn add(&mut self, vc: &Ref<Vc>, outgoing: &Outgoing, lists: &mut Chain<Vc>) {
        if let Stand::Shaped(place) = vc.place.get() {
            self.shapers.hold(place, outgoing, lists);
            self.let_go(place);
        } else {
            self.wait(vc, outgoing, lists);
        }
    }

    /// Lets lists wait for room.
    fn wait(&mut self, vc: &Ref<Vc>, outgoing: &Outgoing, lists: &mut Chain<Vc>) {
        let place = self.waiting_place(vc);
        if let Some(waiting) = place.and_then(|place| self.waiting.get_mut(place)) {
            waiting.lists.append(core::mem::take(lists));
        } else if self.waiting.try_reserve(1).is_ok() {
            let waiting = Waiting { vc: Ref::clone(vc), outgoing: *outgoing, lists: core::mem::take(lists) };
            let _ = push_reserved(&mut self.waiting, waiting);
            self.note(vc, Some(self.waiting.len().wrapping_sub(1)));
        }
        self.count();
    }

    /// Where a VC waits for room.
    fn waiting_place(&mut self, vc: &Vc) -> Option<usize> {
        match vc.place.get() {
            Stand::Nowhere => None,
            Stand::Waiting(place) => Some(place),
            Stand::Shaped(place) => self.shapers.get(place)?.waiting,
        }
    }

    /// Notes where a VC waits for room.
    fn note(&mut self, vc: &Vc, waiting: Option<usize>) {
        if let Stand::Shaped(place) = vc.place.get() {
            if let Some(shaped) = self.shapers.get(place) {
                shaped.waiting = waiting;
            }
        } else {
            vc.place.set(waiting.map_or(Stand::Nowhere, Stand::Waiting));
        }
    }

    fn count(&mut self) {
        self.detours = self.waiting.len().saturating_add(self.shapers.len());
    }

    /// Lets `load` take the next list of the VC whose turn it is; false if nothing waits, or if it left the list.
    pub(super) fn turn(&mut self, load: impl FnOnce(&Ref<Vc>, &Outgoing, &mut Chain<Vc>)) -> bool {
        if self.turn >= self.waiting.len() {
            self.turn = 0;
        }
        let Some(Waiting { vc, outgoing, lists }) = self.waiting.get_mut(self.turn) else { return false };
        let mut next = Chain::new();
        if let Some(list) = lists.pop() {
            next.push(list);
        }
        load(vc, outgoing, &mut next);
        if !next.is_empty() {
            next.append(core::mem::take(lists));
            *lists = next;
            return false;
        }
        if lists.is_empty() {
            self.forget(self.turn);
        } else {
            self.turn = self.turn.wrapping_add(1);
        }
        true
    }

    /// Takes out the lists that `choose` picks.
    pub(super) fn remove(&mut self, mut choose: impl FnMut(&NetBufferList<Vc>) -> bool) -> Chain<Vc> {
        let mut removed = Chain::new();
        // From the end, since a VC that is forgotten leaves its place to the last one.
        for place in (0..self.waiting.len()).rev() {
            let Some(waiting) = self.waiting.get_mut(place) else { continue };
            removed.append(waiting.lists.extract(&mut choose));
            // What waits for nothing must not keep its VC: on a card that is stopped nobody comes by any more.
            if waiting.lists.is_empty() {
                self.forget(place);
            }
        }
        if !self.shapers.is_empty() {
            removed.append(self.shapers.extract(&mut choose));
        }
        removed
    }

    /// Takes out all lists of one VC.
    pub(super) fn remove_of(&mut self, vc: &Vc) -> Chain<Vc> {
        let mut removed = Chain::new();
        if let Some(place) = self.waiting_place(vc) {
            if let Some(waiting) = self.waiting.get_mut(place) {
                removed = core::mem::take(&mut waiting.lists);
            }
            self.forget(place);
        }
        if let Stand::Shaped(place) = vc.place.get() {
            removed.append(self.shapers.take_held(place));
        }
        removed
    }

    fn forget(&mut self, place: usize) {
        if place >= self.waiting.len() {
            return;
        }
        let gone = self.waiting.swap_remove(place);
        self.note(&gone.vc, None);
        if let Some(moved) = self.waiting.get(place).map(|moved| Ref::clone(&moved.vc)) {
            self.note(&moved, Some(place));
        }
        self.count();
    }

    /// Gives a VC a shape, or another one.
    pub(super) fn shape(&mut self, vc: &Ref<Vc>, shape: &Shape) -> Result<()> {
        let place = self.shaped_place(vc)?;
        self.shapers.change(place, Some(shape));
        self.let_go(place);
        Ok(())
    }

    /// Gives the session of a VC an account of credits.
    pub(super) fn open_account(&mut self, vc: &Ref<Vc>, key: SessionKey, agreement: Agreement) -> Result<()> {
        let place = self.shaped_place(vc)?;
        self.shapers.open(place, key, agreement);
        vc.place.0.fetch_or(Place::ACCOUNT, Ordering::Relaxed);
        self.let_go(place);
        Ok(())
    }

    /// Where a VC is held to its shape and to its credits, from now on if not before.
    fn shaped_place(&mut self, vc: &Ref<Vc>) -> Result<usize> {
        let waiting = match vc.place.get() {
            Stand::Shaped(place) => return Ok(place),
            Stand::Waiting(place) => Some(place),
            Stand::Nowhere => None,
        };
        let place = self.shapers.add(vc, waiting)?;
        vc.place.set(Stand::Shaped(place));
        self.count();
        Ok(place)
    }

    /// Does something to the account of a session, and what follows from it. `None`: the VC has none for this session.
    pub(super) fn with_account<R>(
        &mut self,
        vc: &Vc,
        key: SessionKey,
        act: impl FnOnce(&mut Account, Instant) -> R,
    ) -> Option<(R, Option<Flow>)> {
        let Stand::Shaped(place) = vc.place.get() else { return None };
        let done = self.shapers.with_account(place, key, act)?;
        self.let_go(place);
        Some(done)
    }

    /// Takes the shape of a VC away; what was held for it, if it has no account either.
    pub(super) fn unshape(&mut self, vc: &Vc) -> Option<(Ref<Vc>, Option<Outgoing>, Chain<Vc>)> {
        let Stand::Shaped(place) = vc.place.get() else { return None };
        if self.shapers.has_account(place) {
            self.shapers.change(place, None);
            self.let_go(place);
            return None;
        }
        self.release(vc)
    }

    /// Takes the shape of a VC and its account away; what was held for it.
    pub(super) fn release(&mut self, vc: &Vc) -> Option<(Ref<Vc>, Option<Outgoing>, Chain<Vc>)> {
        let Stand::Shaped(place) = vc.place.get() else { return None };
        let (shaped, held) = self.shapers.remove(place)?;
        vc.place.set(shaped.waiting.map_or(Stand::Nowhere, Stand::Waiting));
        self.count();
        Some((shaped.vc, shaped.outgoing, held))
    }

    /// Lets all VCs whose time has come go on, and has `send` send the PADGs that are due. Lists that have waited too long
    /// for credits end up in `failed`. A session whose peer does not answer ends this: it is to be called again.
    pub(super) fn expire(
        &mut self,
        mut send: impl FnMut(&Flow),
        failed: &mut Chain<Vc>,
    ) -> Option<(Ref<Vc>, SessionKey)> {
        while let Some(place) = self.shapers.expired() {
            match self.shapers.grant(place) {
                Ok(grant) => grant.iter().for_each(&mut send),
                // Whoever ends the session takes what is held.
                Err(key) => return self.shapers.get(place).map(|shaped| (Ref::clone(&shaped.vc), key)),
            }
            let mut stale = self.shapers.stale(place);
            stale.set_status(Status::FAILURE);
            failed.append(stale);
            self.let_go(place);
        }
        None
    }

    /// In how long to call [`Backlog::expire`].
    pub(super) fn wake(&self) -> Option<Duration> {
        self.shapers.wake()
    }

    /// Lets what a VC may send now, by its rate and credits, wait for room.
    fn let_go(&mut self, place: usize) {
        let mut lists = self.shapers.let_go(place);
        if lists.is_empty() {
            return;
        }
        let owner =
            self.shapers.get(place).and_then(|shaped| Some((Ref::clone(&shaped.vc), shaped.outgoing?)));
        if let Some((vc, outgoing)) = owner {
            self.wait(&vc, &outgoing, &mut lists);
        }
        self.shapers.put_back(place, lists);
    }

    /// Lets lists of a VC that has lost its shape wait for room; what finds no memory is given back.
    pub(super) fn requeue(&mut self, vc: &Ref<Vc>, outgoing: &Outgoing, mut lists: Chain<Vc>) -> Chain<Vc> {
        self.wait(vc, outgoing, &mut lists);
        lists
    }
}
