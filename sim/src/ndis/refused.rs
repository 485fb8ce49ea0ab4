//! What NDIS may ask of every driver and no WAN call manager offers: parties, and sends without a VC.

use std::rc::Rc;

use super::adapter::Adapter;
use super::block::Block;
use super::callback::{Level, callback};
use super::handle::Handle;
use super::parameters::{CallParameters, ParameterBlock};
use super::send::{Frames, build};
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

/// `NdisSendNetBufferLists`: a frame without a VC. How the driver completed it; `None` if it kept it.
pub fn send_connectionless(adapter: &Rc<Adapter>, frame: Vec<u8>) -> Option<Status> {
    let (list, blocks) = build(adapter, adapter.handle.get(), &[frame], &Frames::default());
    adapter.connectionless.set(Some(list.0));
    callback!(
        "SendNetBufferLists",
        Level::UpToDispatch,
        adapter.handlers().send_net_buffer_lists,
        adapter.context(),
        list.0,
        0,
        0,
    );
    let status = adapter.connectionless.take().is_none().then(|| list.status());
    drop(blocks);
    status
}

pub(super) unsafe extern "win64" fn connectionless_complete(adapter: Handle, first: usize, _flags: u32) {
    let _call = enter("NdisMSendNetBufferListsComplete", IrqlRange::DISPATCH_OR_BELOW);
    let Some(adapter) = Adapter::find(adapter) else { return };
    no_locks("CO-206", || adapter.name());
    if adapter.connectionless.take() != Some(first) {
        finding("CO-183", Some(adapter.name()), "CoNDIS sends are completed on their VC".to_owned());
    }
}
