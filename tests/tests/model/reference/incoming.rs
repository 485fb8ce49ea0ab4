//! Calls that come in, until they are like others.

use std::{collections::BTreeSet, time::Duration};

use ndis_sim::ndis::status;

use super::{Event, IN_CARD, Judged, Reference, SOON, call::Call};

/// How long the driver may keep a request that nobody answers.
const FORGOTTEN: Duration = Duration::from_secs(25);

/// What only these calls have.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    /// When a PADI and a PADR of it last arrived while they could be served.
    solicited: Option<Duration>,
    requested: Option<Duration>,
    /// When it was first requested.
    first_request: Option<Duration>,
    pub(super) offers_to_host: u32,
    /// The client was asked, and answered so.
    pub(super) offered: Option<Duration>,
    pub(super) answer: Option<(Duration, bool)>,
    refused: Option<Duration>,
    pub(super) established: Option<Duration>,
    gave_up: bool,
}

impl Reference {
    pub(super) fn judge_incoming(&mut self, event: &Event) -> Judged {
        let now = self.now;
        let reachable = self.is_reachable() && !self.is_hungry();
        let taking = self.takes_calls();
        match *event {
            Event::Dialled { call } => {
                let mut it = Call::incoming(now);
                if self.is_hungry() || self.is_flooded() {
                    it.disturbed = Some(now);
                    it.causes.extend(self.hunger());
                }
                self.calls.insert(call, it);
                Ok(())
            }
            Event::Solicited { call } => {
                let it = self.incoming(call)?;
                it.solicited = (reachable && taking).then_some(now);
                Ok(())
            }
            Event::Requested { call } => {
                let it = self.incoming(call)?;
                it.first_request.get_or_insert(now);
                it.requested = (reachable && taking).then_some(now);
                Ok(())
            }
            Event::OfferedToHost { call } => {
                let it = self.incoming(call)?;
                it.offers_to_host += 1;
                if it.solicited.is_none() && !self.ever_took_calls {
                    return Err("nobody takes calls".to_owned());
                }
                Ok(())
            }
            Event::Offer { call, vc } => {
                let over = self.calls.get(&call).ok_or("nobody calls")?.is_over();
                let it = self.incoming(call)?;
                let twice = it.offered.replace(now).is_some();
                if twice || over || it.first_request.is_none() {
                    return Err(format!("offered before: {twice}, over: {over}"));
                }
                self.vcs.get_mut(&vc).ok_or("unknown VC")?.call = Some(call);
                self.calls.get_mut(&call).ok_or("nobody calls")?.vc = vc;
                Ok(())
            }
            Event::Answered { call, accepted } => {
                let it = self.incoming(call)?;
                it.answer = Some((now, accepted));
                if !accepted {
                    self.calls.get_mut(&call).ok_or("unknown")?.closed = Some(now);
                }
                Ok(())
            }
            Event::HostRefused { call } => {
                let it = self.calls.get_mut(&call).ok_or("unknown")?;
                let disturbed = it.disturbed.is_some() || it.close.is_some();
                let incoming = it.incoming.as_mut().ok_or("an outgoing call")?;
                incoming.refused.get_or_insert(now);
                if incoming.answer.is_some_and(|(_, accepted)| accepted) && !disturbed {
                    return Err("the client has accepted the call".to_owned());
                }
                Ok(())
            }
            Event::Connected { call } => {
                let it = self.calls.get_mut(&call).ok_or("unknown")?;
                let incoming = it.incoming.as_ref().ok_or("an outgoing call")?;
                let accepted = incoming.answer.is_some_and(|(_, accepted)| accepted);
                if !accepted || it.made.is_some() || it.network_closed || it.closed.is_some() {
                    return Err("there is no call that could be up".to_owned());
                }
                it.made = Some((now, status::SUCCESS));
                self.connected += 1;
                Ok(())
            }
            Event::GaveUp { call } => {
                self.incoming(call)?.gave_up = true;
                let it = self.calls.get_mut(&call).ok_or("unknown")?;
                it.causes.insert(status::TAPI_DISCONNECTMODE_NORMAL);
                if it.incoming.as_ref().is_some_and(|it| it.offered.is_none()) {
                    it.lossy = true;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn incoming(&mut self, call: u32) -> Result<&mut Incoming, String> {
        let call = self.calls.get_mut(&call).ok_or("unknown")?;
        call.incoming.as_mut().ok_or_else(|| "an outgoing call".to_owned())
    }

    /// Whether a SAP is surely registered, on a family that is open.
    pub(super) fn takes_calls(&self) -> bool {
        let closing: BTreeSet<u32> = self.closing_families().collect();
        self.saps.values().any(|sap| sap.is_ready() && !closing.contains(&sap.family()))
    }
}

impl Call {
    /// A call that a host has begun.
    fn incoming(now: Duration) -> Self {
        let mut it = Self::new(0, crate::op::Wish::Served, now, BTreeSet::new());
        it.incoming = Some(Incoming::default());
        it
    }

    /// What must have happened to an incoming call by now.
    pub(super) fn check_incoming(&self, now: Duration, it: &Incoming) -> Judged {
        let late = |since: Duration| now > since + SOON;
        if self.disturbed.is_some() || self.close.is_some() || self.network_closed || it.gave_up {
            return Ok(());
        }
        match it.answer {
            Some((at, true)) if late(at) && (it.established.is_none() || self.made.is_none()) => {
                // A request that waited too long for the answer may be forgotten.
                let forgotten = it.first_request.is_some_and(|first| at > first + FORGOTTEN);
                if !forgotten {
                    return Err("it was accepted, and is not up".to_owned());
                }
            }
            Some((at, false)) if late(at) && it.refused.is_none() => {
                return Err("it was rejected, and the host does not know".to_owned());
            }
            None if it.offered.is_none() && it.refused.is_none() => {
                if it.requested.is_some_and(late) {
                    return Err("it was requested, and neither offered nor refused".to_owned());
                }
                if it.solicited.is_some_and(late) && it.offers_to_host == 0 {
                    return Err("it was solicited and not offered anything".to_owned());
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A PADS reaches the host.
    pub(super) fn established(&mut self, now: Duration) -> Judged {
        let closed = self.closed.is_some_and(|at| now > at + IN_CARD) && !self.lossy;
        let Some(it) = self.incoming.as_mut() else { return Err("an outgoing call".to_owned()) };
        it.established.get_or_insert(now);
        if !it.answer.is_some_and(|(_, accepted)| accepted) {
            return Err("nobody has accepted the call".to_owned());
        }
        if closed && self.sessions.is_empty() { Err("the call is closed".to_owned()) } else { Ok(()) }
    }
}
