//! Calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use ndis_sim::ndis::status::{self, Status};

use super::{Event, Judged, Key, LONG, Reference, SOON, incoming::Incoming, rate::Rate};
use crate::op::Wish;

/// One call, from the client's wish to its end.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) vc: u32,
    /// A host has made it.
    pub(super) incoming: Option<Incoming>,
    pub(super) wish: Wish,
    began: Duration,
    /// How it may end in being made.
    allowed: BTreeSet<Status>,
    pub(super) made: Option<(Duration, Status)>,
    /// How the network may close it.
    pub(super) causes: BTreeSet<Status>,
    /// By when it must have.
    due: Option<Duration>,
    pub(super) network_closed: bool,
    pub(super) close: Option<Duration>,
    pub(super) closed: Option<Duration>,
    /// Something outside of the call happened to it, last then.
    pub(super) disturbed: Option<Duration>,
    /// Frames may have been lost.
    pub(super) lossy: bool,
    data_disturbed: Option<Duration>,
    pub(super) padis: u32,
    pub(super) padrs: u32,
    pub(super) offers: BTreeSet<u8>,
    pub(super) sessions: Vec<Key>,
    frames: BTreeMap<Vec<u8>, Frame>,
    pub(super) rate: Rate,
    next: u64,
    /// The last frames on the cable, and of those that came back.
    out: Order,
    back: Order,
}

/// The order of frames: those that were sent one after the other stay so.
#[derive(Debug, Default)]
struct Order {
    group: u32,
    /// The last number of each batch.
    batches: BTreeMap<u32, u64>,
}

impl Order {
    fn next(&mut self, frame: &Frame) -> Judged {
        let last = self.batches.insert(frame.batch, frame.number);
        if frame.group < self.group || last.is_some_and(|last| last > frame.number) {
            return Err("it overtook another frame".to_owned());
        }
        self.group = frame.group;
        Ok(())
    }
}

/// A frame that the client sent.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
struct Frame {
    number: u64,
    batch: u32,
    group: u32,
    at: Duration,
    /// Sent while the call was up, for all that the client knew.
    up: bool,
    ended: Option<Status>,
    on_the_cable: bool,
    echoed: bool,
    returned: bool,
}

impl Call {
    pub(super) fn new(vc: u32, wish: Wish, now: Duration, allowed: BTreeSet<Status>) -> Self {
        Self {
            vc,
            incoming: None,
            wish,
            began: now,
            allowed,
            made: None,
            causes: BTreeSet::new(),
            due: None,
            network_closed: false,
            close: None,
            closed: None,
            disturbed: None,
            lossy: false,
            data_disturbed: None,
            padis: 0,
            padrs: 0,
            offers: BTreeSet::new(),
            sessions: Vec::new(),
            frames: BTreeMap::new(),
            rate: Rate::default(),
            next: 0,
            out: Order::default(),
            back: Order::default(),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.made.is_some_and(|(_, status)| status == status::SUCCESS)
            && self.closed.is_none()
            && !self.network_closed
            && self.close.is_none()
    }

    /// Whether a client knows of it.
    pub(super) fn is_known(&self) -> bool {
        self.incoming.as_ref().is_none_or(|it| it.offered.is_some())
    }

    /// When it ended: failed, or closed.
    pub(super) fn over(&self) -> Option<Duration> {
        match self.made {
            Some((at, status)) if status != status::SUCCESS && self.close.is_none() => Some(at),
            _ => self.closed,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.over().is_some()
    }

    /// Whether there is a reason to end its session: the client's wish, or something outside.
    pub(super) fn may_end(&self) -> bool {
        !self.is_up() || self.disturbed.is_some() || !self.causes.is_empty()
    }

    /// The adapter's state changes under it: `gone` if it ends the call.
    pub(super) fn disturb(&mut self, now: Duration, excuses: &BTreeSet<Status>, lossy: bool, gone: bool) {
        self.data_disturbed(now);
        // What a call left behind is ended by a PADT only while the card works.
        if self.is_over() {
            self.lossy |= lossy || gone;
            return;
        }
        self.disturbed = Some(now);
        let up = self.made.is_some() || self.incoming.is_some();
        if up {
            self.causes.extend(excuses.iter().filter(|&&it| it != status::TAPI_DISCONNECTMODE_NOANSWER));
            if gone && self.is_up() {
                self.due = Some(self.due.map_or(now + SOON, |due| due.min(now + SOON)));
            }
        }
        // It may come up and be lost before the client is told.
        self.allowed.extend(excuses);
        self.lossy |= lossy || (gone && !up);
    }

    pub(super) fn data_disturbed(&mut self, now: Duration) {
        self.data_disturbed = Some(now);
    }

    /// The peer's PADT has arrived. `pending`: the client is not told of the call yet.
    pub(super) fn hung_up(&mut self, now: Duration) {
        self.allowed.insert(status::TAPI_DISCONNECTMODE_NORMAL);
        self.causes.insert(status::TAPI_DISCONNECTMODE_NORMAL);
        self.due = Some(self.due.map_or(now + SOON, |due| due.min(now + SOON)));
        self.data_disturbed(now);
    }

    /// Bytes of frames that are in the driver's hands, as the client gave them.
    pub(super) fn held(&self) -> u64 {
        let held = self.frames.iter().filter(|(_, it)| it.ended.is_none());
        held.map(|(frame, _)| frame.len() as u64 + 2).sum()
    }

    /// A frame appears on the cable in a session of this call.
    pub(super) fn out(&mut self, now: Duration, frame: &[u8]) -> Judged {
        let it = self.frames.get_mut(frame).ok_or("no client sent this frame on this call")?;
        if it.on_the_cable {
            return Err("the frame was on the cable before".to_owned());
        }
        it.on_the_cable = true;
        self.rate.out(now, frame)?;
        self.out.next(it)
    }

    /// What must have happened by now. `link_down`: the driver knows that there is no link.
    pub(super) fn check(&self, now: Duration, link_down: bool) -> Judged {
        let late = |since: Duration, time: Duration| now > since + time;
        if let Some(it) = &self.incoming {
            self.check_incoming(now, it)?;
        } else if self.made.is_none() {
            let since = self.disturbed.unwrap_or(self.began);
            let quick =
                self.disturbed.is_none() && !matches!(self.wish, Wish::Deaf | Wish::Absent | Wish::Elsewhere);
            if late(since, if quick { SOON } else { LONG }) {
                return Err(format!("{:?} is not made", self.wish));
            }
        }
        if let Some(close) = self.close
            && self.closed.is_none()
            && late(close, SOON)
        {
            return Err("the close does not end".to_owned());
        }
        if self.is_up() && (link_down || self.due.is_some_and(|due| now > due)) {
            return Err("it should have been closed by the network".to_owned());
        }
        self.rate.check(now)?;
        for frame in self.frames.values() {
            // A rate may have held it.
            let since = frame.at.max(self.rate.until);
            let what = || format!("frame {} sent at {:?}", frame.number, frame.at);
            let undisturbed = frame.up && self.is_up() && self.data_disturbed.is_none_or(|at| at < frame.at);
            let Some(ended) = frame.ended else {
                if late(since, SOON) && self.data_disturbed.is_none_or(|at| late(at, SOON)) {
                    return Err(format!("{} is not completed", what()));
                }
                continue;
            };
            if ended == status::SUCCESS && undisturbed && late(since, SOON) && !frame.returned {
                return Err(format!(
                    "{} is lost: on the cable {}, echoed {}",
                    what(),
                    frame.on_the_cable,
                    frame.echoed
                ));
            }
        }
        Ok(())
    }
}

/// How a call with a wish may end if nothing else happens.
fn ends(wish: Wish) -> &'static [Status] {
    match wish {
        Wish::Served | Wish::Many | Wish::Slow | Wish::Twice | Wish::Adorned => &[status::SUCCESS],
        Wish::Mixed => &[status::SUCCESS, status::TAPI_DISCONNECTMODE_BADADDRESS],
        Wish::Unknown => &[status::TAPI_DISCONNECTMODE_BADADDRESS],
        Wish::Full => &[status::TAPI_DISCONNECTMODE_CONGESTION],
        Wish::Refused => &[status::TAPI_DISCONNECTMODE_REJECT],
        Wish::Deaf | Wish::Absent => &[status::TAPI_DISCONNECTMODE_NOANSWER],
        Wish::Elsewhere => &[status::TAPI_DISCONNECTMODE_NOANSWER, status::TAPI_DISCONNECTMODE_INCOMPATIBLE],
        // No document names the status; it must be one of these that tell of bad parameters.
        Wish::NoMedia | Wish::Short | Wish::Outside | Wish::Multipoint => &[
            status::INVALID_DATA,
            status::INVALID_PARAMETER,
            status::NOT_SUPPORTED,
            status::INVALID_ADDRESS,
            status::TAPI_INVALCALLPARAMS,
            status::TAPI_INVALPARAM,
            status::TAPI_STRUCTURETOOSMALL,
        ],
    }
}

impl Reference {
    pub(super) fn judge_call(&mut self, event: Event) -> Judged {
        let now = self.now;
        match event {
            Event::Make { call, vc, wish } => {
                let mut allowed: BTreeSet<Status> = ends(wish).iter().copied().collect();
                allowed.extend(self.excuses());
                let it = Call::new(vc, wish, now, allowed);
                self.vcs.get_mut(&vc).ok_or("unknown VC")?.call = Some(call);
                self.calls.insert(call, it);
                let known_bad = !self.is_reachable() || self.is_hungry();
                let it = self.calls.get_mut(&call).ok_or("just inserted")?;
                if known_bad {
                    it.disturbed = Some(now);
                    it.lossy = true;
                }
                Ok(())
            }
            Event::Made { call, status } => self.made(call, status),
            Event::Close { call } => {
                let it = self.calls.get_mut(&call).ok_or("unknown")?;
                it.close = Some(now);
                it.allowed.insert(status::REQUEST_ABORTED);
                it.data_disturbed(now);
                Ok(())
            }
            Event::Closed { call, status } => {
                let it = self.calls.get_mut(&call).ok_or("unknown")?;
                let unmade = it.made.is_none() && it.incoming.is_none();
                if it.close.is_none() || it.closed.is_some() || unmade {
                    return Err("it is not being closed, or not made".to_owned());
                }
                it.closed = Some(now);
                if status == status::SUCCESS { Ok(()) } else { Err("a close succeeds".to_owned()) }
            }
            Event::NetworkClosed { call, status } => {
                let it = self.calls.get_mut(&call).ok_or("unknown")?;
                let up = it.made.is_some_and(|(_, status)| status == status::SUCCESS)
                    || it.incoming.as_ref().is_some_and(|it| it.offered.is_some());
                if !up || it.network_closed || it.closed.is_some() {
                    return Err("there is no call to close".to_owned());
                }
                it.network_closed = true;
                if !it.causes.contains(&status) {
                    let text = format!("{} has no cause: {:?}", status::name(status), it.causes);
                    return Err(text);
                }
                Ok(())
            }
            Event::Send { call, frame, batch, group } => {
                let hungry = self.is_hungry();
                let it = self.calls.get_mut(&call).ok_or("unknown")?;
                let up = it.is_up() && !hungry;
                let number = it.next;
                it.next += 1;
                let at = now;
                let new = Frame {
                    number,
                    batch,
                    group,
                    at,
                    up,
                    ended: None,
                    on_the_cable: false,
                    echoed: false,
                    returned: false,
                };
                it.frames.insert(frame, new);
                let held = it.held();
                it.rate.holds(now, held);
                Ok(())
            }
            Event::Sent { call, frame, status } => self.sent(call, &frame, status),
            Event::Received { call, frame } => self.received(call, &frame),
            _ => Ok(()),
        }
    }

    fn made(&mut self, number: u32, status: Status) -> Judged {
        let (now, excuses) = (self.now, self.excuses());
        *self.ends.entry(status).or_default() += 1;
        let it = self.calls.get_mut(&number).ok_or("unknown")?;
        if it.made.is_some() {
            return Err("it was made before".to_owned());
        }
        it.made = Some((now, status));
        if !it.allowed.contains(&status) {
            let allowed: Vec<_> = it.allowed.iter().map(|&status| status::name(status)).collect();
            return Err(format!("{} is not one of {allowed:?}", status::name(status)));
        }
        if status == status::SUCCESS {
            // Losses that are under way may show after it.
            it.causes.extend(excuses.into_iter().filter(|&it| it != status::TAPI_DISCONNECTMODE_NOANSWER));
            let causes: Vec<_> = it.allowed.iter().copied().collect();
            let late = [
                status::TAPI_DISCONNECTMODE_NORMAL,
                status::TAPI_DISCONNECTMODE_UNREACHABLE,
                status::TAPI_DISCONNECTMODE_UNAVAIL,
            ];
            it.causes.extend(causes.into_iter().filter(|status| late.contains(status)));
            self.connected += 1;
            let sessions = it.sessions.clone();
            if !sessions.iter().any(|key| self.sessions.get(key).is_some_and(|it| it.confirmed.is_some())) {
                return Err("no PADS has arrived for it".to_owned());
            }
        }
        Ok(())
    }

    fn sent(&mut self, number: u32, frame: &[u8], status: Status) -> Judged {
        let (reachable, data, hungry) = (self.is_reachable(), self.adapter.data, self.is_hungry());
        let it = self.calls.get_mut(&number).ok_or("unknown")?;
        let disturbed = it.data_disturbed;
        let up = it.is_up();
        let sent = it.frames.get_mut(frame).ok_or("it was not sent")?;
        if sent.ended.is_some() {
            return Err("it was completed before".to_owned());
        }
        sent.ended = Some(status);
        let undisturbed =
            sent.up && !hungry && up && reachable && data && disturbed.is_none_or(|at| at < sent.at);
        if undisturbed && status != status::SUCCESS {
            return Err(format!("{} without a reason", status::name(status)));
        }
        Ok(())
    }

    fn received(&mut self, number: u32, frame: &[u8]) -> Judged {
        let it = self.calls.get_mut(&number).ok_or("unknown")?;
        if it.closed.is_some() || it.made.is_none_or(|(_, status)| status != status::SUCCESS) {
            return Err("the call is not up".to_owned());
        }
        let sent = it.frames.get_mut(frame).ok_or("it was never sent on this call")?;
        if sent.returned || !sent.on_the_cable {
            return Err(format!("received before: {}, on the cable: {}", sent.returned, sent.on_the_cable));
        }
        sent.returned = true;
        it.back.next(sent)
    }

    /// The number of the VC of a call.
    pub(super) fn vc_of(&self, call: u32) -> Option<u32> {
        self.calls.get(&call).map(|it| it.vc)
    }
}
