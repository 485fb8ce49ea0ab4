//! Sends that wait for their rate.
//!
//! A VC with a shape is known by its [`Place`](super::Place), which the data path looks at anyway: others pay nothing for
//! it. Its lists are held here until its token buckets let them go; then they take turns with everybody's.

use alloc::vec::Vec;
use core::time::Duration;

use condis::token_bucket::{Shape, Shaper};
use ndis::memory::push_reserved;
use ndis::{Chain, NetBufferList, Ref, Result, Status};
use pppoe::{Instant, TimerId, Wheel};

use super::outgoing::Outgoing;
use crate::call_manager::Vc;

/// The wheel's resolution and its slots.
const TICK: Duration = Duration::from_millis(1);
const WHEEL_SLOTS: u16 = 256;

/// All VCs with a shape.
#[derive(Default)]
pub(super) struct Shapers {
    shaped: Vec<Option<Shaped>>,
    free: Vec<u32>,
    /// Made with the first shape; one timer serves all.
    wheel: Option<Wheel>,
}

/// A VC with a shape.
pub(super) struct Shaped {
    pub(super) vc: Ref<Vc>,
    shaper: Shaper,
    held: Chain<Vc>,
    pub(super) outgoing: Option<Outgoing>,
    timer: Option<TimerId>,
    /// Where it waits for room in the ring.
    pub(super) waiting: Option<usize>,
}

/// The time as token buckets count it, and as the wheel does.
fn clock() -> (u64, Instant) {
    let now = ndis::now();
    let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    (u64::try_from(now.as_nanos()).unwrap_or(u64::MAX), Instant::from_millis(millis))
}

impl Shapers {
    /// Whether no VC has a shape.
    pub(super) fn is_empty(&self) -> bool {
        self.shaped.len() == self.free.len()
    }

    /// How many VCs have one.
    pub(super) fn len(&self) -> usize {
        self.shaped.len().wrapping_sub(self.free.len())
    }

    /// Gives a VC its first shape; its place here.
    pub(super) fn add(&mut self, vc: &Ref<Vc>, shape: &Shape, waiting: Option<usize>) -> Result<usize> {
        let (now, instant) = clock();
        let wheel = match &mut self.wheel {
            Some(wheel) => wheel,
            none => none.insert(Wheel::try_new(WHEEL_SLOTS, TICK, instant).map_err(|_| Status::RESOURCES)?),
        };
        wheel.try_reserve(1).map_err(|_| Status::RESOURCES)?;
        let place = if let Some(place) = self.free.pop() {
            place as usize
        } else {
            self.free.try_reserve(self.shaped.len().saturating_add(1)).map_err(|_| Status::RESOURCES)?;
            ndis::memory::push(&mut self.shaped, None)?;
            self.shaped.len().wrapping_sub(1)
        };
        if let Some(slot) = self.shaped.get_mut(place) {
            let (vc, shaper) = (Ref::clone(vc), Shaper::new(shape, now));
            *slot = Some(Shaped { vc, shaper, held: Chain::new(), outgoing: None, timer: None, waiting });
        }
        Ok(place)
    }

    /// Gives a VC another shape.
    pub(super) fn change(&mut self, place: usize, shape: &Shape) {
        if let Some(shaped) = self.get(place) {
            shaped.shaper = shaped.shaper.changed(shape, clock().0);
        }
    }

    /// Takes a VC's shape away: the VC with what was held.
    pub(super) fn remove(&mut self, place: usize) -> Option<(Shaped, Chain<Vc>)> {
        let mut shaped = self.shaped.get_mut(place)?.take()?;
        if let (Some(wheel), Some(timer)) = (&mut self.wheel, shaped.timer.take()) {
            wheel.cancel(timer);
        }
        let _ = push_reserved(&mut self.free, u32::try_from(place).unwrap_or(u32::MAX));
        let held = core::mem::take(&mut shaped.held);
        Some((shaped, held))
    }

    /// The VC at a place.
    pub(super) fn get(&mut self, place: usize) -> Option<&mut Shaped> {
        self.shaped.get_mut(place)?.as_mut()
    }

    /// Holds lists of a VC behind what it holds already.
    pub(super) fn hold(&mut self, place: usize, outgoing: &Outgoing, lists: &mut Chain<Vc>) {
        if let Some(shaped) = self.get(place) {
            shaped.outgoing = Some(*outgoing);
            shaped.held.append(core::mem::take(lists));
        }
    }

    /// Puts lists back that were let go and found no memory to wait in. They try again soon.
    pub(super) fn put_back(&mut self, place: usize, mut lists: Chain<Vc>) {
        let Some(shaped) = self.get(place).filter(|_| !lists.is_empty()) else { return };
        lists.append(core::mem::take(&mut shaped.held));
        shaped.held = lists;
        if shaped.timer.is_none() {
            self.set_timer(place, TICK);
        }
    }

    /// Has a VC looked at again in a while. Its timer must not be set.
    fn set_timer(&mut self, place: usize, wait: Duration) {
        let Self { shaped, wheel, .. } = self;
        let (Some(Some(shaped)), Some(wheel)) = (shaped.get_mut(place), wheel) else { return };
        // Rounded up: whoever comes too early comes twice.
        let deadline = clock().1.saturating_add(wait.saturating_add(TICK));
        // There is room for the timer of each VC.
        shaped.timer = wheel.try_insert(deadline, u32::try_from(place).unwrap_or(u32::MAX)).ok();
    }

    /// What a VC may send now; the timer is set for the rest.
    pub(super) fn let_go(&mut self, place: usize) -> Chain<Vc> {
        let (now, _) = clock();
        let Self { shaped, wheel, .. } = self;
        let (Some(Some(shaped)), Some(wheel)) = (shaped.get_mut(place), wheel) else { return Chain::new() };
        if let Some(timer) = shaped.timer.take() {
            wheel.cancel(timer);
        }
        let Shaped { shaper, held, .. } = shaped;
        let mut wait = None;
        let free = held.take_while(|list| match shaper.pass(length(list), now) {
            Ok(()) => true,
            Err(nanoseconds) => {
                wait = Some(nanoseconds);
                false
            }
        });
        if let Some(nanoseconds) = wait {
            self.set_timer(place, Duration::from_nanos(nanoseconds));
        }
        free
    }

    /// The place of a VC whose time has come.
    pub(super) fn expired(&mut self) -> Option<usize> {
        let place = self.wheel.as_mut()?.expire(clock().1)? as usize;
        if let Some(shaped) = self.get(place) {
            shaped.timer = None;
        }
        Some(place)
    }

    /// In how long to look again.
    pub(super) fn wake(&self) -> Option<Duration> {
        let wake = self.wheel.as_ref()?.wake()?.as_millis();
        Some(Duration::from_millis(wake.saturating_sub(clock().1.as_millis())).max(TICK))
    }

    /// Takes out the held lists that `choose` picks.
    pub(super) fn extract(&mut self, choose: &mut impl FnMut(&NetBufferList<Vc>) -> bool) -> Chain<Vc> {
        let mut removed = Chain::new();
        for shaped in self.shaped.iter_mut().flatten() {
            removed.append(shaped.held.extract(&mut *choose));
        }
        removed
    }

    /// Takes out what one VC holds.
    pub(super) fn take_held(&mut self, place: usize) -> Chain<Vc> {
        self.get(place).map(|shaped| core::mem::take(&mut shaped.held)).unwrap_or_default()
    }
}

/// What a list counts: the bytes that the client gave.
fn length(list: &NetBufferList<Vc>) -> u32 {
    let bytes = list.net_buffers().fold(0_usize, |sum, frame| sum.saturating_add(frame.len()));
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
