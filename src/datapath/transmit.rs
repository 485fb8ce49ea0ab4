//! The transmit ring and what waits for it.

use alloc::vec::Vec;
use e1000::{Nic, TransmitStatus};
use ndis::memory::push_reserved;
use ndis::{Chain, NetBuffer, NetBufferList, Ref, Result, Status};
use pppoe::{Address, Header, SessionKey};

use super::health::{Hangs, Health};
use crate::adapter::settings::Tags;
use crate::adapter::{Registers, TransmitRing};
use crate::call_manager::{Outgoing, Vc};

/// Descriptors that data leaves free for discovery frames: a PADT must not wait behind a full ring.
const KEPT_FOR_CONTROL: usize = 8;

/// Address and control field, which PPPoE does not carry (RFC 2516 section 7).
const ADDRESS_AND_CONTROL: [u8; 2] = [0xFF, 0x03];

/// The ring, the list that each of its descriptors completes, and the VCs that wait for room.
pub(crate) struct Transmit {
    ring: TransmitRing,
    /// By descriptor: the list of which it is the last frame.
    owners: Vec<Option<NetBufferList<Vc>>>,
    /// What did not fit, VC by VC: they take turns, so that one that sends much cannot starve the others.
    waiting: Vec<Waiting>,
    turn: usize,
    hangs: Hangs,
    /// The station that all frames come from.
    own: Address,
    tags: Tags,
    /// Where NDIS puts a frame in one piece that lies in several.
    scattered: Vec<u8>,
}

struct Waiting {
    vc: Ref<Vc>,
    lists: Chain<Vc>,
}

impl Transmit {
    /// An empty ring.
    pub(crate) fn new(ring: TransmitRing, own: Address, tags: Tags) -> Result<Self> {
        let owners = ndis::memory::filled(ring.count(), |_| Ok(None))?;
        let scattered = ndis::memory::zeroed(e1000::BUFFER_SIZE)?;
        Ok(Self { ring, owners, waiting: Vec::new(), turn: 0, hangs: Hangs::default(), own, tags, scattered })
    }

    /// Connects the ring to the card, which must have been reset.
    pub(crate) fn start(&mut self, nic: &Nic<Registers>) -> core::result::Result<(), e1000::Error> {
        nic.start_transmit(&mut self.ring)
    }

    /// Whether the card sends; to be asked once a second.
    pub(crate) fn health(&mut self, nic: &Nic<Registers>) -> Health {
        let hung = self.ring.is_hung(nic, &mut self.hangs.progress).unwrap_or(false);
        self.hangs.judge(hung, self.ring.completed())
    }

    /// Whether nothing waits for the card.
    pub(crate) fn is_idle(&self) -> bool {
        self.ring.pending() == 0 && self.waiting.is_empty()
    }

    /// Takes lists to send on a VC. Each carries its session in its note. They wait for [`Transmit::pump`]; those for
    /// which there is no memory to wait in stay in `lists`.
    pub(super) fn queue(&mut self, vc: &Ref<Vc>, lists: &mut Chain<Vc>) {
        if let Some(waiting) = self.waiting.iter_mut().find(|waiting| Ref::ptr_eq(&waiting.vc, vc)) {
            while let Some(list) = lists.pop() {
                waiting.lists.push(list);
            }
        } else if self.waiting.try_reserve(1).is_ok() {
            let waiting = Waiting { vc: Ref::clone(vc), lists: core::mem::take(lists) };
            let _ = push_reserved(&mut self.waiting, waiting);
        }
    }

    /// Moves lists from the waiting VCs to the ring as long as they fit, one from each in turn, and rings the doorbell
    /// once. What cannot be sent at all ends up in `failed`.
    pub(super) fn pump(&mut self, nic: &Nic<Registers>, failed: &mut Chain<Vc>) {
        while self.push_next(failed) {}
        self.ring.doorbell(nic);
    }

    /// Moves the next list; false if there is none or no room.
    fn push_next(&mut self, failed: &mut Chain<Vc>) -> bool {
        if self.turn >= self.waiting.len() {
            self.turn = 0;
        }
        let Some(waiting) = self.waiting.get_mut(self.turn) else { return false };
        let Some(mut list) = waiting.lists.pop() else {
            // Its last list was cancelled.
            drop(self.waiting.swap_remove(self.turn));
            return true;
        };
        let frames = list.net_buffers().count();
        let room = self.ring.free().saturating_sub(KEPT_FOR_CONTROL);
        if frames > room && frames < self.ring.count().saturating_sub(KEPT_FOR_CONTROL) {
            waiting.lists.push_front(list);
            return false;
        }
        if waiting.lists.is_empty() {
            drop(self.waiting.swap_remove(self.turn));
        } else {
            self.turn = self.turn.wrapping_add(1);
        }
        match self.push_all(&list, frames, room) {
            Ok(index) => {
                if let Some(owner) = self.owners.get_mut(index) {
                    list.set_status(Status::SUCCESS);
                    *owner = Some(list);
                }
            }
            Err(status) => {
                list.set_status(status);
                failed.push(list);
            }
        }
        true
    }

    /// Copies all frames of a list into the ring; the index of the last.
    fn push_all(&mut self, list: &NetBufferList<Vc>, frames: usize, room: usize) -> Result<usize> {
        if frames == 0 || frames > room {
            return Err(Status::INVALID_LENGTH);
        }
        let session = Outgoing::noted(list).ok_or(Status::FAILURE)?;
        let mut outcome = Err(Status::RESOURCES);
        for frame in list.net_buffers() {
            let pushed = self.push(session, &frame);
            list.with_vc(|vc| match pushed {
                Ok((_, length)) => vc.count_sent(1, length.into()),
                Err(_) => vc.count_send_error(),
            });
            outcome = pushed.map(|(index, _)| index);
        }
        outcome
    }

    /// Copies one frame into the ring, without address and control field, behind the header of its session; its index,
    /// and the bytes of PPP in it.
    fn push(&mut self, session: SessionKey, frame: &NetBuffer<'_>) -> Result<(usize, u16)> {
        let bytes = frame.bytes(&mut self.scattered).ok_or(Status::RESOURCES)?;
        let ppp = bytes.strip_prefix(&ADDRESS_AND_CONTROL).unwrap_or(bytes);
        let length = u16::try_from(ppp.len()).map_err(|_| Status::INVALID_LENGTH)?;
        let mut slot = self.ring.reserve().ok_or(Status::RESOURCES)?;
        let header = Header::new(self.own, session).for_length(length);
        let written = slot.write(0, &header) && slot.write(Header::LEN, ppp);
        if !written {
            return Err(Status::INVALID_LENGTH);
        }
        let index = slot.push(Header::LEN.saturating_add(ppp.len()), self.tags.data);
        index.map(|index| (index, length)).map_err(|_| Status::INVALID_LENGTH)
    }

    /// Sends a discovery frame, which no list owns; false if there is no room even for that.
    pub(super) fn send_control(&mut self, nic: &Nic<Registers>, frame: &[u8]) -> bool {
        let Some(mut slot) = self.ring.reserve() else { return false };
        let sent = slot.write(0, frame) && slot.push(frame.len(), self.tags.control).is_ok();
        self.ring.doorbell(nic);
        sent
    }

    /// Takes out the lists whose last frame the card has finished.
    pub(super) fn reclaim(&mut self, done: &mut Chain<Vc>) {
        let owners = &mut self.owners;
        self.ring.reclaim(|index, status| {
            if let Some(mut list) = owners.get_mut(index).and_then(Option::take) {
                if status != TransmitStatus::empty() {
                    list.set_status(Status::FAILURE);
                }
                done.push(list);
            }
        });
    }

    /// Takes the waiting lists that `choose` picks.
    pub(super) fn remove_queued(&mut self, mut choose: impl FnMut(&NetBufferList<Vc>) -> bool) -> Chain<Vc> {
        let mut removed = Chain::new();
        for waiting in &mut self.waiting {
            let mut chosen = waiting.lists.extract(&mut choose);
            while let Some(list) = chosen.pop() {
                removed.push(list);
            }
        }
        // What waits for nothing must not keep its VC: on a card that is stopped nobody comes by any more.
        self.waiting.retain(|waiting| !waiting.lists.is_empty());
        removed
    }

    /// Takes all lists out and leaves their frames, which were copied, in the ring: without a link the card stops
    /// fetching, and nobody can say for how long.
    pub(super) fn disown(&mut self) -> Chain<Vc> {
        let mut all = self.remove_queued(|_| true);
        for list in self.owners.iter_mut().filter_map(Option::take) {
            all.push(list);
        }
        all
    }

    /// Takes everything out: the card is stopped or gone.
    pub(super) fn abandon(&mut self) -> Chain<Vc> {
        let mut all = Chain::new();
        let owners = &mut self.owners;
        self.ring.abandon(|index| {
            if let Some(list) = owners.get_mut(index).and_then(Option::take) {
                all.push(list);
            }
        });
        let mut queued = self.remove_queued(|_| true);
        while let Some(list) = queued.pop() {
            all.push(list);
        }
        all
    }
}
