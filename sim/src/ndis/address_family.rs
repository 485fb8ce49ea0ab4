//! Address families: the registration by the driver and one client's open of it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::adapter::Adapter;
use super::block::Block;
use super::callback::{Level, callback};
use super::client::Client;
use super::handle::{self, Handle, Kind};
use super::pend::{Pend, Returned, Stage};
use super::raw;
use super::readings::readings;
use super::sap::Sap;
use super::status::{self, Status};
use super::vc::Vc;
use super::{deadline, finding, note};
use crate::machine::{IrqlRange, Step, enter};

/// `CO_ADDRESS_FAMILY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// `CO_ADDRESS_FAMILY_*`.
    pub family: u32,
    /// Major version of the signalling protocol.
    pub major: u32,
    /// Minor version of the signalling protocol.
    pub minor: u32,
}

impl Family {
    /// `CO_ADDRESS_FAMILY_PPP`.
    pub const PPP: u32 = 0x6;
    /// `CO_ADDRESS_FAMILY_TAPI_PROXY`.
    pub const TAPI_PROXY: u32 = 0x801;

    /// How the run's printout calls it.
    pub fn name(self) -> String {
        match self.family {
            Self::PPP => "PPP".to_owned(),
            Self::TAPI_PROXY => "TAPI_PROXY".to_owned(),
            other => format!("{other:#x}"),
        }
    }
}

/// One client's open of an address family.
pub struct AddressFamily {
    number: u64,
    handle: Cell<Handle>,
    adapter: Rc<Adapter>,
    family: Family,
    client: Rc<dyn Client>,
    context: Cell<usize>,
    open: Cell<bool>,
    opening: Pend,
    closing: Pend,
    notified: Cell<bool>,
    notifying: Pend,
    saps: RefCell<Vec<Rc<Sap>>>,
    vcs: RefCell<Vec<Rc<Vc>>>,
}

impl AddressFamily {
    /// Not open yet, and without a handle.
    fn new(adapter: &Rc<Adapter>, family: Family, client: &Rc<dyn Client>) -> Rc<Self> {
        Rc::new(Self {
            number: adapter.ndis().number("AF"),
            handle: Cell::new(std::ptr::null_mut()),
            adapter: Rc::clone(adapter),
            family,
            client: Rc::clone(client),
            context: Cell::new(0),
            open: Cell::new(false),
            opening: Pend::default(),
            closing: Pend::default(),
            notified: Cell::new(false),
            notifying: Pend::default(),
            saps: RefCell::default(),
            vcs: RefCell::default(),
        })
    }

    /// The adapter it was opened on.
    pub fn adapter(&self) -> &Rc<Adapter> {
        &self.adapter
    }

    /// What was opened.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Whether it is open: opened and not closed, nor about to be.
    pub fn is_open(&self) -> bool {
        self.open.get() && self.closing.stage() == Stage::Idle
    }

    /// The VCs of this client.
    pub fn vcs(&self) -> Vec<Rc<Vc>> {
        self.vcs.borrow().clone()
    }

    /// The SAPs of this client.
    pub fn saps(&self) -> Vec<Rc<Sap>> {
        self.saps.borrow().clone()
    }

    pub(crate) fn client(&self) -> &Rc<dyn Client> {
        &self.client
    }

    pub(crate) fn handle(&self) -> Handle {
        self.handle.get()
    }

    pub(crate) fn context(&self) -> usize {
        self.context.get()
    }

    pub(crate) fn add_vc(&self, vc: &Rc<Vc>) {
        self.vcs.borrow_mut().push(Rc::clone(vc));
    }

    pub(crate) fn remove_vc(&self, vc: &Rc<Vc>) {
        self.vcs.borrow_mut().retain(|it| !Rc::ptr_eq(it, vc));
    }

    pub(crate) fn add_sap(&self, sap: &Rc<Sap>) {
        self.saps.borrow_mut().push(Rc::clone(sap));
    }

    pub(crate) fn remove_sap(&self, sap: &Rc<Sap>) {
        self.saps.borrow_mut().retain(|it| !Rc::ptr_eq(it, sap));
    }

    fn opened(self: &Rc<Self>, context: usize) {
        if context == 0 {
            finding("CO-034", Some(self.name()), "opened without a context".to_owned());
        } else if self.adapter.opens().iter().any(|it| it.context() == context && !Rc::ptr_eq(it, self)) {
            finding("CO-039", Some(self.name()), "two opens share one context".to_owned());
        }
        self.context.set(context);
        self.open.set(true);
        note(Step::new("NDIS", format!("{} open for {}", self.name(), self.client.name())));
    }

    fn open_failed(self: &Rc<Self>, status: Status) {
        note(Step::new("NDIS", format!("{} not opened: {}", self.name(), status::name(status))));
        self.adapter.remove_open(self);
        handle::close::<AddressFamily>(Kind::AddressFamily, self.handle.get());
    }

    fn closed(self: &Rc<Self>) {
        self.open.set(false);
        if let Some(vc) = self.vcs.borrow().iter().find(|vc| !vc.is_going()) {
            finding("CO-041", Some(self.name()), format!("closed while {} exists", vc.name()));
        }
        if let Some(sap) = self.saps.borrow().iter().find(|sap| !sap.is_going()) {
            finding("CO-041", Some(self.name()), format!("closed while {} is registered", sap.name()));
        }
        self.adapter.remove_open(self);
        handle::close::<AddressFamily>(Kind::AddressFamily, self.handle.get());
        note(Step::new("NDIS", format!("{} closed by {}", self.name(), self.client.name())));
        self.adapter.check_forgotten();
    }

    /// The adapter is halted under the open.
    pub(super) fn abandon(&self) {
        self.open.set(false);
        self.saps.take();
        self.vcs.take();
        handle::close::<Self>(Kind::AddressFamily, self.handle.get());
    }

    pub(crate) fn name(&self) -> String {
        format!("AF {} {}", self.number, self.family.name())
    }
}

/// `NdisClOpenAddressFamilyEx`. `PASSIVE_LEVEL`.
pub fn open(adapter: &Rc<Adapter>, family: Family, client: &Rc<dyn Client>) -> (Status, Rc<AddressFamily>) {
    if !adapter.families().iter().any(|it| it.family == family.family) {
        return (status::OPEN_FAILED, AddressFamily::new(adapter, family, client));
    }
    ask(adapter, family, client)
}

/// Has `CmOpenAf` decide, whatever the adapter has registered.
pub(super) fn ask(
    adapter: &Rc<Adapter>,
    family: Family,
    client: &Rc<dyn Client>,
) -> (Status, Rc<AddressFamily>) {
    let af = AddressFamily::new(adapter, family, client);
    af.handle.set(handle::open(Kind::AddressFamily, Rc::clone(&af)));
    adapter.add_open(&af);
    af.opening.start();
    let words: Vec<u8> =
        [family.family, family.major, family.minor].into_iter().flat_map(u32::to_le_bytes).collect();
    let block = Block::new("CO_ADDRESS_FAMILY", &words);
    let context = Block::poisoned("CallMgrAfContext");
    let status = callback!(
        "CmOpenAf",
        Level::Passive,
        adapter.call_manager().open_af,
        adapter.context(),
        block.address(),
        af.handle.get(),
        context.address(),
    );
    match af.opening.returned(status) {
        Returned::Final(status::SUCCESS) => {
            af.opened(context.pointer().unwrap_or(0));
            (status::SUCCESS, af)
        }
        Returned::Final(status) => {
            af.open_failed(status);
            (status, af)
        }
        Returned::Pending => {
            let watched = Rc::clone(&af);
            deadline(60, "CO-036", move || watched.opening.outstanding().then(|| watched.name()));
            (status::PENDING, af)
        }
        Returned::Early => (status::PENDING, af),
        Returned::Twice(status) => {
            let text = format!("CmOpenAf completed and then returned {}", status::name(status));
            finding("CO-037", Some(af.name()), text);
            (status::PENDING, af)
        }
    }
}

/// `NdisClCloseAddressFamily`. The client has closed its calls and deregistered its SAPs.
pub fn close(af: &Rc<AddressFamily>) -> Status {
    if !af.closing.begin() {
        return status::CLOSING;
    }
    let busy = !af.saps.borrow().is_empty() || !af.vcs.borrow().is_empty();
    let status =
        callback!("CmCloseAf", Level::UpToDispatch, af.adapter.call_manager().close_af, af.context.get(),);
    af.adapter.acted();
    match af.closing.returned(status) {
        Returned::Final(status::SUCCESS) => {
            if busy {
                finding("CO-040", Some(af.name()), "closed at once with calls or SAPs open".to_owned());
            }
            af.closed();
            status::SUCCESS
        }
        Returned::Final(status) => {
            if !busy || status != status::NOT_ACCEPTED {
                let text = format!("CmCloseAf returned {}", status::name(status));
                finding("CO-040", Some(af.name()), text);
            }
            status
        }
        Returned::Pending => {
            let watched = Rc::clone(af);
            deadline(60, "CO-041", move || watched.closing.outstanding().then(|| watched.name()));
            status::PENDING
        }
        Returned::Early => status::PENDING,
        Returned::Twice(status) => {
            let text = format!("CmCloseAf completed and then returned {}", status::name(status));
            finding("CO-041", Some(af.name()), text);
            status::PENDING
        }
    }
}

/// `NdisClNotifyCloseAddressFamilyComplete`: the client has left after [`Client::notify_close`] pended.
pub fn notify_close_complete(af: &Rc<AddressFamily>, status: Status) {
    if !af.notifying.complete() {
        return;
    }
    callback!(
        "CmNotifyCloseAfComplete",
        Level::UpToDispatch,
        af.adapter.call_manager().notify_close_af_complete,
        af.context.get(),
        status,
    );
    af.adapter.acted();
}

fn find(handle: Handle) -> Option<Rc<AddressFamily>> {
    handle::find(handle, Kind::AddressFamily, "CO-042")
}

/// Registers an address family for an adapter; `PASSIVE_LEVEL`, within `MiniportInitializeEx`.
pub(super) unsafe extern "win64" fn register(adapter: Handle, family: usize) -> Status {
    let _call = enter("NdisMCmRegisterAddressFamilyEx", IrqlRange::PASSIVE);
    let Some(adapter) = Adapter::find(adapter) else { return status::FAILURE };
    let [family, major, minor] = raw::read(family as *const [u32; 3]);
    let it = Family { family, major, minor };
    adapter.check_ready_for_families();
    if adapter.families().iter().any(|known| known.family == it.family) {
        finding("CO-025", Some(adapter.name()), format!("address family {} registered twice", it.name()));
        return status::FAILURE;
    }
    let refused = readings().one_address_family && !adapter.families().is_empty();
    if refused || adapter.machine().should_fail("NdisMCmRegisterAddressFamilyEx") {
        return status::RESOURCES;
    }
    adapter.add_family(it);
    note(Step::new("driver", format!("address family {} {}.{} registered", it.name(), it.major, it.minor)));
    status::SUCCESS
}

pub(super) unsafe extern "win64" fn open_complete(status: Status, handle: Handle, context: Handle) {
    let _call = enter("NdisCmOpenAddressFamilyComplete", IrqlRange::DISPATCH_OR_BELOW);
    let Some(af) = find(handle) else { return };
    if status == status::PENDING {
        finding("CO-036", Some(af.name()), "completed with PENDING".to_owned());
        return;
    }
    if !af.opening.complete() {
        finding("CO-037", Some(af.name()), "open completed but not pended".to_owned());
        return;
    }
    if status == status::SUCCESS {
        af.opened(context as usize);
    } else {
        af.open_failed(status);
    }
    af.client.open_complete(&af, status);
    af.adapter.ndis().changed();
}

pub(super) unsafe extern "win64" fn close_complete(status: Status, handle: Handle) {
    let _call = enter("NdisCmCloseAddressFamilyComplete", IrqlRange::DISPATCH_OR_BELOW);
    let Some(af) = find(handle) else { return };
    if status != status::SUCCESS {
        let text = format!("close completed with {}", status::name(status));
        finding("CO-041", Some(af.name()), text);
    }
    if !af.closing.complete() {
        finding("CO-041", Some(af.name()), "close completed but not pended".to_owned());
        return;
    }
    af.closed();
    af.client.close_complete(&af);
    af.adapter.ndis().changed();
}

pub(super) unsafe extern "win64" fn notify_close(handle: Handle) -> Status {
    let _call = enter("NdisCmNotifyCloseAddressFamily", IrqlRange::PASSIVE);
    let Some(af) = find(handle) else { return status::FAILURE };
    if af.notified.replace(true) {
        finding("CO-044", Some(af.name()), "close announced twice".to_owned());
        return status::FAILURE;
    }
    note(Step::new("driver", format!("asks {} to close {}", af.client.name(), af.name())));
    af.notifying.start();
    let status = af.client.notify_close(&af);
    match af.notifying.returned(status) {
        Returned::Final(status) => status,
        Returned::Pending | Returned::Early | Returned::Twice(_) => status::PENDING,
    }
}
