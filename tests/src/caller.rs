//! A CoNDIS client that records what it is told. It judges nothing: a panic in a callback would have to pass through
//! frames of the driver.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    time::Duration,
};

use ndis_sim::{
    machine::Machine,
    ndis::{
        self, Adapter, AddressFamily, Creator, Indication, Received, Sap, SendId, Vc,
        client::{self, Client},
        parameters::CallParameters,
        status::{self, Status},
        wait_for,
    },
};

/// `NDIS_STATUS_LINK_STATE`.
const LINK_STATE: u32 = 0x4001_0017;
/// `MediaConnectStateConnected`, at offset 4 of `NDIS_LINK_STATE`.
const CONNECTED: u8 = 1;
/// Address and control fields that frames have between NDISWAN and a miniport.
pub const HDLC: [u8; 2] = [0xff, 0x03];
/// What a person would wait for a call or its end.
pub const PATIENCE: Duration = Duration::from_secs(200);

/// One call on a VC.
#[derive(Default)]
pub struct Record {
    /// How the make-call request ended.
    pub made: Cell<Option<Status>>,
    /// The call's parameters as the call manager left them.
    pub parameters: RefCell<Option<CallParameters>>,
    /// How changes of the call's rates ended, in that order, and the parameters that came back.
    pub modified: RefCell<Vec<(Status, CallParameters)>>,
    /// Parameters that the network changed.
    pub changed: RefCell<Vec<CallParameters>>,
    /// What the driver indicated on the VC.
    pub indications: RefCell<Vec<Indication>>,
    /// The close-call request ended.
    pub closed: Cell<bool>,
    /// Why the network ended the call, if it did.
    pub ended: Cell<Option<Status>>,
    /// Frames given to the driver, from the protocol field on.
    pub sent: RefCell<Vec<Vec<u8>>>,
    /// Frames that arrived, from the protocol field on.
    pub received: RefCell<Vec<Vec<u8>>>,
    /// How sends ended.
    pub send_statuses: RefCell<Vec<Status>>,
    /// Frame lists in the hands of the driver.
    pub in_driver: Cell<usize>,
    /// Frames that arrived and that the client keeps, while [`Caller::hold`] is set.
    pub held: RefCell<Vec<Received>>,
    /// What was offered, for a call that came in.
    pub offer: RefCell<Option<CallParameters>>,
    /// The driver deleted the VC, which it had created.
    pub deleted: Cell<bool>,
}

/// How a client answers an incoming call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// It wants no VC.
    #[default]
    NoVc,
    /// It returns this status.
    Now(Status),
    /// It answers with this status from within, and returns `PENDING`.
    Inline(Status),
    /// It returns `PENDING`, and answers with this status from another thread.
    Elsewhere(Status),
    /// It returns `PENDING`; the script answers.
    Later,
    /// It closes the call from within, and returns `PENDING`.
    Close,
}

impl Record {
    /// The record of the call on `vc`.
    ///
    /// # Panics
    /// If it has none.
    pub fn of(vc: &Vc) -> Rc<Self> {
        vc.client_data().expect("every VC of a caller has a record")
    }

    /// Frames can be sent on the call.
    pub fn is_up(&self) -> bool {
        self.made.get() == Some(status::SUCCESS) && self.ended.get().is_none() && !self.closed.get()
    }

    /// Whether every frame sent came back, unchanged and in order.
    pub fn is_echoed(&self) -> bool {
        *self.sent.borrow() == *self.received.borrow()
    }

    /// Frames that came back and were never sent, or more often than they were sent.
    pub fn strangers(&self) -> usize {
        let mut sent = self.sent.borrow().clone();
        let unknown = |frame: &&Vec<u8>| match sent.iter().position(|it| it == *frame) {
            Some(at) => {
                sent.swap_remove(at);
                false
            }
            None => true,
        };
        self.received.borrow().iter().filter(unknown).count()
    }
}

/// The client.
#[derive(Default)]
pub struct Caller {
    me: Weak<Self>,
    /// Whether the link is up, once it was told.
    pub link: Cell<Option<bool>>,
    /// Statuses that it was told of, of the adapter or of a VC.
    pub statuses: Cell<usize>,
    /// How often the link state was told.
    pub link_changes: Cell<usize>,
    /// The address family is closed.
    pub closed: Cell<bool>,
    /// How a pended open or registration ended.
    pub opened: Cell<Option<Status>>,
    /// How a pended SAP registration ended.
    pub sap_registered: Cell<Option<Status>>,
    /// A pended deregistration ended.
    pub sap_deregistered: Cell<bool>,
    /// The call manager asked the client to leave.
    pub asked_to_leave: Cell<bool>,
    /// It is leaving by itself: asked to leave, it does no more.
    pub leaves: Cell<bool>,
    /// Close the call from within the completion of a send, and delete the VC from within that of the close.
    pub ends_when_sent: Cell<bool>,
    /// Keep received frames instead of returning them.
    pub hold: Cell<bool>,
    /// Answer the network's close from within the indication of it.
    pub close_at_once: Cell<bool>,
    /// How incoming calls are answered.
    pub answer: Cell<Answer>,
    /// The rate to ask for in place of the one offered, in bytes a second.
    pub rate: Cell<Option<u32>>,
    /// Close an incoming call from within the news that it is up.
    pub close_when_connected: Cell<bool>,
    /// Incoming calls, in the order of their offers.
    pub offered: RefCell<Vec<(Rc<Vc>, Rc<Record>)>>,
}

impl Caller {
    /// A client.
    pub fn new() -> Rc<Self> {
        Rc::new_cyclic(|me| Self { me: Weak::clone(me), ..Self::default() })
    }

    /// Returns what it kept of a call.
    pub fn let_go(vc: &Vc) {
        let held = Record::of(vc).held.take();
        if !held.is_empty() {
            client::return_frames(vc.adapter(), held);
        }
    }

    /// Closes the call on a VC and waits for the end of the close; false if it does not end.
    pub fn hang_up(vc: &Rc<Vc>) -> bool {
        let record = Record::of(vc);
        if client::close_call(vc) == status::SUCCESS {
            record.closed.set(true);
        }
        wait_for(PATIENCE, || record.closed.get())
    }

    /// What a client does that is asked to leave: ends its calls, its SAPs, its open.
    fn leave(&self, af: &Rc<AddressFamily>) {
        for vc in af.vcs() {
            let record = Record::of(&vc);
            Self::let_go(&vc);
            if vc.creator() == Creator::CallManager {
                Self::hang_up(&vc);
                continue;
            }
            wait_for(PATIENCE, || record.made.get().is_some());
            if record.made.get() == Some(status::SUCCESS) && !record.closed.get() {
                Self::hang_up(&vc);
            }
            client::delete_vc(&vc);
        }
        for sap in af.saps() {
            if client::deregister_sap(&sap) == status::PENDING {
                wait_for(PATIENCE, || self.sap_deregistered.get());
            }
        }
        if client::close_address_family(af) == status::SUCCESS {
            self.closed.set(true);
        }
        wait_for(PATIENCE, || self.closed.get());
        client::notify_close_complete(af, status::SUCCESS);
    }
}

impl Client for Caller {
    fn name(&self) -> &'static str {
        "caller"
    }

    fn open_complete(&self, _af: &Rc<AddressFamily>, status: Status) {
        self.opened.set(Some(status));
        ndis::changed();
    }

    fn close_complete(&self, _af: &Rc<AddressFamily>) {
        self.closed.set(true);
        ndis::changed();
    }

    fn notify_close(&self, af: &Rc<AddressFamily>) -> Status {
        self.asked_to_leave.set(true);
        if let Some(me) = self.me.upgrade().filter(|_| !self.leaves.get()) {
            let af = Rc::clone(af);
            Machine::current().spawn("leaving client", move || me.leave(&af));
        }
        status::PENDING
    }

    fn register_sap_complete(&self, _sap: &Rc<Sap>, status: Status) {
        self.sap_registered.set(Some(status));
        ndis::changed();
    }

    fn deregister_sap_complete(&self, _sap: &Rc<Sap>) {
        self.sap_deregistered.set(true);
        ndis::changed();
    }

    fn create_vc(&self, _af: &Rc<AddressFamily>, vc: &Rc<Vc>) -> Status {
        if self.answer.get() == Answer::NoVc {
            return status::NOT_SUPPORTED;
        }
        vc.set_client_data(Rc::new(Record::default()));
        status::SUCCESS
    }

    fn delete_vc(&self, vc: &Rc<Vc>) {
        Record::of(vc).deleted.set(true);
        ndis::changed();
    }

    fn incoming_call(&self, _sap: &Rc<Sap>, vc: &Rc<Vc>, parameters: &CallParameters) -> Status {
        let record = Record::of(vc);
        record.offer.replace(Some(parameters.clone()));
        self.offered.borrow_mut().push((Rc::clone(vc), Rc::clone(&record)));
        ndis::changed();
        if let Some(rate) = self.rate.get() {
            client::ask_for_rate(vc, rate);
        }
        match self.answer.get() {
            Answer::NoVc => status::NOT_ACCEPTED,
            Answer::Now(status) => status,
            Answer::Inline(status) => {
                client::accept_call(vc, status);
                status::PENDING
            }
            Answer::Elsewhere(status) => {
                let vc = Rc::clone(vc);
                Machine::current().spawn("answering client", move || client::accept_call(&vc, status));
                status::PENDING
            }
            Answer::Later => status::PENDING,
            Answer::Close => {
                if client::close_call(vc) == status::SUCCESS {
                    record.closed.set(true);
                }
                status::PENDING
            }
        }
    }

    fn call_connected(&self, vc: &Rc<Vc>) {
        let record = Record::of(vc);
        record.made.set(Some(status::SUCCESS));
        if self.close_when_connected.get() && client::close_call(vc) == status::SUCCESS {
            record.closed.set(true);
        }
        ndis::changed();
    }

    fn make_call_complete(&self, vc: &Rc<Vc>, status: Status, parameters: &CallParameters) {
        let record = Record::of(vc);
        record.parameters.replace(Some(parameters.clone()));
        record.made.set(Some(status));
        ndis::changed();
    }

    fn modify_call_complete(&self, vc: &Rc<Vc>, status: Status, parameters: &CallParameters) {
        Record::of(vc).modified.borrow_mut().push((status, parameters.clone()));
        ndis::changed();
    }

    fn call_modified(&self, vc: &Rc<Vc>, parameters: &CallParameters) {
        Record::of(vc).changed.borrow_mut().push(parameters.clone());
        ndis::changed();
    }

    fn close_call_complete(&self, vc: &Rc<Vc>, _status: Status) {
        Record::of(vc).closed.set(true);
        if self.ends_when_sent.get() {
            client::delete_vc(vc);
        }
        ndis::changed();
    }

    fn incoming_close(&self, vc: &Rc<Vc>, status: Status, _data: &[u8]) {
        let record = Record::of(vc);
        record.ended.set(Some(status));
        if self.close_at_once.get() && client::close_call(vc) == status::SUCCESS {
            record.closed.set(true);
        }
        ndis::changed();
    }

    fn receive(&self, vc: &Rc<Vc>, frames: Vec<Received>) {
        let record = Record::of(vc);
        for frame in &frames {
            let data = frame.data();
            record.received.borrow_mut().push(data.strip_prefix(&HDLC).unwrap_or(data).to_vec());
        }
        let mut owned: Vec<_> = frames.into_iter().filter(Received::must_return).collect();
        if self.hold.get() {
            record.held.borrow_mut().append(&mut owned);
        } else {
            client::return_frames(vc.adapter(), owned);
        }
        ndis::changed();
    }

    fn send_complete(&self, vc: &Rc<Vc>, _id: SendId, status: Status) {
        let record = Record::of(vc);
        record.send_statuses.borrow_mut().push(status);
        record.in_driver.set(record.in_driver.get().saturating_sub(1));
        if self.ends_when_sent.get() {
            client::close_call(vc);
        }
        ndis::changed();
    }

    fn status(&self, _adapter: &Rc<Adapter>, vc: Option<&Rc<Vc>>, indication: &Indication) {
        self.statuses.set(self.statuses.get() + 1);
        if let Some(record) = vc.and_then(|vc| vc.client_data::<Record>()) {
            record.indications.borrow_mut().push(indication.clone());
        }
        if indication.code == LINK_STATE {
            self.link.set(Some(indication.data.get(4) == Some(&CONNECTED)));
            self.link_changes.set(self.link_changes.get() + 1);
            ndis::changed();
        }
    }
}
