//! Each deviation trips its rule.

use super::super::client as ndis_client;
use super::{Bench, SECOND, calls, data, life, mini, run};
use crate::ndis::oid::OidRequest;
use crate::ndis::{Frames, status, wait_for};

/// The rule is found in one of a few seeds of the script at least, and never in the conforming driver.
fn trips(deviation: mini::Deviation, rule: &str, pend: bool, script: impl Fn() + Clone + Send + 'static) {
    let mut seen = Vec::new();
    for seed in 0..4 {
        let outcome = run(seed, deviation, pend, script.clone());
        if outcome.has(rule) {
            return;
        }
        seen.push((outcome.findings, outcome.stuck));
    }
    panic!("{deviation}: {rule} is not found, but {seen:?}");
}

fn each(cases: &[(mini::Deviation, &str)], pend: bool, script: impl Fn() + Clone + Send + 'static) {
    for (deviation, rule) in cases {
        trips(deviation, rule, pend, script.clone());
    }
}

#[test]
fn registration() {
    each(
        &[
            ("header size", "CO-001"),
            ("registers twice", "CO-001"),
            ("no pause handler", "CO-002"),
            ("hang without reset", "CO-003"),
            ("no set options", "CO-004"),
            ("no co table", "CO-005"),
            ("co size", "CO-005"),
            ("CoCreateVc", "CO-006"),
            ("no CoSend", "CO-007"),
            ("no cm table", "CO-008"),
            ("cm size", "CO-008"),
            ("no modify", "CO-008"),
            ("no create", "CO-010"),
            ("late options", "CO-011"),
            ("entry fails registered", "CO-012"),
            ("stays registered", "CO-013"),
            ("unknown table", "CO-315"),
            ("NDIS 5", "CO-315"),
        ],
        false,
        || {
            if let Some(bench) = Bench::start() {
                bench.stop();
            }
        },
    );
}

#[test]
fn initialization_and_halt() {
    each(
        &[
            ("general first", "CO-015"),
            ("no general", "CO-016"),
            ("no power capabilities", "CO-017"),
            ("family before attributes", "CO-024"),
            ("family twice", "CO-025"),
            ("init pends", "CO-027"),
            ("open configuration", "SDV.NdisOpenConfigurationEx"),
            ("configuration after close", "CO-286"),
            ("pool leak", "SDV.NdisAllocateNetBuffer"),
            ("timer leak", "SDV.CancelTimerObject"),
            ("work item leak", "SDV.Init_NdisAllocateIoWorkItem"),
            ("timer left set", "CO-272"),
            ("work item twice", "CO-275"),
            ("late status", "SDV.NdisMIndicateStatusEx"),
        ],
        false,
        || {
            if let Some(bench) = Bench::start() {
                bench.stop();
            }
        },
    );
}

#[test]
fn halt_with_clients() {
    let script = || {
        let Some(bench) = Bench::start() else { return };
        bench.recorder.obedient.set(true);
        bench.open();
        bench.stop();
    };
    each(&[("silent halt", "CO-043"), ("notifies twice", "CO-042")], false, script);
}

#[test]
fn address_families_and_saps() {
    let cases = [
        ("no AF context", "CO-034"),
        ("open completes and returns", "CO-037"),
        ("no SAP context", "CO-050"),
        ("deregistration fails", "CO-054"),
    ];
    each(&cases, false, life);
    each(&[("AF closed twice", "CO-042"), ("SAP completed twice", "CO-051")], true, life);
    trips("same AF context", "CO-039", false, || {
        let bench = Bench::start().expect("a start");
        bench.open();
        bench.open();
    });
}

#[test]
fn virtual_circuits() {
    let cases = [
        ("create pends", "CO-058"),
        ("no VC context", "CO-059"),
        ("delete refuses", "CO-061"),
        ("uses a deleted VC", "CO-063"),
        ("deletes the client's VC", "CO-067"),
        ("activates twice", "CO-070"),
        ("completes before active", "CO-071"),
        ("fails active", "CO-075"),
        ("deactivates twice", "CO-077"),
        ("indicates after deactivation", "CO-212"),
        ("wrong kind of handle", "CO-084"),
    ];
    each(&cases, false, life);
}

#[test]
fn calls_end_once() {
    let cases = [
        ("call completes and returns", "CO-089"),
        ("call completed twice", "CO-089"),
        ("completes with PENDING", "CO-090"),
        ("party context", "CO-092"),
        ("unflagged change", "CO-096"),
        ("other parameters", "CO-098"),
        ("closes while making", "CO-101"),
        ("close completes and returns", "CO-102"),
        ("close fails", "CO-102"),
        ("stays active", "CO-105"),
        ("connected on outgoing call", "CO-120"),
        ("network closes twice", "CO-124"),
        ("close data without size", "CO-125"),
        ("no rates", "CO-323"),
        ("call hangs", "CO-091"),
        ("connects synchronously inactive", "CO-071"),
    ];
    each(&cases, false, life);
    each(&[("close completed twice", "CO-102"), ("call completed twice", "CO-089")], true, life);
}

#[test]
fn incoming_calls() {
    let script = || {
        let bench = Bench::start().expect("a start");
        let af = bench.open();
        ndis_client::register_sap(&af, 0x8000, &[0; 12]);
        let sap = mini::mini(|it| *it.saps.borrow().keys().next().expect("one"));
        bench.recorder.answer.set(status::SUCCESS);
        calls::offer(sap);
    };
    let cases = [
        ("dirty handle", "CO-064"),
        ("offers twice", "CO-115"),
        ("connected twice", "CO-119"),
        ("deletes a connected VC", "CO-068"),
    ];
    each(&cases, false, script);
}

#[test]
fn sends() {
    let cases = [
        ("send completed twice", "CO-183"),
        ("send on wrong VC", "CO-185"),
        ("completes an unknown list", "CO-186"),
        ("no send status", "CO-187"),
        ("odd send status", "CO-187"),
        ("changes data", "CO-190"),
        ("moves the start", "CO-191"),
        ("changes source handle", "CO-192"),
        ("changes protocol reserved", "CO-193"),
        ("send flag lies", "CO-199"),
        ("keeps a send", "NV.NdisTimedDataSend.CO"),
        ("keeps a send", "CO-078"),
    ];
    each(&cases, false, life);
}

#[test]
fn receives() {
    let cases = [
        ("no source handle", "CO-213"),
        ("wrong count", "CO-214"),
        ("too long a frame", "CO-222"),
        ("receive flag lies", "CO-225"),
        ("MDL leak", "SDV.NdisAllocateMdl"),
        ("indicates inactive", "CO-212"),
    ];
    each(&cases, false, life);
    let script = || {
        let bench = Bench::start().expect("a start");
        let af = bench.open();
        let vc = bench.connect(&af).expect("a call");
        bench.recorder.hold.set(true);
        bench.send(&vc, &Frames::singles([vec![1; 60]]));
        ndis_client::return_frames(&bench.adapter, bench.recorder.held.take());
    };
    let cases = [
        ("indicates twice", "CO-219"),
        ("touches an indicated list", "CO-216"),
        ("frees an indicated list", "CO-216"),
    ];
    each(&cases, false, script);
}

#[test]
fn receives_and_pause() {
    let script = || {
        let bench = Bench::start().expect("a start");
        let af = bench.open();
        let vc = bench.connect(&af).expect("a call");
        bench.recorder.hold.set(true);
        bench.send(&vc, &Frames::singles([vec![1; 60]]));
        bench.adapter.pause();
        let own = mini::mini(|it| *it.vcs.borrow().keys().next().expect("one"));
        data::indicate(own, b"late");
    };
    each(&[("pause does not wait", "CO-242"), ("pause does not wait", "CO-243")], false, script);
    let script = || {
        if let Some(bench) = Bench::start() {
            bench.stop();
        }
    };
    let cases = [
        ("pause fails", "SDV.MiniportPause_Return"),
        ("pause completed and returned", "CO-244"),
        ("restart completes twice", "CO-245"),
    ];
    each(&cases, false, script);
}

#[test]
fn requests() {
    let cases = [
        ("OID completes and returns", "CO-145"),
        ("keeps an OID request", "NV.NdisTimedOidComplete.CO"),
        ("writes too much", "CO-151"),
        ("no needed size", "CO-153"),
        ("no bytes written", "CO-154"),
        ("set writes", "CO-156"),
    ];
    each(&cases, false, life);
    let cases = [
        ("OID completed twice", "CO-145"),
        ("OID with PENDING", "CO-146"),
        ("wrong AF handle", "CO-147"),
        ("wrong completion", "CO-148"),
    ];
    each(&cases, true, life);
}

#[test]
fn a_status_of_the_wrong_size() {
    trips("", "CO-234", false, || {
        let bench = Bench::start().expect("a start");
        mini::indicate_link(mini::mini(|it| it.adapter.get()), 100);
        let result = bench.adapter.oid_request(OidRequest::query(1, 4));
        assert_eq!(result.status, status::SUCCESS);
        assert!(wait_for(SECOND, || true));
    });
}

#[test]
fn a_failed_start_leaves_nothing_and_says_so() {
    use crate::machine::{Config, FailPlan, Machine};
    for (deviation, rule) in [("leaks on failure", "CO-028"), ("silent failure", "CO-295")] {
        let found = std::thread::spawn(move || {
            mini::mini(|it| it.deviation.set(deviation));
            let fail = Some(FailPlan::Named("NdisAllocateIoWorkItem", 0));
            let machine = Machine::new(Config { fail, ..Config::default() });
            let thread = machine.spawn("script", || assert!(Bench::start().is_none()));
            machine.join(thread).expect("it ends");
            machine.verifier().count(rule)
        });
        assert!(found.join().expect("no panic") > 0, "{deviation}: {rule}");
    }
}

#[test]
fn calls_at_the_wrong_irql() {
    use crate::machine::{DISPATCH_LEVEL, Machine};
    trips("", "IRQL.NdisMSetMiniportAttributes", false, || {
        let Some(bench) = Bench::start() else { return };
        Machine::current().raise_irql(DISPATCH_LEVEL);
        mini::set_registration(mini::adapter());
        Machine::current().lower_irql(0);
        bench.stop();
    });
}

#[test]
fn completions_under_a_lock() {
    use crate::machine::{LockKind, Machine};
    trips("", "CO-226", false, || {
        let bench = Bench::start().expect("a start");
        let af = bench.open();
        bench.connect(&af).expect("a call");
        let own = mini::mini(|it| *it.vcs.borrow().keys().next().expect("one"));
        Machine::current().acquire(1, LockKind::Other);
        data::indicate(own, b"under a lock");
        Machine::current().release(1, LockKind::Other);
    });
}
