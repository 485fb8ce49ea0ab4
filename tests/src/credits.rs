//! Stories of calls with flow control by credits (RFC 5578).

#![expect(clippy::missing_panics_doc, reason = "every story panics when it does not go as told")]

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    machine::Machine,
    ndis::{Family, Value, status, wait_for},
    nic::Model,
    wire::{
        access_concentrator::{self, Tally},
        credits::Plan,
    },
};

use crate::{
    Card, Record, Run, Setup, Station,
    caller::PATIENCE,
    lab::{self, sleep},
    station::{exchange, frame, send},
};

/// The value of the keyword `Credits` by which the driver asks for them.
const ASK: u32 = 2;

/// A frame of ten credits, from the protocol field on, with address and control field before it or without.
pub const TEN: usize = 630;

/// A card whose driver asks for credits, and a peer that hands them out by a plan.
pub fn card(plan: &Plan) -> Card {
    let credits = Some(plan.clone());
    let peer = access_concentrator::Settings { credits, ..access_concentrator::Settings::default() };
    let mut card = Card { peer, ..Card::new(Model::I82574l) };
    card.keywords.insert("Credits".to_owned(), Value::Integer(ASK));
    card
}

/// Frames of ten credits each.
pub fn frames(count: u64) -> Vec<Vec<u8>> {
    (0..count).map(|number| frame(TEN, number)).collect()
}

/// Session frames that the peer has had, or sent back.
fn had(tally: &Tally) -> u64 {
    tally.echoed
}

/// A call whose peer grants as it should, and gets credits in its turn: everything comes back, without a second's wait.
pub fn exchanged(seed: u64) -> Run<()> {
    let mut card = card(&Plan::default());
    card.keywords.insert("*ReceiveBuffers".to_owned(), Value::Integer(64));
    lab::run(Setup::new(seed, card), |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::PPP);
        let vc = station.connected();
        let start = Machine::current().now();
        assert!(exchange(&[Rc::clone(&vc)], &[66, 1494], 400), "a frame is lost or late");
        let time = Machine::current().now().saturating_sub(start);
        assert!(
            time < Duration::from_secs(3),
            "{time:?}: somebody waits for credits for a second, and again"
        );
        sleep(Duration::from_secs(3));
        let credits = station.tally.borrow().credits;
        assert!(credits.answers > 50 && credits.stray_answers == 0, "{credits:?}");
        assert!(credits.grants >= 1, "the peer gets nothing");
        station.finish(&vc);
        station.down();
        driver.unload();
    })
}

/// A call whose peer grants two frames and no more: the others wait, for a while, and come back in time.
pub fn starved(seed: u64) -> Run<()> {
    lab::run(Setup::new(seed, card(&Plan::once(20))), |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::PPP);
        let vc = station.connected();
        let record = Record::of(&vc);
        send(&vc, &frames(10));
        sleep(Duration::from_secs(5));
        assert_eq!((had(&station.tally.borrow()), record.in_driver.get()), (2, 8));
        sleep(Duration::from_secs(35));
        assert_eq!(record.in_driver.get(), 0, "sends wait for ever");
        send(&vc, &frames(10));
        station.finish(&vc);
        let statuses = record.send_statuses.borrow();
        assert_eq!(statuses.iter().filter(|it| **it == status::REQUEST_ABORTED).count(), 10);
        station.down();
        driver.unload();
    })
}

/// A call whose peer answers no grant: it is given up.
pub fn unanswered(seed: u64) -> Run<()> {
    lab::run(Setup::new(seed, card(&Plan { answers: false, ..Plan::once(20) })), |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::PPP);
        let vc = station.connected();
        send(&vc, &frames(10));
        let record = Record::of(&vc);
        assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "it is waited for for ever");
        station.finish(&vc);
        assert_eq!(record.in_driver.get(), 0);
        station.down();
        driver.unload();
    })
}
