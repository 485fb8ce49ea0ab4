//! A card that is told the same after every reset, or something else.

use std::time::Duration;

use super::bench::Bench;
use crate::nic::{Fault, Model};

const CTRL: u64 = 0x0000;
const ITR: u64 = 0x00c4;
const IMS: u64 = 0x00d0;
const TIPG: u64 = 0x0410;
const RAL0: u64 = 0x5400;

/// The driver of a card.
struct Driver(Bench);

impl Driver {
    fn new(model: Model) -> Self {
        let mut bench = Bench::new(model);
        bench.card.settings("some");
        Self(bench)
    }

    /// Resets the card and sets it up; `also` tells it something besides.
    fn start(&mut self, also: &[(u64, u32)]) {
        self.0.write(CTRL, 1 << 26);
        self.0.pass(Duration::from_millis(20));
        self.0.set_up_again();
        for &(register, value) in also {
            self.0.write(register, value);
        }
        self.0.write(IMS, 0xd5);
        self.0.pass(Duration::from_secs(1));
    }

    fn findings(&self) -> Vec<&'static str> {
        self.0.host.findings.borrow().clone()
    }
}

#[test]
fn the_same_is_told_again() {
    for model in Model::ALL {
        let mut driver = Driver::new(model);
        for interval in [200, 200, 977] {
            // How many interrupts a second there are at most depends on the traffic.
            driver.start(&[(RAL0, 0x1234_5602), (ITR, interval)]);
        }
        assert_eq!(driver.findings(), [""; 0], "{model}");
    }
}

#[test]
pub(super) fn what_is_told_no_more_is_reported() {
    for model in Model::ALL {
        for also in [(RAL0, 0x1234_5602), (TIPG, 0x0060_200a), (ITR, 200)] {
            let mut driver = Driver::new(model);
            driver.start(&[also]);
            driver.start(&[]);
            assert_eq!(driver.findings(), ["NIC.Told"], "{model}, {also:x?}");
        }
    }
}

#[test]
fn flow_control_is_told_with_the_link() {
    const PAUSES: u32 = 3 << 27;
    let mut driver = Driver::new(Model::I82545em);
    for pauses in [PAUSES, PAUSES, 0, PAUSES] {
        driver.start(&[(CTRL, 0x41 | pauses)]);
    }
    // The end of the third life shows it.
    assert_eq!(driver.findings(), ["NIC.Told"]);
}

#[test]
fn other_settings_excuse_it_and_faults_do_not() {
    let mut driver = Driver::new(Model::I82574l);
    driver.start(&[(RAL0, 0x1234_5602)]);
    driver.0.card.settings("others");
    driver.start(&[(RAL0, 0x6543_2102)]);
    assert_eq!(driver.findings(), [""; 0]);
    // What makes a driver reset its card is no reason to tell it less.
    driver.0.faults.inject(Fault::TransmitStuckUntilReset);
    driver.start(&[]);
    assert_eq!(driver.findings(), ["NIC.Told"]);
}
