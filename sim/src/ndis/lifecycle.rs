//! What `PnP` and power do with an adapter: start, restart, pause, removal, sleep, halt.
//!
//! Each function runs in a kernel thread at `PASSIVE_LEVEL` and returns when the operation has ended.

use std::rc::Rc;
use std::time::Duration;

use super::adapter::{Adapter, Phase, State};
use super::block::Block;
use super::callback::{Level, callback};
use super::handle::{self, Handle, Kind};
use super::io_object::Devices;
use super::oid::OidRequest;
use super::ownership::Resource;
use super::pend::Returned;
use super::readings::readings;
use super::status::{self, Status};
use super::tables::ObjectHeader;
use super::{finding, note, oid, resources, rest, timer};
use crate::machine::{HIGH_LEVEL, IrqlRange, Step, enter};

/// `NDIS_HALT_ACTION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum HaltAction {
    /// The device was disabled or removed in good order.
    DeviceDisabled = 0,
    /// The device went to a low power state and the driver has no suspend.
    PoweredDown = 2,
    /// The device is gone.
    SurpriseRemoved = 3,
    /// The device failed to return from sleep.
    Failed = 4,
    /// NDIS could not finish the start.
    InitializationFailed = 5,
    /// The device is stopped, to be started with other resources.
    Stopped = 6,
}

/// `NDIS_OBJECT_TYPE_DEFAULT`.
const DEFAULT: u8 = 0x80;
/// How long a pause, restart or halt may take (the watchdog of bug check 0x7C, parameter 0x25).
const WATCHDOG: Duration = Duration::from_mins(2);

/// `NDIS_MINIPORT_INIT_PARAMETERS`.
#[repr(C)]
#[derive(Clone, Copy)]
struct InitParameters {
    header: ObjectHeader,
    flags: u32,
    allocated_resources: usize,
    im_device_instance_context: usize,
    add_device_context: usize,
    if_index: u32,
    net_luid: u64,
    default_port_auth_states: usize,
    pci_device_custom_properties: usize,
}

/// `NDIS_MINIPORT_RESTART_PARAMETERS`.
#[repr(C)]
#[derive(Clone, Copy)]
struct RestartParameters {
    header: ObjectHeader,
    attributes: usize,
    flags: u32,
}

/// `NDIS_MINIPORT_PAUSE_PARAMETERS`.
#[repr(C)]
#[derive(Clone, Copy)]
struct PauseParameters {
    header: ObjectHeader,
    flags: u32,
    reason: u32,
}

/// `NET_DEVICE_PNP_EVENT`.
#[repr(C)]
#[derive(Clone, Copy)]
struct PnpEvent {
    header: ObjectHeader,
    port: u32,
    event: u32,
    buffer: usize,
    length: u32,
    reserved: [u8; 16],
}

const _: () = {
    assert!(size_of::<InitParameters>() == 64);
    assert!(size_of::<PnpEvent>() == 48);
};

/// `NdisDevicePnPEventSurpriseRemoved`.
const SURPRISE_REMOVED: u32 = 2;
/// `MediaConnectStateConnected`.
const CONNECTED: u32 = 1;
/// `OID_PNP_SET_POWER`.
const OID_PNP_SET_POWER: u32 = 0xFD01_0101;

impl Adapter {
    /// Starts the device: `MiniportInitializeEx`, then the bound clients learn of the address families. The adapter
    /// is paused then.
    ///
    /// # Errors
    /// The status of `MiniportInitializeEx`.
    pub fn start(self: &Rc<Self>) -> Result<(), Status> {
        self.expect(State::Halted);
        self.handle.set(handle::open(Kind::Adapter, Rc::clone(self)));
        self.ndis().add_adapter(self);
        self.devices.replace(Some(Devices::new(self.driver().object(), self.ndis().below())));
        if let Some(slot) = self.slot() {
            slot.traffic().begin();
        }
        self.state.set(State::Initializing);
        self.phase.set(Phase::Initialize);
        self.error_logged.set(false);
        self.removal_requested.set(false);
        note(Step::new("NT", format!("{} starts", self.name())));
        if let Some(slot) = self.slot() {
            let messages = if self.messages { slot.resources().messages.len() } else { 0 };
            slot.settings(&format!("{:?}, {messages} messages", self.keywords));
        }
        let list =
            self.slot().map(|slot| Block::new("NDIS_RESOURCE_LIST", &resources::list(slot, self.messages)));
        let parameters = Block::of(
            "NDIS_MINIPORT_INIT_PARAMETERS",
            InitParameters {
                header: ObjectHeader::new(0x81, 1, 64),
                flags: 0,
                allocated_resources: list.as_ref().map_or(0, Block::address),
                im_device_instance_context: 0,
                add_device_context: 0,
                if_index: 7,
                // IF_TYPE_PPP in the top 16 bits, an index below.
                net_luid: 23 << 48 | 1 << 24,
                default_port_auth_states: 0,
                pci_device_custom_properties: 0,
            },
        );
        let begun = self.begin();
        let status = callback!(
            "MiniportInitializeEx",
            Level::Passive,
            self.handlers().initialize,
            self.handle.get(),
            self.driver().context(),
            parameters.address(),
        );
        self.phase.set(Phase::Other);
        self.check_lifecycle("MiniportInitializeEx", begun);
        if status != status::SUCCESS {
            self.start_failed(status);
            return Err(status);
        }
        self.started();
        Ok(())
    }

    /// From here on it is up to the driver to tell of the link, and this is what it has told unless it has done so just now;
    /// `None`: it is not.
    fn tells_link(&self, told: Option<bool>) {
        if let Some(slot) = self.slot()
            && (told.is_none() || slot.told_link().is_none())
        {
            slot.set_told_link(told);
        }
    }

    /// The driver tells of the link. What comes after it was asked to halt or to sleep is late news, and no promise to tell more.
    pub(super) fn hear_of_link(&self, up: bool) {
        if self.going_down.get() {
            self.link_told.set(up);
        } else if self.phase.get() != Phase::Halt
            && let Some(slot) = self.slot()
        {
            slot.set_told_link(Some(up));
        }
    }

    /// Scripts take adapters through their states in order.
    fn expect(&self, state: State) {
        assert_eq!(self.state(), state, "{}", self.name());
    }

    fn started(self: &Rc<Self>) {
        if !self.attributes.complete() {
            let text = "initialized without the general attributes".to_owned();
            finding("CO-016", Some(self.name()), text);
        }
        if self.owned.count(Resource::Configuration) != 0 {
            let text = "a configuration handle is open after MiniportInitializeEx".to_owned();
            finding("SDV.NdisOpenConfigurationEx", Some(self.name()), text);
        }
        let speed = self.attributes.general().map_or(0, |general| general.transmit_speed.1);
        self.link_speed.set(speed);
        self.blocks.set(self.machine().pool().leaks().len());
        self.state.set(State::Paused);
        self.tells_link(self.attributes.general().map(|general| general.media_connect_state == CONNECTED));
        note(Step::new("NDIS", format!("{} initialized, paused", self.name())));
        for client in self.clients() {
            self.announce(&client);
        }
    }

    fn start_failed(self: &Rc<Self>, status: Status) {
        if status == status::PENDING {
            finding("CO-027", Some(self.name()), "MiniportInitializeEx returned PENDING".to_owned());
        }
        for (resource, _, what) in self.owned.take() {
            let text = format!("failed MiniportInitializeEx left {what}");
            finding(resource.rule_at_failure(), Some(self.name()), text);
        }
        // The page of MiniportInitializeEx wants an entry with RESOURCES and with FAILURE.
        if !self.error_logged.get() && status != status::NOT_ACCEPTED {
            let text = "MiniportInitializeEx failed without an error log entry".to_owned();
            finding("CO-295", Some(self.name()), text);
        }
        self.end();
        note(Step::new("NDIS", format!("{} failed to initialize: {}", self.name(), status::name(status))));
    }

    /// The adapter handle dies.
    fn end(self: &Rc<Self>) {
        self.forget();
        self.attributes.clear();
        self.removed.set(false);
        self.told_removed.set(false);
        self.shut.set(false);
        self.going_down.set(false);
        self.asleep.set(false);
        self.state.set(State::Halted);
        self.ndis().remove_adapter(self);
        if let Some(devices) = self.devices.take() {
            devices.remove();
        }
        handle::close::<Self>(Kind::Adapter, self.handle.get());
    }

    /// Lets data flow: `MiniportRestart`.
    ///
    /// # Errors
    /// The driver's status; the adapter stays paused.
    pub fn restart(self: &Rc<Self>) -> Result<(), Status> {
        self.expect(State::Paused);
        self.state.set(State::Restarting);
        self.restarting.start();
        let parameters = Block::of(
            "NDIS_MINIPORT_RESTART_PARAMETERS",
            RestartParameters { header: ObjectHeader::new(DEFAULT, 1, 20), attributes: 0, flags: 0 },
        );
        let status = callback!(
            "MiniportRestart",
            Level::Passive,
            self.handlers().restart,
            self.context(),
            parameters.address(),
        );
        let status = match self.restarting.returned(status) {
            Returned::Final(status) => status,
            Returned::Pending => {
                if !self.ndis().wait_for("MiniportRestart", WATCHDOG, || !self.restarting.outstanding()) {
                    finding("NDIS.7C.0x25", Some(self.name()), "the restart does not end".to_owned());
                }
                self.restart_status.get()
            }
            Returned::Early => self.restart_status.get(),
            Returned::Twice(_) => {
                finding("CO-245", Some(self.name()), "the restart was completed and returned".to_owned());
                self.restart_status.get()
            }
        };
        if status != status::SUCCESS {
            self.state.set(State::Paused);
            note(Step::new("NDIS", format!("{} stays paused: {}", self.name(), status::name(status))));
            return Err(status);
        }
        self.state.set(State::Running);
        note(Step::new("NDIS", format!("{} running", self.name())));
        Ok(())
    }

    /// Stops the flow of data: `MiniportPause`. Clients may keep their VCs and calls.
    pub fn pause(self: &Rc<Self>) {
        self.expect(State::Running);
        rest::check(self);
        self.state.set(State::Pausing);
        self.paused_at.set(self.begin());
        self.pausing.start();
        let parameters = Block::of(
            "NDIS_MINIPORT_PAUSE_PARAMETERS",
            // The reason is that of NDIS_PAUSE_NDIS_INTERNAL.
            PauseParameters { header: ObjectHeader::new(DEFAULT, 1, 12), flags: 0, reason: 1 },
        );
        let status = callback!(
            "MiniportPause",
            Level::Passive,
            self.handlers().pause,
            self.context(),
            parameters.address(),
        );
        if status != status::SUCCESS && status != status::PENDING {
            let text = format!("MiniportPause returned {}", status::name(status));
            finding("SDV.MiniportPause_Return", Some(self.name()), text);
        }
        match self.pausing.returned(status) {
            Returned::Final(_) => self.check_quiet(),
            Returned::Pending => {
                if !self.ndis().wait_for("MiniportPause", WATCHDOG, || !self.pausing.outstanding()) {
                    finding("NDIS.7C.0x25", Some(self.name()), "the pause does not end".to_owned());
                }
            }
            Returned::Early => {}
            Returned::Twice(_) => {
                finding("CO-244", Some(self.name()), "the pause was completed and returned".to_owned());
            }
        }
        self.state.set(State::Paused);
        note(Step::new("NDIS", format!("{} paused", self.name())));
    }

    /// CO-242: at the end of a pause nothing is in the hands of the driver or of a client.
    fn check_quiet(&self) {
        self.check_pause();
        for vc in self.vcs() {
            let (sends, receives) = (vc.sends.taken(), vc.receives_outstanding());
            if sends + receives != 0 {
                let text = format!("paused with {sends} sends and {receives} receives outstanding");
                finding("CO-242", Some(vc.name()), text);
            }
        }
    }

    /// The card is pulled out: the driver is told; pause, close and halt follow.
    pub fn surprise_remove(self: &Rc<Self>) {
        if let Some(slot) = self.slot() {
            slot.unplug();
        }
        self.removed.set(true);
        note(Step::new("NT", format!("{} is pulled out", self.name())));
        self.pnp_event(SURPRISE_REMOVED);
        self.told_removed.set(true);
    }

    /// `MiniportDevicePnPEventNotify` with an `NDIS_DEVICE_PNP_EVENT` and no data.
    pub fn pnp_event(self: &Rc<Self>, event: u32) {
        let block = Block::of(
            "NET_DEVICE_PNP_EVENT",
            PnpEvent {
                header: ObjectHeader::new(DEFAULT, 1, 44),
                port: 0,
                event,
                buffer: 0,
                length: 0,
                reserved: [0; 16],
            },
        );
        callback!(
            "MiniportDevicePnPEventNotify",
            Level::Passive,
            self.handlers().device_pnp_event_notify,
            self.context(),
            block.address(),
        );
    }

    /// Sends the device to a power state (1 is D0, 4 is D3) by `OID_PNP_SET_POWER`. The adapter is paused, or, with a driver
    /// for NDIS 6.30 and later, running.
    pub fn set_power(self: &Rc<Self>, state: u32) -> Status {
        if let Some(slot) = self.slot().filter(|_| state == 1) {
            slot.power_up();
        }
        let (begun, low) = (self.begin(), state > 1);
        if low && let Some(told) = self.slot().and_then(|slot| slot.told_link()) {
            self.link_told.set(told);
            self.tells_link(None);
        }
        self.going_down.set(low);
        self.asleep.set(false);
        let result = self.oid_request(OidRequest::set(OID_PNP_SET_POWER, &state.to_le_bytes()));
        if !matches!(result.status, status::SUCCESS | status::NOT_ACCEPTED) {
            let text = format!("OID_PNP_SET_POWER ended with {}", status::name(result.status));
            finding("NV.NdisOidComplete", Some(self.name()), text);
        }
        self.check_lifecycle("OID_PNP_SET_POWER", begun);
        self.asleep.set(low && result.status == status::SUCCESS);
        if !low && result.status == status::SUCCESS {
            self.tells_link(Some(self.link_told.get()));
        }
        if self.asleep.get() {
            timer::check_cancelled(self);
        }
        result.status
    }

    /// `MiniportShutdownEx` with `NdisShutdownPowerOff`.
    pub fn shut_down(self: &Rc<Self>) {
        self.phase.set(Phase::Shutdown);
        self.shut.set(true);
        callback!("MiniportShutdownEx", Level::Passive, self.handlers().shutdown, self.context(), 0);
        self.phase.set(Phase::Other);
    }

    /// `MiniportShutdownEx` with `NdisShutdownBugCheck`: the system has crashed, at whatever it was doing, and all that
    /// can still be done is what `HIGH_LEVEL` allows.
    pub fn shut_down_in_bug_check(self: &Rc<Self>) {
        self.phase.set(Phase::Shutdown);
        self.shut.set(true);
        let machine = self.machine();
        let old = machine.raise_irql(HIGH_LEVEL);
        callback!("MiniportShutdownEx", Level::AsIs, self.handlers().shutdown, self.context(), 1);
        machine.lower_irql(old);
        self.phase.set(Phase::Other);
    }

    /// Ends the adapter: `MiniportHaltEx`, then a search for what the driver kept. The adapter is paused, unless the
    /// documents are read otherwise.
    pub fn halt(self: &Rc<Self>, action: HaltAction) {
        if !readings().halt_unpaused {
            self.expect(State::Paused);
        }
        rest::check(self);
        oid::drain(self);
        self.phase.set(Phase::Halt);
        note(Step::new("NT", format!("{} halts", self.name())));
        let name = self.name();
        let halting = Rc::clone(self);
        super::deadline(120, "NDIS.7C.0x25", move || (halting.phase.get() == Phase::Halt).then_some(name));
        let begun = self.begin();
        self.asleep.set(false);
        self.tells_link(None);
        callback!("MiniportHaltEx", Level::Passive, self.handlers().halt, self.context(), action as u32);
        self.check_lifecycle("MiniportHaltEx", begun);
        self.phase.set(Phase::Other);
        for vc in self.vcs() {
            finding("CO-086", Some(vc.name()), "exists when MiniportHaltEx returns".to_owned());
        }
        for af in self.opens() {
            finding("CO-043", Some(af.name()), "open when MiniportHaltEx returns".to_owned());
            af.abandon();
        }
        for (resource, _, what) in self.owned.take() {
            let text = format!("MiniportHaltEx left {what}");
            finding(resource.rule_at_halt(), Some(self.name()), text);
        }
        self.end();
        note(Step::new("NDIS", format!("{} halted", self.name())));
    }
}

pub(super) unsafe extern "win64" fn pause_complete(handle: Handle) {
    let _call = enter("NdisMPauseComplete", IrqlRange::DISPATCH_OR_BELOW);
    let Some(adapter) = Adapter::find(handle) else { return };
    super::no_locks("CO-301", || adapter.name());
    if !adapter.pausing.complete() {
        finding("CO-244", Some(adapter.name()), "no pause is pending".to_owned());
        return;
    }
    adapter.check_quiet();
    adapter.ndis().changed();
}

pub(super) unsafe extern "win64" fn restart_complete(handle: Handle, status: Status) {
    let _call = enter("NdisMRestartComplete", IrqlRange::DISPATCH_OR_BELOW);
    let Some(adapter) = Adapter::find(handle) else { return };
    super::no_locks("CO-301", || adapter.name());
    adapter.restart_status.set(status);
    if status == status::PENDING || !adapter.restarting.complete() {
        finding("CO-245", Some(adapter.name()), "no restart is pending".to_owned());
        return;
    }
    adapter.ndis().changed();
}

/// Nothing resets the adapter, so no reset can be completed.
pub(super) unsafe extern "win64" fn reset_complete(handle: Handle, _status: Status, _addressing: u8) {
    let _call = enter("NdisMResetComplete", IrqlRange::DISPATCH_OR_BELOW);
    let Some(adapter) = Adapter::find(handle) else { return };
    finding("CO-261", Some(adapter.name()), "no reset is pending".to_owned());
}

pub(super) unsafe extern "win64" fn remove_miniport(handle: Handle) -> Status {
    let _call = enter("NdisMRemoveMiniport", IrqlRange::DISPATCH_OR_BELOW);
    let Some(adapter) = Adapter::find(handle) else { return status::FAILURE };
    adapter.removal_requested.set(true);
    note(Step::new("driver", format!("asks for the removal of {}", adapter.name())));
    adapter.ndis().changed();
    status::SUCCESS
}
