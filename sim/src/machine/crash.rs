//! What a crash is called and what is told of it.

use std::fmt;

use super::activity::Activity;
use super::fault::{Fault, instruction_at, is_fast_fail};
use super::registers::Registers;
use super::{DISPATCH_LEVEL, Machine, shared_data};
use crate::memory::{ObjectId, pool};

/// The end of a run by the driver's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash {
    /// The rule that names it.
    pub rule: &'static str,
    /// What happened.
    pub reason: String,
    /// The faulting instruction or call, and what the stack tells of its callers, innermost first.
    pub stack: Vec<String>,
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.reason, self.rule)?;
        for frame in &self.stack {
            write!(f, "\n    at {frame}")?;
        }
        Ok(())
    }
}

/// Addresses below are never mapped: a pointer to a member of nothing.
const NULL_PAGES: usize = 0x1_0000;

impl Machine {
    /// The crash that ended the run, if one did.
    pub fn crash(&self) -> Option<Crash> {
        self.crash.borrow().clone()
    }

    /// Ends the run with the finding `rule`: the current activity never goes on, and [`Machine::run_until`] reports
    /// `reason`.
    ///
    /// # Panics
    /// In host context.
    pub fn stop(&self, rule: &'static str, reason: String) -> ! {
        let stack = self.call_stack();
        self.finding(rule, None, reason.clone());
        self.log(format_args!("stop: {reason}"));
        self.crash.replace(Some(Crash { rule, reason, stack }));
        self.halt_activity()
    }

    /// Records what a fault says of the driver.
    pub(super) fn crashed(&self, activity: &Activity, fault: &Fault, registers: &Registers<'_>) {
        let (rule, object, what) = self.classify(activity, fault, registers);
        let at = registers.instruction_pointer();
        let image = self.image();
        let mut stack = Vec::new();
        stack.extend(image.as_ref().and_then(|image| image.symbol(at)));
        if stack.is_empty()
            && let Some(site) = self.call_site()
        {
            stack.push(site);
        }
        stack.extend(self.scan_stack(activity, registers.stack_pointer()));
        let place =
            stack.first().map_or_else(|| "outside the driver".to_owned(), |first| format!("at {first}"));
        let reason = format!("{what} {place}");
        self.finding(rule, object, reason.clone());
        for frame in &stack {
            self.log(format_args!("  at {frame}"));
        }
        self.crash.replace(Some(Crash { rule, reason, stack }));
    }

    fn classify(
        &self,
        activity: &Activity,
        fault: &Fault,
        registers: &Registers<'_>,
    ) -> (&'static str, Option<ObjectId>, String) {
        match fault.signal {
            libc::SIGILL => {
                return ("BC.7F.0x06", None, "invalid instruction (a panic ends in one)".to_owned());
            }
            libc::SIGTRAP => return ("SDVW.DebugBreakUsage", None, "breakpoint".to_owned()),
            libc::SIGFPE => return ("BC.7F.0x00", None, "division by zero".to_owned()),
            _ => {}
        }
        if fault.general {
            let instruction = instruction_at(registers.instruction_pointer());
            return if is_fast_fail(&instruction) {
                let code = registers.read(iced_x86::Register::ECX).unwrap_or(0);
                ("BC.139", None, format!("fast fail, code {code}"))
            } else if instruction.is_privileged() {
                ("BC.C0000096", None, format!("privileged instruction {:?}", instruction.mnemonic()))
            } else {
                ("BC.50", None, "access to an address that no processor has".to_owned())
            };
        }
        self.classify_address(activity, fault.address, registers.error())
    }

    fn classify_address(
        &self,
        activity: &Activity,
        address: usize,
        error: u64,
    ) -> (&'static str, Option<ObjectId>, String) {
        let (write, fetch) = (error & 2 != 0, error & 16 != 0);
        let verb = if fetch {
            "call of"
        } else if write {
            "write to"
        } else {
            "read of"
        };
        if let Some(offset) = shared_data::offset(address) {
            let place = format!("{verb} offset {offset:#x} of KUSER_SHARED_DATA");
            return if write {
                ("BC.BE", None, format!("{place}, which can be read only,"))
            } else if fetch {
                ("BC.FC", None, place)
            } else {
                ("SIM.SharedData", None, format!("{place}, which is not simulated,"))
            };
        }
        if let Some(block) = self.pool().at_address(address) {
            let rule = if block.freed.is_some() {
                "BC.CC"
            } else if fetch {
                "BC.FC"
            } else {
                "BC.CD"
            };
            return (rule, None, format!("{verb} {}", describe(&block)));
        }
        if let Some((object, open)) = self.handles().at_address(address) {
            let state = if open { "open" } else { "closed" };
            return (
                "BC.50",
                Some(object),
                format!("{verb} the {state} handle of {object}, which is no memory"),
            );
        }
        if self.mmio.past_end(address) {
            return ("CO-292", None, format!("{verb} an address past the end of the mapped registers"));
        }
        if activity.overflows(address) {
            return ("BC.7F.0x08", None, "stack overflow".to_owned());
        }
        if let Some(image) = self.image()
            && image.contains(address)
        {
            let rule = if image.is_unloaded() {
                "BC.CE"
            } else if fetch {
                "BC.FC"
            } else {
                "BC.BE"
            };
            let state = if image.is_unloaded() { "the unloaded" } else { "the driver's own" };
            return (rule, None, format!("{verb} {state} image"));
        }
        let rule = if activity.irql.get() >= DISPATCH_LEVEL { "BC.D1" } else { "BC.50" };
        if address < NULL_PAGES {
            return (rule, None, format!("{verb} a null pointer (address {address:#x})"));
        }
        (rule, None, format!("{verb} an invalid address"))
    }
}

fn describe(block: &pool::Neighbour) -> String {
    let place = match usize::try_from(block.offset) {
        Err(_) => format!("{} bytes before", block.offset.unsigned_abs()),
        Ok(offset) if offset >= block.len => format!("{} bytes past the end of", offset - block.len),
        Ok(offset) => format!("offset {offset} of"),
    };
    let tag = pool::tag_name(block.tag);
    let mut text = format!(
        "{place} block {} ({} bytes, tag {tag}, allocated by {}",
        block.number, block.len, block.allocated
    );
    if let Some(freed) = &block.freed {
        text.push_str(", freed by ");
        text.push_str(freed);
    }
    text.push(')');
    text
}
