//! Calls that come in from hosts which ask for credits.

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    machine::Machine,
    ndis::{Family, Value, status, wait_for},
    nic::Model,
    wire::{
        credits::Plan,
        host::{CallState, Control, Dial},
    },
};
use scenarios::{
    Answer, Record, Setup,
    caller::PATIENCE,
    credits::frames,
    lab::sleep,
    office, seeds,
    station::{exchange, send, settle},
};

/// A host that asks for credits and dials the card.
fn dial(plan: Plan) -> Dial {
    Dial { credits: Some(plan), ..Dial::default() }
}

/// As an access concentrator: agrees with who asks, with the host's scale, and holds what the host has not granted.
// covers: RFC5578:negotiation, RFC5578:charging, RFC5578:grants
#[test]
fn a_call_that_comes_in_has_the_credits_that_its_host_asks_for() {
    for (seed, scale) in [(1, None), (2, Some(64)), (3, Some(16))] {
        let control = Control::new();
        let setup = Setup::new(seed, office::card(Model::I82574l, &control));
        let unit = scale.unwrap_or(64);
        let plan = Plan {
            scale,
            refill: Some((30 * 64 / unit, Duration::from_millis(500))),
            ..Plan::once(30 * 64 / unit)
        };
        let run = office::story(setup, &control, Family::PPP, Answer::Now(status::SUCCESS), move |office| {
            let (call, vc) = office.connected(dial(plan));
            let view = office.settled(call);
            let (granted, answered) = view.credits.expect("Credits in the PADS");
            assert_eq!(u32::from(granted), (512 * 1494_u32).div_ceil(unit.into()).min(0x7FFF));
            assert_eq!(answered, scale);
            send(&vc, &frames(5));
            sleep(Duration::from_millis(100));
            assert_eq!(Record::of(&vc).in_driver.get(), 2);
            settle(&[Rc::clone(&vc)]);
            assert!(exchange(&[Rc::clone(&vc)], &[64, 640], 20));
            let seen = office.control.call(call).expect("known").seen;
            assert!(seen.violations == 0 && seen.answers > 0 && seen.stray_answers == 0, "{seen:?}");
            office::Office::hang_up(&vc);
            office.becomes(call, &CallState::EndedByPeer);
        });
        run.clean();
    }
}

/// A host that hangs up, or that answers no grant, while sends to it wait.
// covers: RFC5578:grants, RFC5578:charging, RFC2516:5.5
#[test]
fn what_waits_for_a_host_comes_back_when_it_goes() {
    for seed in seeds(6) {
        let control = Control::new();
        let setup = Setup::new(seed, office::card(Model::I82574l, &control));
        let answers = seed % 2 == 0;
        let plan = Plan { answers, ..Plan::once(20) };
        let run = office::story(setup, &control, Family::PPP, Answer::Now(status::SUCCESS), move |office| {
            let (call, vc) = office.connected(dial(plan));
            let record = Record::of(&vc);
            send(&vc, &frames(20));
            sleep(Duration::from_millis(Machine::current().below(1500)));
            if answers {
                office.control.hang_up(call);
            }
            assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "the call goes on");
            office::Office::hang_up(&vc);
            assert_eq!(record.in_driver.get(), 0);
            let state = if answers { CallState::HungUp } else { CallState::EndedByPeer };
            office.becomes(call, &state);
            let seen = office.control.call(call).expect("known").seen;
            assert_eq!((seen.violations, seen.grants), (0, if answers { seen.grants } else { 5 }));
        });
        run.clean();
    }
}

/// A driver that is not to agree does not, and the host knows.
// covers: RFC5578:negotiation
#[test]
fn a_host_is_not_agreed_with_if_the_keyword_forbids_it() {
    let control = Control::new();
    let mut card = office::card(Model::I82574l, &control);
    card.keywords.insert("Credits".to_owned(), Value::Integer(0));
    let run =
        office::story(Setup::new(1, card), &control, Family::PPP, Answer::Now(status::SUCCESS), |office| {
            let (call, vc) = office.connected(dial(Plan::once(1)));
            assert_eq!(office.settled(call).credits, None);
            assert!(exchange(&[Rc::clone(&vc)], &[64, 1400], 100));
            office::Office::hang_up(&vc);
        });
    run.clean();
}
