//! Virtual circuits: creation, activation, deactivation, deletion.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use super::activation::{Change, check_settled};
use super::adapter::Adapter;
use super::address_family::AddressFamily;
use super::block::Block;
use super::callback::{Level, callback, callback_with};
use super::client::Client;
use super::handle::{self, Handle, Kind};
use super::modification::Modifications;
use super::pend::Pend;
use super::prompt::Begun;
use super::raw;
use super::receive::Indicated;
use super::send::Sends;
use super::status::{self, Status};
use super::{finding, note};
use crate::machine::{IrqlRange, Step, enter};
use crate::traffic::CallId;

/// Who created a VC, and so who deletes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creator {
    /// The client, for an outgoing call.
    Client,
    /// The call manager, for an incoming call.
    CallManager,
}

/// What a VC is used for at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallState {
    /// No call.
    Idle,
    /// `CmMakeCall` is not completed.
    Making,
    /// An incoming call awaits the client's answer.
    Offered,
    /// The client accepted an incoming call, which is not connected yet.
    Accepted,
    /// The call is up.
    Connected,
    /// `CmCloseCall` is not completed.
    Closing,
}

/// One VC.
pub struct Vc {
    number: u64,
    handle: Cell<Handle>,
    af: Rc<AddressFamily>,
    creator: Creator,
    context: Cell<usize>,
    pub(super) active: Cell<bool>,
    /// How many calls it had before.
    calls: Cell<u64>,
    /// An activation or deactivation that is pending.
    pub(super) change: Cell<Option<Change>>,
    deleted: Cell<bool>,
    /// `CmDeleteVc` runs.
    deleting: Cell<bool>,
    pub(super) call: Cell<CallState>,
    pub(super) making: Pend,
    pub(super) closing: Pend,
    pub(super) modifications: Modifications,
    /// The network's close was dispatched to the client in this call.
    pub(super) close_dispatched: Cell<bool>,
    /// The client's parameters while the driver may use them, and as they were handed over.
    pub(super) parameters: RefCell<Option<super::lent::Lent>>,
    /// The client rejected the call that was offered.
    pub(super) rejected: Cell<bool>,
    /// The driver's parameters while the client has not answered an offer.
    pub(super) offered: Cell<usize>,
    pub(super) sends: Sends,
    pub(super) indicated: Indicated,
    /// Call-manager parameters of the driver's, that it has given a call whose client had none.
    pub(super) supplied: Cell<usize>,
    /// Bits a second of the link when the call was begun.
    pub(super) speed: Cell<u64>,
    /// Other clients that share the VC, as NDISWAN does those of NDPROXY.
    sharers: RefCell<Vec<Rc<dyn Client>>>,
    /// The largest information field, in bytes, that such a client may send, as far as it has been told.
    told: Cell<Option<u32>>,
    /// When a client or NDIS last did something that the driver may have waited for.
    pub(super) acted: Cell<Duration>,
    pub(super) closed_at: Cell<Begun>,
    /// Where the client keeps what belongs to the VC.
    client_data: RefCell<Option<Rc<dyn std::any::Any>>>,
}

impl Vc {
    fn new(af: &Rc<AddressFamily>, creator: Creator) -> Rc<Self> {
        let vc = Rc::new(Self {
            number: af.adapter().ndis().number("VC"),
            handle: Cell::new(std::ptr::null_mut()),
            af: Rc::clone(af),
            creator,
            context: Cell::new(0),
            active: Cell::new(false),
            calls: Cell::new(0),
            change: Cell::new(None),
            deleted: Cell::new(false),
            deleting: Cell::new(false),
            call: Cell::new(CallState::Idle),
            making: Pend::default(),
            closing: Pend::default(),
            modifications: Modifications::default(),
            close_dispatched: Cell::new(false),
            parameters: RefCell::default(),
            rejected: Cell::new(false),
            offered: Cell::new(0),
            sends: Sends::default(),
            indicated: Indicated::default(),
            supplied: Cell::new(0),
            speed: Cell::new(0),
            sharers: RefCell::default(),
            told: Cell::new(None),
            acted: Cell::default(),
            closed_at: Cell::default(),
            client_data: RefCell::default(),
        });
        vc.handle.set(handle::open(Kind::Vc, Rc::clone(&vc)));
        vc
    }

    /// The number the printout and the log know it by.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The address family it belongs to.
    pub fn address_family(&self) -> &Rc<AddressFamily> {
        &self.af
    }

    /// The adapter it belongs to.
    pub fn adapter(&self) -> &Rc<Adapter> {
        self.af.adapter()
    }

    /// Who created it.
    pub fn creator(&self) -> Creator {
        self.creator
    }

    /// Whether data may flow.
    pub fn is_active(&self) -> bool {
        self.active.get()
    }

    /// What it is used for.
    pub fn call_state(&self) -> CallState {
        self.call.get()
    }

    /// Frame lists the driver has not completed yet.
    pub fn sends_outstanding(&self) -> usize {
        self.sends.outstanding()
    }

    /// Frames the client has not returned yet.
    pub fn receives_outstanding(&self) -> usize {
        self.indicated.outstanding()
    }

    /// Names the call that it has, or will have.
    pub(super) fn call_id(&self) -> CallId {
        (self.number, self.calls.get())
    }

    /// It is not active any more: what is sent on it from now on is another call's.
    pub(super) fn call_ended(&self) {
        if let Some(slot) = self.adapter().slot() {
            slot.traffic().ended(self.call_id());
        }
        self.calls.set(self.calls.get() + 1);
    }

    /// Keeps a value of the client's with the VC.
    pub fn set_client_data(&self, data: Rc<dyn std::any::Any>) {
        self.client_data.replace(Some(data));
    }

    /// The client's value.
    pub fn client_data<T: 'static>(&self) -> Option<Rc<T>> {
        self.client_data.borrow().clone().and_then(|data| data.downcast().ok())
    }

    pub(crate) fn client(&self) -> &Rc<dyn Client> {
        self.af.client()
    }

    /// Has a client share the VC: it hears of what is indicated on it from now on, until the call is closed.
    pub(crate) fn share(&self, client: Rc<dyn Client>) {
        self.sharers.borrow_mut().push(client);
    }

    /// Those who share the VC, its own client among them.
    pub(super) fn sharers(&self) -> Vec<Rc<dyn Client>> {
        let others = self.sharers.borrow();
        std::iter::once(self.client()).chain(others.iter()).cloned().collect()
    }

    /// The largest information field that a client sharing the VC may send, as far as it knows.
    pub fn told(&self) -> Option<u32> {
        self.told.get()
    }

    /// A client that shares the VC has learnt of the largest information field.
    pub(crate) fn set_told(&self, bytes: u32) {
        self.told.set(Some(bytes));
    }

    /// The call is over: nobody shares the VC.
    pub(super) fn unshare(&self) {
        self.sharers.take();
        self.told.set(None);
    }

    /// The call-manager parameters that the driver has supplied, which it keeps as long as the VC.
    pub(crate) fn read_supplied(&self) {
        let at = self.supplied.get();
        if at != 0 {
            // Freed ones fault here.
            super::parameters::read_manager(at, raw::bytes);
        }
    }

    /// Whether the driver is deleting it: what waits for that may go on from within.
    pub(crate) fn is_going(&self) -> bool {
        self.deleting.get()
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.deleted.get()
    }

    pub(crate) fn handle(&self) -> Handle {
        self.handle.get()
    }

    pub(crate) fn context(&self) -> usize {
        self.context.get()
    }

    pub(crate) fn name(&self) -> String {
        format!("VC {}", self.number)
    }

    fn gone(self: &Rc<Self>) {
        self.deleted.set(true);
        self.af.remove_vc(self);
        handle::close::<Vc>(Kind::Vc, self.handle.get());
        self.client_data.take();
        self.unshare();
        note(Step::new("NDIS", format!("{} deleted", self.name())));
    }
}

/// `NdisCoCreateVc`: the client creates a VC for an outgoing call.
pub fn create(af: &Rc<AddressFamily>) -> (Status, Rc<Vc>) {
    let vc = Vc::new(af, Creator::Client);
    let context = Block::poisoned("VcContext");
    let status = callback_with!(
        af.context(),
        "CmCreateVc",
        Level::UpToDispatch,
        af.adapter().call_manager().create_vc,
        af.context(),
        vc.handle(),
        context.address(),
    );
    if status == status::PENDING {
        finding("CO-058", Some(vc.name()), "CmCreateVc returned PENDING".to_owned());
    }
    if status != status::SUCCESS {
        handle::close::<Vc>(Kind::Vc, vc.handle());
        return (status, vc);
    }
    match context.pointer() {
        None | Some(0) => finding("CO-059", Some(vc.name()), "created without a context".to_owned()),
        Some(context) => {
            check_unique(&vc, context);
            vc.context.set(context);
        }
    }
    af.add_vc(&vc);
    note(Step::new("NDIS", format!("{} created for {}", vc.name(), af.client().name())));
    (status::SUCCESS, vc)
}

fn check_unique(vc: &Rc<Vc>, context: usize) {
    let shared = vc.adapter().vcs().into_iter().find(|it| it.context() == context && !Rc::ptr_eq(it, vc));
    if let Some(other) = shared {
        finding("CO-312", Some(vc.name()), format!("context shared with {}", other.name()));
    }
}

/// `NdisCoDeleteVc`: the client deletes a VC it created. The call has ended.
///
/// # Panics
/// If the call manager created the VC.
pub fn delete(vc: &Rc<Vc>) -> Status {
    assert_eq!(vc.creator, Creator::Client, "a client deletes what it created");
    let legal = vc.call.get() == CallState::Idle && !vc.active.get() && vc.change.get().is_none();
    vc.read_supplied();
    vc.deleting.set(true);
    let status =
        callback!("CmDeleteVc", Level::UpToDispatch, vc.adapter().call_manager().delete_vc, vc.context(),);
    vc.deleting.set(false);
    vc.acted();
    match (status, legal) {
        (status::SUCCESS, true) => vc.gone(),
        (status::SUCCESS, false) => {
            let text = format!("deleted while {:?}, active: {}", vc.call.get(), vc.active.get());
            finding("CO-062", Some(vc.name()), text);
            vc.gone();
        }
        (_, true) => {
            let text = format!("CmDeleteVc returned {}", status::name(status));
            finding("CO-061", Some(vc.name()), text);
        }
        (_, false) => {}
    }
    status
}

/// The VC behind a handle of the driver.
pub(super) fn find(handle: Handle) -> Option<Rc<Vc>> {
    handle::find(handle, Kind::Vc, "CO-063")
}

pub(super) unsafe extern "win64" fn driver_create(
    adapter: Handle,
    af: Handle,
    context: Handle,
    handle: *mut Handle,
) -> Status {
    let _call = enter("NdisMCmCreateVc", IrqlRange::DISPATCH_OR_BELOW);
    let Some(adapter) = Adapter::find(adapter) else { return status::FAILURE };
    let Some(af) = handle::find::<AddressFamily>(af, Kind::AddressFamily, "CO-042") else {
        return status::FAILURE;
    };
    if !Rc::ptr_eq(af.adapter(), &adapter) {
        finding("CO-084", Some(af.name()), "not of this adapter".to_owned());
        return status::FAILURE;
    }
    if !raw::read(handle).is_null() {
        finding("CO-064", Some(af.name()), "*NdisVcHandle is not NULL".to_owned());
    }
    if !af.is_open() {
        finding("CO-047", Some(af.name()), "a VC for a client that is leaving".to_owned());
        return status::CLOSING;
    }
    if context.is_null() {
        finding("CO-312", Some(af.name()), "a VC without a context".to_owned());
    }
    if adapter.machine().should_fail("NdisMCmCreateVc") {
        return status::RESOURCES;
    }
    let vc = Vc::new(&af, Creator::CallManager);
    vc.context.set(context as usize);
    check_unique(&vc, context as usize);
    let status = af.client().create_vc(&af, &vc);
    if status != status::SUCCESS {
        handle::close::<Vc>(Kind::Vc, vc.handle());
        return status;
    }
    af.add_vc(&vc);
    raw::write(handle, vc.handle());
    note(Step::new("driver", format!("{} created towards {}", vc.name(), af.client().name())));
    status::SUCCESS
}

pub(super) unsafe extern "win64" fn driver_delete(handle: Handle) -> Status {
    let _call = enter("NdisMCmDeleteVc", IrqlRange::DISPATCH_OR_BELOW);
    let Some(vc) = find(handle) else { return status::FAILURE };
    if vc.creator != Creator::CallManager {
        finding("CO-067", Some(vc.name()), "the client created this VC and deletes it".to_owned());
        return status::NOT_ACCEPTED;
    }
    if vc.change.get().is_some() {
        check_settled(&vc, "deleted");
        return status::NOT_ACCEPTED;
    }
    if vc.close_dispatched.get() && vc.call.get() != CallState::Idle {
        finding("CO-126", Some(vc.name()), "the client has not answered the close".to_owned());
        return status::NOT_ACCEPTED;
    }
    if vc.active.get() || vc.call.get() != CallState::Idle {
        let text = format!("deleted while {:?}, active: {}", vc.call.get(), vc.active.get());
        finding("CO-068", Some(vc.name()), text);
        return status::NOT_ACCEPTED;
    }
    vc.client().delete_vc(&vc);
    vc.gone();
    status::SUCCESS
}
