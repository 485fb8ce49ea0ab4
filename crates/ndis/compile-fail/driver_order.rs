//! The order of the driver's own locks.
#![no_std]

#[expect(dead_code, reason = "only some levels are looked at here")]
#[path = "../../../src/level.rs"]
mod level;

use ndis::{SpinLock, Unlocked};

type Lock<L> = SpinLock<(), L>;

/// `Calls::discoveries` inside a VC's life.
#[expect(private_interfaces, reason = "levels are the driver's own")]
pub fn discoveries_inside_life(
    life: &Lock<level::Life>,
    other: &Lock<level::Discoveries>,
    token: &mut Unlocked,
) {
    let mut life = life.lock(token);
    drop(other.lock(life.parts().1)); //~ E0277
}

/// `AddressFamily::open` inside `Adapter::link`.
#[expect(private_interfaces, reason = "levels are the driver's own")]
pub fn open_inside_link(link: &Lock<level::Link>, other: &Lock<level::Open>, token: &mut Unlocked) {
    let mut link = link.lock(token);
    drop(other.lock(link.parts().1)); //~ E0277
}

/// `Adapter::transmit` inside a VC's life.
#[expect(private_interfaces, reason = "levels are the driver's own")]
pub fn transmit_inside_life(life: &Lock<level::Life>, other: &Lock<level::Transmit>, token: &mut Unlocked) {
    let mut life = life.lock(token);
    drop(other.lock(life.parts().1)); //~ E0277
}
