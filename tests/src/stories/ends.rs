//! Calls that do not come up, or do not last.

use std::time::Duration;

use ndis_sim::{
    ndis::{
        client,
        status::{self, Status},
        wait_for,
    },
    wire::{
        access_concentrator::{self, HangUp, Mode},
        frame::code,
    },
};

use super::{AT_ONCE, peer};
use crate::{
    Caller, Card, Record, Run, Setup, Station,
    blocks::{self, Destination},
    caller::PATIENCE,
    lab::{self, sleep, sleep_below},
    station::{frame, send},
    wires::{Pass, gated},
};

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
        // Without a link a call is refused, and not begun.
        let again = client::make_call(&vc, &blocks::call(family, &Destination::default()));
        assert_eq!(again, status::TAPI_DISCONNECTMODE_UNREACHABLE, "{}", status::name(again));
        assert_eq!(client::delete_vc(&vc), status::SUCCESS);
        station.slot.set_link(true);
        assert!(wait_for(PATIENCE, || station.caller.link.get() == Some(true)), "no indication");
        station.down();
        driver.unload();
        status.expect("just waited for")
    })
}
