//! The driver between a client that makes calls and an access concentrator that answers: both take no time.

use anyhow::{Result, ensure};
use ndis_sim::clients::ppp;
use ndis_sim::image::Image;
use ndis_sim::machine::Machine;
use ndis_sim::ndis::parameters::ParameterBlock;

use super::arena;
use super::meter::{Meter, Reading, Step};
use super::packet;
use super::row::Direction;
use super::services::{self, PENDING, Said};
use crate::boot::{Booted, STATION};
use crate::captured::Captured;
use crate::card::Card;
use crate::instrument::{self, RECEIVE_MESSAGE, Stopwatch, TRANSMIT_MESSAGE};
use crate::raw;
use crate::services::{self as datapath, Bound};
use crate::wire::{Concentrator, PEER};

/// Frames of the smallest size, padding included, and without FCS.
const SMALLEST: usize = 60;
/// Time that passes between calls, in units of 100 ns: this station calls as fast as it can; for calls that come in it
/// has its limits, which are not what is measured.
const PACE_OUTGOING: u64 = 100;
const PACE_INCOMING: u64 = 50_000;
/// Time after which nothing of what has happened is remembered.
const REST: u64 = 600_000_000;

/// What the driver is to make of PADIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flood {
    /// They come slowly enough to be answered.
    Answered,
    /// They come all at once.
    Ignored,
}

/// A VC: its handle, and the driver's context.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vc {
    handle: usize,
    context: usize,
}

/// The driver, and what is around it.
pub(super) struct Station<'a> {
    entry: Captured,
    family: usize,
    parameters: ParameterBlock,
    /// Stations that have called so far.
    hosts: u32,
    peer: Concentrator,
    card: Card,
    image: &'a Image,
    bound: Bound<'a>,
}

impl<'a> Station<'a> {
    /// Takes over from the simulator.
    pub(super) fn new(booted: &'a Booted) -> Result<Self> {
        let entry = booted.captured.clone();
        let (registers, window) = entry.registers;
        ensure!(entry.families.len() == 1, "{} open address families", entry.families.len());
        arena::begin()?;
        services::begin(u64::try_from(Machine::current().now().as_nanos() / 100)?);
        let card = Card::take(registers, window, &entry.shared)?;
        let bound = Bound::new(&booted.image, &services::all());
        if let Some(routine) = bound.former("ExFreePool") {
            arena::free_others_by(routine);
        }
        Ok(Self {
            family: entry.families[0],
            entry,
            parameters: ParameterBlock::new(&ppp::call(&ppp::Destination::default())),
            hosts: 0,
            peer: Concentrator::default(),
            card,
            image: &booted.image,
            bound,
        })
    }

    /// Gives the card back to the simulator as it was. All calls have ended.
    pub(super) fn finish(mut self) -> Result<()> {
        let mut meter = Meter::new(Stopwatch::careless());
        while !self.card.sends_are_round() {
            self.give_up(&mut meter)?;
        }
        while !self.card.receives_are_round() {
            self.card.receive(&[0; SMALLEST], SMALLEST);
            self.interrupt(&mut meter, RECEIVE_MESSAGE);
        }
        while let Some(time) = services::next_timer() {
            services::pass(time);
            self.expire(&mut meter);
        }
        let Self { card, bound, image, .. } = self;
        drop(card);
        drop(bound);
        // The driver keeps some of what it has allocated here.
        let free = image.imports().iter().position(|import| import.ends_with("!ExFreePool"));
        if let Some(import) = free {
            image.rebind(import, arena::free as *const () as usize);
        }
        Ok(())
    }

    /// Sets up so many calls at once.
    pub(super) fn set_up<I: Reading>(
        &mut self,
        meter: &mut Meter<I>,
        direction: Direction,
        count: usize,
    ) -> Result<Vec<Vc>> {
        let vcs = match direction {
            Direction::Outgoing => self.call(meter, count)?,
            Direction::Incoming => self.take_calls(meter, count)?,
        };
        self.let_time_pass(meter, direction, count);
        Ok(vcs)
    }

    /// The client makes calls.
    fn call<I: Reading>(&mut self, meter: &mut Meter<I>, count: usize) -> Result<Vec<Vc>> {
        let vcs = (0..count).map(|_| self.create_vc(meter)).collect::<Result<Vec<_>>>()?;
        meter.end(Step::CreateVc);
        for vc in &vcs {
            self.make_call(meter, *vc)?;
        }
        meter.end(Step::MakeCall);
        self.exchange(meter, count, Step::Offer)?;
        self.exchange(meter, count, Step::Confirmation)?;
        // Nothing is on the wire any more.
        self.sent(meter, 0)?;
        let said = services::said();
        let made = |vc: &Vc| {
            let expected = [Said::Activated(vc.handle), Said::Made(vc.handle, 0)];
            said.chunks(2).any(|pair| pair == expected)
        };
        ensure!(vcs.iter().all(made), "of {count} calls the driver says {said:?}");
        Ok(vcs)
    }

    /// Others call, each from a station of its own, and the client takes their calls.
    fn take_calls<I: Reading>(&mut self, meter: &mut Meter<I>, count: usize) -> Result<Vec<Vc>> {
        self.solicit(meter, count);
        for frame in self.sent(meter, count)? {
            let answer = packet::request(&frame, STATION);
            ensure!(answer.is_some(), "this is no PADO: {frame:02x?}");
            let answer = answer.unwrap_or_default();
            self.card.receive(&answer, answer.len());
        }
        self.interrupt(meter, RECEIVE_MESSAGE);
        meter.end(Step::Request);
        let vcs: Vec<_> = services::said()
            .chunks(3)
            .filter_map(|said| match *said {
                [Said::Created(handle, context), Said::Activated(active), Said::Offered(vc, parameters)]
                    if active == handle && vc == handle =>
                {
                    Some((Vc { handle, context }, parameters))
                }
                _ => None,
            })
            .collect();
        ensure!(vcs.len() == count, "of {count} calls {} are offered", vcs.len());
        for (vc, parameters) in &vcs {
            let arguments = [0, vc.context, *parameters, 0, 0];
            meter.call(self.entry.handlers.incoming_call_complete, arguments);
        }
        meter.end(Step::IncomingCallComplete);
        for frame in self.sent(meter, count)? {
            let opened = matches!(packet::discovery(&frame), Some((packet::PADS, session)) if session != 0);
            ensure!(opened, "this is no PADS: {frame:02x?}");
        }
        let vcs: Vec<_> = vcs.into_iter().map(|(vc, _)| vc).collect();
        let said = services::said();
        let up = vcs.iter().all(|vc| said.contains(&Said::Connected(vc.handle)));
        ensure!(up && said.len() == count, "of {count} calls the driver says {said:?}");
        Ok(vcs)
    }

    /// PADIs of stations that have not called before.
    fn solicit<I: Reading>(&mut self, meter: &mut Meter<I>, count: usize) {
        for _ in 0..count {
            self.hosts += 1;
            let [a, b, c, d] = self.hosts.to_be_bytes();
            let tags = [(packet::SERVICE_NAME, &[][..]), (packet::HOST_UNIQ, &[a, b, c, d])];
            let host = [0x02, 1, a, b, c, d];
            let frame = packet::frame(&packet::BROADCAST, host, packet::PADI, 0, &tags);
            self.card.receive(&frame, frame.len());
        }
        self.interrupt(meter, RECEIVE_MESSAGE);
        meter.end(Step::Solicitation);
    }

    /// PADIs that nothing follows.
    pub(super) fn flood<I: Reading>(
        &mut self,
        meter: &mut Meter<I>,
        count: usize,
        flood: Flood,
    ) -> Result<()> {
        self.solicit(meter, count);
        if flood == Flood::Answered {
            for frame in self.sent(meter, count)? {
                let offered = matches!(packet::discovery(&frame), Some((packet::PADO, 0)));
                ensure!(offered, "this is no PADO: {frame:02x?}");
            }
            self.let_time_pass(meter, Direction::Incoming, count);
            return Ok(());
        }
        self.sent(meter, 0).map(drop)
    }

    /// PADIs until no more of them are answered.
    pub(super) fn exhaust<I: Reading>(&mut self, meter: &mut Meter<I>) {
        while {
            self.solicit(meter, 1);
            self.card.send() != 0
        } {
            self.interrupt(meter, TRANSMIT_MESSAGE);
        }
    }

    /// Lets everything be forgotten that is not kept for good.
    pub(super) fn rest<I: Reading>(&self, meter: &mut Meter<I>) {
        let mut left = REST;
        while let Some(time) = services::next_timer().filter(|&time| time <= left) {
            services::pass(time);
            left -= time;
            self.expire(meter);
        }
        services::pass(left);
    }

    /// Ends calls, all at once.
    pub(super) fn take_down<I: Reading>(
        &mut self,
        meter: &mut Meter<I>,
        direction: Direction,
        vcs: &[Vc],
    ) -> Result<()> {
        for vc in vcs {
            let status = meter.call(self.entry.handlers.close_call, [vc.context, 0, 0, 0, 0]);
            ensure!(status_of(status) == PENDING, "CmCloseCall: {status:#x}");
        }
        meter.end(Step::CloseCall);
        for frame in self.sent(meter, vcs.len())? {
            ensure!(matches!(packet::discovery(&frame), Some((packet::PADT, _))), "no PADT: {frame:02x?}");
            if direction == Direction::Outgoing {
                ensure!(frame.get(..6) == Some(&PEER), "a PADT goes astray");
                self.peer.answer(&frame);
            }
        }
        let said = services::said();
        let ended = |vc: &Vc| {
            let Vc { handle, .. } = *vc;
            let expected = [Said::Deactivated(handle), Said::Closed(handle, 0)];
            said.windows(2).any(|pair| pair == expected)
                && (direction == Direction::Outgoing || said.contains(&Said::Deleted(handle)))
        };
        ensure!(vcs.iter().all(ended), "of the ends of {} calls the driver says {said:?}", vcs.len());
        if direction == Direction::Outgoing {
            for vc in vcs {
                self.delete_vc(meter, *vc)?;
            }
            meter.end(Step::DeleteVc);
        }
        self.let_time_pass(meter, direction, vcs.len());
        Ok(())
    }

    /// A call that is given up before it is answered: one frame sent.
    fn give_up<I: Reading>(&mut self, meter: &mut Meter<I>) -> Result<()> {
        let vc = self.create_vc(meter)?;
        self.make_call(meter, vc)?;
        self.sent(meter, 1)?;
        let status = meter.call(self.entry.handlers.close_call, [vc.context, 0, 0, 0, 0]);
        ensure!(status_of(status) == PENDING, "CmCloseCall: {status:#x}");
        services::said();
        self.delete_vc(meter, vc)
    }

    fn create_vc<I: Reading>(&mut self, meter: &mut Meter<I>) -> Result<Vc> {
        let handle = services::new_handle();
        let mut context = 0_usize;
        let place = (&raw mut context).expose_provenance();
        let status = meter.call(self.entry.handlers.create_vc, [self.family, handle, place, 0, 0]);
        ensure!(status_of(status) == 0, "CmCreateVc: {status:#x}");
        Ok(Vc { handle, context: raw::read(place) })
    }

    fn make_call<I: Reading>(&mut self, meter: &mut Meter<I>, vc: Vc) -> Result<()> {
        let parameters = self.parameters.address();
        // The driver has said of the last call that it changed them.
        raw::write(parameters, 0_u32);
        let status = meter.call(self.entry.handlers.make_call, [vc.context, parameters, 0, 0, 0]);
        ensure!(status_of(status) == PENDING, "CmMakeCall: {status:#x}");
        Ok(())
    }

    fn delete_vc<I: Reading>(&self, meter: &mut Meter<I>, vc: Vc) -> Result<()> {
        let status = meter.call(self.entry.handlers.delete_vc, [vc.context, 0, 0, 0, 0]);
        ensure!(status_of(status) == 0, "CmDeleteVc: {status:#x}");
        Ok(())
    }

    /// The card sends what waits, the peer answers all of it, and the card receives the answers.
    fn exchange<I: Reading>(&mut self, meter: &mut Meter<I>, count: usize, step: Step) -> Result<()> {
        for frame in self.sent(meter, count)? {
            let answer = self.peer.answer(&frame);
            ensure!(answer.is_some(), "the peer has no answer to {frame:02x?}");
            let mut answer = answer.unwrap_or_default();
            answer.resize(answer.len().max(SMALLEST), 0);
            self.card.receive(&answer, answer.len());
        }
        self.interrupt(meter, RECEIVE_MESSAGE);
        meter.end(step);
        Ok(())
    }

    /// The card sends what waits and interrupts, if it is anything; the frames.
    fn sent<I: Reading>(&mut self, meter: &mut Meter<I>, count: usize) -> Result<Vec<Vec<u8>>> {
        let frames = (0..u32::try_from(count)?).map(|ahead| self.card.waiting(ahead)).collect();
        let sent = self.card.send();
        ensure!(sent == count, "the driver has sent {sent} frames, not {count}");
        if sent != 0 {
            self.interrupt(meter, TRANSMIT_MESSAGE);
            meter.end(Step::Sent);
        }
        Ok(frames)
    }

    fn interrupt<I: Reading>(&self, meter: &mut Meter<I>, message: usize) {
        instrument::interrupt(&self.entry, meter.instrument(), message);
    }

    fn let_time_pass<I: Reading>(&self, meter: &mut Meter<I>, direction: Direction, calls: usize) {
        let pace = if direction == Direction::Outgoing { PACE_OUTGOING } else { PACE_INCOMING };
        services::pass(pace * calls as u64);
        self.expire(meter);
    }

    fn expire<I: Reading>(&self, meter: &mut Meter<I>) {
        while let Some(timer) = services::expired() {
            for (_, function, context) in self.entry.timers.iter().filter(|(handle, ..)| *handle == timer) {
                meter.call(*function, [0, *context, 0, 0, 0]);
            }
        }
        meter.end(Step::Timer);
    }

    /// Routines called that are not provided for, since the last time.
    pub(super) fn unexpected() -> u32 {
        datapath::unexpected()
    }
}

/// `NDIS_STATUS` has 32 bits, of which the register's others say nothing.
fn status_of(result: usize) -> u32 {
    u32::try_from(result & 0xFFFF_FFFF).unwrap_or(0)
}
