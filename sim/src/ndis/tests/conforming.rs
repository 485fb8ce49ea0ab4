//! The conforming driver: no finding, and the client gets what it asked for.

use std::rc::Rc;

use super::super::client as ndis_client;
use super::{Bench, SECOND, calls, life, mini, run};
use crate::ndis::oid::OidRequest;
use crate::ndis::{Adapter, CallState, Driver, Frames, HaltAction, Keywords, State, status, wait_for};

fn clean(pend: bool, script: impl Fn() + Clone + Send + 'static) {
    for seed in 0..20 {
        let outcome = run(seed, "", pend, script.clone());
        assert_eq!(outcome.findings, [], "seed {seed}");
        assert_eq!(outcome.stuck, None, "seed {seed}");
    }
}

#[test]
fn a_life_leaves_no_finding() {
    clean(false, life);
}

#[test]
fn a_life_with_everything_pended_leaves_no_finding() {
    clean(true, life);
}

#[test]
fn frames_come_back_as_they_were_sent() {
    clean(true, || {
        let bench = Bench::start().expect("a start");
        let af = bench.open();
        let vc = bench.connect(&af).expect("a call");
        assert!(vc.is_active());
        let frames: Vec<Vec<u8>> = (0..50_u8).map(|i| vec![i; 20 + usize::from(i)]).collect();
        bench.send(&vc, &Frames { fragment: true, ..Frames::singles(frames.clone()) });
        assert_eq!(*bench.recorder.frames.borrow(), frames);
        assert!(bench.recorder.sent.borrow().iter().all(|&(_, status)| status == status::SUCCESS));
        bench.disconnect(&vc);
        assert_eq!(vc.call_state(), CallState::Idle);
        bench.close(&af);
        bench.stop();
    });
}

#[test]
fn a_pause_waits_for_frames_that_a_client_holds() {
    clean(false, || {
        let bench = Bench::start().expect("a start");
        let af = bench.open();
        let vc = bench.connect(&af).expect("a call");
        bench.recorder.hold.set(true);
        bench.send(&vc, &Frames::singles([vec![1; 60], vec![2; 60]]));
        let recorder = Rc::clone(&bench.recorder);
        let adapter = Rc::clone(&bench.adapter);
        crate::machine::Machine::current().spawn("returner", move || {
            crate::machine::Machine::current().sleep(SECOND);
            assert_eq!(adapter.state(), State::Pausing);
            let held = recorder.held.take();
            ndis_client::return_frames(&adapter, held);
        });
        bench.adapter.pause();
        assert_eq!(vc.receives_outstanding(), 0);
        bench.adapter.restart().expect("a restart");
        bench.recorder.hold.set(false);
        bench.disconnect(&vc);
        bench.close(&af);
        bench.stop();
    });
}

#[test]
fn an_incoming_call_is_offered_accepted_and_closed() {
    for answer in [status::PENDING, status::SUCCESS, status::FAILURE] {
        clean(false, move || incoming(answer));
    }
}

fn incoming(answer: status::Status) {
    let bench = Bench::start().expect("a start");
    let af = bench.open();
    let (_, sap) = ndis_client::register_sap(&af, 0x8000, &[0; 12]);
    let context = mini::mini(|it| *it.saps.borrow().keys().next().expect("one"));
    bench.recorder.answer.set(answer);
    assert_eq!(calls::offer(context), answer);
    let vc = bench.recorder.incoming.take().expect("offered");
    if answer == status::PENDING {
        ndis_client::accept_call(&vc, status::SUCCESS);
    }
    if answer != status::FAILURE {
        assert!(bench.recorder.connected.get());
        assert_eq!(vc.call_state(), CallState::Connected);
        ndis_client::close_call(&vc);
        let own = mini::mini(|it| *it.vcs.borrow().keys().next().expect("one"));
        calls::delete_own(own);
    }
    ndis_client::deregister_sap(&sap);
    bench.close(&af);
    bench.stop();
}

#[test]
fn a_halt_makes_the_client_leave() {
    clean(false, || {
        let bench = Bench::start().expect("a start");
        bench.recorder.obedient.set(true);
        bench.open();
        bench.stop();
    });
}

#[test]
fn every_allocation_may_fail() {
    use crate::machine::{Config, FailPlan, Machine};
    for nth in 0..12 {
        std::thread::spawn(move || {
            let fail = Some(FailPlan::Nth(nth));
            let machine = Machine::new(Config { fail, ..Config::default() });
            let thread = machine.spawn("script", || {
                let Ok(driver) = Driver::load("mini", mini::entry) else { return };
                let adapter = Adapter::new(&driver, None, Keywords::new(), false);
                if adapter.start().is_ok() {
                    adapter.halt(HaltAction::DeviceDisabled);
                }
                driver.unload();
            });
            machine.join(thread).expect("it ends");
            let findings = machine.verifier().findings();
            assert!(findings.is_empty(), "call {nth}: {findings:?}");
        })
        .join()
        .expect("no panic");
    }
}

#[test]
fn requests_carry_their_answers() {
    clean(true, || {
        let bench = Bench::start().expect("a start");
        let result = bench.adapter.oid_request(OidRequest::query(0x0001_0104, 4));
        assert_eq!((result.status, result.bytes, result.data.as_slice()), (0, 4, [12, 0, 0, 0].as_slice()));
        let short = ndis_client::co_oid_request(&bench.adapter, None, OidRequest::query(0x0001_0104, 3));
        assert_eq!((short.status, short.needed), (status::BUFFER_TOO_SHORT, 4));
        assert!(wait_for(SECOND, || bench.recorder.families.borrow().len() == 2));
        bench.stop();
    });
}
