//! Calls whose parameters change: as the client takes a call that comes in, before it does, and several times at once.

// all cover: NdisMCmActivateVc

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    machine::{FailPlan, Machine},
    ndis::{Course, Family, Readings, client, parameters::CallParameters, status, wait_for},
    nic::{Fault, Model},
    wire::{
        frame::tag,
        host::{CallState, Control, Dial},
    },
};
use scenarios::{
    Answer, Caller, Card, Record, Setup, Station,
    caller::PATIENCE,
    cannot_on_qemu, lab,
    office::{Office, card, gone, story},
    rates::{OPEN, flow, modify, request},
    station::exchange,
};

const FAMILIES: [u32; 2] = [Family::TAPI_PROXY, Family::PPP];
/// The ways in which a client can take a call.
const YES: [Answer; 3] =
    [Answer::Now(status::SUCCESS), Answer::Inline(status::SUCCESS), Answer::Elsewhere(status::SUCCESS)];
const COURSES: [Course; 5] =
    [Course::Returned, Course::Announced, Course::Inline, Course::Later, Course::Drawn];
/// `NDIS_STATUS_WAN_CO_MTULINKPARAMS`.
const LINK_PARAMETERS: u32 = 0x4001_0025;
/// A rate below the link's, in bytes a second, and one above it.
const SLOW: u32 = 1_000_000;
const TOO_FAST: u32 = 4_000_000_000;

/// An activation takes this course, and `NDIS` tells of every answer or of those that pended.
fn readings(activation: Course, every_answer_completed: bool) -> Readings {
    Readings { activation, every_answer_completed, ..Readings::default() }
}

/// What NDISWAN was told last of the rate at which a VC sends.
fn told(record: &Record) -> Option<u32> {
    let indications = record.indications.borrow();
    let last = indications.iter().rfind(|it| it.code == LINK_PARAMETERS)?;
    Some(u32::from_le_bytes(last.data.get(4..8)?.try_into().ok()?))
}

/// What a client asks for in `CmModifyCallQoS`.
fn wish(rate: u32) -> CallParameters {
    request(flow(rate), flow(OPEN))
}

// covers: CmIncomingCallComplete, NdisMCmDispatchIncomingCloseCall, SEQ:incoming-call-renegotiated
#[test]
fn clients_change_what_they_are_offered() {
    for (seed, (course, every)) in (0..).zip(COURSES.into_iter().flat_map(|it| [(it, false), (it, true)])) {
        for answer in YES {
            for rate in [SLOW, TOO_FAST] {
                let control = Control::new();
                let card = card(Model::ALL[usize::try_from(seed % 3).unwrap()], &control);
                let setup = Setup { readings: Some(readings(course, every)), ..Setup::new(seed, card) };
                let family = FAMILIES[usize::try_from(seed / 2 % 2).unwrap()];
                story(setup, &control, family, answer, move |office| take(office, rate)).clean();
            }
        }
    }
}

/// Takes a call with another rate than it was offered, and ends it.
fn take(office: &Office, rate: u32) {
    office.station.caller.rate.set(Some(rate));
    let (call, vc, record) = office.ringing(Dial::default());
    if rate == SLOW {
        assert!(matches!(office.settled(call).state, CallState::Up(_)));
        assert!(wait_for(PATIENCE, || record.is_up()));
        assert_eq!(told(&record), Some(SLOW));
        assert!(exchange(&[Rc::clone(&vc)], &[1494], 5), "frames of the call");
    } else {
        // It has accepted what it cannot have: the call ends.
        assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "the client is not told");
        assert_eq!(record.ended.get(), Some(status::TAPI_DISCONNECTMODE_INCOMPATIBLE));
    }
    assert!(Caller::hang_up(&vc), "the close does not end");
    gone(&record);
    let state = office.settled(call).state;
    assert_eq!(matches!(state, CallState::Refused(tag::GENERIC_ERROR, _)), rate != SLOW, "{state:?}");
}

// covers: CmIncomingCallComplete, NdisMCmDispatchIncomingCloseCall, SEQ:activation-fails, SEQ:incoming-call-renegotiated
#[test]
fn a_call_that_cannot_be_activated_as_it_was_taken_ends_on_both_sides() {
    for (seed, course) in (0..).zip(COURSES) {
        for answer in YES {
            let control = Control::new();
            let setup = Setup {
                readings: Some(readings(course, seed % 2 == 0)),
                // The first is that for the offer.
                fail: Some(FailPlan::Named("NdisMCmActivateVc", 1)),
                ..Setup::new(seed, card(Model::I82574l, &control))
            };
            let family = FAMILIES[usize::try_from(seed % 2).unwrap()];
            let run = story(setup, &control, family, answer, |office| {
                office.station.caller.rate.set(Some(SLOW));
                let (call, vc, record) = office.ringing(Dial::default());
                assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "the client is not told");
                assert_eq!(record.ended.get(), Some(status::TAPI_RESOURCEUNAVAIL));
                assert!(record.made.get().is_none(), "connected");
                assert!(Caller::hang_up(&vc), "the close does not end");
                gone(&record);
                let state = office.settled(call).state;
                assert!(matches!(state, CallState::Refused(tag::AC_SYSTEM_ERROR, _)), "{state:?}");
                // The next one can.
                let (_, vc) = office.connected(Dial { mac: [2, 0, 0, 0, 0xbb, 2], ..Dial::default() });
                assert_eq!(told(&Record::of(&vc)), Some(SLOW));
                Office::hang_up(&vc);
            });
            run.clean();
        }
    }
}

// covers: CmCloseCall, CmIncomingCallComplete, SEQ:incoming-call-renegotiated, SEQ:activation-pended
#[test]
fn calls_end_while_what_they_were_taken_with_is_being_activated() {
    for seed in 0..24 {
        let control = Control::new();
        let setup = Setup {
            readings: Some(readings(Course::Later, seed % 2 == 0)),
            ..Setup::new(seed, card(Model::ALL[usize::try_from(seed % 3).unwrap()], &control))
        };
        let family = FAMILIES[usize::try_from(seed / 2 % 2).unwrap()];
        let run = story(setup, &control, family, Answer::Later, move |office| {
            let (call, vc, record) = office.ringing(Dial::default());
            client::ask_for_rate(&vc, SLOW);
            client::accept_call(&vc, status::SUCCESS);
            match seed % 3 {
                0 => {}
                1 => office.control.hang_up(call),
                _ => lab::sleep_below(300),
            }
            assert!(Caller::hang_up(&vc), "the close does not end");
            gone(&record);
            office.settled(call);
        });
        run.clean();
    }
}

// covers: CmModifyCallQoS, NdisMCmModifyCallQoSComplete, SEQ:incoming-call-renegotiated
#[test]
fn clients_negotiate_before_they_answer() {
    for (seed, course) in (0..).zip(COURSES.into_iter().cycle().take(10)) {
        let control = Control::new();
        let setup = Setup {
            readings: Some(readings(course, seed % 2 == 0)),
            ..Setup::new(seed, card(Model::I82545em, &control))
        };
        let family = FAMILIES[usize::try_from(seed / 5).unwrap()];
        let run = story(setup, &control, family, Answer::Later, move |office| {
            let (call, vc, record) = office.ringing(Dial::default());
            assert_eq!(modify(&vc, &wish(TOO_FAST)).0, status::RESOURCES);
            let (status, granted) = modify(&vc, &wish(SLOW));
            assert_eq!(status, status::SUCCESS);
            let flows = granted.call_manager.expect("a block");
            assert_eq!((flows.transmit.token_rate, flows.transmit.max_sdu_size), (SLOW, 1492));
            // It may answer before the last change has ended.
            client::modify_call(&vc, &wish(2 * SLOW));
            let accepts = seed % 3 != 0;
            client::accept_call(&vc, if accepts { status::SUCCESS } else { status::NOT_ACCEPTED });
            if accepts {
                assert!(wait_for(PATIENCE, || record.is_up()), "not connected");
                assert_eq!(told(&record), Some(2 * SLOW));
                assert!(exchange(&[Rc::clone(&vc)], &[42, 1494], 5), "frames of the call");
                assert!(Caller::hang_up(&vc), "the close does not end");
            }
            gone(&record);
            assert_eq!(matches!(office.settled(call).state, CallState::Refused(..)), !accepts);
        });
        run.clean();
    }
}

/// The statuses of the changes of a call, as far as they have ended.
fn ended(record: &Record) -> Vec<status::Status> {
    record.modified.borrow().iter().map(|(status, _)| *status).collect()
}

// covers: CmModifyCallQoS, NdisMCmModifyCallQoSComplete, SEQ:qos-changes-overlap
#[test]
fn changes_take_turns_and_the_last_one_stays() {
    for (seed, course) in (0..).zip(COURSES.into_iter().cycle().take(10)) {
        let setup =
            Setup { readings: Some(readings(course, false)), ..Setup::new(seed, Card::new(Model::I82574l)) };
        let run = lab::run(setup, move |lab| {
            let driver = lab.load();
            let station = Station::up(lab, &driver, 0, FAMILIES[usize::try_from(seed % 2).unwrap()]);
            let vc = station.connected();
            let record = Record::of(&vc);
            let wishes = [SLOW, TOO_FAST, 3 * SLOW, 2 * SLOW];
            let now: Vec<_> = wishes.iter().map(|&rate| client::modify_call(&vc, &wish(rate))).collect();
            assert!(now.iter().all(|&status| status == status::PENDING), "{now:?}");
            assert!(wait_for(PATIENCE, || ended(&record).len() == 4), "{:?}", ended(&record));
            assert_eq!(
                ended(&record),
                [status::SUCCESS, status::RESOURCES, status::SUCCESS, status::SUCCESS]
            );
            assert_eq!(told(&record), Some(2 * SLOW));
            // None is left when the call is closed, and those that had no turn have failed.
            record.modified.take();
            for rate in [SLOW, 2 * SLOW, 3 * SLOW] {
                client::modify_call(&vc, &wish(rate));
            }
            lab::sleep_below(200);
            station.finish(&vc);
            let statuses = ended(&record);
            assert_eq!(statuses.len(), 3);
            assert!(statuses.is_sorted_by_key(|&status| status != status::SUCCESS), "{statuses:?}");
            station.down();
            driver.unload();
        });
        run.clean();
    }
}

// covers: CmModifyCallQoS, NdisMCmDispatchIncomingCallQoSChange, SEQ:qos-changes-overlap
#[test]
fn the_client_is_told_of_a_link_that_changes_while_it_changes_the_call() {
    if cannot_on_qemu("their links have one speed") {
        return;
    }
    for seed in 0..6 {
        let setup = Setup {
            readings: Some(readings(Course::Later, false)),
            ..Setup::new(seed, Card::new(Model::I82574l))
        };
        let run = lab::run(setup, |lab| {
            let driver = lab.load();
            let station = Station::up(lab, &driver, 0, Family::PPP);
            let vc = station.connected();
            let record = Record::of(&vc);
            lab.place(0).faults.inject(Fault::LinkSlow);
            // One change after the other until the link has changed.
            let before = Machine::current().now();
            while record.changed.borrow().is_empty() {
                assert!(Machine::current().now() < before + Duration::from_secs(10), "nobody is told");
                record.modified.take();
                client::modify_call(&vc, &wish(SLOW));
                assert!(wait_for(PATIENCE, || !ended(&record).is_empty()));
            }
            let flows = record.changed.borrow()[0].call_manager.clone().expect("a block");
            assert_eq!((flows.transmit.token_rate, flows.receive.token_rate), (SLOW, 12_500_000));
            station.finish(&vc);
            station.down();
            driver.unload();
        });
        run.clean();
    }
}
