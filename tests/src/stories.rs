//! Stories that tests tell with their own cards, seeds and families, and that [`crate::set`] tells to damaged drivers.
//!
//! Each asserts what it is about and returns its run, so that the caller judges findings and leftovers.

#![expect(clippy::missing_panics_doc, reason = "every story panics when it does not go as told")]

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    machine::Machine,
    ndis::{
        Family, Frames, HaltAction, Vc,
        client::{self, Client},
        status::{self, Status},
        wait_for,
    },
    wire::{
        access_concentrator::{self, HangUp, Mode},
        frame::{BROADCAST, DISCOVERY, Frame, code},
        impair::Plan,
    },
};

use crate::{
    Caller, Card, Record, Run, Setup, Station,
    blocks::Destination,
    caller::{HDLC, PATIENCE},
    lab::{self, sleep, sleep_below},
    station::{exchange, frame, open, send, settle},
    wires::{Gate, Lever, Pass},
};

/// Sizes of frames, from the PPP protocol field on: the smallest, around Ethernet's minimum, the largest.
pub const SIZES: [usize; 7] = [42, 43, 60, 64, 511, 1493, 1494];

/// Sooner than the driver's watchdog looks, which makes up for much, but late.
const AT_ONCE: Duration = Duration::from_millis(50);

/// `NdisDeviceStateD0` and `NdisDeviceStateD3`.
const D0: u32 = 1;
const D3: u32 = 4;

/// A card whose peer refuses as `mode` says.
fn peer(card: Card, mode: Mode) -> Card {
    Card { peer: access_concentrator::Settings { mode, ..card.peer }, ..card }
}

/// A card behind a gate.
pub(crate) fn gated(card: Card, pass: Pass) -> (Card, Lever) {
    let lever = Lever::new(pass);
    let other = lever.clone();
    (card.wrapped(move |wire| Box::new(Gate::new(wire, other))), lever)
}

/// Somebody else's PADI, which every card on the segment receives.
pub(crate) fn strange_padi() -> Vec<u8> {
    let source = [2, 0, 0, 0, 0, 0x77];
    let payload = vec![0x01, 0x01, 0, 0];
    Frame { destination: BROADCAST, source, ethertype: DISCOVERY, code: code::PADI, session: 0, payload }
        .to_bytes()
}

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

/// A call that the peer refuses; how it ended.
pub fn refused(seed: u64, card: Card, family: u32, mode: Mode) -> Run<Status> {
    lab::run(Setup::new(seed, peer(card, mode)), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, family);
        let vc = station.vc();
        let status = station.outcome(&vc, &Destination::default());
        assert_eq!(client::delete_vc(&vc), status::SUCCESS);
        station.down();
        driver.unload();
        status
    })
}

/// The client closes a call that has come as far as `pass` lets it; `after` more, in microseconds, by the seed. Then
/// the gate opens, and whatever comes late must do no harm. How the call ended.
pub fn cancelled(seed: u64, card: Card, family: u32, pass: Pass, after: u64) -> Run<Status> {
    let (card, lever) = gated(card, pass);
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, family);
        let vc = station.vc();
        let record = station.dial(&vc, &Destination::default());
        let wanted = if pass == Pass::Nothing { code::PADI } else { code::PADR };
        for _ in 0..2000 {
            if lever.count(wanted) != 0 {
                break;
            }
            sleep(Duration::from_micros(100));
        }
        assert_ne!(lever.count(wanted), 0, "discovery does not get there");
        sleep_below(after.max(1));
        assert!(Caller::hang_up(&vc), "the close does not end");
        assert!(record.made.get().is_some(), "the call must end before its close does");
        assert_eq!(client::delete_vc(&vc), status::SUCCESS);
        let sent = || lever.count(code::PADI) + lever.count(code::PADR);
        let before = sent();
        lever.set(Pass::Everything);
        sleep(Duration::from_secs(40));
        assert_eq!(sent(), before, "discovery goes on without a call");
        station.down();
        driver.unload();
        record.made.get().expect("just looked at")
    })
}

/// The client closes a call while its PADS is on the way: the session that nobody wants gets a PADT.
pub fn cancelled_before_confirmation(seed: u64, card: Card, family: u32) -> Run<()> {
    let peer = access_concentrator::Settings { latency: Duration::from_millis(20), ..card.peer.clone() };
    let (card, lever) = gated(Card { peer, ..card }, Pass::Everything);
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, family);
        let vc = station.vc();
        station.dial(&vc, &Destination::default());
        while lever.count(code::PADR) == 0 {
            sleep(Duration::from_millis(1));
        }
        assert!(Caller::hang_up(&vc), "the close does not end");
        assert_eq!(client::delete_vc(&vc), status::SUCCESS);
        sleep(Duration::from_secs(1));
        assert_eq!(station.tally.borrow().opened, 1, "the peer has confirmed");
        station.down();
        driver.unload();
    })
}

/// The peer ends the call with a PADT, between `after` and `before` its PADS. Traffic flows meanwhile.
pub fn ended_by_peer(seed: u64, card: Card, family: u32, hang_up: HangUp, at_once: bool) -> Run<()> {
    let peer = access_concentrator::Settings { hang_up: Some(hang_up), ..card.peer.clone() };
    lab::run(Setup::new(seed, Card { peer, ..card }), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, family);
        station.caller.close_at_once.set(at_once);
        let vc = station.vc();
        let status = station.outcome(&vc, &Destination::default());
        let record = Record::of(&vc);
        if status == status::SUCCESS {
            let mut number = 0;
            while record.is_up() && number < 10_000 {
                send(&vc, &[frame(100, number), frame(700, number)]);
                number += 1;
                wait_for(Duration::from_millis(1), || !record.is_up());
            }
            assert_eq!(record.ended.get(), Some(status::TAPI_DISCONNECTMODE_NORMAL), "an incoming close");
            if at_once {
                assert!(wait_for(PATIENCE, || record.closed.get()), "the close does not end");
            } else {
                assert!(Caller::hang_up(&vc), "the close does not end");
            }
        } else {
            assert_eq!(status, status::TAPI_DISCONNECTMODE_NORMAL);
        }
        assert_eq!(record.strangers(), 0, "frames that nobody sent");
        assert_eq!(client::delete_vc(&vc), status::SUCCESS);
        assert_eq!(station.tally.borrow().closed_by_us, 1);
        station.down();
        driver.unload();
    })
}

/// The cable is pulled while a call is being made (`connected` false) or up. How the call, or its end, was reported.
pub fn link_lost(seed: u64, card: Card, family: u32, connected: bool) -> Run<Status> {
    let pass = if connected { Pass::Everything } else { Pass::Offers };
    let (card, _lever) = gated(card, pass);
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, family);
        let vc = station.vc();
        let record = station.dial(&vc, &Destination::default());
        let status = if connected {
            wait_for(PATIENCE, || record.made.get().is_some());
            assert!(record.is_up());
            send(&vc, &[frame(100, 1), frame(100, 2)]);
            station.slot.set_link(false);
            assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "no incoming close");
            assert!(wait_for(AT_ONCE, || record.in_driver.get() == 0), "sends wait for a link that is down");
            assert!(Caller::hang_up(&vc), "the close does not end");
            record.ended.get()
        } else {
            sleep_below(2_000);
            station.slot.set_link(false);
            assert!(wait_for(PATIENCE, || record.made.get().is_some()), "the call does not end");
            record.made.get()
        };
        assert!(wait_for(PATIENCE, || station.caller.link.get() == Some(false)), "no indication");
        // Without a link a call fails at once.
        let again = station.outcome(&vc, &Destination::default());
        assert_eq!(again, status::TAPI_DISCONNECTMODE_UNREACHABLE, "{}", status::name(again));
        assert_eq!(client::delete_vc(&vc), status::SUCCESS);
        station.slot.set_link(true);
        assert!(wait_for(PATIENCE, || station.caller.link.get() == Some(true)), "no indication");
        station.down();
        driver.unload();
        status.expect("just waited for")
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

/// Pause and restart, with calls up and frames under way both ways.
pub fn paused(seed: u64, card: Card, family: u32) -> Run<()> {
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, family);
        let vcs = [station.connected(), station.connected()];
        for round in 0..3 {
            for vc in &vcs {
                let frames: Vec<_> = (0..32).map(|number| frame(900, round << 32 | number)).collect();
                send(vc, &frames);
            }
            sleep_below(2_000);
            station.adapter.pause();
            let busy = vcs.iter().any(|vc| Record::of(vc).in_driver.get() != 0);
            assert!(!busy, "paused with sends in the driver");
            // A protocol that has not heard of the pause yet.
            for vc in &vcs {
                send(vc, &[frame(60, round)]);
                let statuses = Record::of(vc).send_statuses.borrow().clone();
                assert_eq!(statuses.last(), Some(&status::PAUSED), "a send while paused");
            }
            sleep(Duration::from_millis(5));
            station.adapter.restart().expect("MiniportRestart succeeds");
        }
        for vc in &vcs {
            assert_eq!(Record::of(vc).strangers(), 0);
            // What the pause cost is known; from here on nothing may be missing.
            Record::of(vc).sent.borrow_mut().clear();
            Record::of(vc).received.borrow_mut().clear();
        }
        assert!(exchange(&vcs, &[300], 20), "calls survive a pause");
        for vc in &vcs {
            station.finish(vc);
        }
        station.down();
        driver.unload();
    })
}

/// The client keeps frames while the adapter pauses: the pause waits for them.
pub fn paused_with_frames_out(seed: u64, card: Card, family: u32) -> Run<()> {
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, family);
        let vc = station.connected();
        station.caller.hold.set(true);
        send(&vc, &(0..8).map(|number| frame(300, number)).collect::<Vec<_>>());
        settle(&[Rc::clone(&vc)]);
        assert_eq!(Record::of(&vc).held.borrow().len(), 8);
        let (machine, other) = (Machine::current(), Rc::clone(&vc));
        let before = machine.now();
        Machine::current().spawn("slow client", move || {
            sleep(Duration::from_millis(30));
            Caller::let_go(&other);
        });
        station.adapter.pause();
        assert!(machine.now() >= before + Duration::from_millis(30), "paused with frames at the client");
        station.caller.hold.set(false);
        station.adapter.restart().expect("MiniportRestart succeeds");
        station.finish(&vc);
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

/// Sleep and wake with a call up: the call ends, and a new one works afterwards.
pub fn slept(seed: u64, card: Card, family: u32) -> Run<()> {
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, family);
        for _ in 0..2 {
            let vc = station.connected();
            assert!(exchange(&[Rc::clone(&vc)], &[200], 10));
            station.adapter.pause();
            assert_eq!(station.adapter.set_power(D3), status::SUCCESS, "to D3");
            let record = Record::of(&vc);
            assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "no incoming close");
            assert_eq!(record.ended.get(), Some(status::TAPI_DISCONNECTMODE_UNAVAIL));
            station.finish(&vc);
            sleep(Duration::from_secs(3));
            assert!(station.tally.borrow().open.is_empty(), "no PADT before sleep");
            assert_eq!(station.adapter.set_power(D0), status::SUCCESS, "to D0");
            station.adapter.restart().expect("MiniportRestart succeeds");
            sleep(Duration::from_secs(10));
        }
        let vc = station.connected();
        assert!(exchange(&[Rc::clone(&vc)], &[200], 10), "frames after sleep");
        station.finish(&vc);
        station.down();
        driver.unload();
    })
}

/// The card is pulled out at a random moment of call set-up, traffic and close.
pub fn pulled_out(seed: u64, card: Card, family: u32) -> Run<()> {
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, family);
        let up = station.connected();
        let vcs = [up, station.vc(), station.vc()];
        for vc in &vcs[1..] {
            station.dial(vc, &Destination::default());
        }
        let machine = Machine::current();
        let talking = Rc::clone(&vcs[0]);
        let talker = machine.spawn("talker", move || {
            for number in 0..30 {
                if !Record::of(&talking).is_up() {
                    break;
                }
                send(&talking, &[frame(500, number)]);
                sleep_below(100);
            }
        });
        sleep_below(2_500);
        station.adapter.surprise_remove();
        while !machine.finished(talker) {
            sleep(Duration::from_millis(1));
        }
        let busy = Record::of(&vcs[0]);
        assert!(wait_for(AT_ONCE, || busy.in_driver.get() == 0), "sends wait for a card that is gone");
        for vc in &vcs {
            let record = Record::of(vc);
            assert!(wait_for(PATIENCE, || record.made.get().is_some()), "a call does not end");
            if record.made.get() == Some(status::SUCCESS) {
                assert!(wait_for(PATIENCE, || record.ended.get().is_some()), "no incoming close");
                assert!(Caller::hang_up(vc), "a close does not end");
            }
            assert_eq!(record.in_driver.get(), 0, "a send is not completed");
            assert_eq!(client::delete_vc(vc), status::SUCCESS);
        }
        station.adapter.pause();
        station.down_as(HaltAction::SurpriseRemoved);
        driver.unload();
    })
}

/// The adapter is halted with calls up and address families open: the driver asks the clients to leave.
pub fn halted_while_open(seed: u64, card: Card) -> Run<()> {
    let (card, lever) = gated(card, Pass::Everything);
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let second = Caller::new();
        let bound: Rc<dyn Client> = Rc::<Caller>::clone(&second);
        station.adapter.bind(&bound);
        open(&station.adapter, &second, Family::PPP);
        let vc = station.connected();
        send(&vc, &[frame(500, 1), frame(500, 2)]);
        station.adapter.pause();
        station.adapter.halt(HaltAction::DeviceDisabled);
        assert!(station.caller.asked_to_leave.get() && second.asked_to_leave.get(), "clients were not asked");
        assert!(station.caller.closed.get() && second.closed.get(), "a family is open");
        // A card that was not stopped would still receive.
        lever.inject(strange_padi());
        sleep(Duration::from_millis(20));
        driver.unload();
    })
}

/// SAPs are registered, conflict, and can be registered again when they are gone; opens come and go.
pub fn saps(seed: u64, card: Card, family: u32) -> Run<()> {
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, family);
        let (kind, sap) = crate::blocks::sap(family);
        let (status, _) = client::register_sap(&station.af, kind, &sap);
        assert_eq!(status, status::SAP_IN_USE, "the same SAP twice: {}", status::name(status));
        assert_eq!(client::deregister_sap(&station.sap), status::SUCCESS);
        for _ in 0..3 {
            let (status, sap) = client::register_sap(&station.af, kind, &sap);
            assert_eq!(status, status::SUCCESS, "a SAP after its deregistration");
            assert_eq!(client::deregister_sap(&sap), status::SUCCESS);
        }
        // A close of a family that waits for a VC.
        let vc = station.vc();
        assert_eq!(client::close_address_family(&station.af), status::PENDING, "a VC exists");
        assert_eq!(client::delete_vc(&vc), status::SUCCESS);
        assert!(wait_for(PATIENCE, || station.caller.closed.get()), "CmCloseAf does not end");
        let (af, sap) = open(&station.adapter, &station.caller, family);
        let again = Station { af, sap, ..station };
        let vc = again.connected();
        again.finish(&vc);
        again.down();
        driver.unload();
    })
}

/// The system shuts down with a call up: afterwards the card is silent.
pub fn shut_down(seed: u64, card: Card) -> Run<()> {
    let (card, lever) = gated(card, Pass::Everything);
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
        let vc = station.connected();
        assert!(exchange(&[Rc::clone(&vc)], &[200], 10));
        station.adapter.shut_down();
        let received = Record::of(&vc).received.borrow().len();
        // A frame of the session, as the peer would send it: nothing may come of it.
        let echo = lever.sent().into_iter().rev().find(|frame| frame.code == code::DATA).expect("data");
        let back = Frame { destination: echo.source, source: echo.destination, ..echo };
        lever.inject(back.to_bytes());
        sleep(Duration::from_millis(50));
        assert_eq!(Record::of(&vc).received.borrow().len(), received, "a frame after MiniportShutdownEx");
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
