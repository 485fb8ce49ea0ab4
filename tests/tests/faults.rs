//! What fails in `MiniportInitializeEx` and later: memory, calls of NDIS, the card.

use std::collections::BTreeMap;

use ndis_sim::{
    machine::FailPlan,
    ndis::{Family, HaltAction, Value, status},
    nic::{Fault, Model},
};
use scenarios::{
    Card, Run, Setup, Station, blocks::Destination, caller::PATIENCE, lab, on_qemu, seeds, some_of,
    station::exchange,
};

/// A card with as few buffers as the registry may ask for: each of them is two calls that can fail.
fn small(model: Model) -> Card {
    let mut card = Card::new(model);
    for keyword in ["*TransmitBuffers", "*ReceiveBuffers"] {
        card.keywords.insert(keyword.to_owned(), Value::Integer(80));
    }
    card
}

/// What came of a start in which something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// `DriverEntry` failed.
    Entry(i32),
    /// `MiniportInitializeEx` failed.
    Failed(i32),
    /// It went well all the same.
    Went,
}

fn start(model: Model, fail: Option<FailPlan>, faults: &[Fault]) -> Run<Start> {
    let card = Card { faults: faults.to_vec(), ..small(model) };
    lab::run(Setup { fail, ..Setup::new(1, card) }, |lab| {
        let driver = match lab.try_load() {
            Ok(driver) => driver,
            Err(status) => return Start::Entry(status),
        };
        let adapter = lab.adapter(&driver, 0);
        let result = match adapter.start() {
            Ok(()) => {
                adapter.halt(HaltAction::DeviceDisabled);
                Start::Went
            }
            Err(status) => Start::Failed(status),
        };
        driver.unload();
        result
    })
}

/// The call that a run made fail, as the event log names it.
fn failed_call<T>(run: &Run<T>) -> String {
    let line = run.log.lines().find_map(|line| line.strip_suffix(" is made to fail"));
    line.and_then(|line| line.rsplit(' ').next()).expect("a failure was injected").to_owned()
}

// covers: MiniportInitializeEx, DriverEntry, NdisMCmRegisterAddressFamilyEx
#[test]
fn each_failure_of_the_start_is_reported_and_leaves_nothing() {
    for model in Model::ALL {
        let calls = start(model, None, &[]);
        assert_eq!(calls.value, Some(Start::Went));
        assert!(calls.fallible_calls > 20, "{} fallible calls", calls.fallible_calls);
        let mut seen = BTreeMap::new();
        let mut nth = 0;
        while nth < calls.fallible_calls {
            let run = start(model, Some(FailPlan::Nth(nth)), &[]);
            let call = failed_call(&run);
            let what = format!("{model}, call {nth}, {call}");
            let times = seen.entry(call.clone()).or_insert(0);
            *times += 1;
            // Of the lists and MDLs of buffer after buffer the first ones and then some, in turn.
            nth += match (on_qemu(), *times > 4 && call.starts_with("NdisAllocate")) {
                (true, _) => 37,
                (false, true) => 31,
                (false, false) => 1,
            };
            let blemishes = run.blemishes();
            assert!(blemishes.is_empty(), "{what}: {blemishes:#?}");
            let logged = run.has_step("logs error");
            match run.value.expect("an end") {
                Start::Entry(status) => assert!(status < 0, "{what}: {}", status::name(status)),
                Start::Failed(status) => {
                    assert!(logged, "{what}: no entry in the error log");
                    let wanted = match call.as_str() {
                        "NdisMGetBusData" => status::ADAPTER_NOT_FOUND,
                        _ => status::RESOURCES,
                    };
                    assert_eq!(status::name(status), status::name(wanted), "{what}");
                }
                // A keyword that cannot be read has its default; of the families only the first is indispensable.
                Start::Went => assert!(
                    call == "NdisReadConfiguration" || call == "NdisMCmRegisterAddressFamilyEx" && logged,
                    "{what}: the start succeeds without it"
                ),
            }
        }
    }
}

#[test]
fn a_broken_card_does_not_start() {
    for model in Model::ALL {
        for (fault, wanted) in [
            (Fault::EepromChecksum, status::FAILURE),
            (Fault::PhySilent, status::FAILURE),
            (Fault::ResetStuck, status::FAILURE),
        ] {
            let run = start(model, None, &[fault]);
            let logged = run.has_step("logs error 0xc000138a");
            let result = run.clean();
            assert!(logged, "{model}, {fault:?}: no entry in the error log");
            assert_eq!(result, Start::Failed(wanted), "{model}, {fault:?}");
        }
        let run = start(model, None, &[Fault::Gone]);
        assert!(matches!(run.clean(), Start::Failed(_)), "{model}: a card that is not there");
    }
}

/// A call with everything around it, in which calls of the kernel may fail.
fn call(model: Model, family: u32, fail: Option<FailPlan>) -> Run<bool> {
    lab::run(Setup { fail, ..Setup::new(1, small(model)) }, move |lab| {
        let Ok(driver) = lab.try_load() else { return false };
        let up = careful_call(lab, &driver, family);
        driver.unload();
        up
    })
}

/// Like a client that takes every refusal for an answer; whether the call came up.
fn careful_call(lab: &scenarios::Lab, driver: &std::rc::Rc<ndis_sim::ndis::Driver>, family: u32) -> bool {
    use ndis_sim::ndis::{client, wait_for};
    use scenarios::{Caller, Record};
    use std::rc::Rc;
    let adapter = lab.adapter(driver, 0);
    let caller = Caller::new();
    let bound: Rc<dyn client::Client> = Rc::<Caller>::clone(&caller);
    adapter.bind(&bound);
    if adapter.start().is_err() {
        return false;
    }
    adapter.restart().expect("MiniportRestart succeeds");
    wait_for(PATIENCE, || caller.link.get() == Some(true));
    let mut up = false;
    if let Some(&offered) = adapter.families().iter().find(|it| it.family == family) {
        let (status, af) = client::open_address_family(&adapter, offered, &bound);
        if status == status::SUCCESS {
            let (kind, sap) = scenarios::blocks::sap(family);
            let (_, sap) = client::register_sap(&af, kind, &sap);
            let (status, vc) = client::create_vc(&af);
            if status == status::SUCCESS {
                let place = lab.place(0);
                let (slot, tally) = (Rc::clone(&place.slot), Rc::clone(&place.tally));
                let station = Station {
                    adapter: Rc::clone(&adapter),
                    slot,
                    tally,
                    caller: Rc::clone(&caller),
                    af: Rc::clone(&af),
                    sap: Rc::clone(&sap),
                    family,
                };
                up = station.outcome(&vc, &Destination::default()) == status::SUCCESS;
                if up {
                    exchange(&[Rc::clone(&vc)], &[60, 600], 8);
                    assert_eq!(Record::of(&vc).in_driver.get(), 0, "a send is not completed");
                    assert!(Caller::hang_up(&vc), "the close does not end");
                }
                assert_eq!(client::delete_vc(&vc), status::SUCCESS);
            }
            if sap.is_registered() {
                assert_eq!(client::deregister_sap(&sap), status::SUCCESS);
            }
            if client::close_address_family(&af) == status::PENDING {
                assert!(wait_for(PATIENCE, || caller.closed.get()), "CmCloseAf does not end");
            }
        }
    }
    adapter.pause();
    adapter.halt(HaltAction::DeviceDisabled);
    up
}

// covers: CmMakeCall, CmCreateVc, NdisMCmActivateVc
#[test]
fn each_failure_of_a_call_leaves_nothing() {
    for (model, family) in [(Model::I82574l, Family::TAPI_PROXY), (Model::I82540em, Family::PPP)] {
        let whole = call(model, family, None);
        let (begin, end) = (start(model, None, &[]).fallible_calls, whole.fallible_calls);
        assert!(whole.clean(), "the call comes up when nothing fails");
        assert!(end > begin + 5, "{begin} to {end}");
        for nth in some_of(begin..end, 5) {
            let run = call(model, family, Some(FailPlan::Nth(nth)));
            let what = format!("{model}, call {nth}, {}", failed_call(&run));
            let blemishes = run.blemishes();
            assert!(blemishes.is_empty(), "{what}: {blemishes:#?}");
            assert!(run.value.is_some(), "{what}: no end");
        }
    }
}

#[test]
fn random_failures_leave_nothing() {
    for seed in seeds(40) {
        let card = small(Model::ALL[usize::try_from(seed % 3).expect("small")]);
        let setup = Setup { fail: Some(FailPlan::Random(1, 200)), ..Setup::new(seed, card) };
        let run = lab::run(setup, |lab| {
            let Ok(driver) = lab.try_load() else { return };
            for _ in 0..2 {
                careful_call(lab, &driver, Family::TAPI_PROXY);
            }
            driver.unload();
        });
        let blemishes = run.blemishes();
        assert!(blemishes.is_empty(), "seed {seed}: {blemishes:#?}");
    }
}
