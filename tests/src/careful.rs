//! A client that takes every refusal for an answer, on an adapter whose card may be pulled out at any moment.

use std::{cell::Cell, rc::Rc, time::Duration};

use ndis_sim::{
    machine::Machine,
    ndis::{
        Adapter, AddressFamily, Driver, HaltAction,
        client::{self, Client},
        status, wait_for,
    },
    pci::Slot,
};

use crate::{
    Caller, Lab, Record, Station, blocks, blocks::Destination, caller::PATIENCE, lab::sleep,
    station::exchange,
};

/// From the loss of a card until the system tells its driver.
const NOTICE: Duration = Duration::from_millis(3);

/// Starts the first card, makes a call of the family on it with some traffic, and halts it; whether the call came up.
///
/// # Panics
/// If something neither succeeds nor fails.
pub fn call(lab: &Lab, driver: &Rc<Driver>, family: u32) -> bool {
    let adapter = lab.adapter(driver, 0);
    let caller = Caller::new();
    let bound: Rc<dyn Client> = Rc::<Caller>::clone(&caller);
    adapter.bind(&bound);
    if adapter.start().is_err() {
        return false;
    }
    let system = System::watch(&adapter, &lab.place(0).slot);
    adapter.restart().expect("MiniportRestart succeeds");
    wait_for(PATIENCE, || caller.link.get() == Some(true) || system.told.get());
    let mut up = false;
    if let Some(&offered) = adapter.families().iter().find(|it| it.family == family) {
        let (status, af) = client::open_address_family(&adapter, offered, &bound);
        if status == status::SUCCESS {
            up = one_call(lab, &adapter, &caller, &af, family);
            if client::close_address_family(&af) == status::PENDING {
                assert!(wait_for(PATIENCE, || caller.closed.get()), "CmCloseAf does not end");
            }
        }
    }
    let gone = system.end(&adapter);
    adapter.pause();
    adapter.halt(if gone { HaltAction::SurpriseRemoved } else { HaltAction::DeviceDisabled });
    up
}

fn one_call(
    lab: &Lab,
    adapter: &Rc<Adapter>,
    caller: &Rc<Caller>,
    af: &Rc<AddressFamily>,
    family: u32,
) -> bool {
    let (kind, sap) = blocks::sap(family);
    let (_, sap) = client::register_sap(af, kind, &sap);
    let (status, vc) = client::create_vc(af);
    let mut up = false;
    if status == status::SUCCESS {
        let place = lab.place(0);
        let station = Station {
            adapter: Rc::clone(adapter),
            slot: Rc::clone(&place.slot),
            tally: Rc::clone(&place.tally),
            caller: Rc::clone(caller),
            af: Rc::clone(af),
            sap: Rc::clone(&sap),
            family,
        };
        up = station.outcome(&vc, &Destination::default()) == status::SUCCESS;
        if up {
            exchange(&[Rc::clone(&vc)], &[60, 600], 8);
            assert_eq!(Record::of(&vc).in_driver.get(), 0, "a send is not completed");
            assert!(Caller::hang_up(&vc), "the close does not end");
        }
        assert_eq!(client::delete_vc(&vc), status::SUCCESS);
    }
    if sap.is_registered() {
        assert_eq!(client::deregister_sap(&sap), status::SUCCESS);
    }
    up
}

/// The part of the system that tells a driver that its card is gone.
struct System {
    slot: Rc<Slot>,
    told: Rc<Cell<bool>>,
    over: Rc<Cell<bool>>,
    watching: Option<ndis_sim::machine::ThreadId>,
}

impl System {
    /// Watches a card that is to be pulled out, if it is.
    fn watch(adapter: &Rc<Adapter>, slot: &Rc<Slot>) -> Self {
        let (told, over) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
        let machine = Machine::current();
        let watching = machine.call_is_awaited().then(|| {
            let (adapter, slot) = (Rc::clone(adapter), Rc::clone(slot));
            let (told, over) = (Rc::clone(&told), Rc::clone(&over));
            machine.spawn("PnP", move || {
                while !over.get() {
                    if slot.is_gone() {
                        adapter.surprise_remove();
                        told.set(true);
                        break;
                    }
                    sleep(NOTICE);
                }
            })
        });
        Self { slot: Rc::clone(slot), told, over, watching }
    }

    /// Nothing is told from here on but by this; whether the card is gone.
    fn end(self, adapter: &Rc<Adapter>) -> bool {
        self.over.set(true);
        while self.watching.as_ref().is_some_and(|&thread| !Machine::current().finished(thread)) {
            sleep(Duration::from_millis(1));
        }
        if self.slot.is_gone() && !self.told.get() {
            adapter.surprise_remove();
        }
        self.slot.is_gone()
    }
}
