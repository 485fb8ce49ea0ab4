//! From the card's interrupt to the work it asks for.

use core::sync::atomic::Ordering;

use e1000::{Causes, Delivery, Vector};
use ndis::{Dispatch, InterruptHandler, Ref, Serviced, Throttle};

use super::Adapter;

impl InterruptHandler for Adapter {
    fn service(&self, message: Option<u32>) -> Serviced {
        if !self.is_reachable() {
            return Serviced::NotOurs;
        }
        let causes = match self.vector(message) {
            Some(vector) => self.nic.acknowledge(vector).map(Some),
            None => self.nic.claim_line(self.delivery()),
        };
        match causes {
            Ok(Some(causes)) => {
                self.causes.fetch_or(causes.bits(), Ordering::AcqRel);
                Serviced::QueueDpc
            }
            Ok(None) => {
                self.mask_if_stopped();
                Serviced::NotOurs
            }
            // A card that is gone interrupts nobody; the notification of its removal will come.
            Err(_) => Serviced::NotOurs,
        }
    }

    fn dpc(this: &Ref<Self>, message: Option<u32>, throttle: &mut Throttle, irql: &mut Dispatch) {
        let vector = this.vector(message);
        let mine = vector.map_or(Causes::all(), causes_of);
        let found = this.causes.fetch_and(!mine.bits(), Ordering::AcqRel);
        let causes = Causes::from_bits_truncate(found) & mine;
        if causes.transmit() || vector == Some(Vector::Transmit) {
            this.sends_done(irql);
        }
        if causes.link() {
            this.link_changed(irql);
        }
        // A throttled pass is continued by NDIS with the DPC, without a new cause; the card stays masked meanwhile.
        if causes.receive() || vector != Some(Vector::Transmit) {
            this.receive(throttle, irql);
        }
        if throttle.more_pending || !this.is_reachable() {
            return;
        }
        match vector {
            Some(vector) => this.nic.rearm(vector),
            None => this.nic.rearm_line(this.delivery()),
        }
        this.mask_if_stopped();
    }

    fn disable(&self, _message: Option<u32>) {
        if self.is_reachable() {
            self.nic.disable_interrupts();
        }
    }

    fn enable(&self, _message: Option<u32>) {
        if self.is_reachable() {
            // A card that has gone meanwhile will be reported as removed.
            let _ = self.nic.enable_interrupts(self.delivery());
        }
    }
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
    /// Masks the card again if another processor has stopped it while this one unmasked it: nobody would serve it.
    fn mask_if_stopped(&self) {
        if self.is_stopped() {
            self.nic.disable_interrupts();
        }
    }

    /// The vector of a message, unless the card has but one and treats it like the line.
    fn vector(&self, message: Option<u32>) -> Option<Vector> {
        match self.delivery() {
            Delivery::Messages => message.and_then(Vector::from_message),
            Delivery::Line | Delivery::Single => None,
        }
    }
}
