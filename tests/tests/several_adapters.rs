//! Several cards under one driver.

use std::rc::Rc;

use ndis_sim::{ndis::Family, nic::Model};
use scenarios::{Card, Setup, Station, lab, seeds, station::exchange};

#[test]
fn three_different_cards_have_calls_at_once() {
    for seed in seeds(4) {
        let setup =
            Setup { cards: Model::ALL.map(Card::new).into(), ..Setup::new(seed, Card::new(Model::I82574l)) };
        let run = lab::run(setup, |lab| {
            let driver = lab.load();
            let families = [Family::TAPI_PROXY, Family::PPP, Family::TAPI_PROXY];
            let stations: Vec<_> =
                (0..3).map(|card| Station::up(lab, &driver, card, families[card])).collect();
            let vcs: Vec<_> = stations.iter().flat_map(|it| [it.connected(), it.connected()]).collect();
            for station in &stations {
                assert_eq!(station.tally.borrow().open.len(), 2, "calls go out of their own card");
            }
            assert!(exchange(&vcs, &[42, 800, 1494], 24), "frames of all cards");
            let mut calls = vcs.chunks(2);
            let mut left = stations.into_iter();
            // The first goes while the others talk on.
            let (first, gone) = (left.next().expect("three"), calls.next().expect("six"));
            for vc in gone {
                first.finish(vc);
            }
            first.down();
            assert!(exchange(&[Rc::clone(&vcs[2]), Rc::clone(&vcs[4])], &[500], 24), "the others go on");
            for (station, calls) in left.zip(calls) {
                for vc in calls {
                    station.finish(vc);
                }
                station.down();
            }
            driver.unload();
        });
        run.clean();
    }
}

#[test]
fn two_cards_of_a_kind_do_not_share_anything() {
    for model in Model::ALL {
        let setup =
            Setup { cards: vec![Card::new(model), Card::new(model)], ..Setup::new(9, Card::new(model)) };
        let run = lab::run(setup, |lab| {
            let driver = lab.load();
            let one = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
            let other = Station::up(lab, &driver, 1, Family::TAPI_PROXY);
            let vcs = [one.connected(), other.connected()];
            one.adapter.surprise_remove();
            assert!(exchange(&vcs[1..], &[300], 40), "the card that is left");
            one.finish(&vcs[0]);
            one.adapter.pause();
            one.down_as(ndis_sim::ndis::HaltAction::SurpriseRemoved);
            other.finish(&vcs[1]);
            other.down();
            driver.unload();
        });
        run.clean_but_for_sessions();
    }
}
