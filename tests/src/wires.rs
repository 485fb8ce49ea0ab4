//! Peers with a will of their own: a gate that keeps chosen frames back.

use std::{
    os::fd::RawFd,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use ndis_sim::wire::{
    Wire,
    frame::{DISCOVERY, Frame},
};

use crate::Card;

/// How far set-up of calls gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Pass {
    /// No answer passes.
    Nothing = 0,
    /// Offers pass, confirmations do not.
    Offers = 1,
    /// Everything passes.
    Everything = 2,
}

/// The handle by which a script opens and closes a [`Gate`], and sees what the host sent.
#[derive(Clone, Debug)]
pub struct Lever {
    pass: Arc<AtomicU8>,
    sent: Arc<Mutex<Vec<Vec<u8>>>>,
    inject: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// A card behind a gate that lets pass what `pass` says.
pub fn gated(card: Card, pass: Pass) -> (Card, Lever) {
    let lever = Lever::new(pass);
    let other = lever.clone();
    (card.wrapped(move |wire| Box::new(Gate::new(wire, other))), lever)
}

impl Lever {
    /// A lever for a gate that lets pass what `pass` says.
    pub fn new(pass: Pass) -> Self {
        let sent = Arc::default();
        Self { pass: Arc::new(AtomicU8::new(pass as u8)), sent, inject: Arc::default() }
    }

    /// Sets what passes from now on.
    pub fn set(&self, pass: Pass) {
        self.pass.store(pass as u8, Ordering::Relaxed);
    }

    /// Has a frame arrive at the card soon.
    pub fn inject(&self, frame: Vec<u8>) {
        self.inject.lock().unwrap_or_else(PoisonError::into_inner).push(frame);
    }

    /// How many discovery frames with this code the host has sent.
    pub fn count(&self, code: u8) -> usize {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let is = |bytes: &&Vec<u8>| {
            Frame::parse(bytes).is_some_and(|frame| frame.ethertype == DISCOVERY && frame.code == code)
        };
        sent.iter().filter(is).count()
    }

    /// What the host has sent, oldest first.
    pub fn sent(&self) -> Vec<Frame> {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.iter().filter_map(|bytes| Frame::parse(bytes)).collect()
    }

    fn passes(&self, bytes: &[u8]) -> bool {
        use ndis_sim::wire::frame::code::{PADO, PADS};
        let Some(frame) = Frame::parse(bytes).filter(|frame| frame.ethertype == DISCOVERY) else {
            return true;
        };
        match frame.code {
            PADO => self.pass.load(Ordering::Relaxed) >= Pass::Offers as u8,
            PADS => self.pass.load(Ordering::Relaxed) >= Pass::Everything as u8,
            _ => true,
        }
    }
}

/// How often the gate looks for frames to inject.
const LOOK: Duration = Duration::from_micros(500);

/// A gate in the cable.
pub struct Gate {
    inner: Box<dyn Wire>,
    lever: Lever,
    next_look: Duration,
}

impl Gate {
    /// Puts a gate in front of `inner`.
    pub fn new(inner: Box<dyn Wire>, lever: Lever) -> Self {
        Self { inner, lever, next_look: LOOK }
    }
}

impl Wire for Gate {
    fn send(&mut self, now: Duration, frame: &[u8]) {
        self.lever.sent.lock().unwrap_or_else(PoisonError::into_inner).push(frame.to_vec());
        self.inner.send(now, frame);
    }

    fn receive(&mut self, now: Duration) -> Option<Vec<u8>> {
        if now >= self.next_look {
            self.next_look = now + LOOK;
        }
        let mut inject = self.lever.inject.lock().unwrap_or_else(PoisonError::into_inner);
        if !inject.is_empty() {
            return Some(inject.remove(0));
        }
        drop(inject);
        while let Some(frame) = self.inner.receive(now) {
            if self.lever.passes(&frame) {
                return Some(frame);
            }
        }
        None
    }

    fn deadline(&self) -> Option<Duration> {
        if !self.lever.inject.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            return Some(Duration::ZERO);
        }
        Some(self.inner.deadline().map_or(self.next_look, |at| at.min(self.next_look)))
    }

    fn fd(&self) -> Option<RawFd> {
        self.inner.fd()
    }
}
