//! Calls from the dial tone to the hang-up.

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    machine::Machine,
    ndis::{Frames, Vc, client, status, wait_for},
    wire::impair::Plan,
};

use crate::{
    Caller, Card, Record, Run, Setup, Station,
    blocks::Destination,
    caller::{HDLC, PATIENCE},
    lab::{self, sleep, sleep_below},
    station::{exchange, frame, send, settle},
};

/// `calls` calls at once, `count` frames of each size both ways on each, then all is taken down in good order.
pub fn calls(seed: u64, card: Card, family: u32, calls: usize, sizes: Vec<usize>, count: u64) -> Run<()> {
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, family);
        let vcs: Vec<_> = (0..calls).map(|_| station.vc()).collect();
        let records: Vec<_> = vcs.iter().map(|vc| station.dial(vc, &Destination::default())).collect();
        wait_for(PATIENCE, || records.iter().all(|record| record.made.get().is_some()));
        for record in &records {
            assert_eq!(record.made.get(), Some(status::SUCCESS), "a call failed");
        }
        assert_eq!(station.tally.borrow().open.len(), calls, "sessions at the peer");
        assert!(exchange(&vcs, &sizes, count), "a frame was lost, changed or overtaken");
        for vc in &vcs {
            station.finish(vc);
        }
        station.down();
        driver.unload();
    })
}

/// A VC is used for three calls, of which the second fails; then another VC for one more.
pub fn vc_used_again(seed: u64, card: Card, family: u32) -> Run<()> {
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, family);
        let vc = station.connected();
        for round in 0..3 {
            assert!(exchange(&[Rc::clone(&vc)], &[100, 1000], 5), "round {round}");
            assert!(Caller::hang_up(&vc));
            if round == 2 {
                break;
            }
            let nobody = Destination { service: "no such service".to_owned(), ..Destination::default() };
            let status = station.outcome(&vc, &nobody);
            assert_eq!(status, status::TAPI_DISCONNECTMODE_NOANSWER, "{}", status::name(status));
            assert_eq!(station.outcome(&vc, &Destination::default()), status::SUCCESS);
        }
        assert_eq!(client::delete_vc(&vc), status::SUCCESS);
        let vc = station.connected();
        assert!(exchange(&[Rc::clone(&vc)], &[64], 5));
        station.finish(&vc);
        station.down();
        driver.unload();
    })
}

/// The client closes the call while frames are under way both ways and while it keeps frames that it received.
pub fn closed_under_way(seed: u64, card: Card, family: u32) -> Run<()> {
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, family);
        let vc = station.connected();
        station.caller.hold.set(true);
        let frames: Vec<_> = (0..48).map(|number| frame(600, number)).collect();
        send(&vc, &frames[..16]);
        settle(&[Rc::clone(&vc)]);
        let record = Record::of(&vc);
        assert_eq!(record.held.borrow().len(), 16, "frames kept by the client");
        send(&vc, &frames[16..]);
        if client::close_call(&vc) == status::SUCCESS {
            record.closed.set(true);
        }
        sleep(Duration::from_millis(5));
        assert!(!record.closed.get(), "closed while the client holds frames of the call");
        station.caller.hold.set(false);
        Caller::let_go(&vc);
        assert!(wait_for(PATIENCE, || record.closed.get()), "the close does not end");
        assert_eq!(record.in_driver.get(), 0, "sends not completed");
        assert_eq!(client::delete_vc(&vc), status::SUCCESS);
        station.down();
        driver.unload();
    })
}

/// More frames than a transmit ring holds by default, so that some have to wait.
const COUNT: usize = 600;

/// Sends are cancelled by their id: all end, and none of another id with `SEND_ABORTED`.
pub fn cancelled_sends(seed: u64, card: Card, family: u32) -> Run<()> {
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, family);
        let vc = station.connected();
        let record = Record::of(&vc);
        for cancel_id in [0x11, 0x22] {
            let framed = (0..COUNT as u64).map(|number| [&HDLC[..], &frame(200, number)].concat());
            let mut lists = Frames::singles(framed.collect::<Vec<_>>());
            lists.cancel_id = cancel_id;
            record.in_driver.set(record.in_driver.get() + COUNT);
            client::send(&vc, &lists);
        }
        client::cancel_sends(&station.adapter, 0x22);
        assert!(wait_for(PATIENCE, || record.in_driver.get() == 0), "sends do not end");
        let statuses = record.send_statuses.borrow().clone();
        let aborted = statuses.iter().filter(|&&it| it == status::SEND_ABORTED).count();
        let sent = statuses.iter().filter(|&&it| it == status::SUCCESS).count();
        assert_eq!(aborted + sent, 2 * COUNT, "another status");
        assert!((1..=COUNT).contains(&aborted), "{aborted} of {COUNT} cancelled");
        station.finish(&vc);
        station.down();
        driver.unload();
    })
}

/// Four calls over a cable that loses, repeats and delays discovery frames, each with traffic, each closed by its
/// client at a random moment.
pub fn hostile(seed: u64, card: Card, family: u32) -> Run<()> {
    lab::run(Setup::new(seed, Card { cable: Some(Plan::hostile()), ..card }), move |lab| {
        let driver = lab.load();
        let station = Rc::new(Station::up(lab, &driver, 0, family));
        let machine = Machine::current();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let station = Rc::clone(&station);
                machine.spawn("call", move || random_call(&station))
            })
            .collect();
        while !threads.iter().all(|&thread| machine.finished(thread)) {
            sleep(Duration::from_millis(5));
        }
        let station = Rc::into_inner(station).expect("the threads have ended");
        station.down();
        driver.unload();
    })
}

/// One call of [`hostile`]: an assertion here ends the run.
fn random_call(station: &Station) {
    let machine = Machine::current();
    let vc: Rc<Vc> = station.vc();
    let record = station.dial(&vc, &Destination::default());
    let moment = Duration::from_micros(machine.below(400_000));
    wait_for(moment, || record.made.get().is_some());
    for number in 0..machine.below(40) {
        if !record.is_up() {
            break;
        }
        send(&vc, &[frame(42 + usize::try_from(machine.below(1453)).unwrap_or(0), number)]);
        sleep_below(300);
    }
    sleep_below(1_000);
    let failed = record.made.get().is_some_and(|status| status != status::SUCCESS);
    if !failed {
        assert!(Caller::hang_up(&vc), "the close does not end");
    }
    assert!(record.made.get().is_some(), "the call has no end");
    assert_eq!(record.in_driver.get(), 0, "a send is not completed");
    assert_eq!(record.strangers(), 0, "frames that nobody sent");
    assert_eq!(client::delete_vc(&vc), status::SUCCESS);
}
