//! Exports that no miniport call manager may call: those of stand-alone call managers, of clients, and of parties, which
//! this one's calls do not have. Each call is a finding.

use super::finding;
use super::handle::Handle;
use super::status::{self, Status};
use crate::machine::{IrqlRange, enter};

macro_rules! foreign {
    ($($function:ident = $name:literal, $rule:literal, ($($argument:ident: $type:ty),*) $(-> $result:ident)?;)*) => {
        $(pub(super) unsafe extern "win64" fn $function($($argument: $type),*) $(-> $result)? {
            let _call = enter($name, IrqlRange::DISPATCH_OR_BELOW);
            finding($rule, None, concat!($name, " is not for a miniport call manager").to_owned());
            $(status::NOT_SUPPORTED as $result)?
        })*
    };
}

foreign! {
    cm_activate_vc = "NdisCmActivateVc", "CO-085", (_vc: Handle, _parameters: usize) -> Status;
    cm_deactivate_vc = "NdisCmDeactivateVc", "CO-085", (_vc: Handle) -> Status;
    co_create_vc = "NdisCoCreateVc", "CO-085", (_binding: Handle, _af: Handle, _context: usize, _vc: usize) -> Status;
    co_delete_vc = "NdisCoDeleteVc", "CO-085", (_vc: Handle) -> Status;
    activate_vc_complete = "NdisMCoActivateVcComplete", "CO-085", (_status: Status, _vc: Handle, _parameters: usize);
    deactivate_vc_complete = "NdisMCoDeactivateVcComplete", "CO-085", (_status: Status, _vc: Handle);
    add_party_complete = "NdisCmAddPartyComplete", "CO-138",
        (_status: Status, _party: Handle, _context: usize, _parameters: usize);
    drop_party_complete = "NdisCmDropPartyComplete", "CO-141", (_status: Status, _party: Handle);
    dispatch_drop_party = "NdisCmDispatchIncomingDropParty", "CO-142",
        (_status: Status, _party: Handle, _buffer: usize, _size: u32);
}
