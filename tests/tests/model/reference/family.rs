//! Address families, SAPs and VCs.

use std::time::Duration;

use ndis_sim::ndis::status;

use super::{Event, Judged, Reference, SOON};

/// One open of an address family.
#[derive(Debug, Default)]
pub(super) struct Family {
    open: bool,
    closing: Option<Duration>,
    closed: bool,
    asked: bool,
    /// Since when it has neither VCs nor SAPs.
    empty: Duration,
}

impl Family {
    /// Whether the driver has to answer for it.
    pub(super) fn is_alive(&self) -> bool {
        self.open && !self.closed
    }
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(super) struct Sap {
    family: u32,
    good: bool,
    registered: bool,
    pending: bool,
    /// There has been another one like it since its registration began.
    rivalled: bool,
}

#[derive(Debug)]
pub(super) struct Vc {
    family: u32,
    alive: bool,
    pending: bool,
    /// The call that is on it, or was the last.
    pub(super) call: Option<u32>,
}

impl Sap {
    pub(super) fn family(&self) -> u32 {
        self.family
    }

    /// Registered, and not leaving.
    pub(super) fn is_ready(&self) -> bool {
        self.good && self.registered && !self.pending
    }
}

impl Vc {
    pub(super) fn is_alive(&self) -> bool {
        self.alive
    }
}

impl Reference {
    pub(super) fn judge_family(&mut self, event: &Event) -> Judged {
        let now = self.now;
        match *event {
            Event::Open { family } => {
                self.families.insert(family, Family::default());
            }
            Event::Opened { family, status } => {
                let hungry = self.is_hungry();
                let it = self.families.get_mut(&family).ok_or("nobody opened it")?;
                if hungry && status == status::RESOURCES {
                    return Ok(());
                }
                if it.open || status != status::SUCCESS {
                    return Err("a family that is registered is opened once, with SUCCESS".to_owned());
                }
                it.open = true;
                it.empty = now;
            }
            Event::CloseFamily { family } => {
                self.families.get_mut(&family).ok_or("unknown")?.closing = Some(now);
                // Calls that are being offered to the client may be taken back.
                let vcs = &self.vcs;
                let leaving = |vc: u32| vcs.get(&vc).is_some_and(|vc| vc.family == family);
                for call in self.calls.values_mut().filter(|call| call.made.is_none() && leaving(call.vc)) {
                    call.causes.insert(status::REQUEST_ABORTED);
                    call.disturbed = Some(now);
                }
            }
            Event::FamilyClosed { family, status } => return self.family_closed(family, status),
            Event::AskedToLeave { family } => {
                let halting = self.adapter.halting;
                let it = self.families.get_mut(&family).ok_or("unknown")?;
                if it.asked || !halting || !it.is_alive() {
                    return Err(format!("asked before: {}, halting: {halting}", it.asked));
                }
                it.asked = true;
            }
            Event::Register { sap, family, good } => self.registering(sap, family, good),
            Event::Registered { sap, status } => return self.registered(sap, status),
            Event::Deregister { sap } => {
                self.saps.get_mut(&sap).ok_or("unknown")?.pending = true;
            }
            Event::Deregistered { sap } => {
                let it = self.saps.get_mut(&sap).ok_or("unknown")?;
                if !it.registered || !it.pending {
                    return Err("it is not being deregistered".to_owned());
                }
                (it.registered, it.pending) = (false, false);
                let family = it.family;
                self.left(family);
            }
            Event::Create { vc, family } => {
                self.vcs.insert(vc, Vc { family, alive: false, pending: true, call: None });
            }
            Event::Created { vc, status } => {
                let hungry = self.is_hungry();
                let it = self.vcs.get_mut(&vc).ok_or("unknown")?;
                if hungry && status == status::RESOURCES {
                    it.pending = false;
                    return Ok(());
                }
                if status != status::SUCCESS {
                    return Err("there is no reason to refuse a VC".to_owned());
                }
                (it.alive, it.pending) = (true, false);
            }
            Event::Delete { vc } => {
                self.vcs.get_mut(&vc).ok_or("unknown")?.pending = true;
            }
            Event::Deleted { vc, status } => {
                let it = self.vcs.get_mut(&vc).ok_or("unknown")?;
                if status != status::SUCCESS {
                    return Err("a VC without a call can be deleted".to_owned());
                }
                (it.alive, it.pending) = (false, false);
                let family = it.family;
                self.left(family);
            }
            Event::VcMade { vc, family } => {
                let it = self.families.get(&family).ok_or("unknown family")?;
                if !it.is_alive() {
                    return Err("the family is not open".to_owned());
                }
                self.vcs.insert(vc, Vc { family, alive: true, pending: false, call: None });
            }
            Event::VcUnmade { vc } => {
                let it = self.vcs.get_mut(&vc).ok_or("unknown")?;
                let call = it.call.and_then(|call| self.calls.get(&call));
                if !it.alive || call.is_some_and(|call| call.closed.is_none()) {
                    return Err("it has a call".to_owned());
                }
                it.alive = false;
                let family = it.family;
                self.left(family);
            }
            _ => {}
        }
        Ok(())
    }

    /// Families whose clients are leaving.
    pub(super) fn closing_families(&self) -> impl Iterator<Item = u32> {
        self.families.iter().filter(|(_, it)| it.closing.is_some()).map(|(&number, _)| number)
    }

    /// A VC or SAP of a family is gone.
    fn left(&mut self, family: u32) {
        let now = self.now;
        if let Some(it) = self.families.get_mut(&family) {
            it.empty = now;
        }
    }

    /// VCs and SAPs of a family that live. One that is being deleted may already be gone for the driver.
    fn members(&self, family: u32) -> (usize, usize) {
        let vcs = self.vcs.values().filter(|it| it.family == family && it.alive);
        let saps = self.saps.values().filter(|it| it.family == family && it.registered);
        let leaving =
            vcs.clone().filter(|it| it.pending).count() + saps.clone().filter(|it| it.pending).count();
        let all = vcs.count() + saps.count();
        (all - leaving, all)
    }

    fn family_closed(&mut self, family: u32, status: i32) -> Judged {
        let (least, _) = self.members(family);
        let it = self.families.get_mut(&family).ok_or("unknown")?;
        if it.closing.is_none() || it.closed {
            return Err("it is not being closed".to_owned());
        }
        if status == status::NOT_ACCEPTED && least != 0 {
            it.closing = None;
            return Ok(());
        }
        if status != status::SUCCESS || least != 0 {
            return Err(format!("with {least} VCs and SAPs, {}", status::name(status)));
        }
        it.closed = true;
        Ok(())
    }

    fn registering(&mut self, sap: u32, family: u32, good: bool) {
        let mut rivalled = false;
        // All good SAPs of these scripts ask for the same calls.
        for other in self.saps.values_mut().filter(|it| it.good && (it.registered || it.pending)) {
            other.rivalled = true;
            rivalled = true;
        }
        self.saps.insert(sap, Sap { family, good, registered: false, pending: true, rivalled });
    }

    fn registered(&mut self, sap: u32, status: i32) -> Judged {
        let it = self.saps.get(&sap).ok_or("unknown")?;
        let (good, rivalled) = (it.good, it.rivalled);
        if it.registered || !it.pending {
            return Err("it is not being registered".to_owned());
        }
        let allowed = match status {
            status::SUCCESS => good,
            status::RESOURCES if self.is_hungry() => true,
            status::SAP_IN_USE => good && rivalled,
            _ => !good,
        };
        let it = self.saps.get_mut(&sap).ok_or("unknown")?;
        it.pending = false;
        it.registered = status == status::SUCCESS;
        self.ever_took_calls |= status == status::SUCCESS;
        if allowed { Ok(()) } else { Err(format!("good: {good}, {}", status::name(status))) }
    }

    /// A close that nothing holds up has ended.
    pub(super) fn check_family(&self, number: u32, family: &Family) -> Judged {
        let (_, most) = self.members(number);
        let Some(since) = family.closing.filter(|_| !family.closed && most == 0) else { return Ok(()) };
        if self.now > since.max(family.empty) + SOON {
            return Err(format!("family {number} is not closed, though nothing is left of it"));
        }
        Ok(())
    }
}
