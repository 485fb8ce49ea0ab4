//! A change of a call's parameters: its VC is activated once more, and then whoever wanted the change is told.
//!
//! A VC changes once at a time. Who wants another change meanwhile has its turn afterwards.

use alloc::vec::Vec;
use condis::call::Upcall;
use condis::flow::{self, Grant};
use ndis::memory::push_reserved;
use ndis::{Chain, IncomingCall, Locked, PendedModifyCall, Progress, Ref, Result, Status, Unlocked};

use super::qos::flows;
use super::steps::Step;
use super::vc::Life;
use super::{Vc, from_condis};
use crate::level;

/// The changes of a VC.
#[derive(Default)]
pub(super) struct Changes {
    now: Now,
    /// Those whose turn is later; empty if there is none now.
    waiting: Vec<By>,
}

/// The change that is under way.
#[derive(Default)]
enum Now {
    /// There is none.
    #[default]
    Nothing,
    /// NDIS is being asked or has answered; whether it has told meanwhile that the VC is active.
    Asking(Option<bool>),
    /// NDIS will tell.
    Pending(Changing),
}

/// A change under way.
pub(super) struct Changing {
    by: By,
    /// The driver's parameters, if the client gave none.
    own: Option<IncomingCall>,
    upcall: Upcall,
    before: Grant,
    after: Grant,
}

/// Whose wish a change is.
pub(super) enum By {
    /// The client's (`CmModifyCallQoS`).
    Client(PendedModifyCall),
    /// The client's, who has taken a call with it (`CmIncomingCallComplete`).
    Answer,
    /// The network's.
    Network,
}

/// A change that cannot be made, and why.
type Refused = (By, Status);

impl By {
    fn refuse((by, status): Refused, locks: &mut Unlocked) {
        if let Self::Client(pended) = by {
            pended.complete(status, locks);
        }
    }
}

impl Changes {
    /// Has a change wait for its turn, if it must; else, or without memory to wait in, gives it back.
    fn wait(&mut self, by: By) -> core::result::Result<(), (By, Result<()>)> {
        match (&self.now, &by, self.waiting.last()) {
            (Now::Nothing, ..) => return Err((by, Ok(()))),
            // Once tells all.
            (_, By::Network, Some(By::Network)) => return Ok(()),
            _ => {}
        }
        if self.waiting.try_reserve(1).is_err() {
            return Err((by, Err(Status::RESOURCES)));
        }
        push_reserved(&mut self.waiting, by);
        Ok(())
    }

    /// The one whose turn is next.
    fn next(&mut self) -> Option<By> {
        if let waiting @ [_, ..] = self.waiting.as_mut_slice() {
            waiting.rotate_left(1);
        }
        let next = self.waiting.pop();
        if self.waiting.is_empty() {
            self.waiting = Vec::new();
        }
        next
    }
}

impl Vc {
    /// Changes the call, at once or when the changes before this one have ended.
    pub(super) fn request_change(this: &Ref<Self>, by: By, locks: &mut Unlocked) {
        let begun = {
            let mut life = this.life.lock(locks);
            let (life, locks) = life.parts();
            match life.changes.wait(by) {
                Ok(()) => return,
                Err((by, Ok(()))) => this.begin_change(life, by, locks),
                Err((by, Err(status))) => Err((by, status)),
            }
        };
        match begun {
            Ok(changing) => Self::run(this, Step::Change(changing), locks),
            Err(refused) => By::refuse(refused, locks),
        }
    }

    /// The client has taken a call with other parameters than it was offered. `upcall` is that of the acceptance.
    pub(super) fn change_by_answer(
        this: &Ref<Self>,
        after: Grant,
        upcall: Upcall,
        locks: &mut Unlocked,
    ) -> Step {
        let before = {
            let mut life = this.life.lock(locks);
            // There is no change: an answer waits for all of them.
            life.changes.now = Now::Asking(None);
            life.grant
        };
        Step::Change(Changing { by: By::Answer, own: None, upcall, before, after })
    }

    /// Begins a change, if it can be had.
    fn begin_change(
        &self,
        life: &mut Life,
        mut by: By,
        locks: &mut Locked<level::Life>,
    ) -> core::result::Result<Changing, Refused> {
        let before = life.grant;
        let after = match &mut by {
            By::Client(pended) => {
                let wish = pended.parameters().and_then(|parameters| flows(parameters));
                let limits = self.adapter().limits(life.max_payload(), locks);
                wish.ok_or(Status::INVALID_DATA).and_then(|(transmit, receive)| {
                    flow::change(&transmit, &receive, &before, &limits).map_err(from_condis)
                })
            }
            By::Answer | By::Network => Ok(before),
        };
        let begun = after.and_then(|after| Ok((after, life.call.change().ok_or(Status::FAILURE)?)));
        match begun {
            Ok((after, upcall)) => {
                life.changes.now = Now::Asking(None);
                Ok(Changing { by, own: None, upcall, before, after })
            }
            Err(status) => Err((by, status)),
        }
    }

    /// Makes a change.
    #[inline(never)]
    pub(super) fn change(
        this: &Ref<Self>,
        mut changing: Changing,
        ended: &mut Chain<Self>,
        locks: &mut Unlocked,
    ) -> Step {
        let progress = Self::ask(this, &mut changing, ended, locks);
        let result = {
            let mut life = this.life.lock(locks);
            let told = match &life.changes.now {
                Now::Asking(told) => *told,
                _ => None,
            };
            match (progress, told) {
                (Ok(Progress::Done), _) | (Ok(Progress::Pending), Some(true)) => Ok(()),
                (Ok(Progress::Pending), Some(false)) => Err(Status::FAILURE),
                (Err(status), _) => Err(status),
                (Ok(Progress::Pending), None) => {
                    life.changes.now = Now::Pending(changing);
                    return Step::Nothing;
                }
            }
        };
        Step::Changed(changing, result)
    }

    /// Activates the VC with other parameters.
    fn ask(
        this: &Ref<Self>,
        changing: &mut Changing,
        ended: &mut Chain<Self>,
        locks: &mut Unlocked,
    ) -> Result<Progress> {
        let granted = this.granted_by(&changing.after, locks);
        this.adapter().shape(this, changing.after.shape.as_ref(), ended, locks)?;
        let own = match &mut changing.by {
            By::Client(pended) => {
                pended.parameters().ok_or(Status::FAILURE)?.grant(granted);
                return pended.activate(&this.handle, locks);
            }
            By::Answer => this.offered_with(granted, locks)?,
            By::Network => IncomingCall::new(granted, 0, &[])?,
        };
        this.handle.activate(changing.own.insert(own), locks)
    }

    /// `CmActivateVcComplete`, if it is about a change.
    pub(super) fn change_activated(this: &Ref<Self>, success: bool, locks: &mut Unlocked) -> Option<Step> {
        let changing = {
            let now = &mut this.life.lock(locks).changes.now;
            match core::mem::take(now) {
                Now::Nothing => return None,
                Now::Asking(_) => {
                    *now = Now::Asking(Some(success));
                    return Some(Step::Nothing);
                }
                Now::Pending(changing) => {
                    *now = Now::Asking(None);
                    changing
                }
            }
        };
        Some(Step::Changed(changing, if success { Ok(()) } else { Err(Status::FAILURE) }))
    }

    /// The VC is active with other parameters, or goes on with those that it had: tells whose wish it was.
    #[inline(never)]
    pub(super) fn changed(
        this: &Ref<Self>,
        changing: Changing,
        result: Result<()>,
        ended: &mut Chain<Self>,
        locks: &mut Unlocked,
    ) -> Step {
        let Changing { by, own, upcall, before, after } = changing;
        if result.is_ok() {
            let connected = {
                let mut life = this.life.lock(locks);
                life.grant = after;
                life.session.is_some()
            };
            if connected {
                this.indicate_granted(locks);
            }
        } else {
            // It had room for this before.
            let _ = this.adapter().shape(this, before.shape.as_ref(), ended, locks);
        }
        // Whoever is told may want another change at once: it waits for its turn.
        match by {
            By::Client(mut pended) => {
                if let (Err(_), Some(parameters)) = (result, pended.parameters()) {
                    parameters.grant(this.granted_by(&before, locks));
                }
                pended.complete(result.into(), locks);
            }
            By::Answer => return Step::Confirm(result, upcall),
            By::Network => {
                if let (Ok(()), Some(own)) = (result, &own) {
                    this.handle.dispatch_qos_change(own, locks);
                }
            }
        }
        Step::Told(upcall)
    }

    /// Whose wish a change was knows what became of it. Then comes the change that waited for this one.
    #[inline(never)]
    pub(super) fn told(this: &Ref<Self>, upcall: Upcall, locks: &mut Unlocked) -> Step {
        let next = Self::next_change(this, locks);
        let returned = Self::returned(this, upcall, locks);
        // A change that has begun has an upcall out, so that nothing else is due.
        next.map_or(returned, Step::Change)
    }

    /// Begins the next change that can be had of those that wait; refuses the others.
    fn next_change(this: &Ref<Self>, locks: &mut Unlocked) -> Option<Changing> {
        loop {
            let begun = {
                let mut life = this.life.lock(locks);
                let (life, locks) = life.parts();
                let Some(by) = life.changes.next() else {
                    life.changes.now = Now::Nothing;
                    return None;
                };
                this.begin_change(life, by, locks)
            };
            match begun {
                Ok(changing) => return Some(changing),
                Err(refused) => By::refuse(refused, locks),
            }
        }
    }
}
