//! What fails in `MiniportInitializeEx` and later: memory, calls of NDIS, the card.

use ndis_sim::{
    machine::FailPlan,
    ndis::{Family, HaltAction, Value, status},
    nic::{Fault, Model},
};
use scenarios::{Card, Run, Setup, careful, lab, on_qemu, seeds, some_of};

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

/// The call that a run made fail, as the event log names it. Without one the run was over before that call: on QEMU's cards the number of
/// calls depends on when their frames arrive.
fn failed_call<T>(run: &Run<T>) -> String {
    let line = run.log.lines().find_map(|line| line.strip_suffix(" is made to fail"));
    let call = line.and_then(|line| line.rsplit(' ').next());
    assert!(call.is_some() || on_qemu(), "no failure was injected");
    call.unwrap_or("not reached").to_owned()
}

// covers: MiniportInitializeEx, DriverEntry, NdisMCmRegisterAddressFamilyEx
#[test]
fn each_failure_of_the_start_is_reported_and_leaves_nothing() {
    for model in Model::ALL {
        let calls = start(model, None, &[]);
        assert_eq!(calls.value, Some(Start::Went));
        assert!(calls.fallible_calls > 20, "{} fallible calls", calls.fallible_calls);
        let mut nth = 0;
        while nth < calls.fallible_calls {
            let run = start(model, Some(FailPlan::Nth(nth)), &[]);
            let call = failed_call(&run);
            let what = format!("{model}, call {nth}, {call}");
            // On QEMU's cards, each of which takes a process, some; here every call.
            nth += if on_qemu() { 37 } else { 1 };
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
                // A keyword that cannot be read has its default; memory in one piece is asked for in smaller pieces; of the
                // families only the first is indispensable.
                Start::Went => assert!(
                    matches!(
                        call.as_str(),
                        "NdisReadConfiguration" | "NdisMAllocateSharedMemory" | "not reached"
                    ) || call == "NdisMCmRegisterAddressFamilyEx" && logged,
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
        let up = careful::call(lab, &driver, family);
        driver.unload();
        up
    })
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
                careful::call(lab, &driver, Family::TAPI_PROXY);
            }
            driver.unload();
        });
        let blemishes = run.blemishes();
        assert!(blemishes.is_empty(), "seed {seed}: {blemishes:#?}");
    }
}
