//! Address families and SAPs.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use ndis_sim::{
    machine::Machine,
    ndis::{
        self, Sap,
        client::{self, Client},
        status::{self, Status},
    },
};

use super::{FamilySlot, PATIENCE, SapSlot, Use, VcSlot, World};
use crate::{parameters, player::Player, reference::Event};

impl World {
    pub(crate) fn open(self: &Rc<Self>, family: u32) {
        let Some(&id) = self.adapter.families().iter().find(|it| it.family == family) else { return };
        let player = Player::new(self, self.numbers.get() + 1);
        let slot = Rc::new(FamilySlot {
            number: self.number(),
            family,
            af: RefCell::default(),
            open: Cell::new(false),
            leaving: Cell::new(false),
            closed: Cell::new(false),
            users: Cell::new(0),
            player: Rc::clone(&player),
        });
        player.belongs_to(&slot);
        self.families.borrow_mut().push(Rc::clone(&slot));
        self.tell(Event::Open { family: slot.number });
        let _use = Use::of(&slot);
        let client: Rc<dyn Client> = player;
        let (status, af) = client::open_address_family(&self.adapter, id, &client);
        slot.af.replace(Some(af));
        if status != status::PENDING {
            self.opened(&slot, status);
        }
    }

    pub(crate) fn opened(&self, slot: &Rc<FamilySlot>, status: Status) {
        slot.open.set(status == status::SUCCESS);
        slot.closed.set(status != status::SUCCESS);
        self.tell(Event::Opened { family: slot.number, status });
        self.families.borrow_mut().retain(|it| !it.closed.get());
        ndis::changed();
    }

    /// Closes a family without VCs and SAPs; or with them, if it is `busy`: they follow.
    pub(crate) fn close_family(&self, slot: &Rc<FamilySlot>, busy: bool) {
        let idle = busy || slot.members() == 0;
        if !slot.open.get() || slot.leaving.get() || slot.users.get() != 0 || !idle {
            return;
        }
        let Some(af) = slot.af.borrow().clone() else { return };
        slot.leaving.set(true);
        self.tell(Event::CloseFamily { family: slot.number });
        let status = client::close_address_family(&af);
        if status != status::PENDING {
            self.family_closed(slot, status);
        }
    }

    pub(crate) fn family_closed(&self, slot: &Rc<FamilySlot>, status: Status) {
        self.tell(Event::FamilyClosed { family: slot.number, status });
        slot.closed.set(status == status::SUCCESS);
        if status != status::SUCCESS {
            slot.leaving.set(false);
        }
        self.families.borrow_mut().retain(|it| !it.closed.get());
        ndis::changed();
    }

    /// Ends everything on a family, and closes it.
    pub(crate) fn leave(self: &Rc<Self>, slot: &Rc<FamilySlot>) {
        self.wait("an open", || slot.open.get() || slot.closed.get());
        if slot.closed.get() {
            return;
        }
        loop {
            let vcs = self.vcs.borrow().clone();
            for vc in vcs.iter().filter(|vc| Rc::ptr_eq(&vc.family, slot)) {
                self.close(vc);
                self.delete(vc);
            }
            let saps = self.saps.borrow().clone();
            for sap in saps.iter().filter(|sap| Rc::ptr_eq(&sap.family, slot)) {
                self.deregister(sap);
            }
            self.close_family(slot, false);
            if slot.leaving.get() || self.shared.lock().reference.disagreement().is_some() {
                break;
            }
            Machine::current().sleep(Duration::from_millis(1));
        }
        let vcs = self.vcs.borrow().clone();
        // A family that was closed with VCs on it.
        for vc in vcs.iter().filter(|vc| Rc::ptr_eq(&vc.family, slot)) {
            self.finish(vc);
        }
        self.wait("the close of a family", || slot.closed.get());
    }

    /// Closes a call and deletes its VC.
    pub(crate) fn finish(self: &Rc<Self>, vc: &Rc<VcSlot>) {
        let until = Machine::current().now() + PATIENCE;
        while !vc.gone.get() && Machine::current().now() < until {
            self.close(vc);
            self.delete(vc);
            if !vc.gone.get() {
                Machine::current().sleep(Duration::from_millis(1));
            }
        }
        if !vc.gone.get() {
            self.disagree(&format!("the call on VC {} does not end", vc.number));
        }
    }

    pub(crate) fn register(&self, family: &Rc<FamilySlot>, good: bool) {
        if !family.open.get() || family.leaving.get() {
            return;
        }
        let Some(af) = family.af.borrow().clone() else { return };
        let slot = Rc::new(SapSlot {
            number: self.number(),
            family: Rc::clone(family),
            sap: RefCell::default(),
            registered: Cell::new(false),
            gone: Cell::new(false),
        });
        self.tell(Event::Register { sap: slot.number, family: family.number, good });
        self.saps.borrow_mut().push(Rc::clone(&slot));
        let _use = Use::of(family);
        let (kind, bytes) = parameters::sap(family.family, good);
        let (status, sap) = client::register_sap(&af, kind, &bytes);
        slot.sap.replace(Some(Rc::clone(&sap)));
        if status != status::PENDING {
            self.registered(&sap, status);
        }
    }

    fn sap_slot(&self, sap: &Rc<Sap>) -> Option<Rc<SapSlot>> {
        let is = |slot: &&Rc<SapSlot>| slot.sap.borrow().as_ref().is_some_and(|it| Rc::ptr_eq(it, sap));
        self.saps.borrow().iter().find(is).cloned()
    }

    pub(crate) fn registered(&self, sap: &Rc<Sap>, status: Status) {
        let Some(slot) = self.sap_slot(sap) else { return };
        self.tell(Event::Registered { sap: slot.number, status });
        slot.registered.set(status == status::SUCCESS);
        self.saps.borrow_mut().retain(|it| it.number != slot.number || status == status::SUCCESS);
        ndis::changed();
    }

    pub(crate) fn deregister(&self, slot: &Rc<SapSlot>) {
        let Some(sap) = slot.sap.borrow().clone().filter(|_| slot.registered.get()) else { return };
        if slot.gone.replace(true) {
            return;
        }
        self.tell(Event::Deregister { sap: slot.number });
        let _use = Use::of(&slot.family);
        if client::deregister_sap(&sap) != status::PENDING {
            self.deregistered(&sap);
        }
    }

    pub(crate) fn deregistered(&self, sap: &Rc<Sap>) {
        let Some(slot) = self.sap_slot(sap) else { return };
        self.tell(Event::Deregistered { sap: slot.number });
        self.saps.borrow_mut().retain(|it| it.number != slot.number);
        ndis::changed();
    }
}
