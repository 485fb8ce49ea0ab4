//! `CoNDIS` without NDIS: what a miniport call manager has to know about calls, as plain values.
//!
//! A call manager is told what to do in C structures that a client fills in, some of them shaped by
//! a user-mode application, and answers in C structures of its own. This crate reads and writes
//! those structures as byte slices and keeps the state of calls and of the adapter. It knows no
//! handle, no lock and no pointer: the driver copies memory in and out, calls a state machine under
//! its own lock, and acts on the answer after letting go of it.
//!
//! Rules of the house, since all of this runs in the kernel:
//! - no allocation: values have fixed capacities, buffers belong to the caller;
//! - no reachable panic: no index, no `unwrap`, no arithmetic that can overflow;
//! - every input is hostile: it is copied once by the caller and checked on the copy.
//!
//! | Subject | Module |
//! |---|---|
//! | Numbers of NDIS | [`status`], [`address_family`], [`oid`] |
//! | An outgoing call's parameters | [`call_parameters`], [`tapi::make_call`], [`ppp::make_call`], [`destination`] |
//! | Incoming calls' filters | [`sap`], [`tapi::sap`], [`ppp::sap`] |
//! | An incoming call's parameters | [`tapi::incoming_call`], [`ppp::incoming_call`] |
//! | What clients ask | [`oid`], [`wan`], [`tapi`] |
//! | State | [`call`], [`adapter`] |
//! | The registry | [`config`] |
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod adapter;
pub mod address_family;
pub mod answer;
mod bytes;
pub mod call;
pub mod call_failure;
pub mod call_parameters;
pub mod config;
pub mod destination;
pub mod flow;
pub mod name;
pub mod names;
pub mod oid;
pub mod ppp;
pub mod sap;
pub mod status;
pub mod tapi;
pub mod token_bucket;
pub mod wan;
