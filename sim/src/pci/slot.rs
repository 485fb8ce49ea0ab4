//! One card in the machine: its windows, its interrupts, its DMA domain and its cable.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    time::Duration,
};

use super::link::Link;
use super::{
    BarKind, BarResource, Deeds, Device, Line, Mask, Platform, Resources, alone::Alone, command, interrupts,
    offset,
};
use crate::{
    machine::{EventId, Machine, Step},
    memory::dma::Domain,
    traffic::{Doubt, Traffic},
    wire::{PcapTee, Unconnected, Wire, describe},
};

/// Shortest Ethernet frame without FCS; the far end's MAC pads to it.
const MINIMUM_FRAME: usize = 60;

/// Bit of the status register: there are capabilities.
const CAPABILITY_LIST: u8 = 1 << 4;
/// The capability of PCI Express, and where Link Control is in it.
const PCI_EXPRESS: u8 = 0x10;
const LINK_CONTROL: u16 = 0x10;

/// How far a rebalance moves memory windows, and ports.
const MOVE: u64 = 0x0100_0000;
const MOVE_IO: u64 = 0x0400;

/// A card, started as the PCI bus driver leaves it: windows assigned, memory decoding and bus mastering on.
pub struct Slot {
    machine: Weak<Machine>,
    me: Weak<Slot>,
    device: RefCell<Box<dyn Device>>,
    wire: RefCell<Box<dyn Wire>>,
    pcap: RefCell<Option<PcapTee>>,
    traffic: Traffic,
    dma: Domain,
    pub(super) windows: RefCell<Vec<BarResource>>,
    resources: RefCell<Resources>,
    /// What the command register holds, so that asking it needs no borrow of the device.
    pub(super) command: Cell<u16>,
    /// Where Link Control is and what firmware left there, if the card has it.
    link_control: Cell<Option<(u16, u8)>>,
    pub(super) gone: Cell<bool>,
    cable: Cell<bool>,
    pub(super) link: Link,
    pub(super) interrupts: interrupts::Routing,
    pub(super) alone: Alone,
    timer: Cell<Option<(Duration, EventId)>>,
    wire_timer: Cell<Option<(Duration, EventId)>>,
}

impl Slot {
    /// Puts `device` into the current machine and plugs `wire` into it; `pcap` gets every frame of the cable.
    ///
    /// # Panics
    /// Without a current machine.
    pub fn new(mut device: Box<dyn Device>, wire: Box<dyn Wire>, pcap: Option<PcapTee>) -> Rc<Self> {
        let machine = Machine::current();
        let others = machine.set_ports_aside(super::resources::ports(device.bars()));
        let windows = super::resources::assign(device.bars(), others);
        let messages = interrupts::messages(&mut *device);
        let resources = Resources { bars: windows.clone(), line: Some(interrupts::LINE), messages };
        let fd = wire.fd();
        let dma = device.domain();
        let slot = Rc::new_cyclic(|me| Self {
            machine: Rc::downgrade(&machine),
            me: Weak::clone(me),
            device: RefCell::new(device),
            wire: RefCell::new(wire),
            pcap: RefCell::new(pcap),
            traffic: Traffic::default(),
            dma,
            windows: RefCell::new(windows),
            resources: RefCell::new(resources),
            command: Cell::new(0),
            link_control: Cell::new(None),
            gone: Cell::new(false),
            cable: Cell::new(true),
            link: Link::default(),
            interrupts: interrupts::Routing::default(),
            alone: Alone::default(),
            timer: Cell::new(None),
            wire_timer: Cell::new(None),
        });
        slot.link_control.set(slot.find_link_control());
        slot.start();
        if let Some(fd) = fd {
            let weak = Rc::downgrade(&slot);
            machine.register_fd(fd, move || {
                if let Some(slot) = weak.upgrade() {
                    slot.poll_wire();
                }
            });
        }
        slot.arm_wire();
        slot
    }

    /// What firmware and the PCI bus driver do before the miniport is initialized.
    fn start(&self) {
        for window in self.windows.borrow().iter() {
            let at = u32::from(offset::BAR0) + 4 * u32::try_from(window.index).unwrap_or(0);
            self.write_config(at, &window.physical.to_le_bytes()[..4]);
        }
        let line = self.resources.borrow().line.map_or(0, |line| u8::try_from(line.vector).unwrap_or(0));
        self.write_config(u32::from(offset::INTERRUPT), &[line]);
        let enable = command::IO | command::MEMORY | command::BUS_MASTER;
        self.write_config(u32::from(offset::COMMAND), &enable.to_le_bytes());
    }

    /// What the PCI bus driver does when the card gets its power back: the link saves power as firmware wanted it.
    pub fn power_up(&self) {
        if let Some((at, value)) = self.link_control.get() {
            self.write_config(at.into(), &[value]);
        }
    }

    /// Looks for the PCI Express capability.
    fn find_link_control(&self) -> Option<(u16, u8)> {
        let read = |at: u16| {
            let mut byte = [0];
            self.read_config(at.into(), &mut byte);
            byte[0]
        };
        if read(offset::STATUS) & CAPABILITY_LIST == 0 {
            return None;
        }
        let mut at = u16::from(read(offset::CAPABILITIES));
        // No list is longer than the space it lies in.
        for _ in 0..64 {
            match (at, read(at)) {
                (0, _) => return None,
                (_, PCI_EXPRESS) => return Some((at + LINK_CONTROL, read(at + LINK_CONTROL))),
                _ => at = read(at + 1).into(),
            }
        }
        None
    }

    /// Reads configuration space at byte `off`; all ones once the card is gone.
    pub fn read_config(&self, off: u32, data: &mut [u8]) {
        for (i, byte) in (0..).zip(data) {
            let at = off.checked_add(i).and_then(|at| u16::try_from(at).ok());
            *byte = match at {
                Some(at) if !self.gone.get() => {
                    u8::try_from(self.device.borrow_mut().config_read(at, 1)).unwrap_or(0xff)
                }
                _ => 0xff,
            };
        }
    }

    /// Writes configuration space at byte `off`, in the largest aligned pieces; lost once the card is gone.
    pub fn write_config(&self, off: u32, data: &[u8]) {
        let Ok(mut at) = u16::try_from(off) else { return };
        let mut rest = data;
        while !self.gone.get() && !rest.is_empty() {
            let size = match rest.len() {
                4.. if at.is_multiple_of(4) => 4,
                2.. if at.is_multiple_of(2) => 2,
                _ => 1,
            };
            let (now, later) = rest.split_at(size);
            let mut value = [0; 4];
            value[..size].copy_from_slice(now);
            let width = u8::try_from(size).unwrap_or(1);
            self.device.borrow_mut().config_write(self, at, width, u32::from_le_bytes(value));
            at = at.saturating_add(u16::from(width));
            rest = later;
        }
        let command = self.with_device(|device| device.config_read(offset::COMMAND, 2));
        self.command.set(u16::try_from(command).unwrap_or(0));
        self.interrupts_changed();
    }

    /// The assigned resources, translated.
    pub fn resources(&self) -> Resources {
        self.resources.borrow().clone()
    }

    /// Has the adapter be told of other resources than the card has, as a mistaken bus driver would.
    pub fn assign(&self, resources: Resources) {
        self.resources.replace(resources);
    }

    /// What a rebalance does while the card's driver is halted: its windows move, its line is another one, and there are
    /// so many messages for it at most.
    pub fn rebalance(&self, line: Line, messages: usize) {
        for window in self.windows.borrow_mut().iter_mut() {
            window.physical += match window.kind {
                BarKind::Memory32 => MOVE,
                BarKind::Io => MOVE_IO,
            };
        }
        {
            let mut resources = self.resources.borrow_mut();
            resources.bars.clone_from(&self.windows.borrow());
            resources.line = Some(line);
            resources.messages.truncate(messages);
        }
        self.start();
    }

    /// Frames do not pass the card's wire from now on, since somebody else plays the card, as a benchmark does: nothing is to
    /// be said of them.
    pub fn is_played_elsewhere(&self) {
        use Doubt::{NotSent, ReceivedLess, ReceivedTwice, SentTwice};
        for doubt in [NotSent, SentTwice, ReceivedTwice, ReceivedLess] {
            self.traffic.doubt(doubt);
        }
    }

    /// What the card has sent and received of its driver's clients.
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// The memory the card may touch.
    pub fn dma(&self) -> &Domain {
        &self.dma
    }

    /// Takes the card out of the machine while it runs: it reads all ones and reaches no memory.
    pub fn unplug(&self) {
        self.gone.set(true);
        self.dma.block(true);
        self.interrupts.forget();
        if let Some(machine) = self.machine.upgrade() {
            machine.log(format_args!("card unplugged"));
            if let Some((_, id)) = self.timer.take() {
                machine.cancel(id);
            }
        }
    }

    /// Frames that the capture had no room for.
    pub fn left_out_of_capture(&self) -> u64 {
        self.pcap.borrow().as_ref().map_or(0, PcapTee::left_out)
    }

    /// Takes the cable and the capture away, ending both: what is sent from now on is lost.
    pub fn detach(&self) {
        let fd = self.wire.borrow().fd();
        if let (Some(machine), Some(fd)) = (self.machine.upgrade(), fd) {
            machine.unregister_fd(fd);
        }
        self.wire.replace(Box::new(Unconnected));
        self.pcap.take();
    }

    /// Whether the card has been unplugged.
    pub fn is_gone(&self) -> bool {
        self.gone.get()
    }

    /// Plugs the cable in or pulls it; nothing passes while it is out.
    pub fn set_link(&self, up: bool) {
        self.cable.set(up);
        if !self.gone.get() {
            self.device.borrow_mut().set_link(self, up);
        }
    }

    /// A script has given the far end of the cable something to do that it does not know of yet.
    pub fn look_at_wire(&self) {
        self.arm_wire();
    }

    /// `INTx#` may be driven.
    pub(super) fn line_enabled(&self) -> bool {
        !self.gone.get() && self.command.get() & command::INTX_DISABLE == 0
    }

    /// Whether the card is or was made to misbehave.
    pub fn is_faulty(&self) -> bool {
        self.device.borrow().is_faulty()
    }

    /// Until when the wire's other end has the card wait, or had.
    pub(crate) fn held_until(&self) -> Option<Duration> {
        self.device.borrow().held_until()
    }

    pub(super) fn me(&self) -> Weak<Self> {
        Weak::clone(&self.me)
    }

    /// What the device says of its deeds.
    pub fn deed<R>(&self, f: impl FnOnce(&mut Deeds) -> Option<R>) -> Option<R> {
        self.device.borrow_mut().deeds().and_then(f)
    }

    /// A driver starts the card with these settings; they say whether it is told the same as before.
    pub fn settings(&self, settings: &str) {
        self.with_device(|device| device.settings(settings));
    }

    pub(super) fn with_device<R>(&self, f: impl FnOnce(&mut dyn Device) -> R) -> R {
        f(&mut **self.device.borrow_mut())
    }

    pub(super) fn machine(&self) -> Option<Rc<Machine>> {
        self.machine.upgrade()
    }

    fn timer_over(&self) {
        self.timer.set(None);
        if !self.gone.get() {
            self.device.borrow_mut().timer(self);
        }
    }

    /// Takes what has arrived on the wire.
    fn poll_wire(&self) {
        let Some(machine) = self.machine.upgrade() else { return };
        loop {
            let arrived = self.wire.borrow_mut().receive(machine.now());
            let Some(mut frame) = arrived else { break };
            if frame.len() < MINIMUM_FRAME {
                frame.resize(MINIMUM_FRAME, 0);
            }
            if self.gone.get() || !self.cable.get() {
                continue;
            }
            self.tell(&machine, "received", &frame, false);
            self.traffic.arrived(&frame);
            self.device.borrow_mut().receive(self, &frame);
        }
        self.arm_wire();
    }

    fn arm_wire(&self) {
        let Some(machine) = self.machine.upgrade() else { return };
        let wanted = self.wire.borrow().deadline();
        let armed = self.wire_timer.get();
        if wanted == armed.map(|(at, _)| at) {
            return;
        }
        if let Some((_, id)) = armed {
            machine.cancel(id);
        }
        let me = Weak::clone(&self.me);
        self.wire_timer.set(wanted.map(|at| {
            let id = machine.at(at, move || {
                if let Some(slot) = me.upgrade() {
                    slot.wire_timer.set(None);
                    slot.poll_wire();
                }
            });
            (at, id)
        }));
    }

    fn tell(&self, machine: &Machine, what: &'static str, frame: &[u8], sent: bool) {
        if let Some(pcap) = self.pcap.borrow_mut().as_mut()
            && !pcap.write(machine.now(), frame, sent)
        {
            machine.remark(&Step::new("capture", "full: it has no room for this frame and later ones"));
        }
        describe::tell(machine, what, frame);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.detach();
    }
}

impl Platform for Slot {
    fn now(&self) -> Duration {
        self.machine.upgrade().map_or(Duration::ZERO, |machine| machine.now())
    }

    fn dma_read(&self, bus: u64, buf: &mut [u8]) -> bool {
        self.dma.read(bus, buf).is_ok()
    }

    fn dma_write(&self, bus: u64, data: &[u8]) -> bool {
        self.dma.write(bus, data).is_ok()
    }

    fn set_intx(&self, level: bool) {
        self.drive_line(level);
    }

    fn message(&self, vector: u16) {
        self.send_message(vector);
    }

    fn mask(&self, change: Mask) {
        self.alone.follow(change);
        self.mask_changed(change);
    }

    fn transmit(&self, frame: &[u8]) {
        let Some(machine) = self.machine.upgrade() else { return };
        self.traffic.on_wire(frame);
        if !self.cable.get() {
            return;
        }
        self.tell(&machine, "sent", frame, true);
        self.wire.borrow_mut().send(machine.now(), frame);
        self.arm_wire();
    }

    fn went_badly(&self, frame: &[u8]) {
        self.traffic.went_badly(frame);
    }

    fn taken_in(&self, frame: &[u8]) {
        self.traffic.taken_in(frame);
    }

    fn was_reset(&self) {
        self.traffic.reset();
    }

    fn doubt(&self, doubt: Doubt) {
        self.traffic.doubt(doubt);
    }

    fn finding(&self, rule: &'static str, detail: String) {
        if let Some(machine) = self.machine.upgrade() {
            machine.finding(rule, None, detail);
        }
    }

    fn step(&self, text: &'static str) {
        if let Some(machine) = self.machine.upgrade() {
            machine.step(crate::machine::Step::new("card", text));
        }
    }

    fn link_is(&self, up: bool) {
        self.link_changed(up);
    }

    fn told_link(&self) -> Option<bool> {
        self.link.told()
    }

    fn schedule(&self, at: Option<Duration>) {
        let Some(machine) = self.machine.upgrade() else { return };
        let armed = self.timer.get();
        if at == armed.map(|(at, _)| at) {
            return;
        }
        if let Some((_, id)) = armed {
            machine.cancel(id);
        }
        let me = Weak::clone(&self.me);
        self.timer.set(at.map(|at| {
            let id = machine.at(at, move || {
                if let Some(slot) = me.upgrade() {
                    slot.timer_over();
                }
            });
            (at, id)
        }));
    }
}
