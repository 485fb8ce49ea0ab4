//! What surrounds the card: the bus it is on, its link to it, its ports; and a PHY that hangs.

use std::time::Duration;

use ndis_sim::{
    ndis::{
        Family, HaltAction, Readings,
        oid::{OidRequest, co_request},
        status, wait_for,
    },
    nic::{Board, Fault, Model},
    pci::BarKind,
};
use scenarios::{
    Card, Record, Run, Setup, Station,
    caller::PATIENCE,
    lab, on_qemu,
    stories::{self, SIZES},
};

use crate::common::{assert_works, on_station};

/// Every board there can be, for cards of which it matters to.
fn boards() -> impl Iterator<Item = (u64, Model, Readings)> {
    let bit = |number: u64, at: u32| number >> at & 1 != 0;
    (0..12).map(move |number| {
        let board = Board {
            pci_x: bit(number, 0),
            memory_reset: bit(number, 1),
            aspm: (number & 3) as u8,
            mask_by_eiame: bit(number, 0),
        };
        let model = Model::ALL[usize::try_from(number / 4).expect("small")];
        (number, model, Readings { board, ..Readings::default() })
    })
}

// covers: MiniportInitializeEx, MiniportHaltEx
#[test]
fn cards_work_on_every_board() {
    for (seed, model, readings) in boards() {
        lab::under(readings, || {
            stories::calls(seed, Card::new(model), Family::TAPI_PROXY, 2, SIZES.to_vec(), 20).clean();
            stories::slept(seed, Card::new(model), Family::PPP).clean();
            scenarios::hangs::brought_back(seed, Card::new(model)).clean();
        });
    }
}

/// A card whose bus grants no ports.
fn without_ports(model: Model) -> Run<Result<(), i32>> {
    lab::run(Setup::new(1, Card::new(model)), |lab| {
        let driver = lab.load();
        let slot = &lab.place(0).slot;
        let mut resources = slot.resources();
        resources.bars.retain(|bar| bar.kind == BarKind::Memory32);
        slot.assign(resources);
        let adapter = lab.adapter(&driver, 0);
        let started = adapter.start();
        if started.is_ok() {
            adapter.halt(HaltAction::DeviceDisabled);
            let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
            let vc = station.connected();
            assert_works(&vc);
            station.finish(&vc);
            station.down();
        }
        driver.unload();
        started
    })
}

// covers: MiniportInitializeEx
#[test]
fn a_card_without_ports_is_reset_through_memory_or_not_used() {
    for model in Model::ALL {
        for memory_reset in [false, true] {
            let board = Board { memory_reset, ..Board::default() };
            let run = lab::under(Readings { board, ..Readings::default() }, || without_ports(model));
            let works = memory_reset || model == Model::I82574l || on_qemu();
            assert_eq!(run.has_step("logs error"), !works, "{model}: an entry in the error log");
            assert_eq!(run.clean(), if works { Ok(()) } else { Err(status::FAILURE) }, "{model}");
        }
    }
}

#[test]
fn a_phy_that_hangs_is_found_and_reset() {
    for messages in [true, false] {
        let card = Card { messages, ..Card::new(Model::I82574l) };
        let run = on_station(1, card, |lab, station| {
            let vc = station.connected();
            assert_works(&vc);
            let faults = &lab.place(0).faults;
            faults.inject(Fault::PhyHung);
            let record = Record::of(&vc);
            assert!(
                wait_for(Duration::from_secs(10), || !faults.has(Fault::PhyHung)),
                "nobody resets the PHY"
            );
            // The link goes with it, and takes the call, unless it is back before anybody has looked.
            lab::sleep(Duration::from_secs(2));
            assert!(wait_for(PATIENCE, || station.caller.link.get() != Some(false)), "no link");
            if record.is_up() {
                assert_works(&vc);
            }
            station.finish(&vc);
            let vc = station.connected();
            assert_works(&vc);
            station.finish(&vc);
        });
        assert!(run.has_step("logs error"), "no entry in the error log");
        run.clean_but_for_sessions();
    }
}

const OID_GEN_SUPPORTED_LIST: u32 = 0x0001_0101;
/// Errors and lost frames, which the card counts.
const COUNTED: [u32; 5] = [0x0002_0103, 0x0002_0104, 0x0002_0105, 0x0002_0106, 0x0002_020d];

// covers: MiniportOidRequest, MiniportCoOidRequest
#[test]
fn requests_read_the_card_only_for_what_it_counts() {
    for model in Model::ALL {
        let run = on_station(1, Card::new(model), move |lab, station| {
            let vc = station.connected();
            // The watchdog has just looked, and nothing else goes on.
            lab::sleep(Duration::from_millis(500));
            let faults = &lab.place(0).faults;
            let list = station.adapter.oid_request(OidRequest::query(OID_GEN_SUPPORTED_LIST, 1024));
            let oids = list.data.chunks_exact(4).map(|it| u32::from_le_bytes(it.try_into().expect("four")));
            for oid in oids.filter(|oid| oid >> 16 != 0xFD01) {
                let before = faults.accesses();
                station.adapter.oid_request(OidRequest::query(oid, 1024));
                let own = faults.accesses() - before;
                assert_eq!(own != 0, COUNTED.contains(&oid), "{model}, {oid:#010x}: {own} accesses");
                let before = faults.accesses();
                let result = co_request(&station.adapter, Some(&vc), OidRequest::query(oid, 1024));
                let of_vc = faults.accesses() - before;
                let whole = oid == 0x0002_0106 && result.status == status::SUCCESS;
                assert_eq!(of_vc != 0, whole, "{model}, {oid:#010x} of a VC: {of_vc} accesses");
            }
            station.finish(&vc);
        });
        run.clean();
    }
}
