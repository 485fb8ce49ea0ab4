//! `MiniportInitializeEx`, in the order that its reference page prescribes. Whatever a step makes is undone by Drop
//! when a later one fails.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use alloc::boxed::Box;
use alloc::vec::Vec;
use condis::config::Settings;
use condis::oid;
use e1000::{Delivery, Family, MacAddress, Model, Nic, ReceiveConfig, Vector};
use ndis::{
    CoWanAttributes, ErrorCode, Initialize, Interrupt, IoPorts, IoSpace, Once, ReceivePool, Ref, Resource,
    Result, ScatterGatherDma, SpinLock, Status, Timer, Unlocked, WorkItem,
};

use super::card;
use super::hardware::{self, Buffers, Registers, Wait};
use super::link_power::LinkPower;
use super::settings::{self, MAX_LINK_SPEED, link_config};
use super::{Adapter, Statistics};
use crate::POOL_TAG;
use crate::call_manager::{Calls, Lines};
use crate::datapath::{ReceiveQueue, Receivers, Transmit};

/// Writes the error-log entry that belongs to a failed step and passes the status on.
fn logged<T>(init: &Initialize<'_>, code: ErrorCode, step: Step, result: Result<T>) -> Result<T> {
    result.inspect_err(|_| init.handle().log_error(code, step as u32))
}

/// What failed, as the second value of the error-log entry.
#[derive(Clone, Copy, Debug)]
enum Step {
    Configuration = 1,
    BusData,
    Attributes,
    Resources,
    MapRegisters,
    Identify,
    BringUp,
    SelfTest,
    Dma,
    SharedMemory,
    Pool,
    Memory,
    Timer,
    WorkItem,
    Interrupt,
    Start,
    Secret,
}

/// Builds the adapter. What takes more than a few hundred bytes is made in memory of its own, piece by piece, and moves from
/// there to where the adapter is: a kernel stack has little room.
#[inline(never)]
pub(super) fn initialize(init: &Initialize<'_>) -> Result<Ref<Adapter>> {
    let mut settings =
        logged(init, ErrorCode::UNSUPPORTED_CONFIGURATION, Step::Configuration, settings::read(init))?;
    let (vendor, device) = device_id(init)?;
    logged(init, ErrorCode::OUT_OF_RESOURCES, Step::Attributes, init.set_registration_attributes())?;
    let nic = map_card(init, vendor, device)?;
    let link_power = logged(init, ErrorCode::HARDWARE_FAILURE, Step::BusData, stop_saving_power(init, &nic))?;
    let Card { permanent_address, station, link } = bring_up(init, &nic, &settings)?;
    let attributes = CoWanAttributes {
        mtu: settings.max_payload.into(),
        max_link_speed: MAX_LINK_SPEED,
        link_speed: link.map(|(speed, _)| speed),
        permanent_address: permanent_address.0,
        current_address: station.0,
        mac_options: oid::MAC_OPTIONS,
        packet_filters: oid::PACKET_FILTERS,
        statistics: oid::SUPPORTED_STATISTICS,
        oids: oid::supported(),
    };
    logged(init, ErrorCode::OUT_OF_RESOURCES, Step::Attributes, init.set_general_attributes(&attributes))?;
    let wide = nic.reaches_64_bits().map_err(|error| card_failed(init, Step::Dma, error))?;
    let dma = ScatterGatherDma::register(init, settings::largest_frame(&settings), wide);
    let dma = logged(init, ErrorCode::OUT_OF_RESOURCES, Step::Dma, dma)?;
    let (transmit, receive, receive_buffers) = queues(init, &mut settings)?;
    let secret = logged(init, ErrorCode::OUT_OF_RESOURCES, Step::Secret, ndis::random(init.irql()))?;
    let calls = Calls::new(&secret, settings.wan_endpoints);
    let calls = logged(init, ErrorCode::OUT_OF_RESOURCES, Step::Memory, calls)?;
    let lines_in_use = Lines::new(settings.wan_endpoints);
    let lines_in_use = logged(init, ErrorCode::OUT_OF_RESOURCES, Step::Memory, lines_in_use)?;
    let permanent_id = u32::try_from(init.net_luid() & u64::from(u32::MAX)).unwrap_or(0);
    let adapter = Ref::new_with(|| Adapter {
        interrupt: Once::new(),
        timer: Once::new(),
        watchdog: Once::new(),
        pacer: Once::new(),
        recovery: Once::new(),
        handle: init.own_handle(),
        lookahead: AtomicU32::new(settings.max_payload.into()),
        settings: *settings,
        permanent_address,
        station: pppoe::Address(station.0),
        permanent_id,
        state: SpinLock::new(condis::adapter::Adapter::new()),
        calls: *calls,
        lines_in_use,
        families: SpinLock::new(Vec::new()),
        link: SpinLock::new(link),
        causes: AtomicU32::new(0),
        receivers: Receivers::new(),
        messages: AtomicU32::new(0),
        phy_hung: AtomicBool::new(false),
        link_power,
        card: card::Card::new(link.is_some()),
        link_looks: AtomicU32::new(0),
        packet_filter: AtomicU32::new(0),
        hardware_statistics: SpinLock::new(e1000::Statistics::default()),
        statistics: Statistics::default(),
        transmit: SpinLock::new(*transmit),
        receive: SpinLock::new(*receive),
        receive_buffers,
        nic,
        _dma: dma,
    });
    logged(init, ErrorCode::OUT_OF_RESOURCES, Step::Memory, adapter)
}

/// Writes the error-log entry for what the card did wrong; the status for it.
fn card_failed(init: &Initialize<'_>, step: Step, error: e1000::Error) -> Status {
    init.handle().log_error(ErrorCode::HARDWARE_FAILURE, step as u32);
    hardware_status(error)
}

/// What is known of the card once it has been brought up.
struct Card {
    permanent_address: MacAddress,
    station: MacAddress,
    /// As in [`Adapter`].
    link: Option<(u64, bool)>,
}

/// Resets the card, sets it up and tests it.
#[inline(never)]
fn bring_up(init: &Initialize<'_>, nic: &Nic<Registers>, settings: &Settings) -> Result<Card> {
    let wait = Wait(init.irql());
    let failed = |step, error| card_failed(init, step, error);
    let permanent_address =
        nic.bring_up(&wait, link_config(settings)).map_err(|error| failed(Step::BringUp, error))?;
    let station = settings.network_address.map_or(permanent_address, MacAddress);
    nic.set_station_address(station);
    nic.self_test(&wait).map_err(|error| failed(Step::SelfTest, error))?;
    let link = nic.link().map_err(|error| failed(Step::BringUp, error))?;
    let link = link.up.then(|| (link.speed.bits_per_second(), link.full_duplex));
    Ok(Card { permanent_address, station, link })
}

/// The rings, and what is behind them.
#[inline(never)]
fn queues(
    init: &Initialize<'_>,
    settings: &mut Settings,
) -> Result<(Box<Transmit>, Box<ReceiveQueue>, Buffers)> {
    let transmit = out_of_memory(init, hardware::transmit_ring(init, settings.transmit_buffers))?;
    // There may be fewer than were asked for.
    settings.transmit_buffers = u32::try_from(transmit.count()).unwrap_or(0);
    let receive = out_of_memory(init, hardware::receive_ring(init, settings.receive_buffers))?;
    // Twice as many buffers as descriptors: the ring stays full while clients hold as many again.
    let buffer_count = settings.receive_buffers.saturating_mul(2);
    let receive_buffers = out_of_memory(init, Buffers::allocate(init, buffer_count))?;
    let pool = ReceivePool::allocate(init, receive_buffers.rooms(), POOL_TAG);
    let receive_pool = logged(init, ErrorCode::OUT_OF_RESOURCES, Step::Pool, pool)?;
    let transmit = Transmit::new(transmit, settings::tags(settings));
    let transmit = logged(init, ErrorCode::OUT_OF_RESOURCES, Step::Memory, transmit)?;
    let receive = ReceiveQueue::new(receive, receive_pool, &receive_buffers);
    let receive = logged(init, ErrorCode::OUT_OF_RESOURCES, Step::Memory, receive)?;
    Ok((transmit, receive, receive_buffers))
}

/// Connects what refers back to the adapter, and lets the card run. Calls and frames wait for clients.
#[inline(never)]
pub(super) fn connect(this: &Ref<Adapter>, init: &mut Initialize<'_>) -> Result<()> {
    let timer = logged(init, ErrorCode::OUT_OF_RESOURCES, Step::Timer, Timer::new(init, POOL_TAG, this))?;
    let watchdog = logged(init, ErrorCode::OUT_OF_RESOURCES, Step::Timer, Timer::new(init, POOL_TAG, this))?;
    let recovery = logged(init, ErrorCode::OUT_OF_RESOURCES, Step::WorkItem, WorkItem::new(init, this))?;
    let pacer = logged(init, ErrorCode::OUT_OF_RESOURCES, Step::Timer, Timer::new(init, POOL_TAG, this))?;
    let set = this.timer.set(timer).is_ok() && this.watchdog.set(watchdog).is_ok();
    let set = set && this.pacer.set(pacer).is_ok();
    if !set || this.recovery.set(recovery).is_err() {
        return Err(Status::FAILURE);
    }
    let interrupt =
        logged(init, ErrorCode::INTERRUPT_CONNECT, Step::Interrupt, Interrupt::register(init, this))?;
    this.messages.store(interrupt.messages(), Ordering::Release);
    if this.interrupt.set(interrupt).is_err() {
        return Err(Status::FAILURE);
    }
    this.state.lock(init.irql_mut()).initialized();
    let started = this.start_card(init.irql_mut());
    logged(init, ErrorCode::HARDWARE_FAILURE, Step::Start, started)
}

impl Adapter {
    /// How the card interrupts.
    pub(crate) fn delivery(&self) -> Delivery {
        let granted = self.messages.load(Ordering::Acquire) as usize;
        match self.nic.model().messages {
            0 => Delivery::Line,
            _ if granted >= Vector::ALL.len() => Delivery::Messages,
            _ if granted != 0 => Delivery::Single,
            _ => Delivery::Line,
        }
    }

    /// Fills the receive ring and turns receiver, transmitter and interrupts on.
    pub(super) fn start_card(&self, locks: &mut Unlocked) -> Result<()> {
        let long_packets = self.settings.max_payload > 1492;
        let vlan = settings::vlan(&self.settings);
        let config = ReceiveConfig { long_packets, vlan, ..ReceiveConfig::default() };
        self.receive.lock(locks).start(&self.nic, &self.receive_buffers, config).map_err(hardware_status)?;
        self.transmit.lock(locks).start(&self.nic).map_err(hardware_status)?;
        let class = self.receive.lock(locks).latency_class();
        let interval = if self.settings.interrupt_moderation { class.nanoseconds() } else { 0 };
        self.nic.set_moderation(self.delivery(), interval);
        let access = self.card.started();
        let unmasked = self.nic.enable_interrupts(self.delivery());
        // From here on somebody may take the card, and masks it.
        drop(access);
        unmasked.map_err(hardware_status)?;
        self.pump(locks);
        self.set_watchdog();
        // What changed meanwhile was told by no interrupt.
        self.link_changed(locks);
        Ok(())
    }
}

/// Switches the power saving of the card's link off, if it has one that it does not bear.
fn stop_saving_power(init: &Initialize<'_>, nic: &Nic<Registers>) -> Result<Option<LinkPower>> {
    if nic.model().family != Family::I82574 {
        return Ok(None);
    }
    let found = LinkPower::find(init.handle())?;
    if let Some(link) = found {
        link.stop_saving(init.handle())?;
    }
    Ok(found)
}

/// Reads vendor and device id from configuration space.
fn device_id(init: &Initialize<'_>) -> Result<(u16, u16)> {
    let mut bytes = [0; 4];
    if !init.handle().read_bus_data(0, &mut bytes) {
        init.handle().log_error(ErrorCode::ADAPTER_NOT_FOUND, Step::BusData as u32);
        return Err(Status::ADAPTER_NOT_FOUND);
    }
    let [low, high, device_low, device_high] = bytes;
    Ok((u16::from_le_bytes([low, high]), u16::from_le_bytes([device_low, device_high])))
}

/// Maps the registers, the first memory window of the resources, and the first I/O window where a reset is to go through it;
/// and recognises the card.
#[inline(never)]
fn map_card(init: &Initialize<'_>, vendor: u16, device: u16) -> Result<Nic<Registers>> {
    let mut window = None;
    let mut ports = None;
    let mut interrupt = false;
    for resource in init.resources() {
        match resource {
            Resource::Memory { start, length } if window.is_none() => window = Some((start, length)),
            Resource::Port { start, length } if ports.is_none() => ports = Some((start, length)),
            Resource::Line | Resource::Message => interrupt = true,
            _ => {}
        }
    }
    let (Some((start, length)), true) = (window.filter(|&(_, length)| length >= REGISTER_SPACE), interrupt)
    else {
        init.handle().log_error(ErrorCode::RESOURCE_CONFLICT, Step::Resources as u32);
        return Err(Status::RESOURCE_CONFLICT);
    };
    let space = IoSpace::map(init, start, length);
    let space = logged(init, ErrorCode::OUT_OF_RESOURCES, Step::MapRegisters, space)?;
    let needed = Model::find(vendor, device).is_some_and(|model| model.family == Family::I8254x);
    let ports = match ports.filter(|_| needed && IoPorts::EXIST) {
        Some((start, length)) => {
            let first = u32::try_from(start).map_err(|_| Status::RESOURCE_CONFLICT);
            let ports = first.and_then(|first| IoPorts::register(init, first, length));
            Some(logged(init, ErrorCode::OUT_OF_RESOURCES, Step::MapRegisters, ports)?)
        }
        None => None,
    };
    Nic::identify(Registers { space, ports }, vendor, device).map_err(|error| {
        init.handle().log_error(ErrorCode::ADAPTER_NOT_FOUND, Step::Identify as u32);
        hardware_status(error)
    })
}

/// Bytes of BAR 0 of every card (SDM chapter 4, base address registers).
const REGISTER_SPACE: u32 = 128 * 1024;

/// Shared memory that cannot be had is worth its own entry: the verifier asks for one.
fn out_of_memory<T>(init: &Initialize<'_>, result: Result<T>) -> Result<T> {
    logged(init, ErrorCode::OUT_OF_RESOURCES, Step::SharedMemory, result)
}

/// The status for what the card did wrong.
pub(super) fn hardware_status(error: e1000::Error) -> Status {
    match error {
        e1000::Error::UnknownDevice { .. } => Status::ADAPTER_NOT_FOUND,
        e1000::Error::Gone => Status::NOT_ACCEPTED,
        _ => Status::FAILURE,
    }
}
