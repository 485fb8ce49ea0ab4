//! One card.

mod card;
mod drop;
mod hardware;
mod initialize;
mod interrupts;
mod lifecycle;
mod link;
mod link_power;
mod oid;
pub(crate) mod settings;
mod statistics;
mod watchdog;

use core::ffi::c_void;
use core::sync::atomic::{AtomicBool, AtomicU32};

use alloc::vec::Vec;
use condis::call_failure::CallFailure;
use condis::config::Settings;
use e1000::{MacAddress, Nic};
use ndis::{
    AdapterHandle, Answer, Before, HaltAction, Initialize, Interrupt, Locked, Miniport, OidRequest, Once,
    Passive, PauseRequest, PendedPause, PnpEvent, Ref, Result, ScatterGatherDma, SpinLock, Status, Timer,
    Unlocked, WorkItem,
};

use self::card::Card;
pub(crate) use self::hardware::{Buffers, Burst, ReceiveRing, Registers, TransmitRing, Vacancies};
pub(crate) use self::statistics::Statistics;
use crate::call_manager::{AddressFamily, Calls, Lines};
use crate::datapath::{Pacer, ReceiveQueue, Receivers, Transmit};
use crate::level;

/// One adapter. Fields are dropped in this order: what calls back first, what others stand on last.
pub(crate) struct Adapter {
    /// Connected last, by [`Miniport::connect`].
    interrupt: Once<Interrupt<Self>>,
    /// The one timer of all discoveries.
    pub(crate) timer: Once<Timer<Self>>,
    watchdog: Once<Timer<Self, watchdog::Watchdog>>,
    /// The one timer of all VCs with a shape.
    pub(crate) pacer: Once<Timer<Self, Pacer>>,
    /// Brings a card back that hangs.
    recovery: Once<WorkItem<Self>>,
    pub(crate) handle: AdapterHandle,
    pub(crate) settings: Settings,
    pub(crate) permanent_address: MacAddress,
    pub(crate) station: pppoe::Address,
    permanent_id: u32,
    state: SpinLock<condis::adapter::Adapter<PendedPause>, level::State>,
    pub(crate) calls: Calls,
    pub(crate) lines_in_use: Lines,
    families: SpinLock<Vec<Ref<AddressFamily>>, level::Families>,
    /// Link speed in bits per second and duplex mode, while there is a link.
    link: SpinLock<Option<(u64, bool)>, level::Link>,
    /// How often somebody has wanted the link to be looked at, since nobody has.
    link_looks: AtomicU32,
    /// Causes that the service routine found and the DPC has not looked at.
    causes: AtomicU32,
    pub(crate) receivers: Receivers,
    /// How many messages the card has to interrupt by; none: it has its line.
    messages: AtomicU32,
    card: Card,
    /// The last look found the PHY as one is that hangs.
    phy_hung: AtomicBool,
    /// What would have the card's link save power, if there is such a thing.
    link_power: Option<link_power::LinkPower>,
    /// `OID_GEN_CURRENT_LOOKAHEAD` and `OID_GEN_CURRENT_PACKET_FILTER`, as last set.
    lookahead: AtomicU32,
    packet_filter: AtomicU32,
    hardware_statistics: SpinLock<e1000::Statistics, level::HardwareStatistics>,
    pub(crate) statistics: Statistics,
    pub(crate) transmit: SpinLock<Transmit, level::Transmit>,
    pub(crate) receive: SpinLock<ReceiveQueue, level::Receive>,
    pub(crate) receive_buffers: Buffers,
    pub(crate) nic: Nic<Registers>,
    _dma: ScatterGatherDma,
}

impl Miniport for Adapter {
    fn handle(&self) -> &AdapterHandle {
        &self.handle
    }

    fn initialize(init: &Initialize<'_>) -> Result<Ref<Self>> {
        initialize::initialize(init)
    }

    fn connect(this: &Ref<Self>, init: &mut Initialize<'_>) -> Result<()> {
        initialize::connect(this, init)
    }

    fn halt(this: &Ref<Self>, _action: HaltAction, irql: &mut Passive) {
        this.go_down(irql);
    }

    fn pause(this: &Ref<Self>, request: PauseRequest, irql: &mut Passive) -> Answer {
        this.pause(request, irql)
    }

    fn restart(this: &Ref<Self>, irql: &mut Passive) -> Status {
        this.restart(irql)
    }

    fn oid_request(this: &Ref<Self>, request: &mut OidRequest<'_>) -> Status {
        oid::answer(this, condis::oid::Path::Miniport, None, request)
    }

    fn cancel_send(this: &Ref<Self>, cancel_id: *mut c_void, locks: &mut Unlocked) {
        this.cancel_sends(cancel_id, locks);
    }

    fn pnp_event(this: &Ref<Self>, event: PnpEvent, irql: &mut Passive) {
        if event == PnpEvent::SurpriseRemoved {
            this.removed(irql);
        }
    }

    fn shutdown(&self) {
        if let Some(_access) = self.card.access() {
            self.nic.quiesce();
        }
    }
}

impl Adapter {
    /// Answers an OID request that came through a CoNDIS path.
    pub(crate) fn co_oid(
        this: &Ref<Self>,
        path: condis::oid::Path,
        vc: Option<&Ref<crate::call_manager::Vc>>,
        request: &mut OidRequest<'_>,
    ) -> Status {
        oid::answer(this, path, vc, request)
    }

    /// The lines that TAPI sees: as many as calls can be up at once, one call each.
    pub(crate) fn lines(&self, locks: &mut Locked<impl Before<level::Link>>) -> condis::tapi::Lines {
        condis::tapi::Lines {
            count: self.settings.wan_endpoints,
            calls_per_line: 1,
            bits_per_second: self.link_speed(locks).unwrap_or(settings::MAX_LINK_SPEED),
            permanent_id: self.permanent_id,
        }
    }

    /// Adds a family that a client opened.
    pub(crate) fn family_opened(&self, family: &Ref<AddressFamily>, locks: &mut Unlocked) -> Result<()> {
        ndis::memory::push(&mut self.families.lock(locks), Ref::clone(family))
    }

    /// Removes a family that is closed.
    pub(crate) fn family_closed(&self, family: &AddressFamily, locks: &mut Unlocked) {
        let mut families = self.families.lock(locks);
        let found = families.iter().position(|open| core::ptr::eq(&raw const **open, family));
        let removed = found.map(|index| families.swap_remove(index));
        drop(families);
        drop(removed);
    }

    /// Whether a call can be set up now.
    pub(crate) fn can_call(&self, locks: &mut Unlocked) -> bool {
        self.state.lock(locks).can_call()
    }

    /// Why calls are being ended now. Asked for each call once it is in the tables: what ends them all says so here
    /// first, and then looks into the tables.
    pub(crate) fn ends_calls(&self, locks: &mut Unlocked) -> Option<CallFailure> {
        if !self.can_call(locks) {
            return Some(CallFailure::GoingDown);
        }
        self.link_speed(locks).is_none().then_some(CallFailure::LinkDown)
    }
}
