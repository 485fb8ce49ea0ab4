//! What NDIS may ask of every driver and no WAN call manager offers: parties, and sends without a VC.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::adapter::Adapter;
use super::block::Block;
use super::callback::{Level, callback};
use super::handle::{self, Handle, Kind};
use super::net_buffer::layout::Nbl;
use super::parameters::{CallParameters, ParameterBlock};
use super::send::{Before, Frames, build};
use super::status::Status;
use super::vc::Vc;
use super::{finding, no_locks};
use crate::machine::{IrqlRange, enter};

/// `NdisClAddParty`: a second party for a call. The call manager's answer.
pub fn add_party(vc: &Rc<Vc>, parameters: &CallParameters) -> Status {
    let parameters = ParameterBlock::new(parameters);
    let context = Block::poisoned("CallMgrPartyContext");
    callback!(
        "CmAddParty",
        Level::UpToDispatch,
        vc.adapter().call_manager().add_party,
        vc.context(),
        parameters.address(),
        vc.handle(),
        context.address(),
    )
}

/// `NdisClDropParty` of a party that the call manager never made. The call manager's answer.
pub fn drop_party(vc: &Rc<Vc>) -> Status {
    callback!("CmDropParty", Level::UpToDispatch, vc.adapter().call_manager().drop_party, 0, 0, 0)
}

/// A protocol's binding to an adapter, which `NdisOpenAdapterEx` makes.
struct Binding;

/// A list that `MiniportSendNetBufferLists` has got.
pub(super) struct Given {
    list: Nbl,
    before: Before,
    completed: Cell<bool>,
}

/// `NdisSendNetBufferLists`: a frame without a VC. How the driver completed it; `None` if it keeps it. `SourceHandle` is that
/// of the protocol's binding (page "Sending Network Data"), by which NDIS knows to whom the list returns. `PASSIVE_LEVEL`.
pub fn send_connectionless(adapter: &Rc<Adapter>, frame: Vec<u8>) -> Option<Status> {
    /// What a send may take.
    const LONG: Duration = Duration::from_secs(30);
    let binding = handle::open(Kind::Binding, Rc::new(Binding));
    let (list, blocks) = build(adapter, binding, &[frame], &Frames::default());
    let given = Rc::new(Given { list, before: Before::of(list), completed: Cell::new(false) });
    adapter.connectionless.replace(Some(Rc::clone(&given)));
    callback!(
        "SendNetBufferLists",
        Level::UpToDispatch,
        adapter.handlers().send_net_buffer_lists,
        adapter.context(),
        list.0,
        0,
        0,
    );
    let ended = adapter.ndis().wait_for("a send without a VC", LONG, || given.completed.get());
    adapter.connectionless.take();
    let status = ended.then(|| list.status());
    handle::close::<Binding>(Kind::Binding, binding);
    drop(blocks);
    status
}

pub(super) unsafe extern "win64" fn connectionless_complete(adapter: Handle, first: usize, _flags: u32) {
    let _call = enter("NdisMSendNetBufferListsComplete", IrqlRange::DISPATCH_OR_BELOW);
    let Some(adapter) = Adapter::find(adapter) else { return };
    no_locks("CO-206", || adapter.name());
    let given = adapter.connectionless.take();
    let Some(given) = given.filter(|given| given.list.0 == first) else {
        finding("CO-183", Some(adapter.name()), "CoNDIS sends are completed on their VC".to_owned());
        return;
    };
    for (rule, what) in given.before.changes(&Before::of(given.list)) {
        finding(rule, Some(adapter.name()), format!("a send without a VC: {what}"));
    }
    given.completed.set(true);
    adapter.ndis().changed();
}
