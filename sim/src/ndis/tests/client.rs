//! A client that records what it is told and does as it should.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::ndis::client::{self, Client};
use crate::ndis::parameters::CallParameters;
use crate::ndis::status::{self, Status};
use crate::ndis::{Adapter, AddressFamily, Family, Received, Sap, SendId, Vc, changed};

#[derive(Default)]
pub(super) struct Recorder {
    pub(super) families: RefCell<Vec<Family>>,
    pub(super) opened: Cell<Option<Status>>,
    pub(super) closed: Cell<bool>,
    pub(super) sap: Cell<Option<Status>>,
    pub(super) sap_gone: Cell<bool>,
    pub(super) call: Cell<Option<Status>>,
    pub(super) call_closed: Cell<Option<Status>>,
    pub(super) network_closed: Cell<u32>,
    pub(super) frames: RefCell<Vec<Vec<u8>>>,
    /// Keep received frames in place of returning them.
    pub(super) hold: Cell<bool>,
    pub(super) held: RefCell<Vec<Received>>,
    pub(super) sent: RefCell<Vec<(SendId, Status)>>,
    /// The answer to an incoming call.
    pub(super) answer: Cell<Status>,
    pub(super) incoming: RefCell<Option<Rc<Vc>>>,
    pub(super) connected: Cell<bool>,
    /// Leave by itself when asked to.
    pub(super) obedient: Cell<bool>,
}

impl Client for Recorder {
    fn name(&self) -> &'static str {
        "recorder"
    }

    fn family_registered(&self, _adapter: &Rc<Adapter>, family: Family) {
        self.families.borrow_mut().push(family);
    }

    fn open_complete(&self, _af: &Rc<AddressFamily>, status: Status) {
        self.opened.set(Some(status));
    }

    fn close_complete(&self, _af: &Rc<AddressFamily>) {
        self.closed.set(true);
    }

    fn notify_close(&self, af: &Rc<AddressFamily>) -> Status {
        if self.obedient.get() {
            client::close_address_family(af);
        }
        status::SUCCESS
    }

    fn register_sap_complete(&self, _sap: &Rc<Sap>, status: Status) {
        self.sap.set(Some(status));
    }

    fn deregister_sap_complete(&self, _sap: &Rc<Sap>) {
        self.sap_gone.set(true);
    }

    fn create_vc(&self, _af: &Rc<AddressFamily>, _vc: &Rc<Vc>) -> Status {
        status::SUCCESS
    }

    fn incoming_call(&self, _sap: &Rc<Sap>, vc: &Rc<Vc>, _parameters: &CallParameters) -> Status {
        self.incoming.replace(Some(Rc::clone(vc)));
        self.answer.get()
    }

    fn call_connected(&self, _vc: &Rc<Vc>) {
        self.connected.set(true);
    }

    fn make_call_complete(&self, _vc: &Rc<Vc>, status: Status, _parameters: &CallParameters) {
        self.call.set(Some(status));
    }

    fn close_call_complete(&self, _vc: &Rc<Vc>, status: Status) {
        self.call_closed.set(Some(status));
    }

    fn incoming_close(&self, _vc: &Rc<Vc>, _status: Status, _data: &[u8]) {
        self.network_closed.set(self.network_closed.get() + 1);
        changed();
    }

    fn receive(&self, vc: &Rc<Vc>, frames: Vec<Received>) {
        self.frames.borrow_mut().extend(frames.iter().map(|frame| frame.data().to_vec()));
        let returned: Vec<Received> = frames.into_iter().filter(Received::must_return).collect();
        if self.hold.get() {
            self.held.borrow_mut().extend(returned);
        } else {
            client::return_frames(vc.adapter(), returned);
        }
    }

    fn send_complete(&self, _vc: &Rc<Vc>, id: SendId, status: Status) {
        self.sent.borrow_mut().push((id, status));
    }
}
