//! `MiniportInitializeEx` on cards and with resources that are no good.

use ndis_sim::{
    ndis::{HaltAction, status},
    nic::{Fault, Model},
    pci::{BarKind, Resources},
};
use scenarios::{Card, Run, Setup, lab, on_qemu, some_of};

/// Starts a card with other resources than it has; the status. Then with the right ones, which must do.
fn misassigned(model: Model, change: impl FnOnce(&mut Resources) + Send + 'static) -> Run<i32> {
    lab::run(Setup::new(1, Card::new(model)), |lab| {
        let driver = lab.load();
        let slot = &lab.place(0).slot;
        let right = slot.resources();
        let mut wrong = right.clone();
        change(&mut wrong);
        slot.assign(wrong);
        let adapter = lab.adapter(&driver, 0);
        let status = adapter.start().expect_err("the resources are no good");
        slot.assign(right);
        let adapter = lab.adapter(&driver, 0);
        adapter.start().expect("MiniportInitializeEx succeeds");
        adapter.halt(HaltAction::DeviceDisabled);
        driver.unload();
        status
    })
}

#[test]
fn resources_that_do_not_fit_are_refused() {
    for model in Model::ALL {
        let runs = [
            ("no interrupt", misassigned(model, |it| (it.line, it.messages) = (None, Vec::new()))),
            ("no memory", misassigned(model, |it| it.bars.retain(|bar| bar.kind == BarKind::Io))),
            (
                "nothing",
                misassigned(model, |it| {
                    *it = Resources { bars: Vec::new(), line: None, messages: Vec::new() }
                }),
            ),
            ("a small window", misassigned(model, |it| it.bars.iter_mut().for_each(|bar| bar.len = 0x1000))),
            ("an almost whole window", misassigned(model, |it| it.bars[0].len -= 4)),
        ];
        for (what, run) in runs {
            assert!(run.has_step("logs error"), "{model}, {what}: no entry in the error log");
            assert_eq!(status::name(run.clean()), "RESOURCE_CONFLICT", "{model}, {what}");
        }
    }
}

#[test]
fn a_group_address_is_no_station_address() {
    for model in Model::ALL {
        let run = lab::run(Setup::new(1, Card::new(model)), |lab| {
            let driver = lab.load();
            let faults = &lab.place(0).faults;
            faults.inject(Fault::EepromGroupAddress);
            let status = lab.adapter(&driver, 0).start().expect_err("the address is a group's");
            faults.clear(Fault::EepromGroupAddress);
            let adapter = lab.adapter(&driver, 0);
            adapter.start().expect("MiniportInitializeEx succeeds");
            adapter.halt(HaltAction::DeviceDisabled);
            driver.unload();
            status
        });
        assert!(run.has_step("logs error"), "{model}: no entry in the error log");
        assert_eq!(status::name(run.clean()), "FAILURE", "{model}");
    }
}

/// Starts a card over and over that vanishes at another register access each time, until it does not vanish before the
/// end. The number of starts that failed.
fn vanishing_start(model: Model, messages: bool) -> Run<u64> {
    lab::run(Setup::new(1, Card { messages, ..Card::new(model) }), move |lab| {
        let driver = lab.load();
        let faults = &lab.place(0).faults;
        let mut failed = 0;
        for nth in some_of(0.., 10) {
            faults.vanish_after(Some(nth));
            let adapter = lab.adapter(&driver, 0);
            let started = adapter.start();
            let vanished = faults.has(Fault::Gone);
            faults.vanish_after(None);
            if started.is_ok() {
                adapter.halt(HaltAction::DeviceDisabled);
            } else {
                assert!(vanished, "access {nth}: the start fails with a card");
                failed += 1;
            }
            faults.clear(Fault::Gone);
            if !vanished {
                break;
            }
        }
        driver.unload();
        failed
    })
}

#[test]
fn a_card_that_vanishes_at_any_access_of_the_start_leaves_nothing() {
    let failed = vanishing_start(Model::I82540em, false).clean();
    assert!(failed > if on_qemu() { 30 } else { 300 }, "only {failed} starts failed");
}

#[test]
fn the_same_for_a_card_with_messages() {
    let failed = vanishing_start(Model::I82574l, true).clean();
    assert!(failed > if on_qemu() { 30 } else { 300 }, "only {failed} starts failed");
}
