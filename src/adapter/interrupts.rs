//! From the card's interrupt to the work it asks for.

use core::sync::atomic::Ordering;

use e1000::{Causes, Delivery, Vector};
use ndis::{Dispatch, InterruptHandler, Ref, Serviced, Throttle, Unlocked};

use super::Adapter;
use crate::datapath::Left;

impl InterruptHandler for Adapter {
    fn service(&self, message: Option<u32>) -> Serviced {
        let Some(access) = self.card.access_to_mask() else { return Serviced::NotOurs };
        if !access.runs() {
            return self.silence(message);
        }
        let causes = match self.source(message) {
            Some(Source::Vector(vector)) => self.nic.acknowledge(vector).map(Some),
            Some(Source::Everything) => self.nic.claim_line(self.delivery()),
            None => return Serviced::NotOurs,
        };
        match causes {
            Ok(Some(causes)) => {
                self.causes.fetch_or(causes.bits(), Ordering::AcqRel);
                Serviced::QueueDpc
            }
            Ok(None) => {
                self.mask_unless_running();
                Serviced::NotOurs
            }
            // A card that is gone interrupts nobody; the notification of its removal will come.
            Err(_) => Serviced::NotOurs,
        }
    }

    fn dpc(this: &Ref<Self>, message: Option<u32>, throttle: &mut Throttle, irql: &mut Dispatch) {
        let Some(source) = this.source(message) else { return };
        let (vector, mine) = match source {
            Source::Everything => (None, Causes::all()),
            Source::Vector(vector) => (Some(vector), causes_of(vector)),
        };
        let found = this.causes.fetch_and(!mine.bits(), Ordering::AcqRel);
        let causes = Causes::from_bits_truncate(found) & mine;
        if causes.transmit() || vector == Some(Vector::Transmit) {
            this.sends_done(irql);
        }
        if causes.link() {
            this.link_changed(irql);
        }
        // Frames are no business of the other messages' DPCs, nor is the throttle.
        let left = match vector {
            None | Some(Vector::Receive) => this.receive(throttle, irql),
            Some(Vector::Transmit | Vector::Other) => Left::Nothing,
        };
        match left {
            Left::Nothing => this.rearm(source, false),
            Left::Frames => this.rearm(source, true),
            // The card stays masked until that.
            Left::ToNdis | Left::ToAnother => {}
        }
    }

    fn disable(&self, _message: Option<u32>) {
        if let Some(_access) = self.card.access() {
            self.nic.disable_interrupts();
        }
    }

    fn enable(&self, _message: Option<u32>) {
        if let Some(_access) = self.card.access() {
            // A card that has gone meanwhile will be reported as removed.
            let _ = self.nic.enable_interrupts(self.delivery());
            self.mask_unless_running();
        }
    }
}

/// What an interrupt tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// All there is: the line, or a message that does its work.
    Everything,
    /// What has a message of its own.
    Vector(Vector),
}

/// What a vector reports: the other causes belong to other DPCs.
fn causes_of(vector: Vector) -> Causes {
    match vector {
        Vector::Receive => Causes::RXQ0 | Causes::RXT0 | Causes::RXDMT0 | Causes::RXO,
        Vector::Transmit => Causes::TXQ0 | Causes::TXDW | Causes::TXQE,
        Vector::Other => Causes::OTHER | Causes::LSC,
    }
}

impl Adapter {
    /// The end of a DPC: unmasks what it has served, and has the card interrupt for frames that are left to the next one.
    fn rearm(&self, source: Source, again: bool) {
        let Some(_access) = self.card.access() else { return };
        match source {
            Source::Vector(vector) => self.nic.rearm(vector),
            Source::Everything => self.nic.rearm_line(self.delivery()),
        }
        if again {
            self.nic.receive_again(self.delivery());
        }
        self.mask_unless_running();
    }

    /// Masks the card again if another processor takes it while this one unmasked it: nobody would serve it. With leave to
    /// touch it.
    pub(super) fn mask_unless_running(&self) {
        if !self.is_reachable() {
            self.nic.disable_interrupts();
        }
    }

    /// An interrupt while somebody takes the card, or after it was given up: masks it, so that its line does not keep this
    /// processor from that. What it tells of ends with the reset, or is found after it.
    #[cold]
    fn silence(&self, message: Option<u32>) -> Serviced {
        let by_line = self.source(message) == Some(Source::Everything);
        let ours = by_line && matches!(self.nic.claim_line(self.delivery()), Ok(Some(_)));
        self.nic.disable_interrupts();
        if ours { Serviced::Done } else { Serviced::NotOurs }
    }

    /// Those who touch the card with a ring's lock held have done so when this returns, and the card is masked.
    pub(super) fn let_go_of_card(&self, locks: &mut Unlocked) {
        drop(self.transmit.lock(locks));
        drop(self.receive.lock(locks));
        self.nic.disable_interrupts();
        // The mask is at the card before its interrupts are nobody's.
        let _ = self.nic.is_present();
    }

    /// What an interrupt tells of; `None`: a message that the card does not send.
    fn source(&self, message: Option<u32>) -> Option<Source> {
        match self.delivery() {
            Delivery::Messages => message.and_then(Vector::from_message).map(Source::Vector),
            Delivery::Line | Delivery::Single => Some(Source::Everything),
        }
    }
}
