//! What a script does with the hosts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Dial, Frame, View};

/// What the hosts are to do next.
#[derive(Clone, Debug)]
pub(super) enum Command {
    Dial(Dial),
    HangUp(usize),
    Inject(Vec<u8>),
}

#[derive(Debug, Default)]
struct Shared {
    commands: Vec<Command>,
    dialled: usize,
    views: Vec<View>,
    seen: Vec<Vec<u8>>,
}

/// A handle by which a script dials, hangs up and looks on.
#[derive(Clone, Debug, Default)]
pub struct Control {
    shared: Arc<Mutex<Shared>>,
}

impl Control {
    /// A handle without calls.
    pub fn new() -> Self {
        Self::default()
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call; its number.
    pub fn dial(&self, dial: Dial) -> usize {
        let mut shared = self.shared();
        shared.commands.push(Command::Dial(dial));
        shared.dialled += 1;
        shared.dialled - 1
    }

    /// Ends a call with a PADT.
    pub fn hang_up(&self, call: usize) {
        self.shared().commands.push(Command::HangUp(call));
    }

    /// Has a frame arrive at the card.
    pub fn inject(&self, frame: &Frame) {
        self.inject_bytes(frame.to_bytes());
    }

    /// Has bytes arrive at the card.
    pub fn inject_bytes(&self, bytes: Vec<u8>) {
        self.shared().commands.push(Command::Inject(bytes));
    }

    /// A call as it stands; `None` as long as the hosts have not heard of it.
    pub fn call(&self, number: usize) -> Option<View> {
        self.shared().views.get(number).cloned()
    }

    /// Every PPPoE frame that the card has sent, oldest first.
    pub fn seen(&self) -> Vec<Frame> {
        self.shared().seen.iter().filter_map(|bytes| Frame::parse(bytes)).collect()
    }

    /// How many discovery frames with this code the card has sent.
    pub fn count(&self, code: u8) -> usize {
        let seen = self.seen();
        seen.iter().filter(|frame| frame.ethertype == super::DISCOVERY && frame.code == code).count()
    }

    pub(super) fn take(&self) -> Vec<Command> {
        std::mem::take(&mut self.shared().commands)
    }

    /// Shows the call of this number, which is new or has changed.
    pub(super) fn show(&self, number: usize, view: View) {
        let views = &mut self.shared().views;
        match views.get_mut(number) {
            Some(known) => *known = view,
            None => views.push(view),
        }
    }

    pub(super) fn saw(&self, frame: &[u8]) {
        self.shared().seen.push(frame.to_vec());
    }
}
