//! An adapter that is up, with a client that has opened an address family on it.

use std::{cell::RefCell, rc::Rc, time::Duration};

use ndis_sim::{
    machine::{DISPATCH_LEVEL, Machine, PASSIVE_LEVEL},
    ndis::{
        Adapter, AddressFamily, Driver, Frames, HaltAction, Sap, State, Vc,
        client::{self, Client},
        status::{self, Status},
        wait_for,
    },
    pci::Slot,
    wire::access_concentrator::Tally,
};

use crate::{
    Caller, Lab, Record,
    blocks::{self, Destination},
    caller::{HDLC, PATIENCE},
};

/// Time without any frame after which the missing ones are given up.
const SILENCE: Duration = Duration::from_secs(3);
/// `MediaConnectStateConnected`.
const CONNECTED: u32 = 1;

/// The adapter and its client.
pub struct Station {
    /// The adapter, running.
    pub adapter: Rc<Adapter>,
    /// The card's slot.
    pub slot: Rc<Slot>,
    /// What the access concentrator sees.
    pub tally: Rc<RefCell<Tally>>,
    /// The client.
    pub caller: Rc<Caller>,
    /// Its open.
    pub af: Rc<AddressFamily>,
    /// Its SAP.
    pub sap: Rc<Sap>,
    /// The number of the family.
    pub family: u32,
}

impl Station {
    /// Starts a card, lets data flow, waits for the link, opens the address family and registers a SAP.
    ///
    /// # Panics
    /// If any of that fails.
    pub fn up(lab: &Lab, driver: &Rc<Driver>, card: usize, family: u32) -> Self {
        let adapter = lab.adapter(driver, card);
        let caller = Caller::new();
        let bound: Rc<dyn Client> = Rc::<Caller>::clone(&caller);
        adapter.bind(&bound);
        adapter.start().expect("MiniportInitializeEx succeeds");
        let place = lab.place(card);
        let (slot, tally) = (Rc::clone(&place.slot), Rc::clone(&place.tally));
        Self::on(adapter, slot, tally, caller, family)
    }

    /// The rest of [`Self::up`] on an adapter that is started, with its client bound.
    ///
    /// # Panics
    /// If any of it fails.
    pub fn on(
        adapter: Rc<Adapter>,
        slot: Rc<Slot>,
        tally: Rc<RefCell<Tally>>,
        caller: Rc<Caller>,
        family: u32,
    ) -> Self {
        adapter.restart().expect("MiniportRestart succeeds");
        let general = adapter.attributes().general().expect("general attributes");
        // What the attributes say holds until an indication says otherwise.
        let up = || caller.link.get().unwrap_or(general.media_connect_state == CONNECTED);
        assert!(wait_for(PATIENCE, up), "no link");
        let (af, sap) = open(&adapter, &caller, family);
        Self { adapter, slot, tally, caller, af, sap, family }
    }

    /// A VC without a call.
    ///
    /// # Panics
    /// If it cannot be created.
    pub fn vc(&self) -> Rc<Vc> {
        let (status, vc) = client::create_vc(&self.af);
        assert_eq!(status, status::SUCCESS, "CmCreateVc");
        vc
    }

    /// Asks for a call on a VC. Its record tells how it goes.
    pub fn dial(&self, vc: &Rc<Vc>, to: &Destination) -> Rc<Record> {
        let record = Rc::new(Record::default());
        vc.set_client_data(Rc::<Record>::clone(&record));
        let status = client::make_call(vc, &blocks::call(self.family, to));
        if status != status::PENDING {
            record.made.set(Some(status));
        }
        record
    }

    /// Makes a call to anybody and waits for its end; how it ended.
    ///
    /// # Panics
    /// If there is no end.
    pub fn outcome(&self, vc: &Rc<Vc>, to: &Destination) -> Status {
        let record = self.dial(vc, to);
        assert!(wait_for(PATIENCE, || record.made.get().is_some()), "the call neither comes up nor fails");
        record.made.get().expect("just waited for")
    }

    /// A call that is up.
    ///
    /// # Panics
    /// If it fails.
    pub fn connected(&self) -> Rc<Vc> {
        let vc = self.vc();
        let status = self.outcome(&vc, &Destination::default());
        assert_eq!(status, status::SUCCESS, "the call fails: {}", status::name(status));
        vc
    }

    /// Closes a call and deletes its VC.
    ///
    /// # Panics
    /// If either does not end well.
    pub fn finish(&self, vc: &Rc<Vc>) {
        assert!(Caller::hang_up(vc), "the close does not end");
        assert_eq!(client::delete_vc(vc), status::SUCCESS, "CmDeleteVc");
    }

    /// Closes the open. The adapter stays as it is.
    ///
    /// # Panics
    /// If it does not end.
    pub fn close(&self) {
        if self.sap.is_registered() && client::deregister_sap(&self.sap) == status::PENDING {
            assert!(
                wait_for(PATIENCE, || self.caller.sap_deregistered.get()),
                "CmDeregisterSap does not end"
            );
        }
        if client::close_address_family(&self.af) == status::SUCCESS {
            self.caller.closed.set(true);
        }
        assert!(wait_for(PATIENCE, || self.caller.closed.get()), "CmCloseAf does not end");
    }

    /// Closes the open, pauses and halts the adapter.
    pub fn down(self) {
        self.down_as(HaltAction::DeviceDisabled);
    }

    /// The same, for a reason.
    pub fn down_as(self, action: HaltAction) {
        self.close();
        if self.adapter.state() == State::Running {
            self.adapter.pause();
        }
        self.adapter.halt(action);
    }
}

/// Opens a family and registers a SAP.
///
/// # Panics
/// If either fails.
pub fn open(adapter: &Rc<Adapter>, caller: &Rc<Caller>, family: u32) -> (Rc<AddressFamily>, Rc<Sap>) {
    let families = adapter.families();
    let family = *families.iter().find(|it| it.family == family).expect("the family is registered");
    let bound: Rc<dyn Client> = Rc::<Caller>::clone(caller);
    caller.closed.set(false);
    let (status, af) = client::open_address_family(adapter, family, &bound);
    if status == status::PENDING {
        wait_for(PATIENCE, || caller.opened.get().is_some());
    }
    assert!(af.is_open(), "CmOpenAf: {}", status::name(status));
    let (sap_type, sap) = blocks::sap(family.family);
    let (status, sap) = client::register_sap(&af, sap_type, &sap);
    if status == status::PENDING {
        wait_for(PATIENCE, || caller.sap_registered.get().is_some());
    }
    assert!(sap.is_registered(), "CmRegisterSap: {}", status::name(status));
    (af, sap)
}

/// A frame of `size` bytes from the protocol field on (IPv4), by number; no two are equal.
pub fn frame(size: usize, number: u64) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ size as u64;
    let mut bytes = vec![0x00, 0x21];
    bytes.extend(number.to_be_bytes());
    while bytes.len() < size {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bytes.extend((mixed ^ mixed >> 27).to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// Sends frames on a call, each in a list of its own, at an IRQL that the seed chooses.
pub fn send(vc: &Rc<Vc>, frames: &[Vec<u8>]) {
    let record = Record::of(vc);
    record.sent.borrow_mut().extend(frames.iter().cloned());
    record.in_driver.set(record.in_driver.get() + frames.len());
    let machine = Machine::current();
    let with_framing = frames.iter().map(|frame| [&HDLC[..], frame].concat());
    let mut lists = Frames::singles(with_framing.collect::<Vec<_>>());
    lists.fragment = machine.chance(1, 2);
    if machine.chance(1, 2) {
        machine.raise_irql(DISPATCH_LEVEL);
        client::send(vc, &lists);
        machine.lower_irql(PASSIVE_LEVEL);
    } else {
        client::send(vc, &lists);
    }
}

/// Sends `count` frames of each size on every call and waits until they are back; whether all are, unchanged and in
/// order.
pub fn exchange(vcs: &[Rc<Vc>], sizes: &[usize], count: u64) -> bool {
    let batch = (64 / vcs.len().max(1)).max(1) as u64;
    for &size in sizes {
        let mut from = 0;
        while from < count {
            let until = count.min(from + batch);
            for vc in vcs {
                let frames: Vec<_> = (from..until).map(|n| frame(size, vc.number() << 32 | n)).collect();
                send(vc, &frames);
            }
            settle(vcs);
            from = until;
        }
    }
    vcs.iter().all(|vc| Record::of(vc).is_echoed())
}

/// Waits until a session's relay listens, of a peer in real time: it is a process of its own, which a busy machine starts
/// late.
///
/// # Panics
/// If it does not.
pub fn listen(listening: impl Fn() -> usize, sessions: usize) {
    assert!(wait_for(PATIENCE, || listening() >= sessions), "the relays of sessions do not listen");
}

/// Waits until every frame sent is completed and back, or nothing has come for a while.
pub fn settle(vcs: &[Rc<Vc>]) {
    let received = || vcs.iter().map(|vc| Record::of(vc).received.borrow().len()).sum::<usize>();
    let sent: usize = vcs.iter().map(|vc| Record::of(vc).sent.borrow().len()).sum();
    loop {
        let before = received();
        if before >= sent || !wait_for(SILENCE, || received() != before) {
            break;
        }
    }
    wait_for(PATIENCE, || vcs.iter().all(|vc| Record::of(vc).in_driver.get() == 0));
}
