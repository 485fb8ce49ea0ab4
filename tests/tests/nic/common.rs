//! A station with calls, and what is asked of it again and again.

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    ndis::{Family, Value, Vc, status},
    nic::Model,
    wire::{
        access_concentrator::Settings,
        frame::{Frame, SESSION, code},
    },
};
use scenarios::{
    Card, Lab, Record, Run, Setup, Station,
    lab::{self, sleep},
    station::{exchange, frame, send, settle},
    wires::{Lever, Pass, gated},
};

/// Runs `script` on a station that is up, with a client of the TAPI family, and takes it down.
pub(crate) fn on_station<T: Send + 'static>(
    seed: u64,
    card: Card,
    script: impl FnOnce(&Lab, &Station) -> T + Send + 'static,
) -> Run<T> {
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let value = script(lab, &station);
        station.down();
        driver.unload();
        value
    })
}

/// A card with a keyword in its registry key.
pub(crate) fn with(mut card: Card, keyword: &str, value: Value) -> Card {
    card.keywords.insert(keyword.to_owned(), value);
    card
}

/// A card with a number in its registry key.
pub(crate) fn with_number(card: Card, keyword: &str, value: u32) -> Card {
    with(card, keyword, Value::Integer(value))
}

/// A card, and a view of what it sends.
pub(crate) fn watched(model: Model) -> (Card, Lever) {
    gated(Card::new(model), Pass::Everything)
}

/// Frames of distinct contents.
pub(crate) fn some(size: usize, numbers: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    numbers.map(|number| frame(size, number)).collect()
}

/// Forgets what was sent and received.
pub(crate) fn forget(vc: &Vc) {
    let record = Record::of(vc);
    record.sent.borrow_mut().clear();
    record.received.borrow_mut().clear();
    record.send_statuses.borrow_mut().clear();
}

/// Sends frames, and waits until nothing more comes back.
pub(crate) fn echo(vc: &Rc<Vc>, frames: &[Vec<u8>]) {
    send(vc, frames);
    settle(&[Rc::clone(vc)]);
    sleep(Duration::from_millis(1));
}

/// Every frame that came back had been sent; it may have come twice.
pub(crate) fn is_intact(vc: &Vc) -> bool {
    let record = Record::of(vc);
    let sent = record.sent.borrow();
    record.received.borrow().iter().all(|frame| sent.contains(frame))
}

/// The numbers among `frames` of those that did not come back.
pub(crate) fn missing(vc: &Vc, frames: &[Vec<u8>]) -> Vec<usize> {
    let record = Record::of(vc);
    let received = record.received.borrow();
    (0..frames.len()).filter(|&at| !received.contains(&frames[at])).collect()
}

/// A call that is up and works.
pub(crate) fn assert_works(vc: &Rc<Vc>) {
    forget(vc);
    let record = Record::of(vc);
    assert!(record.is_up(), "the call ended: {:?}", record.ended.get().map(status::name));
    assert!(exchange(&[Rc::clone(vc)], &[64, 1400], 10), "a frame was lost, changed or overtaken");
}

/// How the sends on a VC ended: how often each status.
pub(crate) fn ends(vc: &Vc) -> Vec<(String, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    for &status in Record::of(vc).send_statuses.borrow().iter() {
        *counts.entry(status::name(status)).or_default() += 1;
    }
    counts.into_iter().collect()
}

/// A session frame as the peer sends it to whoever sent `like`.
pub(crate) fn from_peer(like: &Frame, session: u16, payload: &[u8]) -> Vec<u8> {
    let (destination, source) = (like.source, Settings::default().mac);
    let frame = Frame {
        destination,
        source,
        ethertype: SESSION,
        code: code::DATA,
        session,
        payload: payload.to_vec(),
    };
    frame.to_bytes()
}
