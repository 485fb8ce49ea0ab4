//! Each deviation trips its rule.

use std::rc::Rc;

use super::super::client as ndis_client;
use super::mini::{adapter, deviates, mini, ndis};
use super::trips::trips;
use super::{Bench, SECOND, bring_up, calls, data, life, misuse};
use crate::machine::Machine;
use crate::ndis::handle::Handle;
use crate::ndis::oid::OidRequest;
use crate::ndis::{Frames, incoming, net_buffer, status, timer, wait_for};

trips! {
    registration(start_and_stop) {
        "header size" => "CO-001",
        "registers twice" => "CO-001",
        "no pause handler" => "CO-002",
        "hang without reset" => "CO-003",
        "no set options" => "CO-004",
        "no co table" => "CO-005",
        "co size" => "CO-005",
        "CoCreateVc" => "CO-006",
        "no CoSend" => "CO-007",
        "no cm table" => "CO-008",
        "cm size" => "CO-008",
        "no modify" => "CO-008",
        "one OID handler" => "CO-009",
        "no create" => "CO-010",
        "late options" => "CO-011",
        "entry fails registered" => "CO-012",
        "stays registered" => "CO-013",
        "no unload routine" => "CO-013",
        "unknown table" => "CO-315",
        "NDIS 5" => "CO-315",
        "early deregistration" => "NDIS.7C.0x0A",
        "NDIS 6.45" => "CO-315",
        "NDIS of tomorrow" => "CO-315",
        "NDIS 6.0 with a later table" => "CO-001",
        "NDIS 6.1 with an earlier table" => "CO-001",
    }
    what_the_driver_keeps(start_and_stop) {
        "driver's configuration" => "SDV.NdisOpenConfigurationEx",
        "driver's MDL" => "SDV.NdisAllocateMdl",
        "driver's pool" => "SDV.NdisAllocateNetBuffer",
        "driver's timer" => "SDV.CancelTimerObject",
        "driver's work item" => "SDV.Init_NdisAllocateIoWorkItem",
        "things of nobody" => "CO-084",
    }
    sends_without_a_vc(send_connectionless) {
        "changes the source of a send" => "CO-192",
    }
    initialization_and_halt(start_and_stop) {
        "general first" => "CO-015",
        "no general" => "CO-016",
        "no power capabilities" => "CO-017",
        "no binding to NDPROXY" => "CO-018",
        "hang time" => "CO-019",
        "family before attributes" => "CO-024",
        "family twice" => "CO-025",
        "init pends" => "CO-027",
        "leaks on failure" => "CO-028",
        "silent failure" => "CO-295",
        "status before attributes" => "CO-236",
        "no adapter context" => "CO-312",
        "open configuration" => "SDV.NdisOpenConfigurationEx",
        "configuration after close" => "CO-286",
        "pool leak" => "SDV.NdisAllocateNetBuffer",
        "timer leak" => "SDV.CancelTimerObject",
        "work item leak" => "SDV.Init_NdisAllocateIoWorkItem",
        "timer left set" => "CO-272",
        "work item freed queued" => "CO-274",
        "work item twice" => "CO-275",
        "late status" => "SDV.NdisMIndicateStatusEx",
        "allocates after the halt" => "CO-251",
        "pause fails" => "SDV.MiniportPause_Return",
        "pause completed and returned" => "CO-244",
        "pause hangs" => "NDIS.7C.0x25",
        "restart completes twice" => "CO-245",
        "slow start" => "TIME.Lifecycle",
        "slow pause" => "TIME.Pause",
    }
    halt_with_clients(halt_under_a_client) {
        "silent halt" => "CO-043",
        "notifies twice" => "CO-042",
    }
    halt_with_a_stubborn_client(halt_under_a_stubborn_client) {
        "notifies twice" => "CO-044",
        "silent halt" => "CO-086",
    }
    address_families_and_saps(life) {
        "no AF context" => "CO-034",
        "open completes and returns" => "CO-037",
        "AF close fails" => "CO-040",
        "AF close completes and returns" => "CO-041",
        "no SAP context" => "CO-050",
        "deregistration fails" => "CO-054",
    }
    address_families_and_saps_later(life, pended) {
        "open completed with PENDING" => "CO-036",
        "AF closed twice" => "CO-042",
        "VC for a leaving client" => "CO-047",
        "SAP completed twice" => "CO-051",
        "SAP completed after its failure" => "CO-053",
    }
    strange_address_families(probe) {
        "any address family" => "CO-035",
    }
    strange_address_families_later(probe, pended) {
        "any address family" => "CO-035",
    }
    two_opens(open_twice) {
        "same AF context" => "CO-039",
        "VC of another client" => "CO-065",
    }
    virtual_circuits(life) {
        "create pends" => "CO-058",
        "no VC context" => "CO-059",
        "same VC context" => "CO-312",
        "delete refuses" => "CO-061",
        "uses a deleted VC" => "CO-063",
        "deletes the client's VC" => "CO-067",
        "activates twice" => "CO-070",
        "completes before active" => "CO-071",
        "activates without parameters" => "CO-073",
        "fails active" => "CO-075",
        "deactivates twice" => "CO-077",
        "indicates after deactivation" => "CO-212",
        "indicates without a call" => "CO-079",
        "wrong kind of handle" => "CO-084",
        "QoS change without a call" => "CO-136",
    }
    a_vc_in_use(delete_in_use) {
        "deletes a VC in use" => "CO-062",
    }
    calls_end_once(life) {
        "call completes and returns" => "CO-089",
        "call completed twice" => "CO-089",
        "completes with PENDING" => "CO-090",
        "party context" => "CO-092",
        "unflagged change" => "CO-096",
        "relinks parameters" => "CO-097",
        "other parameters" => "CO-098",
        "closes while making" => "CO-101",
        "close completes and returns" => "CO-102",
        "close fails" => "CO-102",
        "stays active" => "CO-105",
        "completes a call under a lock" => "CO-109",
        "offers the client's VC" => "CO-113",
        "connected on outgoing call" => "CO-120",
        "network closes twice" => "CO-124",
        "close data without size" => "CO-125",
        "no rates" => "CO-323",
        "call hangs" => "CO-091",
        "connects synchronously inactive" => "CO-071",
        "slow close" => "TIME.Close",
        "wider than the adapter" => "CO-337",
    }
    calls_end_once_later(life, pended) {
        "close completed twice" => "CO-102",
        "call completed twice" => "CO-089",
    }
    a_call_that_is_cancelled(close_at_once) {
        "call hangs" => "CO-107",
    }
    incoming_calls(take_a_call) {
        "offers on a leaving SAP" => "CO-055",
        "dirty handle" => "CO-064",
        "connected and inactive" => "CO-072",
        "offers on a dead SAP" => "CO-114",
        "offers twice" => "CO-115",
        "connected twice" => "CO-119",
        "deletes before the close" => "CO-126",
        "deletes a connected VC" => "CO-068",
    }
    calls_that_change(change_a_call) {
        "ignores a changed answer" => "CO-123",
        "keeps a change" => "CO-132",
        "changes without activation" => "CO-133",
    }
    sends(life) {
        "send completed twice" => "CO-183",
        "send on wrong VC" => "CO-185",
        "completes an unknown list" => "CO-186",
        "no send status" => "CO-187",
        "odd send status" => "CO-187",
        "changes data" => "CO-190",
        "moves the start" => "CO-191",
        "changes source handle" => "CO-192",
        "clears the flags of a send" => "CO-330",
        "changes protocol reserved" => "CO-193",
        "no alignment" => "CO-195",
        "send flag lies" => "CO-199",
        "completes sends under a lock" => "CO-206",
        "keeps a send" => "NV.NdisTimedDataSend.CO",
        "keeps a send" => "CO-078",
    }
    sends_that_are_given_up(cancel_and_lose_the_link) {
        "keeps a send" => "TIME.Cancel",
        "keeps a send" => "TIME.LinkLoss",
    }
    power_and_timers(sleep_and_look) {
        "sleeps with a timer" => "CO-265",
        "aborts a send for sleep" => "CO-265",
    }
    removal(ask_after_removal) {
        "answers when gone" => "CO-171",
    }
    receives(life) {
        "no source handle" => "CO-213",
        "clears the flags of a receive" => "CO-330",
        "wrong count" => "CO-214",
        "too long a frame" => "CO-222",
        "receive flag lies" => "CO-225",
        "indicates under a lock" => "CO-226",
        "MDL leak" => "SDV.NdisAllocateMdl",
        "indicates inactive" => "CO-212",
    }
    receives_that_a_client_holds(hold_frames) {
        "indicates twice" => "CO-219",
        "touches an indicated list" => "CO-216",
        "frees an indicated list" => "CO-216",
    }
    what_is_left(live_and_wait) {
        "keeps what a call took" => "CO-336",
    }
    receives_and_pause(pause_with_frames_held) {
        "pause does not wait" => "CO-242",
        "indicates while paused" => "CO-243",
    }
    misused_services(misuse_services) {
        "stand-alone call manager" => "CO-085",
        "QoS completion" => "CO-132",
        "party added" => "CO-138",
        "party dropped" => "CO-141",
        "party leaves" => "CO-142",
        "pool of data" => "CO-215",
        "pool freed with a list" => "CO-231",
        "pool without a tag" => "CO-233",
        "status too short" => "CO-234",
        "status without a VC" => "CO-235",
        "reset status" => "CO-238",
        "connectionless status" => "CO-331",
        "reset completion" => "CO-261",
        "sleeps with a lock" => "CO-285",
        "frees memory of another length" => "CO-287",
        "attributes at DISPATCH_LEVEL" => "IRQL.NdisMSetMiniportAttributes",
        "memory without a tag" => "SDV.NdisAllocateMemoryWithTagPriority",
        "periodic timer" => "SDV.PeriodicTimer",
    }
}

fn start_and_stop() {
    let Some(bench) = Bench::start() else { return };
    bench.stop();
    if deviates("allocates after the halt") {
        ndis!(net_buffer::allocate_mdl, adapter(), 0x1000, 16);
    }
}

/// A protocol sends without a VC.
fn send_connectionless() {
    let bench = Bench::start().expect("a start");
    ndis_client::send_connectionless(&bench.adapter, vec![7; 60]);
    bench.stop();
}

fn halt_under_a_client() {
    let Some(bench) = Bench::start() else { return };
    bench.recorder.obedient.set(true);
    bench.open();
    bench.stop();
}

/// A client that leaves late, and keeps a VC.
fn halt_under_a_stubborn_client() {
    let Some(bench) = Bench::start() else { return };
    let af = bench.open();
    let (_, vc) = ndis_client::create_vc(&af);
    if !deviates("silent halt") {
        ndis_client::delete_vc(&vc);
    }
    if mini(|it| it.deviation.get()).is_empty() {
        bench.close(&af);
    }
    bench.stop();
}

fn probe() {
    let bench = Bench::start().expect("a start");
    ndis_client::probe_address_families(&bench.adapter);
    bench.stop();
}

/// An incoming call while two clients have the address family open, one of them with a SAP.
fn open_twice() {
    let bench = Bench::start().expect("a start");
    let (first, second) = (bench.open(), bench.open());
    let (_, sap) = ndis_client::register_sap(&first, 0x8000, &[0; 12]);
    if !deviates("same AF context") {
        bench.recorder.answer.set(status::FAILURE);
        calls::offer(own_sap());
    }
    ndis_client::deregister_sap(&sap);
    bench.close(&first);
    bench.close(&second);
    bench.stop();
}

fn own_sap() -> usize {
    mini(|it| *it.saps.borrow().keys().next().expect("one"))
}

fn delete_in_use() {
    let bench = Bench::start().expect("a start");
    let af = bench.open();
    let vc = bench.connect(&af).expect("a call");
    if ndis_client::delete_vc(&vc) != status::SUCCESS {
        bench.disconnect(&vc);
    }
    bench.close(&af);
    bench.stop();
}

/// A call that the client gives up before it knows of its success.
fn close_at_once() {
    let bench = Bench::start().expect("a start");
    let af = bench.open();
    let (_, vc) = ndis_client::create_vc(&af);
    ndis_client::make_call(&vc, &calls::parameters());
    bench.disconnect(&vc);
    bench.close(&af);
    bench.stop();
}

fn take_a_call() {
    let bench = Bench::start().expect("a start");
    let af = bench.open();
    let (_, sap) = ndis_client::register_sap(&af, 0x8000, &[0; 12]);
    let own = own_sap();
    let handle = mini(|it| it.saps.borrow()[&own].1) as Handle;
    bench.recorder.answer.set(status::SUCCESS);
    calls::offer(own);
    let vc = bench.recorder.incoming.take();
    if let Some(vc) = vc {
        ndis_client::close_call(&vc);
        calls::delete_own(calls::own_vc());
    }
    ndis_client::deregister_sap(&sap);
    if deviates("offers on a dead SAP") {
        ndis!(incoming::dispatch, handle, std::ptr::null_mut(), 0);
    }
    bench.close(&af);
    bench.stop();
}

/// The client changes a call before it takes it, as it takes it, and twice at once when it is up.
fn change_a_call() {
    let bench = Bench::start().expect("a start");
    let af = bench.open();
    let (_, sap) = ndis_client::register_sap(&af, 0x8000, &[0; 12]);
    bench.recorder.answer.set(status::PENDING);
    calls::offer(own_sap());
    let vc = bench.recorder.incoming.take().expect("an offer");
    let parameters = calls::parameters();
    ndis_client::modify_call(&vc, &parameters);
    ndis_client::ask_for_rate(&vc, 500_000);
    ndis_client::accept_call(&vc, status::SUCCESS);
    assert!(wait_for(SECOND, || bench.recorder.connected.get()), "connected");
    ndis_client::modify_call(&vc, &parameters);
    ndis_client::modify_call(&vc, &parameters);
    ndis_client::close_call(&vc);
    calls::delete_own(calls::own_vc());
    ndis_client::deregister_sap(&sap);
    bench.close(&af);
    bench.stop();
}

/// Sends are cancelled, then the link goes.
fn cancel_and_lose_the_link() {
    let bench = Bench::start().expect("a start");
    let af = bench.open();
    let vc = bench.connect(&af).expect("a call");
    ndis_client::send(&vc, &Frames { cancel_id: 7, ..Frames::singles([vec![1; 60]]) });
    ndis_client::cancel_sends(&bench.adapter, 7);
    bring_up::indicate_link(adapter() as usize, 112);
    Machine::current().sleep(SECOND);
    bench.disconnect(&vc);
    bench.close(&af);
    bench.stop();
}

/// A card goes to sleep while a frame is on its way and a timer is set.
fn sleep_and_look() {
    let bench = Bench::start().expect("a start");
    let af = bench.open();
    let vc = bench.connect(&af).expect("a call");
    ndis!(timer::set, mini(|it| it.timer.get()) as Handle, -10_000_000, 0, 0);
    let late = Rc::clone(&vc);
    mini(|it| it.late.set(true));
    ndis_client::send(&late, &Frames::singles([vec![1; 60]]));
    bench.adapter.set_power(4);
    bench.adapter.set_power(1);
    bench.disconnect(&vc);
    bench.close(&af);
    bench.stop();
}

fn ask_after_removal() {
    let bench = Bench::start().expect("a start");
    let af = bench.open();
    bench.adapter.surprise_remove();
    bench.adapter.oid_request(OidRequest::query(0x0001_0104, 4));
    ndis_client::co_oid_request(&bench.adapter, None, OidRequest::query(0x0401_0180, 16));
    ndis_client::cm_oid_request(&af, None, OidRequest::query(0xFE00_1001, 12));
    bench.close(&af);
    bench.stop();
}

fn hold_frames() {
    let bench = Bench::start().expect("a start");
    let af = bench.open();
    let vc = bench.connect(&af).expect("a call");
    bench.recorder.hold.set(true);
    bench.send(&vc, &Frames::singles([vec![1; 60]]));
    ndis_client::return_frames(&bench.adapter, bench.recorder.held.take());
}

fn pause_with_frames_held() {
    let bench = Bench::start().expect("a start");
    let af = bench.open();
    let vc = bench.connect(&af).expect("a call");
    bench.recorder.hold.set(true);
    bench.send(&vc, &Frames::singles([vec![1; 60]]));
    if !deviates("pause does not wait") {
        ndis_client::return_frames(&bench.adapter, bench.recorder.held.take());
    }
    bench.adapter.pause();
    if deviates("indicates while paused") {
        data::indicate(calls::own_vc(), b"late");
    }
}

/// A call, and then nobody for a while.
fn live_and_wait() {
    let bench = Bench::start().expect("a start");
    let af = bench.open();
    let vc = bench.connect(&af).expect("a call");
    bench.disconnect(&vc);
    bench.close(&af);
    Machine::current().sleep(100 * SECOND);
    bench.stop();
}

fn misuse_services() {
    let bench = Bench::start().expect("a start");
    let af = bench.open();
    let vc = bench.connect(&af).expect("a call");
    misuse::commit(calls::handle_of(calls::own_vc()));
    bench.disconnect(&vc);
    bench.close(&af);
    bench.stop();
}
