//! The rates of calls: asked for, changed, refused and kept.

// all cover: CmModifyCallQoS, NdisMCmModifyCallQoSComplete, NdisMCmActivateVc

mod held;

use std::{rc::Rc, time::Duration};

use ndis_sim::{
    machine::Machine,
    ndis::{
        Family, Vc, client,
        parameters::{CallParameters, FlowSpec},
        status, wait_for,
    },
    nic::{Fault, Model},
};
use scenarios::{
    Caller, Card, Lab, Record, Run, Setup, Station,
    blocks::Destination,
    caller::PATIENCE,
    cannot_on_qemu,
    lab::{self, sleep},
    rates::{OPEN, flow, modify, request},
    seeds,
    station::{exchange, frame, send, settle},
    wires::{Lever, Pass, gated},
};

/// The rate of the link.
const LINK: u32 = 125_000_000;
/// `CALL_PARAMETERS_CHANGED`.
const CHANGED: u32 = 2;
/// `SERVICETYPE_CONTROLLEDLOAD`, `SERVICETYPE_GUARANTEED`, `SERVICETYPE_NOCHANGE`.
const CONTROLLED_LOAD: u32 = 2;
const GUARANTEED: u32 = 3;
const NO_CHANGE: u32 = 6;
/// Bytes of a frame that is measured with, from the protocol field on, and as the client gives it.
pub(crate) const SIZE: usize = 998;
const GIVEN: u32 = 1000;

/// Runs `script` on a station with a view of what it sends.
pub(crate) fn on_station<T: Send + 'static>(
    seed: u64,
    script: impl FnOnce(&Lab, &Station, &Lever) -> T + Send + 'static,
) -> Run<T> {
    let (card, lever) = gated(Card::new(Model::I82574l), Pass::Everything);
    lab::run(Setup::new(seed, card), move |lab| {
        let driver = lab.load();
        let station = Station::up(lab, &driver, 0, Family::PPP);
        let value = script(lab, &station, &lever);
        station.down();
        driver.unload();
        value
    })
}

/// Asks for a transmit rate on a call, which must succeed.
pub(crate) fn set(vc: &Rc<Vc>, transmit: FlowSpec) -> FlowSpec {
    let (status, granted) = modify(vc, &request(transmit, flow(OPEN)));
    assert_eq!(status, status::SUCCESS, "{}", status::name(status));
    assert_eq!(granted.flags & CHANGED, CHANGED);
    granted.call_manager.expect("the client's block").transmit
}

pub(crate) fn frames(count: u64) -> Vec<Vec<u8>> {
    (0..count).map(|number| frame(SIZE, number)).collect()
}

/// The time that has passed since then.
pub(crate) fn since(start: Duration) -> Duration {
    Machine::current().now().saturating_sub(start)
}

/// Bytes that a client had given for the frames that are on the wire.
fn on_the_wire(lever: &Lever) -> u64 {
    lever.sent().iter().filter(|frame| frame.payload.len() == SIZE).count() as u64 * u64::from(GIVEN)
}

/// Watches what goes out for a while: at no moment more than a burst and the rate, and in the end little less than the
/// rate.
pub(crate) fn watch(lever: &Lever, rate: u64, burst: u64, duration: Duration) {
    let (start, before) = (Machine::current().now(), on_the_wire(lever));
    let spent = || u64::try_from((since(start)).as_micros()).expect("short");
    while since(start) < duration {
        sleep(Duration::from_millis(7));
        let out = on_the_wire(lever) - before;
        let most = burst + rate * spent() / 1_000_000 + u64::from(GIVEN);
        assert!(out <= most, "{out} bytes after {} us, at most {most} may be", spent());
    }
    let out = on_the_wire(lever) - before;
    let least = rate * spent() / 1_000_000 * 9 / 10;
    assert!(out + burst >= least, "{out} bytes after {} us, at least {least} should be", spent());
}

#[test]
fn a_rate_is_met_on_the_wire_changed_up_and_down_and_taken_off() {
    if scenarios::cannot_on_qemu("it sends in no time, and the echo of many frames overruns its receiver") {
        return;
    }
    for seed in seeds(3) {
        let run = on_station(seed, |_, station, lever| {
            let vc = station.connected();
            let granted = set(&vc, FlowSpec { token_bucket_size: 10_000, ..flow(200_000) });
            assert_eq!((granted.token_rate, granted.token_bucket_size), (200_000, 10_000));
            send(&vc, &frames(1200));
            watch(lever, 200_000, 10_000, Duration::from_secs(1));
            assert_eq!(set(&vc, flow(400_000)).token_rate, 400_000);
            watch(lever, 400_000, 12_500 + 1496, Duration::from_secs(1));
            assert_eq!(set(&vc, FlowSpec { token_bucket_size: 5000, ..flow(50_000) }).token_rate, 50_000);
            watch(lever, 50_000, 5000, Duration::from_secs(1));
            let left = Record::of(&vc).in_driver.get();
            assert!(left > 400, "{left} are left");
            let whole = set(&vc, flow(OPEN));
            assert_eq!((whole.token_rate, whole.peak_bandwidth), (LINK, LINK));
            sleep(Duration::from_millis(100));
            assert_eq!(Record::of(&vc).in_driver.get(), 0, "what was held goes out at once");
            settle(&[Rc::clone(&vc)]);
            assert!(Record::of(&vc).is_echoed(), "a frame was lost, changed or overtaken");
            station.finish(&vc);
        });
        run.clean();
    }
}

#[test]
fn a_peak_rate_spreads_bursts() {
    let run = on_station(1, |_, station, lever| {
        let vc = station.connected();
        let asked = FlowSpec { token_bucket_size: 200_000, peak_bandwidth: 250_000, ..flow(100_000) };
        let granted = set(&vc, asked);
        assert_eq!((granted.token_rate, granted.peak_bandwidth), (100_000, 250_000));
        send(&vc, &frames(400));
        // The bucket is full: only the peak rate counts, a frame and two ticks at a time.
        watch(lever, 250_000, 1496 + 250_000 / 32, Duration::from_millis(500));
        assert!(Caller::hang_up(&vc), "the close does not end");
        assert_eq!(client::delete_vc(&vc), status::SUCCESS);
    });
    run.clean();
}

// covers: CmMakeCall
#[test]
fn a_call_that_is_made_with_a_rate_has_it_from_the_first_frame_on() {
    let run = on_station(1, |_, station, lever| {
        let vc = station.vc();
        let record = Rc::new(Record::default());
        vc.set_client_data(Rc::<Record>::clone(&record));
        let wish = FlowSpec { token_bucket_size: 4000, ..flow(100_000) };
        assert_eq!(client::make_call(&vc, &request(wish, flow(OPEN))), status::PENDING);
        assert!(wait_for(PATIENCE, || record.made.get() == Some(status::SUCCESS)), "no call");
        let granted = record.parameters.borrow().clone().and_then(|it| it.call_manager).expect("a block");
        assert_eq!((granted.transmit.token_rate, granted.receive.token_rate), (100_000, LINK));
        send(&vc, &frames(100));
        watch(lever, 100_000, 4000, Duration::from_millis(700));
        // The next call on the VC begins anew.
        assert!(Caller::hang_up(&vc), "the close does not end");
        assert_eq!(station.outcome(&vc, &Destination::default()), status::SUCCESS);
        let granted =
            Record::of(&vc).parameters.borrow().clone().and_then(|it| it.call_manager).expect("a block");
        assert_eq!(granted.transmit.token_rate, LINK);
        assert!(exchange(&[Rc::clone(&vc)], &[64, 1400], 200));
        station.finish(&vc);
    });
    run.clean();
}

#[test]
fn what_cannot_be_had_is_refused_and_changes_nothing() {
    let run = on_station(1, |_, station, lever| {
        let vc = station.connected();
        set(&vc, FlowSpec { token_bucket_size: 4000, ..flow(100_000) });
        let open = flow(OPEN);
        for (transmit, receive, expected) in [
            (flow(LINK + 1), open, status::RESOURCES),
            (FlowSpec { token_bucket_size: 1000, ..flow(1000) }, open, status::INVALID_DATA),
            (FlowSpec { peak_bandwidth: 500, ..flow(1000) }, open, status::INVALID_DATA),
            (FlowSpec { minimum_policed_size: 2000, ..flow(1000) }, open, status::INVALID_DATA),
            (FlowSpec { service_type: GUARANTEED, ..flow(1000) }, open, status::NOT_SUPPORTED),
            (FlowSpec { service_type: CONTROLLED_LOAD, ..flow(1000) }, open, status::NOT_SUPPORTED),
            (flow(1000), flow(1000), status::NOT_SUPPORTED),
        ] {
            let (status, _) = modify(&vc, &request(transmit, receive));
            assert_eq!(status::name(status), status::name(expected), "{transmit:?}");
        }
        let bare = CallParameters { call_manager: None, ..request(open, open) };
        assert_eq!(modify(&vc, &bare).0, status::INVALID_DATA);
        // "No change" is one that can be had.
        set(&vc, FlowSpec { service_type: NO_CHANGE, ..flow(1000) });
        send(&vc, &frames(100));
        watch(lever, 100_000, 4000, Duration::from_millis(700));
        station.finish(&vc);
    });
    run.clean();
}

#[test]
fn others_do_not_wait_for_a_call_with_a_rate() {
    let run = on_station(1, |_, station, lever| {
        let vcs = [station.connected(), station.connected()];
        set(&vcs[0], FlowSpec { token_bucket_size: 4000, ..flow(50_000) });
        send(&vcs[0], &frames(100));
        let start = Machine::current().now();
        assert!(exchange(&vcs[1..], &[600], 1000), "a frame was lost, changed or overtaken");
        assert!(since(start) < Duration::from_secs(1), "the other call is slow too");
        watch(lever, 50_000, 4000, Duration::from_millis(400));
        for vc in &vcs {
            station.finish(vc);
        }
    });
    run.clean();
}

// covers: NdisMCmDispatchIncomingCallQoSChange
#[test]
fn clients_are_told_what_they_have_when_the_link_changes_its_speed() {
    const SLOW: u32 = 12_500_000;
    if cannot_on_qemu("their links have one speed") {
        return;
    }
    for seed in seeds(8) {
        let run = on_station(seed, |lab, station, _| {
            let vcs = [station.connected(), station.connected()];
            set(&vcs[0], flow(20_000_000));
            let told = |rates: [u32; 2]| {
                let all = || vcs.iter().all(|vc| !Record::of(vc).changed.borrow().is_empty());
                assert!(wait_for(PATIENCE, all), "nobody is told");
                for (vc, rate) in vcs.iter().zip(rates) {
                    let parameters = Record::of(vc).changed.take().pop().expect("just waited for");
                    let flows = parameters.call_manager.expect("a block");
                    let link = if rate == SLOW { SLOW } else { LINK };
                    assert_eq!((flows.transmit.token_rate, flows.receive.token_rate), (rate, link));
                }
            };
            lab.place(0).faults.inject(Fault::LinkSlow);
            told([SLOW, SLOW]);
            assert_eq!(modify(&vcs[1], &request(flow(SLOW + 1), flow(OPEN))).0, status::RESOURCES);
            assert!(exchange(&vcs, &[64, 1400], 20), "a frame was lost, changed or overtaken");
            lab.place(0).faults.clear(Fault::LinkSlow);
            told([20_000_000, LINK]);
            // While one is told, another may hang up.
            lab.place(0).faults.inject(Fault::LinkSlow);
            sleep(Duration::from_micros(900_000 + Machine::current().below(200_000)));
            for vc in &vcs {
                station.finish(vc);
            }
        });
        run.clean();
    }
}

#[test]
fn rates_change_while_frames_come_and_calls_end() {
    for seed in seeds(16) {
        let run = on_station(seed, |_, station, _| {
            let vcs = [station.connected(), station.connected(), station.connected()];
            let machine = Machine::current();
            for round in 0..30 {
                let vc = &vcs[usize::try_from(machine.below(3)).expect("small")];
                match machine.below(4) {
                    0 => _ = set(vc, flow(OPEN)),
                    1 => _ = set(vc, flow(10_000 + u32::try_from(machine.below(1_000_000)).expect("small"))),
                    _ => send(vc, &(round * 20..round * 20 + 20).map(|n| frame(300, n)).collect::<Vec<_>>()),
                }
                sleep(Duration::from_micros(machine.below(20_000)));
            }
            for vc in &vcs {
                if machine.chance(1, 2) {
                    set(vc, flow(OPEN));
                    settle(&[Rc::clone(vc)]);
                    assert!(Record::of(vc).is_echoed(), "a frame was lost, changed or overtaken");
                }
                let record = Record::of(vc);
                station.finish(vc);
                assert_eq!(record.in_driver.get(), 0, "a send is not completed");
            }
        });
        run.clean();
    }
}
