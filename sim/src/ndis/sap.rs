//! Service access points: what a client registers to be offered incoming calls.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use super::address_family::AddressFamily;
use super::block::Block;
use super::callback::{Level, callback};
use super::handle::{self, Handle, Kind};
use super::pend::{Pend, Returned, Stage};
use super::status::{self, Status};
use super::{deadline, finding, note};
use crate::machine::{IrqlRange, Step, enter};

/// One registered SAP.
pub struct Sap {
    number: u64,
    handle: Cell<Handle>,
    af: Rc<AddressFamily>,
    context: Cell<usize>,
    registered: Cell<bool>,
    registering: Pend,
    deregistering: Pend,
    /// When the deregistration began.
    leaving: Cell<Duration>,
    /// The client's `CO_SAP`; gone once the registration has ended.
    block: RefCell<Option<Block>>,
}

impl Sap {
    /// Whether the driver may offer calls on it: registered or being registered, and not leaving.
    pub(crate) fn takes_calls(&self) -> bool {
        (self.registered.get() || self.registering.stage() != Stage::Idle)
            && self.deregistering.stage() == Stage::Idle
    }

    /// Whether its deregistration began that long ago.
    pub(crate) fn has_left_for(&self, time: Duration) -> bool {
        self.af.adapter().machine().now().saturating_sub(self.leaving.get()) > time
    }

    /// Whether the registration succeeded.
    pub fn is_registered(&self) -> bool {
        self.registered.get()
    }

    /// The address family it belongs to.
    pub fn address_family(&self) -> &Rc<AddressFamily> {
        &self.af
    }

    pub(crate) fn name(&self) -> String {
        format!("SAP {}", self.number)
    }

    /// The registration ended; the client takes its `CO_SAP` back.
    fn ended(self: &Rc<Self>, status: Status, context: usize) {
        self.block.take();
        if status != status::SUCCESS {
            self.af.remove_sap(self);
            handle::close::<Sap>(Kind::Sap, self.handle.get());
            return;
        }
        if context == 0 {
            finding("CO-050", Some(self.name()), "registered without a context".to_owned());
        }
        self.context.set(context);
        self.registered.set(true);
        note(Step::new("NDIS", format!("{} registered for {}", self.name(), self.af.client().name())));
    }

    /// Whether the driver is deregistering it: what waits for that may go on from within.
    pub(crate) fn is_going(&self) -> bool {
        self.deregistering.outstanding()
    }

    fn gone(self: &Rc<Self>) {
        self.registered.set(false);
        self.af.remove_sap(self);
        handle::close::<Sap>(Kind::Sap, self.handle.get());
        note(Step::new("NDIS", format!("{} deregistered", self.name())));
    }
}

/// `NdisClRegisterSap`: `sap` is the content of `CO_SAP.Sap`, in the format `sap_type` tells.
pub fn register(af: &Rc<AddressFamily>, sap_type: u32, sap: &[u8]) -> (Status, Rc<Sap>) {
    let mut bytes = Vec::new();
    bytes.extend(sap_type.to_le_bytes());
    bytes.extend(u32::try_from(sap.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend(sap);
    bytes.resize(bytes.len().max(12), 0);
    let block = Block::new("CO_SAP", &bytes);
    let address = block.address();
    let it = Rc::new(Sap {
        number: af.adapter().ndis().number("SAP"),
        handle: Cell::new(std::ptr::null_mut()),
        af: Rc::clone(af),
        context: Cell::new(0),
        registered: Cell::new(false),
        registering: Pend::default(),
        deregistering: Pend::default(),
        leaving: Cell::default(),
        block: RefCell::new(Some(block)),
    });
    it.handle.set(handle::open(Kind::Sap, Rc::clone(&it)));
    af.add_sap(&it);
    it.registering.start();
    let context = Block::poisoned("CallMgrSapContext");
    let status = callback!(
        "CmRegisterSap",
        Level::UpToDispatch,
        af.adapter().call_manager().register_sap,
        af.context(),
        address,
        it.handle.get(),
        context.address(),
    );
    match it.registering.returned(status) {
        Returned::Final(status) => {
            it.ended(status, context.pointer().unwrap_or(0));
            (status, it)
        }
        Returned::Pending => {
            let watched = Rc::clone(&it);
            deadline(60, "CO-051", move || watched.registering.outstanding().then(|| watched.name()));
            (status::PENDING, it)
        }
        Returned::Early => (status::PENDING, it),
        Returned::Twice(status) => {
            let text = format!("CmRegisterSap completed and then returned {}", status::name(status));
            finding("CO-051", Some(it.name()), text);
            (status::PENDING, it)
        }
    }
}

/// `NdisClDeregisterSap`.
pub fn deregister(sap: &Rc<Sap>) -> Status {
    if !sap.deregistering.begin() {
        return status::CLOSING;
    }
    sap.leaving.set(sap.af.adapter().machine().now());
    let status = callback!(
        "CmDeregisterSap",
        Level::UpToDispatch,
        sap.af.adapter().call_manager().deregister_sap,
        sap.context.get(),
    );
    match sap.deregistering.returned(status) {
        Returned::Final(status) => {
            if status != status::SUCCESS {
                let text = format!("CmDeregisterSap returned {}", status::name(status));
                finding("CO-054", Some(sap.name()), text);
            }
            sap.gone();
            status
        }
        Returned::Pending => {
            let watched = Rc::clone(sap);
            deadline(60, "CO-054", move || watched.deregistering.outstanding().then(|| watched.name()));
            status::PENDING
        }
        Returned::Early => status::PENDING,
        Returned::Twice(status) => {
            let text = format!("CmDeregisterSap completed and then returned {}", status::name(status));
            finding("CO-054", Some(sap.name()), text);
            status::PENDING
        }
    }
}

/// The SAP behind a handle of the driver; `rule` is broken by a dead one.
pub(super) fn find(handle: Handle, rule: &'static str) -> Option<Rc<Sap>> {
    handle::find(handle, Kind::Sap, rule)
}

pub(super) unsafe extern "win64" fn register_complete(status: Status, handle: Handle, context: Handle) {
    let _call = enter("NdisCmRegisterSapComplete", IrqlRange::DISPATCH_OR_BELOW);
    let Some(sap) = find(handle, "CO-053") else { return };
    if status == status::PENDING {
        finding("CO-051", Some(sap.name()), "completed with PENDING".to_owned());
        return;
    }
    if !sap.registering.complete() {
        finding("CO-051", Some(sap.name()), "registration completed but not pended".to_owned());
        return;
    }
    sap.ended(status, context as usize);
    sap.af.client().register_sap_complete(&sap, status);
    sap.af.adapter().ndis().changed();
}

pub(super) unsafe extern "win64" fn deregister_complete(status: Status, handle: Handle) {
    let _call = enter("NdisCmDeregisterSapComplete", IrqlRange::DISPATCH_OR_BELOW);
    let Some(sap) = find(handle, "CO-054") else { return };
    if status != status::SUCCESS {
        let text = format!("deregistration completed with {}", status::name(status));
        finding("CO-054", Some(sap.name()), text);
    }
    if !sap.deregistering.complete() {
        finding("CO-054", Some(sap.name()), "deregistration completed but not pended".to_owned());
        return;
    }
    sap.gone();
    sap.af.client().deregister_sap_complete(&sap);
    sap.af.adapter().ndis().changed();
}
