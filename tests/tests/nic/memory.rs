//! Memory that the card reaches is scarce in one piece.

use ndis_sim::{
    ndis::{Contiguity, Family, HaltAction, Readings, set_readings, status},
    nic::Model,
};
use scenarios::{
    Card, Setup, Station, lab,
    stories::{self, SIZES},
};

use crate::common::{assert_works, with_number};

fn readings(memory: Contiguity) -> Readings {
    Readings { memory, ..Readings::default() }
}

/// A card with as many buffers as there can be.
fn large(model: Model) -> Card {
    with_number(with_number(Card::new(model), "*TransmitBuffers", 2048), "*ReceiveBuffers", 2048)
}

// covers: MiniportInitializeEx
#[test]
fn cards_work_with_memory_in_pieces() {
    let pieces = [
        Contiguity::Never(0x1000),
        Contiguity::Never(0x800),
        Contiguity::Seldom(0x1000),
        Contiguity::Never(0x2_0000),
    ];
    for (seed, memory) in (0..).zip(pieces) {
        for model in Model::ALL {
            lab::under(readings(memory), || {
                // More frames than the smallest ring has descriptors.
                let family = Family::TAPI_PROXY;
                stories::calls(seed, large(model), family, 2, SIZES.to_vec(), 150).clean();
                stories::calls(seed, Card::new(model), family, 1, SIZES.to_vec(), 20).clean();
                scenarios::hangs::brought_back(seed, Card::new(model)).clean();
            });
        }
    }
}

// covers: MiniportInitializeEx, MiniportHaltEx
#[test]
fn a_card_starts_again_on_a_machine_that_has_run_for_long() {
    for model in Model::ALL {
        let run = lab::run(Setup::new(1, large(model)), |lab| {
            let driver = lab.load();
            for memory in [Contiguity::Whole, Contiguity::Never(0x1000)] {
                set_readings(readings(memory));
                let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
                let vc = station.connected();
                assert_works(&vc);
                station.finish(&vc);
                station.down_as(HaltAction::DeviceDisabled);
            }
            driver.unload();
        });
        run.clean();
    }
}

// covers: MiniportInitializeEx
#[test]
fn without_any_memory_a_card_does_not_start() {
    for model in Model::ALL {
        // Enough for the descriptors, and for no buffer.
        for most in [0, 0x400] {
            let run = lab::run(Setup::new(1, Card::new(model)), move |lab| {
                let driver = lab.load();
                set_readings(readings(Contiguity::Never(most)));
                let status = lab.adapter(&driver, 0).start().expect_err("there is no memory");
                driver.unload();
                status
            });
            assert!(run.has_step("logs error"), "{model}: no entry in the error log");
            assert_eq!(run.clean(), status::RESOURCES, "{model}");
        }
    }
}
