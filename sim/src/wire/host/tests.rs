use super::*;
use crate::wire::AccessConcentrator;
use crate::wire::access_concentrator::{Mode, Settings};

/// Lets hosts and the embedded access concentrator talk to each other for some time.
fn talk(control: &Control, settings: Settings, time: Duration) -> Vec<View> {
    let mut hosts = Hosts::new(control.clone(), Duration::from_micros(10));
    let mut ac = AccessConcentrator::new(settings);
    let mut now = Duration::ZERO;
    while now < time {
        while let Some(frame) = hosts.receive(now) {
            ac.send(now, &frame);
        }
        while let Some(frame) = ac.receive(now) {
            hosts.send(now, &frame);
        }
        now += Duration::from_micros(500);
    }
    (0..).map_while(|number| control.call(number)).collect()
}

#[test]
fn calls_come_up_and_end() {
    let control = Control::new();
    control.dial(Dial::default());
    control.dial(Dial { hang_up: Some(Duration::from_millis(3)), marked: false, ..Dial::default() });
    let views = talk(&control, Settings::default(), Duration::from_millis(50));
    assert!(matches!(views[0].state, CallState::Up(1..)));
    assert_eq!(views[1].state, CallState::HungUp);
    assert_eq!(views[0].ac_name, Settings::default().ac_name);
}

#[test]
fn refusals_and_silence_are_noticed() {
    let control = Control::new();
    control.dial(Dial::default());
    let views = talk(
        &control,
        Settings { mode: Mode::AcSystemError, ..Settings::default() },
        Duration::from_millis(50),
    );
    assert_eq!(views[0].state, CallState::Refused(tag::AC_SYSTEM_ERROR, "refused".to_owned()));
    let control = Control::new();
    control.dial(Dial::default());
    let views =
        talk(&control, Settings { mode: Mode::Silent, ..Settings::default() }, Duration::from_secs(16));
    assert_eq!(views[0].state, CallState::NoAnswer);
}

#[test]
fn a_host_that_hears_nothing_asks_again() {
    let control = Control::new();
    control.dial(Dial { deaf: 1, ..Dial::default() });
    let views = talk(&control, Settings::default(), Duration::from_secs(6));
    assert!(matches!(views[0].state, CallState::Up(_)));
    assert_eq!(views[0].confirmations, 2);
}
