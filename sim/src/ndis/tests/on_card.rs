//! The driver on a card: what it may obtain, when, and how it gives it back.

use super::trips::trips;
use super::{Bench, SECOND, hardware, mini, run};
use crate::machine::Machine;
use crate::ndis::{Frames, Limits, Readings, set_readings, status, wait_for};
use crate::nic::Model;

trips! {
    resources(life_on_a_card) {
        "no bus master" => "CO-020",
        "shared memory when running" => "CO-021",
        "interrupt when running" => "CO-022",
        "no line DPC" => "CO-032",
        "interrupt before attributes" => "CO-033",
        "frees another length" => "CO-281",
        "keeps the registers" => "CO-283",
        "unmaps twice" => "CO-283",
        "keeps the ports" => "CO-284",
        "past the configuration space" => "CO-291",
        "maps when running" => "SDV.NdisMMapIoSpace",
        "ports when running" => "SDV.NdisMRegisterIoPortRange",
        "frees in shutdown" => "SDV.NdisMFreeSharedMemory",
    }
    interrupts(life_on_a_card) {
        "endless DPC" => "CO-280",
        "ISR tells nothing" => "CO-296",
        "keeps the interrupt" => "SDV.Init_DeRegisterInterrupt",
        "fails with the interrupt" => "SDV.Init_RegisterInterrupt",
        "synchronizes after the end" => "SDV.NdisMDeregisterInterruptEx",
    }
    scatter_gather(life_on_a_card) {
        "frees a list twice" => "DV.E6.0x06",
        "keeps shared memory" => "DV.E6.0x07",
        "ends DMA first" => "CO-282",
        "keeps a list" => "DV.E6.0x0A",
        "memory that is not locked" => "DV.E6.0x0E",
        "frees a list after the end" => "DV.E6.0x18",
        "list in little space" => "DV.E6.0x24",
        "fails with DMA" => "SDV.Init_RegisterSG",
    }
    limited(flood_with_limits) {
        "indicates above the limit" => "CO-232",
        "unmasks and leaves frames" => "CO-342",
        "unmasks before the next DPC" => "CO-342",
        "receives by another message" => "CO-343",
    }
    unlimited(flood_without_limits) {
        "leaves frames without a limit" => "CO-341",
    }
    late(sends_after_a_while) {
        "notices what was sent by and by" => "CO-344",
    }
    power(sleep_and_wake) {
        "refuses power" => "NV.NdisOidComplete",
    }
}

fn life_on(model: Model, messages: bool) {
    let Some(bench) = Bench::start_on(Some(model), messages) else { return };
    hardware::interrupt();
    hardware::map_frame();
    if mini::deviates("frees in shutdown") {
        bench.adapter.shut_down();
    }
    bench.stop();
}

fn life_on_a_card() {
    life_on(Model::I82540em, false);
}

fn flood_with_limits() {
    flood(Readings { receive_limits: Limits::Always, ..Readings::default() });
}

fn flood_without_limits() {
    flood(Readings { receive_limits: Limits::Never, ..Readings::default() });
}

/// More frames arrive than most limits allow a DPC.
fn flood(readings: Readings) {
    set_readings(readings);
    let bench = Bench::start_on(Some(Model::I82574l), true).expect("a start");
    let af = bench.open();
    let vc = bench.connect(&af).expect("a call");
    hardware::flood(400);
    assert!(wait_for(SECOND, hardware::is_drained), "all is indicated");
    bench.disconnect(&vc);
    bench.close(&af);
    bench.stop();
}

/// The card has sent a frame; the driver completes a send at once, or after a while.
fn sends_after_a_while() {
    let bench = Bench::start_on(Some(Model::I82540em), false).expect("a start");
    let af = bench.open();
    let vc = bench.connect(&af).expect("a call");
    let machine = Machine::current();
    let slot = bench.adapter.slot().expect("a card");
    slot.deed(|deeds| {
        deeds.sent(machine.now());
        Some(())
    });
    if mini::deviates("notices what was sent by and by") {
        machine.sleep(SECOND);
    }
    bench.send(&vc, &Frames::singles([vec![1; 60]]));
    bench.disconnect(&vc);
    bench.close(&af);
    bench.stop();
}

fn sleep_and_wake() {
    let bench = Bench::start_on(Some(Model::I82574l), true).expect("a start");
    bench.adapter.pause();
    bench.adapter.set_power(4);
    bench.adapter.set_power(1);
    bench.adapter.restart().expect("a restart");
    bench.stop();
}

#[test]
fn a_life_on_any_card_leaves_no_finding() {
    for model in Model::ALL {
        for messages in [false, true] {
            for seed in 0..10 {
                let outcome = run(seed, "", seed % 2 == 0, move || life_on(model, messages));
                assert_eq!(outcome.findings, [], "{model}, seed {seed}");
                assert_eq!(outcome.stuck, None, "{model}, seed {seed}");
            }
        }
    }
}

#[test]
fn a_shutdown_does_nothing_else() {
    let outcome = run(1, "", false, || {
        let bench = Bench::start_on(Some(Model::I82545em), false).expect("a start");
        bench.adapter.shut_down();
        assert_eq!(bench.adapter.set_power(1), status::SUCCESS);
        bench.stop();
    });
    assert_eq!(outcome.findings, []);
}
