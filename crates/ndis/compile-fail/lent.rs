//! What NDIS has for a while, and handles that die.
#![no_std]

use ndis::{AdapterHandle, IncomingCall, MakeCall, SapHandle, Unlocked, VcHandle};

/// An activation with parameters that nobody keeps: the make call may be refused meanwhile.
pub fn activates_with_a_clients(vc: &VcHandle, request: &MakeCall, locks: &mut Unlocked) -> bool {
    vc.activate(request.parameters(), locks).is_ok() //~ E0308
}

/// An offer of parameters that are a part of something else.
pub fn offers_a_part(vc: &VcHandle, sap: &SapHandle, call: &IncomingCall, locks: &mut Unlocked) {
    let _ = vc.dispatch_incoming_call(sap, call.parameters(), locks); //~ E0308
}

/// An adapter's handle, kept by somebody else.
pub fn copies_handle(handle: &AdapterHandle) -> AdapterHandle {
    *handle //~ E0507
}
