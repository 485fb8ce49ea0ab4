//! PPPoE hosts at the far end of the cable: they dial the card as their access concentrator (RFC 2516's client side),
//! and send every session frame back. They share no code with the driver's PPPoE engine.
//!
//! A script dials, hangs up and looks on through a [`Control`]; how well a call behaves is its [`Dial`]'s affair.

mod call;
mod control;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    os::fd::RawFd,
    time::Duration,
};

pub use call::{CallState, Dial, View};
pub use control::Control;

use super::{
    Wire, credits,
    frame::{BROADCAST, DISCOVERY, Frame, SESSION, code, push_tag, tag},
};
use call::{Call, Up};
use control::Command;

/// How often the hosts look for what the script wants.
const LOOK: Duration = Duration::from_millis(1);
/// How long a host waits for an answer before it asks again, and how often it asks.
const PATIENCE: Duration = Duration::from_secs(5);
const TRIES: u32 = 3;

/// The hosts.
pub struct Hosts {
    control: Control,
    latency: Duration,
    calls: Vec<Call>,
    /// Frames on their way to the card, in the order they were sent.
    queue: VecDeque<(Duration, Vec<u8>)>,
    next_look: Duration,
    /// Calls about which something is to be done, the first one first.
    agenda: BTreeSet<(Duration, usize)>,
    /// Sessions that are up.
    up: BTreeSet<(Up, usize)>,
    /// The calls of each host.
    by_host: BTreeMap<[u8; 6], Vec<usize>>,
}

impl Hosts {
    /// Hosts that do what `control` says, each frame under way for `latency`.
    pub fn new(control: Control, latency: Duration) -> Self {
        Self {
            control,
            latency,
            calls: Vec::new(),
            queue: VecDeque::new(),
            next_look: Duration::ZERO,
            agenda: BTreeSet::new(),
            up: BTreeSet::new(),
            by_host: BTreeMap::new(),
        }
    }

    fn send_frame(&mut self, now: Duration, frame: &Frame) {
        self.queue.push_back((now + self.latency, frame.to_bytes()));
    }

    /// Does what the script has asked for.
    fn obey(&mut self, now: Duration) {
        for command in self.control.take() {
            match command {
                Command::Dial(dial) => {
                    let number = self.calls.len();
                    self.by_host.entry(dial.mac).or_default().push(number);
                    self.calls.push(Call::new(dial, number, now));
                    self.changed(number);
                }
                Command::HangUp(number) => self.hang_up(number, now),
                Command::Inject(bytes) => self.queue.push_back((now + self.latency, bytes)),
            }
        }
    }

    /// Ends a call with a PADT.
    fn hang_up(&mut self, number: usize, now: Duration) {
        let Some(call) = self.calls.get_mut(number) else { return };
        if let CallState::Up(session) = call.state {
            call.state = CallState::HungUp;
            let (destination, source) = (call.peer, call.dial.mac);
            let padt = Frame {
                destination,
                source,
                ethertype: DISCOVERY,
                code: code::PADT,
                session,
                payload: Vec::new(),
            };
            self.send_frame(now, &padt);
            self.changed(number);
        }
    }

    /// Sends what is due.
    fn work(&mut self, now: Duration) {
        self.obey(now);
        let due: BTreeSet<usize> =
            self.agenda.range(..=(now, usize::MAX)).map(|&(_, number)| number).collect();
        for &number in &due {
            let call = &mut self.calls[number];
            if call.hang_up_at.is_some_and(|at| at <= now) {
                call.hang_up_at = None;
                self.hang_up(number, now);
                continue;
            }
            if call.due.is_none_or(|at| at > now) {
                continue;
            }
            call.due = (call.tries < TRIES).then_some(now + PATIENCE);
            if call.tries == TRIES {
                call.state = CallState::NoAnswer;
                continue;
            }
            call.tries += 1;
            let request = call.request();
            let copies = call.copies();
            for _ in 0..copies {
                self.send_frame(now, &request);
            }
        }
        for number in due {
            let call = &mut self.calls[number];
            let up = call.up().is_some();
            let padg = call.purse.as_mut().filter(|_| up).and_then(|purse| purse.due(now));
            if let Some(payload) = padg {
                let padg = Frame { ethertype: DISCOVERY, code: code::PADG, ..call.data(payload) };
                self.send_frame(now, &padg);
            }
            self.changed(number);
        }
    }

    /// A call has changed: it may be due at another time, and its session be another or none.
    fn changed(&mut self, number: usize) {
        let call = &mut self.calls[number];
        let (next, up) = (call.next(), call.up());
        if let Some(before) = std::mem::replace(&mut call.planned, next) {
            self.agenda.remove(&(before, number));
        }
        self.agenda.extend(next.map(|at| (at, number)));
        if let Some(before) = std::mem::replace(&mut call.known_as, up) {
            self.up.remove(&(before, number));
        }
        self.up.extend(up.map(|up| (up, number)));
        self.control.show(number, call.view());
    }

    /// The first call of the frame's host for which this holds.
    fn of_host(&self, frame: &Frame, holds: impl Fn(&Call) -> bool) -> Option<usize> {
        let numbers = self.by_host.get(&frame.destination)?;
        numbers.iter().copied().find(|&number| holds(&self.calls[number]))
    }

    /// The call whose session the frame is of.
    fn of_session(&self, frame: &Frame) -> Option<usize> {
        let up = (frame.destination, frame.source, frame.session);
        self.up.range((up, 0)..=(up, usize::MAX)).next().map(|&(_, number)| number)
    }

    fn discovery(&mut self, now: Duration, frame: &Frame) {
        let Some(tags) = frame.tags() else { return };
        let mark = tags.iter().find(|(found, _)| *found == tag::HOST_UNIQ).map(|(_, value)| *value);
        let number = match frame.code {
            code::PADO => self.of_host(frame, |call| call.is_soliciting(frame.destination, mark)),
            code::PADS => self.of_host(frame, |call| call.is_requesting(frame, mark)),
            code::PADG | code::PADC | code::PADT => self.of_session(frame),
            _ => None,
        };
        let Some(number) = number else { return };
        let call = &mut self.calls[number];
        match frame.code {
            code::PADO => call.offered(now, frame, &tags),
            code::PADS => {
                call.confirmed(now, frame, &tags);
                if call.up().is_some() && call.dial.eager {
                    let data = call.data(vec![0xc0, 0x21, 1, 1, 0, 4]);
                    self.send_frame(now, &data);
                }
            }
            code::PADT => call.state = CallState::EndedByPeer,
            _ => {
                let Some(purse) = &mut call.purse else { return };
                let (answer, free) = purse.control(frame);
                let answer = answer.map(|payload| Frame {
                    ethertype: DISCOVERY,
                    code: code::PADC,
                    ..call.data(payload)
                });
                let free = free.into_iter().map(|payload| call.data(payload));
                for frame in answer.into_iter().chain(free).collect::<Vec<_>>() {
                    self.send_frame(now, &frame);
                }
            }
        }
        self.changed(number);
    }

    /// Session data: goes back to where it came from.
    fn echo(&mut self, now: Duration, frame: &Frame) {
        let Some(number) = self.of_session(frame) else { return };
        let call = &mut self.calls[number];
        call.received += 1;
        let free = match &mut call.purse {
            None => vec![frame.payload.clone()],
            Some(purse) => {
                purse.took(frame.payload.len());
                purse.send(frame.payload.clone())
            }
        };
        for back in free.into_iter().map(|payload| call.data(payload)).collect::<Vec<_>>() {
            self.send_frame(now, &back);
        }
        self.changed(number);
    }
}

impl Wire for Hosts {
    fn send(&mut self, now: Duration, frame: &[u8]) {
        self.control.saw(frame);
        if let Some(frame) = Frame::parse(frame) {
            if frame.ethertype == DISCOVERY {
                self.discovery(now, &frame);
            } else if frame.code == code::DATA {
                self.echo(now, &frame);
            }
        }
        self.work(now);
    }

    fn receive(&mut self, now: Duration) -> Option<Vec<u8>> {
        if now >= self.next_look {
            self.next_look = now + LOOK;
        }
        self.work(now);
        let due = self.queue.front().is_some_and(|(at, _)| *at <= now);
        if due { self.queue.pop_front().map(|(_, frame)| frame) } else { None }
    }

    fn deadline(&self) -> Option<Duration> {
        let call = self.agenda.first().map(|(at, _)| *at);
        let frame = self.queue.front().map(|(at, _)| *at);
        call.into_iter().chain(frame).chain([self.next_look]).min()
    }

    fn fd(&self) -> Option<RawFd> {
        None
    }
}
