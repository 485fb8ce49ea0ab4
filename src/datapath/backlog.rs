//! What waits for room in the transmit ring.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use ndis::memory::push_reserved;
use ndis::{Chain, NetBufferList, Ref};

use super::outgoing::Outgoing;
use crate::call_manager::Vc;

/// Where a VC stands in the backlog, plus one; 0 if nowhere. Read and written under the lock on the backlog only.
#[derive(Debug, Default)]
pub(crate) struct Place(AtomicU32);

impl Place {
    fn get(&self) -> Option<usize> {
        self.0.load(Ordering::Relaxed).checked_sub(1).map(|place| place as usize)
    }

    fn set(&self, place: Option<usize>) {
        let place = place.and_then(|place| u32::try_from(place).ok()?.checked_add(1));
        self.0.store(place.unwrap_or(0), Ordering::Relaxed);
    }
}

/// Lists of one VC.
struct Waiting {
    vc: Ref<Vc>,
    outgoing: Outgoing,
    lists: Chain<Vc>,
}

/// What did not fit, VC by VC: they take turns, so that one that sends much cannot starve the others. Each VC notes its
/// place, so that nothing depends on how many there are.
pub(super) struct Backlog {
    waiting: Vec<Waiting>,
    turn: usize,
}

impl Backlog {
    /// Nothing waits.
    pub(super) const fn new() -> Self {
        Self { waiting: Vec::new(), turn: 0 }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds lists behind those of the same VC. Those for which there is no memory stay in `lists`.
    pub(super) fn add(&mut self, vc: &Ref<Vc>, outgoing: &Outgoing, lists: &mut Chain<Vc>) {
        let place = vc.place.get();
        if let Some(waiting) = place.and_then(|place| self.waiting.get_mut(place)) {
            waiting.lists.append(core::mem::take(lists));
        } else if self.waiting.try_reserve(1).is_ok() {
            vc.place.set(Some(self.waiting.len()));
            let lists = core::mem::take(lists);
            let _ =
                push_reserved(&mut self.waiting, Waiting { vc: Ref::clone(vc), outgoing: *outgoing, lists });
        }
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
        removed
    }

    /// Takes out all lists of one VC.
    pub(super) fn remove_of(&mut self, vc: &Vc) -> Chain<Vc> {
        let Some(place) = vc.place.get() else { return Chain::new() };
        let lists = self.waiting.get_mut(place).map(|waiting| core::mem::take(&mut waiting.lists));
        self.forget(place);
        lists.unwrap_or_default()
    }

    fn forget(&mut self, place: usize) {
        if place >= self.waiting.len() {
            return;
        }
        let gone = self.waiting.swap_remove(place);
        gone.vc.place.set(None);
        if let Some(moved) = self.waiting.get(place) {
            moved.vc.place.set(Some(place));
        }
    }
}
