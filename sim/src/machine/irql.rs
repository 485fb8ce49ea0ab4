//! Interrupt request levels.

use super::Machine;
use super::activity::Kind;

/// Threads.
pub const PASSIVE_LEVEL: u8 = 0;
/// Asynchronous procedure calls held off.
pub const APC_LEVEL: u8 = 1;
/// DPCs and spin locks: nothing may block.
pub const DISPATCH_LEVEL: u8 = 2;
/// Everything held off.
pub const HIGH_LEVEL: u8 = 15;

impl Machine {
    /// The IRQL of the current activity; `PASSIVE_LEVEL` in host context.
    pub fn irql(&self) -> u8 {
        self.with_activity(|activity| activity.irql.get()).unwrap_or(PASSIVE_LEVEL)
    }

    /// Raises the IRQL and returns the former one. Raising to a lower level is a finding (and has no effect).
    pub fn raise_irql(&self, irql: u8) -> u8 {
        let old = self.irql();
        if irql < old || irql > HIGH_LEVEL {
            self.finding("DV.C4.0x30", None, format!("raise from IRQL {old} to {irql}"));
            return old;
        }
        self.set_irql(irql);
        old
    }

    /// Lowers the IRQL. Lowering to a higher level, or below `DISPATCH_LEVEL` in a DPC or an ISR, is a finding (and
    /// has no effect).
    pub fn lower_irql(&self, irql: u8) {
        let old = self.irql();
        let floor = self.with_activity(|activity| match activity.kind {
            Kind::Thread => PASSIVE_LEVEL,
            Kind::Dpc => DISPATCH_LEVEL,
            Kind::Isr(level) => level,
        });
        if irql > old || irql < floor.unwrap_or(PASSIVE_LEVEL) {
            self.finding("DV.C4.0x31", None, format!("lower from IRQL {old} to {irql}"));
            return;
        }
        if irql < DISPATCH_LEVEL
            && let Some(&(key, _)) =
                self.with_activity(|activity| activity.locks.borrow().last().copied()).flatten().as_ref()
        {
            let name = self.lock_name(key);
            self.finding("DV.C4.0x1003", None, format!("lower to IRQL {irql} while {name} is held"));
        }
        self.set_irql(irql);
    }

    pub(crate) fn set_irql(&self, irql: u8) {
        self.with_activity(|activity| activity.irql.set(irql));
    }
}
