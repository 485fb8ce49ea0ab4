//! What a card has done comes to light by its interrupt, and not because a driver looks now and then.

use std::time::Duration;

use super::adapter::Adapter;
use super::finding;
use crate::pci::Deeds;

/// Longer than a card may put off its interrupt and a processor its DPC; shorter than the interval of a watchdog, which
/// is a second in most drivers.
const LATE: Duration = Duration::from_millis(100);

/// What a driver notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noticed {
    /// The frame that is at this virtual address.
    Received(usize),
    /// That the frames of a send have left.
    Sent,
    /// A change of the link.
    Link,
}

/// The driver tells of something. A card that was told to misbehave or silenced by `MiniportShutdownEx`, and time that is
/// not the machine's, excuse it.
pub(super) fn judge(adapter: &Adapter, noticed: Noticed, who: &str) {
    let Some(slot) = adapter.slot() else { return };
    let machine = adapter.machine();
    if machine.config().real_time || adapter.shut.get() {
        return;
    }
    let since = slot.deed(|deeds: &mut Deeds| match noticed {
        Noticed::Received(address) => deeds.take_received(slot.dma().bus_address(address)?),
        Noticed::Sent => deeds.last_sent(),
        Noticed::Link => deeds.link_since(),
    });
    let waited = since.map_or(Duration::ZERO, |since| machine.now().saturating_sub(since));
    if waited > LATE {
        let what = match noticed {
            Noticed::Received(_) => "a received frame",
            Noticed::Sent => "the last sent frame",
            Noticed::Link => "the link as it is",
        };
        finding("CO-344", Some(who.to_owned()), format!("{what} is noticed after {waited:?}"));
    }
}
