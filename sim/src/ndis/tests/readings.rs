//! Every reading of the documents: the conforming driver passes under each, and what a driver may not do is found.

use super::super::client as ndis_client;
use super::mini::mini;
use super::trips::trips;
use super::{Bench, SECOND, calls, life, run};
use crate::machine::Machine;
use crate::ndis::{CallState, Course, Flows, Frames, Readings, set_readings, status, wait_for};

const COURSES: [Course; 5] =
    [Course::Returned, Course::Announced, Course::Inline, Course::Later, Course::Drawn];

fn clean(pend: bool, readings: Readings, script: fn()) {
    for seed in 0..4 {
        let outcome = run(seed, "", pend, move || {
            set_readings(readings);
            script();
        });
        assert_eq!(outcome.findings, [], "{readings:?}, seed {seed}");
        assert_eq!(outcome.stuck, None, "{readings:?}, seed {seed}");
    }
}

#[test]
fn a_life_under_every_course() {
    for activation in COURSES {
        for deactivation in COURSES {
            let readings = Readings { activation, deactivation, ..Readings::default() };
            clean(false, readings, life);
            clean(true, Readings { miniport_vc_handlers: true, serial_co_oids: true, ..readings }, life);
        }
    }
}

#[test]
fn an_incoming_call_under_every_course() {
    for course in COURSES {
        for every_answer_completed in [false, true] {
            let readings = Readings {
                activation: course,
                deactivation: course,
                every_answer_completed,
                ..Readings::default()
            };
            clean(false, readings, accepted);
            clean(true, readings, rejected);
            clean(false, readings, accepted_later);
        }
    }
}

fn accepted() {
    take_a_call(status::SUCCESS);
}

fn rejected() {
    take_a_call(status::FAILURE);
}

fn accepted_later() {
    take_a_call(status::PENDING);
}

fn take_a_call(answer: status::Status) {
    let bench = Bench::start().expect("a start");
    let af = bench.open();
    let (pended, sap) = ndis_client::register_sap(&af, 0x8000, &[0; 12]);
    assert!(pended != status::PENDING || wait_for(SECOND, || bench.recorder.sap.get().is_some()));
    bench.recorder.answer.set(answer);
    calls::offer(mini(|it| *it.saps.borrow().keys().next().expect("one")));
    assert!(wait_for(SECOND, || bench.recorder.incoming.borrow().is_some()));
    let vc = bench.recorder.incoming.take().expect("offered");
    if answer == status::PENDING {
        ndis_client::accept_call(&vc, status::SUCCESS);
    }
    if answer != status::FAILURE {
        assert!(wait_for(SECOND, || vc.call_state() == CallState::Connected));
        let own = mini(|it| *it.vcs.borrow().keys().next().expect("one"));
        if ndis_client::close_call(&vc) == status::PENDING {
            wait_for(SECOND, || bench.recorder.call_closed.get().is_some());
        }
        calls::delete_own(own);
    }
    assert!(wait_for(SECOND, || af.vcs().is_empty()), "no VC is left");
    if ndis_client::deregister_sap(&sap) == status::PENDING {
        wait_for(SECOND, || bench.recorder.sap_gone.get());
    }
    bench.close(&af);
    bench.stop();
}

#[test]
fn one_family_at_most() {
    let one = Readings { one_address_family: true, ..Readings::default() };
    clean(false, one, || {
        let bench = Bench::start().expect("a start");
        assert_eq!(bench.adapter.families().len(), 1);
        bench.stop();
    });
}

#[test]
fn a_seed_draws_a_reading() {
    for seed in 0..4 {
        let outcome = run(seed, "", true, || {
            let drawn = Readings::drawn(&Machine::current());
            set_readings(drawn);
            life();
        });
        assert_eq!(outcome.findings, [], "seed {seed}");
    }
}

trips! {
    pended_changes(life_later) {
        "does not wait for NDIS" => "CO-074",
        "activates twice" => "CO-070",
    }
    pended_changes_and_calls(life_later, pended) {
        "does not wait for NDIS" => "CO-074",
    }
    framed_receives(framed) {
        "strips the framing" => "CO-334",
    }
    calls_without_parameters(connect_without_flows) {
        "supplies no parameters" => "CO-323",
    }
    the_miniport_half(life_with_handlers) {
        "miniport activates later" => "CO-085",
    }
}

fn life_later() {
    let readings = Readings { activation: Course::Later, deactivation: Course::Later, ..Readings::default() };
    set_readings(readings);
    life();
}

fn framed() {
    set_readings(Readings { wan_wants_framing: true, ..Readings::default() });
    let bench = Bench::start().expect("a start");
    let af = bench.open();
    let vc = bench.connect(&af).expect("a call");
    bench.send(&vc, &Frames::singles([b"\xFF\x03\xC0\x21hello".to_vec()]));
    bench.disconnect(&vc);
    bench.close(&af);
    bench.stop();
}

/// NDPROXY's calls have no call-manager parameters.
fn connect_without_flows() {
    set_readings(Readings { proxy_flows: Flows::Absent, ..Readings::default() });
    let bench = Bench::start().expect("a start");
    let af = bench.open();
    let vc = bench.connect(&af).expect("a call");
    bench.disconnect(&vc);
    bench.close(&af);
    bench.stop();
}

fn life_with_handlers() {
    set_readings(Readings { miniport_vc_handlers: true, ..Readings::default() });
    life();
}
