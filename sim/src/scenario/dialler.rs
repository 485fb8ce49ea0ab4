//! A client that makes calls of a run: it opens its address family and keeps a record of each call.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
};

use super::{
    pattern::{Arrival, Pattern},
    totals::{Totals, less, more},
};
use crate::{
    machine::Machine,
    ndis::{
        self, Adapter, AddressFamily, Family, General, Indication, Received, Sap, SendId, Vc,
        client::{self, Client},
        parameters::CallParameters,
        status::{self, Status},
    },
};

/// `NDIS_STATUS_LINK_STATE`.
const LINK_STATE: u32 = 0x4001_0017;
/// `MediaConnectStateConnected`, at offset 4 of `NDIS_LINK_STATE`.
const CONNECTED: u8 = 1;
/// Address and control fields that frames have between NDISWAN and a miniport.
pub(super) const HDLC: [u8; 2] = [0xff, 0x03];

/// One call, attached to its VC.
pub(super) struct Record {
    pub(super) pattern: Pattern,
    totals: Rc<Totals>,
    /// How the make-call request ended.
    made: Cell<Option<Status>>,
    closed: Cell<bool>,
    /// The network has ended the call.
    ended: Cell<bool>,
    sent: Cell<u32>,
    /// It has a place in [`Totals::turn`], or wants none.
    in_turn: Cell<bool>,
}

impl Record {
    pub(super) fn new(pattern: Pattern, totals: &Rc<Totals>) -> Rc<Self> {
        Rc::new(Self {
            pattern,
            totals: Rc::clone(totals),
            made: Cell::new(None),
            closed: Cell::new(false),
            ended: Cell::new(false),
            sent: Cell::new(0),
            in_turn: Cell::new(true),
        })
    }

    pub(super) fn of(vc: &Vc) -> Rc<Self> {
        vc.client_data().expect("every VC of the dialler has a record")
    }

    /// Frames can be sent on the call.
    pub(super) fn is_up(&self) -> bool {
        self.made.get() == Some(status::SUCCESS) && !self.ended.get() && !self.closed.get()
    }

    /// How the make-call request ended.
    pub(super) fn made(&self) -> Option<Status> {
        self.made.get()
    }

    /// Set-up has ended.
    pub(super) fn set_made(&self, status: Status) {
        if self.made.get().is_none() {
            more(&self.totals.made);
        }
        self.change(|| self.made.set(Some(status)));
    }

    /// The close has ended.
    pub(super) fn set_closed(&self) {
        if !self.closed.get() {
            more(&self.totals.closed);
        }
        self.change(|| self.closed.set(true));
    }

    fn set_ended(&self) {
        self.change(|| self.ended.set(true));
    }

    /// What is under way when a call ends is nobody's loss.
    fn change(&self, change: impl FnOnce()) {
        let before = self.is_up();
        change();
        match (before, self.is_up()) {
            (false, true) => more(&self.totals.up),
            (true, false) => {
                less(&self.totals.up, 1);
                less(&self.totals.missing, self.pattern.missing());
            }
            _ => {}
        }
    }

    /// Frames sent on it.
    pub(super) fn sent(&self) -> u32 {
        self.sent.get()
    }

    /// The next frames, which are given to the driver now. The call is up.
    pub(super) fn next(&self, count: usize) -> Vec<Vec<u8>> {
        let frames = (0..count).map(|_| [&HDLC[..], &self.pattern.next()].concat()).collect();
        self.sent.set(self.sent.get() + u32::try_from(count).unwrap_or(0));
        let totals = &self.totals;
        totals.sent.set(totals.sent.get() + count as u64);
        totals.missing.set(totals.missing.get() + count);
        totals.in_driver.set(totals.in_driver.get() + count);
        frames
    }

    /// It takes its turn again when a frame has come back.
    pub(super) fn sit_out(&self) {
        self.in_turn.set(false);
    }

    fn received(&self, vc: &Rc<Vc>) {
        let totals = &self.totals;
        totals.received.set(totals.received.get() + 1);
        if self.is_up() {
            less(&totals.missing, 1);
            if !self.in_turn.replace(true) {
                totals.turn.borrow_mut().push_back(Rc::clone(vc));
            }
        }
    }
}

/// The client.
pub(super) struct Dialler {
    me: Weak<Self>,
    name: &'static str,
    totals: Rc<Totals>,
    /// `CO_ADDRESS_FAMILY_*`.
    pub(super) family: u32,
    af: RefCell<Option<Rc<AddressFamily>>>,
    /// How the open ended, and whether the address family is closed again.
    pub(super) opened: Cell<Option<Status>>,
    pub(super) closed: Cell<bool>,
    pub(super) sap_registered: Cell<Option<Status>>,
    pub(super) sap_deregistered: Cell<bool>,
    pub(super) link: Cell<bool>,
    /// What the frames of calls that come in look like; without it none is taken.
    pub(super) patterns: RefCell<Option<Rc<dyn Fn() -> Pattern>>>,
    /// Calls that came in.
    pub(super) offered: RefCell<Vec<Rc<Vc>>>,
    /// VCs of such calls that the driver has deleted.
    pub(super) deleted: Cell<usize>,
}

impl Dialler {
    /// A client of the address family `family`.
    pub(super) fn new(name: &'static str, family: u32, totals: &Rc<Totals>) -> Rc<Self> {
        Rc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            name,
            totals: Rc::clone(totals),
            family,
            af: RefCell::default(),
            opened: Cell::new(None),
            closed: Cell::new(false),
            sap_registered: Cell::new(None),
            sap_deregistered: Cell::new(false),
            link: Cell::new(false),
            patterns: RefCell::default(),
            offered: RefCell::default(),
            deleted: Cell::new(0),
        })
    }

    /// The open address family.
    pub(super) fn address_family(&self) -> Option<Rc<AddressFamily>> {
        self.af.borrow().clone().filter(|_| self.opened.get() == Some(status::SUCCESS))
    }

    /// Lets go of the objects of NDIS, which know the client.
    pub(super) fn forget(&self) {
        self.af.take();
        self.offered.take();
    }

    fn judge(vc: &Rc<Vc>, frame: &[u8]) {
        let record = Record::of(vc);
        let frame = frame.strip_prefix(&HDLC).unwrap_or(frame);
        let detail = match record.pattern.arrived(frame) {
            Arrival::Good => {
                record.received(vc);
                return;
            }
            Arrival::Repeated => "a frame arrived twice".to_owned(),
            Arrival::Wrong(detail) => detail,
        };
        Machine::current().finding("SIM.Data", None, format!("VC {}: {detail}", vc.number()));
    }
}

impl Client for Dialler {
    fn name(&self) -> &'static str {
        self.name
    }

    fn family_registered(&self, adapter: &Rc<Adapter>, family: Family) {
        let Some(me) = self.me.upgrade().filter(|_| family.family == self.family) else { return };
        let me: Rc<dyn Client> = me;
        let (status, af) = client::open_address_family(adapter, family, &me);
        self.af.replace(Some(af));
        // A link that was up at the start is in the attributes, and no change that is indicated.
        let connected = |general: General| general.media_connect_state == u32::from(CONNECTED);
        if adapter.attributes().general().is_some_and(connected) {
            self.link.set(true);
        }
        if status != status::PENDING {
            self.opened.set(Some(status));
        }
    }

    fn open_complete(&self, _af: &Rc<AddressFamily>, status: Status) {
        self.opened.set(Some(status));
        ndis::changed();
    }

    fn close_complete(&self, _af: &Rc<AddressFamily>) {
        self.closed.set(true);
        ndis::changed();
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
        let Some(patterns) = self.patterns.borrow().clone() else { return status::NOT_SUPPORTED };
        vc.set_client_data(Record::new(patterns(), &self.totals));
        status::SUCCESS
    }

    fn delete_vc(&self, _vc: &Rc<Vc>) {
        self.deleted.set(self.deleted.get() + 1);
        ndis::changed();
    }

    /// As NDPROXY does, which asks TAPI first.
    fn incoming_call(&self, _sap: &Rc<Sap>, vc: &Rc<Vc>, _parameters: &CallParameters) -> Status {
        self.offered.borrow_mut().push(Rc::clone(vc));
        let vc = Rc::clone(vc);
        Machine::current().spawn("answer", move || client::accept_call(&vc, status::SUCCESS));
        status::PENDING
    }

    fn call_connected(&self, vc: &Rc<Vc>) {
        Record::of(vc).set_made(status::SUCCESS);
        ndis::changed();
    }

    fn make_call_complete(&self, vc: &Rc<Vc>, status: Status, _parameters: &CallParameters) {
        Record::of(vc).set_made(status);
        ndis::changed();
    }

    fn close_call_complete(&self, vc: &Rc<Vc>, _status: Status) {
        Record::of(vc).set_closed();
        ndis::changed();
    }

    fn incoming_close(&self, vc: &Rc<Vc>, _status: Status, _data: &[u8]) {
        Record::of(vc).set_ended();
        ndis::changed();
    }

    fn receive(&self, vc: &Rc<Vc>, frames: Vec<Received>) {
        for frame in &frames {
            Self::judge(vc, frame.data());
        }
        client::return_frames(vc.adapter(), frames.into_iter().filter(Received::must_return).collect());
        ndis::changed();
    }

    fn send_complete(&self, _vc: &Rc<Vc>, _id: SendId, _status: Status) {
        less(&self.totals.in_driver, 1);
        ndis::changed();
    }

    fn status(&self, _adapter: &Rc<Adapter>, _vc: Option<&Rc<Vc>>, indication: &Indication) {
        if indication.code == LINK_STATE {
            self.link.set(indication.data.get(4) == Some(&CONNECTED));
            ndis::changed();
        }
    }
}
