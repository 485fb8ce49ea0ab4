//! Calls under every reading of the documents of NDIS.

use std::time::Duration;

use ndis_sim::{
    ndis::{Course, Family, HaltAction, Limits, Readings, status},
    nic::Model,
    scenario::Scenario,
    wire::access_concentrator::HangUp,
};
use scenarios::{
    Card, Setup, Station, driver, lab,
    stories::{self, SIZES},
    wires::Pass,
};

const COURSES: [Course; 4] = [Course::Announced, Course::Inline, Course::Later, Course::Drawn];

/// What differs for activation and deactivation, with and without the miniport's handlers.
fn courses() -> impl Iterator<Item = Readings> {
    let both = COURSES.into_iter().map(|it| (it, it));
    let mixed = COURSES.into_iter().flat_map(|it| [(it, Course::Returned), (Course::Returned, it)]);
    both.chain(mixed).zip([false, true].into_iter().cycle()).map(|((activation, deactivation), handlers)| {
        Readings { activation, deactivation, miniport_vc_handlers: handlers, ..Readings::default() }
    })
}

/// Tells a story with a few seeds under each of them.
fn each(seeds: u64, story: impl Fn(u64, Card, u32)) {
    for (number, readings) in (0..).zip(courses()) {
        for seed in number * seeds..(number + 1) * seeds {
            let model = Model::ALL[usize::try_from(seed % 3).expect("small")];
            let family = if seed % 2 == 0 { Family::TAPI_PROXY } else { Family::PPP };
            lab::under(readings, || story(seed, Card::new(model), family));
        }
    }
}

// covers: CmActivateVcComplete, CmDeactivateVcComplete, MiniportCoActivateVc, MiniportCoDeactivateVc, NdisMCmActivateVc, NdisMCmDeactivateVc, SEQ:activation-pended
#[test]
fn calls_come_up_and_go_down() {
    each(1, |seed, card, family| stories::calls(seed, card, family, 3, SIZES.to_vec(), 2).clean());
    each(1, |seed, card, family| stories::vc_used_again(seed, card, family).clean());
}

// covers: CmActivateVcComplete, CmDeactivateVcComplete, CmCloseCall, SEQ:close-while-connecting
#[test]
fn clients_give_up_while_an_activation_pends() {
    each(3, |seed, card, family| {
        let status = stories::cancelled(seed, card, family, Pass::Everything, 900).clean();
        assert!([status::SUCCESS, status::REQUEST_ABORTED].contains(&status), "{}", status::name(status));
    });
}

// covers: CmActivateVcComplete, CmDeactivateVcComplete, SEQ:network-closes
#[test]
fn peers_hang_up_while_an_activation_pends() {
    each(2, |seed, card, family| {
        let hang_up = HangUp { after: Duration::ZERO, before: Duration::from_micros(400) };
        stories::ended_by_peer(seed, card, family, hang_up, seed % 4 < 2).clean();
    });
}

// covers: CmDeactivateVcComplete, SEQ:halt-with-open-afs
#[test]
fn everything_else_ends_calls_too() {
    each(1, |seed, card, family| stories::closed_under_way(seed, card, family).clean());
    each(1, |seed, card, family| {
        stories::link_lost(seed, card, family, true).clean_but_for_sessions();
    });
    each(1, |seed, card, family| stories::slept(seed, card, family).clean());
    each(1, |seed, card, family| stories::pulled_out(seed, card, family).clean_but_for_sessions());
    each(1, |seed, card, _| stories::halted_while_open(seed, card).clean());
}

// covers: CmActivateVcComplete, SEQ:activation-fails
#[test]
fn a_failed_activation_fails_the_call() {
    for (number, activation) in
        (0..).zip([Course::Returned, Course::Announced, Course::Inline, Course::Later])
    {
        for seed in number * 4..number * 4 + 4 {
            let readings = Readings { activation, ..Readings::default() };
            let fail = Some(ndis_sim::machine::FailPlan::Named("NdisMCmActivateVc", 0));
            let setup =
                Setup { fail, readings: Some(readings), ..Setup::new(seed, Card::new(Model::I82574l)) };
            let run = lab::run(setup, |lab| {
                let driver = lab.load();
                let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
                let vc = station.vc();
                let failed = station.outcome(&vc, &scenarios::blocks::Destination::default());
                let again = station.outcome(&vc, &scenarios::blocks::Destination::default());
                station.finish(&vc);
                station.down();
                driver.unload();
                (failed, again)
            });
            let (failed, again) = run.clean();
            assert_eq!((failed, again), (status::TAPI_RESOURCEUNAVAIL, status::SUCCESS), "{activation:?}");
        }
    }
}

// covers: NdisMCmRegisterAddressFamilyEx
#[test]
fn one_address_family_is_enough() {
    lab::under(Readings { one_address_family: true, ..Readings::default() }, || {
        for (seed, model) in (1..).zip(Model::ALL) {
            stories::calls(seed, Card::new(model), Family::TAPI_PROXY, 2, vec![60, 1494], 4).clean();
        }
    });
}

#[test]
fn the_command_makes_clean_runs_under_every_reading() {
    let base = Readings::default();
    let all = [
        Some(Readings { activation: Course::Later, deactivation: Course::Inline, ..base }),
        Some(Readings { miniport_vc_handlers: true, every_answer_completed: true, ..base }),
        Some(Readings { one_address_family: true, ..base }),
        Some(Readings { halt_unpaused: true, serial_co_oids: true, ..base }),
        Some(Readings { more_pending_ignored: true, receive_limits: Limits::Never, ..base }),
        Some(Readings { receive_limits: Limits::Always, ..base }),
        None,
    ];
    for (seed, readings) in (1..).zip(all) {
        let backend = scenarios::backend();
        // The SAP of the TAPI family is for the line that the first call has.
        let incoming = u32::from(readings.is_none_or(|it| !it.one_address_family));
        let calls = Scenario { seed, readings, backend, calls: 2, incoming, ..Scenario::new(driver()) };
        let outcome = calls.run(|_, _| {}).expect("a run");
        assert!(outcome.ok, "{readings:?}: {outcome:#?}");
        assert_eq!(outcome.calls_up, 2 + incoming, "{readings:?}");
    }
}

// covers: MiniportHaltEx, SEQ:halt-unpaused
#[test]
fn a_halt_may_come_without_a_pause() {
    lab::under(Readings { halt_unpaused: true, ..Readings::default() }, || {
        for (seed, model) in (1..).zip(Model::ALL) {
            let run = lab::run(Setup::new(seed, Card::new(model)), |lab| {
                let driver = lab.load();
                let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
                station.connected();
                // The client is asked to leave, and the session ends, while the adapter runs.
                station.adapter.halt(HaltAction::DeviceDisabled);
                assert!(station.caller.closed.get());
                driver.unload();
            });
            run.clean();
        }
    });
}
