//! The card's interrupts, as QEMU reports them: the level of the line, and messages in memory.
//!
//! QEMU holds some back until a timer fires, and a thread of QEMU needs its turn for that. Those that are due are waited
//! for, so that they come at the time of what caused them.

use super::{
    card::Card,
    registers::{EIAC, ICS, IMC, IMS, IVAR},
};
use crate::pci::{Mask, Platform, command};

/// Causes that have a field of four bits in IVAR: bits 20 to 24 of ICR.
const VECTORED: std::ops::Range<u32> = 20..25;
/// The number of the cause of a received frame among them.
pub(super) const RXQ0: u32 = 20;

impl Card {
    /// Takes what QEMU has reported and tells the machine; whether there was anything.
    pub(super) fn look_at_interrupts(&mut self, p: &dyn Platform) -> bool {
        let any = self.notice(p);
        self.tell_messages(p);
        any
    }

    /// Tells the machine of the messages that have come, in the order of their vectors: which came first is chance.
    fn tell_messages(&mut self, p: &dyn Platform) {
        let arrived = std::mem::take(&mut self.arrived);
        (0u16..32).filter(|vector| arrived >> vector & 1 != 0).for_each(|vector| p.message(vector));
    }

    /// Takes interrupts that QEMU has reported; whether there were any.
    fn notice(&mut self, p: &dyn Platform) -> bool {
        if let Some(failure) = self.qtest.failure()
            && !self.reported_gone
        {
            self.reported_gone = true;
            p.finding("QEMU.Gone", format!("{failure}; {}", self.process.last_words()));
        }
        let level = self.qtest.asserted();
        let changed = level != self.line;
        if changed {
            self.line = level;
            p.set_intx(level);
        }
        let arrived = self.messages.as_ref().map(|messages| messages.take(&self.memory));
        let arrived = arrived.and_then(Result::ok).unwrap_or_default();
        for vector in &arrived {
            self.arrived |= 1 << vector;
        }
        changed || !arrived.is_empty()
    }

    /// The same, and waits for those that are due.
    pub(super) fn settle_interrupts(&mut self, p: &dyn Platform) -> bool {
        let mut any = self.notice(p);
        let owed = self.messages_owed();
        if owed & !self.arrived != 0 {
            any |= self.wait(|card| card.notice(p) && owed & !card.arrived == 0);
        }
        self.tell_messages(p);
        if self.line_is_due() {
            let told = self.wait(|card| card.notice(p) || !card.line_is_due());
            if !told {
                // Whatever the reason is, it is not waited for again.
                self.shadow.in_vain |= self.read_window(ICS);
            }
            any |= told;
        }
        any
    }

    /// Software writes a register of the interrupt logic.
    pub(super) fn follow_mask(&mut self, off: u64, value: u32) {
        let armed = &mut self.shadow.armed;
        match off {
            IMS => *armed |= value,
            IMC => *armed &= !value,
            _ => {}
        }
    }

    /// Tells the machine that software lets the card interrupt.
    pub(super) fn tell_mask(&self, p: &dyn Platform, off: u64, value: u32) {
        if off != IMS || value == 0 {
            return;
        }
        if !self.shadow.uses_messages() {
            return p.mask(Mask::Open(None));
        }
        for message in VECTORED.filter(|bit| value >> bit & 1 != 0).filter_map(|bit| self.message_of(bit)) {
            p.mask(Mask::Open(Some(message)));
        }
    }

    /// The message of a cause that has a field in IVAR.
    pub(super) fn message_of(&self, bit: u32) -> Option<u16> {
        let field = self.shadow.get(IVAR) >> (4 * bit.checked_sub(VECTORED.start)?) & 0xf;
        let valid = self.shadow.uses_messages() && field & 8 != 0;
        valid.then(|| u16::try_from(field & 7).unwrap_or(0))
    }

    /// The vectors whose messages are on their way: such a message masks its causes in EIAC when it is held back, too.
    fn messages_owed(&mut self) -> u32 {
        let armed = self.shadow.armed & self.shadow.get(EIAC);
        // Enabled, and the function not masked.
        if self.shadow.message_control & 0xc000 != 0x8000 || armed == 0 {
            return 0;
        }
        let masked = armed & !self.read_window(IMS);
        self.shadow.armed &= !masked;
        let allocation = self.shadow.get(IVAR);
        let fields = VECTORED.filter(|bit| masked >> bit & 1 != 0);
        let vectors = fields.map(|bit| allocation >> (4 * (bit - VECTORED.start)) & 0xf);
        let valid = vectors.filter(|field| field & 8 != 0).map(|field| field & 7);
        valid.filter(|vector| self.sends(*vector)).fold(0, |set, vector| set | 1 << vector)
    }

    /// The vector is not masked.
    fn sends(&self, vector: u32) -> bool {
        self.messages.as_ref().is_some_and(|messages| messages.sends(vector as usize))
    }

    /// The line is not asserted although an enabled cause is there.
    fn line_is_due(&mut self) -> bool {
        let disabled = self.shadow.command & u32::from(command::INTX_DISABLE) != 0;
        if self.line || disabled || self.shadow.uses_messages() {
            return false;
        }
        let due = self.read_window(ICS) & self.read_window(IMS);
        due & !self.shadow.in_vain != 0
    }
}
