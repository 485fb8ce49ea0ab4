//! How a card's interrupts reach the processors: the level-triggered line and MSI-X messages.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use super::{Device, Line, Mask, Message, Slot, command, offset};
use crate::verifier::{Rule, Severity, rule};

/// The line of the one slot.
pub(super) const LINE: Line = Line { vector: 0x71, irql: 7 };
/// Vector of the first message; the others follow.
const FIRST_MESSAGE: u32 = 0x81;
/// IRQL of the messages.
const MESSAGE_IRQL: u8 = 8;
/// Where messages are written: the local APICs.
const APIC: u64 = 0xfee0_0000;
/// Capability id of MSI-X.
const MSIX: u8 = 0x11;
/// Interrupts in a row that leave the line asserted before the machine gives the line up.
const STORM: u32 = 1000;

pub(crate) const RULES: &[Rule] = &[
    rule(
        "PCI.ResetAlone",
        Severity::S1,
        "While a card is reset and set up, nobody touches its registers but who does that.",
    ),
    rule(
        "PCI.InterruptStorm",
        Severity::S0,
        "An interrupt service routine makes its card take the line back.",
    ),
    rule(
        "PCI.InterruptForeign",
        Severity::S1,
        "An interrupt service routine claims interrupts of its own card only.",
    ),
    rule("PCI.InterruptUnclaimed", Severity::S0, "The driver claims the interrupts of its own card."),
];

type LineHandler = Rc<dyn Fn() -> bool>;
type MessageHandler = Rc<dyn Fn(u32)>;
type MaskWatcher = Rc<dyn Fn(Mask)>;

/// State of both mechanisms.
#[derive(Default)]
pub(super) struct Routing {
    level: Cell<bool>,
    /// An interrupt for the line is queued or running.
    in_service: Cell<bool>,
    /// Interrupts since the line was last deasserted.
    repeats: Cell<u32>,
    /// Interrupts of either kind that the service routine was called for.
    served: Cell<u64>,
    line: RefCell<Option<LineHandler>>,
    messages: RefCell<Option<MessageHandler>>,
    watcher: RefCell<Option<MaskWatcher>>,
}

impl Routing {
    /// The card is gone and pulls nothing any more.
    pub(super) fn forget(&self) {
        self.level.set(false);
    }
}

/// The messages assigned to a function: one for each entry of its MSI-X table.
pub(super) fn messages(device: &mut dyn Device) -> Vec<Message> {
    let Some(at) = capability(device) else { return Vec::new() };
    let count = (device.config_read(at + 2, 2) & 0x7ff) + 1;
    let message = |i| {
        let vector = FIRST_MESSAGE + i;
        Message { vector, irql: MESSAGE_IRQL, address: APIC, data: vector }
    };
    (0..count).map(message).collect()
}

/// Where the MSI-X capability is.
fn capability(device: &mut dyn Device) -> Option<u16> {
    let mut at = byte(device, offset::CAPABILITIES);
    // No list is longer than the space it lies in.
    for _ in 0..64 {
        if at == 0 || at == 0xff {
            return None;
        }
        if byte(device, at) == u16::from(MSIX) {
            return Some(at);
        }
        at = byte(device, at + 1);
    }
    None
}

fn byte(device: &mut dyn Device, at: u16) -> u16 {
    u16::try_from(device.config_read(at, 1)).unwrap_or(0)
}

impl Slot {
    /// Connects the line's interrupt service routine, which tells whether the interrupt was its card's, or
    /// disconnects it.
    pub fn connect_line(&self, handler: Option<LineHandler>) {
        self.interrupts.line.replace(handler);
        self.interrupts.repeats.set(0);
        self.interrupts_changed();
    }

    /// Connects the messages' interrupt service routine, which is told the message number, and has the card use
    /// messages; or disconnects it and has the card use its line again.
    pub fn connect_messages(&self, handler: Option<MessageHandler>) {
        let enable = handler.is_some();
        self.interrupts.messages.replace(handler);
        if self.resources().messages.is_empty() {
            return;
        }
        if enable {
            self.program_messages();
        }
        self.switch_messages(enable);
    }

    /// Who hears of what the driver does to the mask, from within its access.
    pub fn watch_mask(&self, watcher: Option<MaskWatcher>) {
        self.interrupts.watcher.replace(watcher);
    }

    /// The driver changes the mask.
    pub(super) fn mask_changed(&self, change: Mask) {
        let watcher = self.interrupts.watcher.borrow().clone();
        if let Some(watcher) = watcher {
            watcher(change);
        }
    }

    /// The message that tells of received frames, if the card knows.
    pub fn receive_message(&self) -> Option<u16> {
        self.with_device(|device| device.receive_message())
    }

    /// Fills the MSI-X table as the bus driver does.
    fn program_messages(&self) {
        let mut pointer = [0; 4];
        let Some(at) = self.find_msix() else { return };
        self.read_config(at + 4, &mut pointer);
        let pointer = u32::from_le_bytes(pointer);
        let (bar, table) = ((pointer & 7) as usize, u64::from(pointer & !7));
        for (i, message) in (0..).zip(self.resources().messages) {
            let entry = table + 16 * i;
            let address = message.address.to_le_bytes();
            for (word, half) in (0..).zip(address.chunks_exact(4)) {
                let half = half.try_into().map_or(0, u32::from_le_bytes);
                self.poke(bar, entry + 4 * word, half);
            }
            self.poke(bar, entry + 8, message.data);
            self.poke(bar, entry + 12, 0);
        }
    }

    fn switch_messages(&self, enable: bool) {
        let Some(at) = self.find_msix() else { return };
        let mut control = [0; 2];
        self.read_config(at + 2, &mut control);
        let control = u16::from_le_bytes(control) & 0x3fff | if enable { 0x8000 } else { 0 };
        self.write_config(at + 2, &control.to_le_bytes());
        let mut word = [0; 2];
        self.read_config(u32::from(offset::COMMAND), &mut word);
        let disable = if enable { command::INTX_DISABLE } else { 0 };
        let word = u16::from_le_bytes(word) & !command::INTX_DISABLE | disable;
        self.write_config(u32::from(offset::COMMAND), &word.to_le_bytes());
    }

    fn find_msix(&self) -> Option<u32> {
        if self.is_gone() {
            return None;
        }
        self.with_device(|device| capability(device)).map(u32::from)
    }

    /// How many interrupts of the card, by line or message, its service routine was called for.
    pub fn interrupts_served(&self) -> u64 {
        self.interrupts.served.get()
    }

    /// The card drives its pin.
    pub(super) fn drive_line(&self, level: bool) {
        self.interrupts.level.set(level);
        if !level {
            self.interrupts.repeats.set(0);
        }
        self.interrupts_changed();
    }

    /// Queues the line's interrupt when it is due and none is on its way.
    pub(super) fn interrupts_changed(&self) {
        let Some(machine) = self.machine() else { return };
        let routing = &self.interrupts;
        let due = routing.level.get() && self.line_enabled() && routing.line.borrow().is_some();
        if !due || routing.in_service.get() || routing.repeats.get() >= STORM {
            return;
        }
        routing.in_service.set(true);
        let slot = self.me();
        machine.interrupt(None, self.line_irql(), "line", move || {
            if let Some(slot) = slot.upgrade() {
                slot.line_interrupt();
            }
        });
    }

    /// The interrupt itself, on a processor at the line's IRQL.
    fn line_interrupt(&self) {
        let handler = self.interrupts.line.borrow().clone();
        let claimed = handler.is_some_and(|handler| handler());
        let routing = &self.interrupts;
        routing.served.set(routing.served.get() + 1);
        routing.in_service.set(false);
        if routing.level.get() {
            // End of interrupt: the controller samples the pin again.
            routing.repeats.set(routing.repeats.get() + 1);
            if routing.repeats.get() == STORM {
                self.give_up(claimed);
            }
        }
        self.interrupts_changed();
    }

    fn give_up(&self, claimed: bool) {
        let Some(machine) = self.machine() else { return };
        let (rule, detail) = if claimed {
            ("PCI.InterruptStorm", "claimed, but the card keeps the line asserted")
        } else {
            ("PCI.InterruptUnclaimed", "the card asserts the line and nobody claims it")
        };
        machine.finding(rule, None, format!("{STORM} interrupts in a row: {detail}; the line is given up"));
    }

    fn line_irql(&self) -> u8 {
        self.resources().line.unwrap_or(LINE).irql
    }

    /// Another device on the line interrupts. The card's routine is asked as well, and must not claim what is not the
    /// card's.
    pub fn foreign_line_interrupt(&self) {
        let Some(machine) = self.machine() else { return };
        let slot = self.me();
        machine.interrupt(None, self.line_irql(), "line", move || {
            let Some(slot) = slot.upgrade() else { return };
            let handler = slot.interrupts.line.borrow().clone();
            let before = slot.with_device(|device| device.causes());
            let claimed = handler.is_some_and(|handler| handler());
            // The routine's own accesses count what it found.
            let foreign = before.is_some() && before == slot.with_device(|device| device.causes());
            if let (true, true, Some(machine)) = (claimed, foreign, slot.machine()) {
                machine.finding(
                    "PCI.InterruptForeign",
                    None,
                    "another device's interrupt is claimed".to_owned(),
                );
            }
        });
    }

    /// A message arrives that the card never sent.
    pub fn stray_message(&self, number: u16) {
        self.send_message(number);
    }

    /// The card writes message `number`.
    pub(super) fn send_message(&self, number: u16) {
        let Some(machine) = self.machine() else { return };
        if self.is_gone() || self.interrupts.messages.borrow().is_none() {
            return;
        }
        let slot = self.me();
        machine.interrupt(None, MESSAGE_IRQL, "message", move || {
            let Some(slot) = slot.upgrade() else { return };
            let handler = slot.interrupts.messages.borrow().clone();
            if let Some(handler) = handler {
                slot.interrupts.served.set(slot.interrupts.served.get() + 1);
                handler(u32::from(number));
            }
        });
    }
}
