//! The transmit ring and what waits for it.

use alloc::vec::Vec;
use e1000::{Nic, TransmitStatus};
use ndis::{Chain, NetBuffer, NetBufferList, Result, Status};
use pppoe::{Address, Header, SessionKey};

use crate::adapter::{Registers, TransmitRing};
use crate::call_manager::{Outgoing, Vc};

/// Descriptors that data leaves free for discovery frames: a PADT must not wait behind a full ring.
const KEPT_FOR_CONTROL: usize = 8;

/// Address and control field, which PPPoE does not carry (RFC 2516 section 7).
const ADDRESS_AND_CONTROL: [u8; 2] = [0xFF, 0x03];

/// The ring, the list that each of its descriptors completes, and the lists that did not fit.
pub(crate) struct Transmit {
    ring: TransmitRing,
    /// By descriptor: the list of which it is the last frame.
    owners: Vec<Option<NetBufferList<Vc>>>,
    backlog: Chain<Vc>,
    /// The station that all frames come from.
    own: Address,
}

impl Transmit {
    /// An empty ring.
    pub(crate) fn new(ring: TransmitRing, own: Address) -> Result<Self> {
        let owners = ndis::memory::filled(ring.count(), |_| Ok(None))?;
        Ok(Self { ring, owners, backlog: Chain::new(), own })
    }

    /// Connects the ring to the card, which must have been reset.
    pub(crate) fn start(&mut self, nic: &Nic<Registers>) -> core::result::Result<(), e1000::Error> {
        nic.start_transmit(&mut self.ring)
    }

    /// Whether nothing waits for the card.
    pub(crate) fn is_idle(&self) -> bool {
        self.ring.pending() == 0 && self.backlog.is_empty()
    }

    /// Takes lists to send. Each carries the header of its session in its note.
    pub(super) fn queue(&mut self, lists: &mut Chain<Vc>) {
        while let Some(list) = lists.pop() {
            self.backlog.push(list);
        }
    }

    /// Moves lists from the backlog to the ring as long as they fit, and rings the doorbell once. What cannot be
    /// sent at all ends up in `failed`.
    pub(super) fn pump(&mut self, nic: &Nic<Registers>, failed: &mut Chain<Vc>) {
        while let Some(mut list) = self.backlog.pop() {
            let frames = list.net_buffers().count();
            let room = self.ring.free().saturating_sub(KEPT_FOR_CONTROL);
            if frames > room && frames < self.ring.count().saturating_sub(KEPT_FOR_CONTROL) {
                self.backlog.push_front(list);
                break;
            }
            match self.push_all(&list, frames, room) {
                Ok(last) => {
                    if let Some(owner) = self.owners.get_mut(last) {
                        list.set_status(Status::SUCCESS);
                        *owner = Some(list);
                    }
                }
                Err(status) => {
                    list.set_status(status);
                    failed.push(list);
                }
            }
        }
        self.ring.doorbell(nic);
    }

    /// Copies all frames of a list into the ring; the index of the last.
    fn push_all(&mut self, list: &NetBufferList<Vc>, frames: usize, room: usize) -> Result<usize> {
        if frames == 0 || frames > room {
            return Err(Status::INVALID_LENGTH);
        }
        let session = Outgoing::noted(list).ok_or(Status::FAILURE)?;
        let mut pushed = Err(Status::RESOURCES);
        for frame in list.net_buffers() {
            let length = frame.len();
            pushed = self.push(session, &frame);
            list.with_vc(|vc| if pushed.is_ok() { vc.count_sent(length) } else { vc.count_send_error() });
        }
        pushed
    }

    /// Copies one frame into the ring, without address and control field, behind the header of its session.
    fn push(&mut self, session: SessionKey, frame: &NetBuffer<'_>) -> Result<usize> {
        let mut storage = [0; e1000::BUFFER_SIZE];
        let bytes = frame.bytes(&mut storage).ok_or(Status::RESOURCES)?;
        let ppp = bytes.strip_prefix(&ADDRESS_AND_CONTROL).unwrap_or(bytes);
        let length = u16::try_from(ppp.len()).map_err(|_| Status::INVALID_LENGTH)?;
        let mut slot = self.ring.reserve().ok_or(Status::RESOURCES)?;
        let header = Header::new(self.own, session).for_length(length);
        let written = slot.write(0, &header) && slot.write(Header::LEN, ppp);
        if !written {
            return Err(Status::INVALID_LENGTH);
        }
        slot.push(Header::LEN.saturating_add(ppp.len())).map_err(|_| Status::INVALID_LENGTH)
    }

    /// Sends a discovery frame, which no list owns; false if there is no room even for that.
    pub(super) fn send_control(&mut self, nic: &Nic<Registers>, frame: &[u8]) -> bool {
        let Some(mut slot) = self.ring.reserve() else { return false };
        let sent = slot.write(0, frame) && slot.push(frame.len()).is_ok();
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

    /// Takes the lists that `choose` picks out of the backlog.
    pub(super) fn remove_queued(&mut self, choose: impl FnMut(&NetBufferList<Vc>) -> bool) -> Chain<Vc> {
        self.backlog.extract(choose)
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
        while let Some(list) = self.backlog.pop() {
            all.push(list);
        }
        all
    }
}
