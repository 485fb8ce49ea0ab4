//! Raw bindings to NDIS 6.40, CoNDIS WAN and CoNDIS TAPI.
//!
//! Everything is generated from the headers of the WDK that `WDKContentRoot` names, as in wdk-sys, whose types
//! are used for whatever is not NDIS: names, types and values are those of the reference pages of ndis.h,
//! ntddndis.h, ndiswan.h and ndistapi.h, and of bcrypt.h for random numbers. Macros with a cast or the size of a structure are constants too.
//! What C has as function-like macros or inline functions is written by hand: [`mcm`], [`net_buffer`],
//! [`net_buffer_list`], [`mdl`].

#![no_std]

pub mod mcm;
pub mod mdl;
pub mod net_buffer;
pub mod net_buffer_list;

mod layout;

pub use bindings::*;
pub use mcm::*;
pub use mdl::*;
pub use net_buffer::*;
pub use net_buffer_list::*;
pub use wdk_sys;

#[allow(
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unnecessary_transmutes,
    unreachable_pub,
    reason = "generated from C; the reference pages document each item"
)]
#[allow(clippy::all, clippy::pedantic, clippy::restriction, reason = "generated from C")]
mod bindings {
    // The generated items need the kernel's types in scope, whichever those are; some are new names for those.
    pub use wdk_sys::*;

    include!(concat!(env!("OUT_DIR"), "/ndis.rs"));
}
