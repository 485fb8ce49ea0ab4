//! Stories of cards that stop, and of what nobody reports: what the driver's watchdog is for. [`crate::set`] tells them to
//! damaged drivers.

#![expect(clippy::missing_panics_doc, reason = "every story panics when it does not go as told")]

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    ndis::{Family, HaltAction, Value, client, status, wait_for},
    nic::Fault,
};

use crate::{
    Caller, Card, Record, Run, Setup, Station,
    caller::PATIENCE,
    lab::{self, sleep},
    station::{exchange, frame, send},
    wires::{Pass, gated},
};

fn frames(count: u64) -> Vec<Vec<u8>> {
    (0..count).map(|number| frame(700, number)).collect()
}

/// The transmitter stops until the card is reset: no call is lost, and no frame.
pub fn brought_back(seed: u64, card: Card) -> Run<()> {
    lab::run(Setup::new(seed, card), |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let vc = station.connected();
        for _ in 0..2 {
            lab.place(0).faults.inject(Fault::TransmitStuckUntilReset);
            assert!(exchange(&[Rc::clone(&vc)], &[300], 20), "a frame was lost, changed or overtaken");
        }
        station.finish(&vc);
        station.down();
        driver.unload();
    })
}

/// The card stops for good, or is gone: calls end, sends come back, and NDIS is asked to remove the adapter.
pub fn given_up(seed: u64, card: Card, fault: Fault) -> Run<()> {
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let vc = station.connected();
        if fault == Fault::ResetStuck {
            // The recovery fails.
            lab.place(0).faults.inject(Fault::TransmitStuckUntilReset);
        }
        send(&vc, &frames(5));
        lab.place(0).faults.inject(fault);
        send(&vc, &frames(20));
        let record = Record::of(&vc);
        assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "no incoming close");
        assert!(wait_for(PATIENCE, || record.in_driver.get() == 0), "a send is not completed");
        assert!(wait_for(PATIENCE, || station.adapter.removal_requested()), "the adapter is not given up");
        station.finish(&vc);
        station.down();
        driver.unload();
    })
}

/// Messages of the card are lost: what it has done comes to light all the same.
pub fn lost_messages(seed: u64, card: Card) -> Run<()> {
    lab::run(Setup::new(seed, card), |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let vc = station.connected();
        let faults = &lab.place(0).faults;
        faults.inject(Fault::MessagesLost);
        send(&vc, &frames(20));
        sleep(Duration::from_millis(5));
        faults.clear(Fault::MessagesLost);
        let record = Record::of(&vc);
        let done = || record.in_driver.get() == 0 && record.is_echoed();
        assert!(wait_for(Duration::from_secs(5), done), "sends or frames are kept");
        station.finish(&vc);
        station.down();
        driver.unload();
    })
}

/// A PAUSE frame (IEEE 802.3 annex 31B) of the longest time.
fn silence() -> Vec<u8> {
    let mut frame = vec![0x01, 0x80, 0xc2, 0x00, 0x00, 0x01, 2, 0, 0, 0, 0xac, 1, 0x88, 0x08, 0x00, 0x01];
    frame.extend([0xff; 2]);
    frame.resize(60, 0);
    frame
}

/// The peer asks for silence for ever: sends come back after a while, and a close does not wait for the peer.
pub fn silenced(seed: u64, card: Card) -> Run<()> {
    let (card, lever) = gated(card, Pass::Everything);
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let vc = station.connected();
        let record = Record::of(&vc);
        lever.inject(silence());
        sleep(Duration::from_millis(5));
        send(&vc, &frames(20));
        for _ in 0..1000 {
            lever.inject(silence());
            sleep(Duration::from_millis(30));
            if record.in_driver.get() == 0 {
                break;
            }
        }
        assert_eq!(record.in_driver.get(), 0, "sends wait for the peer");
        assert_eq!(record.ended.get(), None, "a card that is held up was taken for one that hangs");
        assert!(Caller::hang_up(&vc), "the close does not end");
        assert_eq!(client::delete_vc(&vc), status::SUCCESS);
        station.down();
        driver.unload();
    })
}

/// From the start of a card to the first look of the driver's watchdog.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// The adapter is started and, after a while, halted.
fn halted_after(seed: u64, card: Card, wait: Duration) -> Run<()> {
    // With few buffers the log has room for all of the halt.
    let few = ["*TransmitBuffers", "*ReceiveBuffers"].map(|name| (name.to_owned(), Value::Integer(64)));
    let card = Card { keywords: few.into(), ..card };
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let adapter = lab.adapter(&driver, 0);
        adapter.start().expect("MiniportInitializeEx succeeds");
        sleep(wait);
        adapter.halt(HaltAction::DeviceDisabled);
        driver.unload();
    })
}

/// The adapter is halted so that its timers are freed at about the time at which the watchdog's expires.
pub fn halted_at_a_look(seed: u64, card: impl Fn() -> Card) -> Vec<Run<()>> {
    const ROUND: Duration = Duration::from_millis(500);
    const HALTS: u64 = 80;
    const STEP: Duration = Duration::from_nanos(25);
    let first = halted_after(seed, card(), ROUND);
    let moment = |what: &str| {
        let line = first.log.lines().find(|line| line.ends_with(what));
        let micros = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        Duration::from_secs_f64(micros.unwrap_or_else(|| panic!("no {what} in the log")) / 1e6)
    };
    let halt = moment("> NdisCancelTimerObject").saturating_sub(moment("MiniportHaltEx {"));
    let middle = FIRST_LOOK.saturating_sub(halt);
    let waits =
        (0..HALTS).map(|nth| (middle + STEP * u32::try_from(nth).expect("few")).saturating_sub(STEP * 40));
    waits.map(|wait| halted_after(seed, card(), wait)).collect()
}
