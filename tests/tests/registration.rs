//! From `DriverEntry` to `MiniportHaltEx` without a call.

use std::rc::Rc;

use ndis_sim::{
    machine::Windows,
    ndis::{Family, HaltAction, State, client::Client, status},
    nic::Model,
};
use scenarios::{
    Caller, Card, Setup, Station,
    lab::{self, OLDEST_BUILD},
    stories,
};

// covers: DriverEntry, DriverUnload, MiniportSetOptions
// covers: CmOidRequestComplete
#[test]
fn driver_registers_and_deregisters() {
    let run = lab::run(Setup::new(1, Card::new(Model::I82574l)), |lab| {
        let driver = lab.load();
        assert!(driver.is_registered());
        assert_eq!(driver.ndis_version(), (6, 40));
        // The packages of the workspace have one version.
        let part = |text: &str| text.parse::<u8>().expect("a small number");
        let own = (part(env!("CARGO_PKG_VERSION_MAJOR")), part(env!("CARGO_PKG_VERSION_MINOR")));
        assert_eq!(driver.version(), own, "the version in the registration");
        driver.unload();
        assert!(!driver.is_registered());
    });
    run.clean();
}

// covers: DriverEntry, DriverUnload
#[test]
fn each_windows_that_the_inf_is_for_takes_the_driver() {
    for (seed, windows) in (1..).zip(Windows::since(OLDEST_BUILD)) {
        let setup = Setup { windows: Some(windows), ..Setup::new(seed, Card::new(Model::I82574l)) };
        lab::run(setup, |lab| {
            let driver = lab.load();
            let adapter = lab.adapter(&driver, 0);
            adapter.start().expect("MiniportInitializeEx succeeds");
            adapter.halt(HaltAction::DeviceDisabled);
            driver.unload();
        })
        .clean();
    }
}

// covers: DriverEntry
#[test]
fn refused_registration_leaves_nothing() {
    use ndis_sim::machine::FailPlan;
    for (call, wanted) in
        [("NdisMRegisterMiniportDriver", status::RESOURCES), ("NdisSetOptionalHandlers", status::RESOURCES)]
    {
        let setup =
            Setup { fail: Some(FailPlan::Named(call, 0)), ..Setup::new(1, Card::new(Model::I82574l)) };
        let error = lab::run(setup, |lab| lab.try_load().err()).clean();
        assert_eq!(error, Some(wanted), "{call}");
    }
}

// covers: MiniportInitializeEx, MiniportHaltEx, NdisMCmRegisterAddressFamilyEx
#[test]
fn each_card_starts_with_its_attributes_and_halts() {
    for (seed, model) in (1..).zip(Model::ALL) {
        let run = lab::run(Setup::new(seed, Card::new(model)), |lab| {
            let driver = lab.load();
            let adapter = lab.adapter(&driver, 0);
            adapter.start().expect("MiniportInitializeEx succeeds");
            assert_eq!(adapter.state(), State::Paused);
            assert!(adapter.attributes().registered() && adapter.attributes().complete());
            let families: Vec<_> =
                adapter.families().iter().map(|it| (it.family, it.major, it.minor)).collect();
            adapter.restart().expect("MiniportRestart succeeds");
            adapter.pause();
            adapter.halt(HaltAction::DeviceDisabled);
            driver.unload();
            families
        });
        assert_eq!(run.clean(), [(Family::TAPI_PROXY, 1, 0), (Family::PPP, 1, 0)], "{model}");
    }
}

// covers: MiniportInitializeEx, MiniportHaltEx
#[test]
fn a_halted_adapter_starts_again() {
    let run = lab::run(Setup::new(3, Card::new(Model::I82574l)), |lab| {
        let driver = lab.load();
        for _ in 0..3 {
            let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
            let vc = station.connected();
            station.finish(&vc);
            station.down();
        }
        driver.unload();
    });
    run.clean();
}

// covers: MiniportInterrupt, MiniportInterruptDPC
#[test]
fn line_interrupts_do_where_messages_are_not_granted() {
    let card = Card { messages: false, ..Card::new(Model::I82574l) };
    stories::calls(4, card, Family::TAPI_PROXY, 1, vec![300], 50).clean();
}

// covers: CmOpenAf, CmCloseAf, CmRegisterSap, CmDeregisterSap
#[test]
fn saps_and_opens_come_and_go() {
    for family in [Family::TAPI_PROXY, Family::PPP] {
        stories::saps(5, Card::new(Model::I82574l), family).clean();
    }
}

// covers: CmOpenAf, SEQ:several-clients
#[test]
fn both_families_are_open_at_once() {
    let run = lab::run(Setup::new(6, Card::new(Model::I82574l)), |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let second = Caller::new();
        let bound: Rc<dyn Client> = Rc::<Caller>::clone(&second);
        station.adapter.bind(&bound);
        let (af, sap) = scenarios::station::open(&station.adapter, &second, Family::PPP);
        let other = Station {
            adapter: Rc::clone(&station.adapter),
            slot: Rc::clone(&station.slot),
            tally: Rc::clone(&station.tally),
            caller: second,
            af,
            sap,
            family: Family::PPP,
        };
        let vcs = [station.connected(), other.connected()];
        assert!(scenarios::station::exchange(&vcs, &[42, 1494], 30));
        other.finish(&vcs[1]);
        other.close();
        station.finish(&vcs[0]);
        station.down();
        driver.unload();
    });
    run.clean();
}

#[test]
fn a_network_address_of_the_registry_is_used() {
    use ndis_sim::ndis::Value;
    use scenarios::wires::{Pass, gated};
    let (mut card, lever) = gated(Card::new(Model::I82545em), Pass::Everything);
    card.keywords.insert("NetworkAddress".to_owned(), Value::String("020011223344".to_owned()));
    let run = lab::run(Setup::new(7, card), |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::PPP);
        let vc = station.connected();
        assert!(scenarios::station::exchange(&[Rc::clone(&vc)], &[100], 3));
        station.finish(&vc);
        station.down();
        driver.unload();
    });
    run.clean();
    let sources: Vec<_> = lever.sent().iter().map(|frame| frame.source).collect();
    assert!(!sources.is_empty());
    assert!(sources.iter().all(|source| *source == [2, 0, 0x11, 0x22, 0x33, 0x44]), "{sources:x?}");
}
