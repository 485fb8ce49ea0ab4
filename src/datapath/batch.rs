//! Received frames on their way to their VCs: grouped, so that each VC gets one indication.

use ndis::Ref;
use pppoe::{Head, SessionKey};

use crate::call_manager::Vc;

/// Frames in a batch: enough to pay for what is done once a batch, little enough for the stack.
pub(super) const BATCH: usize = 32;

/// The end of a group's list of frames.
const END: u8 = u8::MAX;

/// A frame: its buffer and the octets of the PPP packet in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) buffer: u32,
    pub(super) length: u16,
    next: u8,
}

/// The frames of one session, in order.
pub(super) struct Group {
    pub(super) vc: Ref<Vc>,
    pub(super) key: SessionKey,
    pub(super) frames: u32,
    pub(super) bytes: u64,
    first: u8,
    last: u8,
}

/// Up to [`BATCH`] frames, and the buffers that nobody wants.
pub(super) struct Batch {
    frames: [Frame; BATCH],
    used: usize,
    groups: [Option<Group>; BATCH],
    grouped: usize,
    unwanted: [u32; BATCH],
    unwanted_count: usize,
}

impl Batch {
    /// An empty batch.
    pub(super) const fn new() -> Self {
        Self {
            frames: [Frame { buffer: 0, length: 0, next: END }; BATCH],
            used: 0,
            groups: [const { None }; BATCH],
            grouped: 0,
            unwanted: [0; BATCH],
            unwanted_count: 0,
        }
    }

    /// Adds a session frame; `find` looks its VC up. Without one, the buffer is unwanted.
    pub(super) fn add<'a>(
        &mut self,
        buffer: u32,
        head: Head,
        find: impl FnOnce(SessionKey) -> Option<&'a Ref<Vc>>,
    ) {
        let Ok(index) = u8::try_from(self.used) else { return self.unwanted(buffer) };
        let known = self.groups.iter().take(self.grouped).position(|group| {
            // Mostly there is one.
            group.as_ref().is_some_and(|group| group.key == head.key)
        });
        let place = match known {
            Some(place) => place,
            None => match find(head.key) {
                Some(vc) => self.new_group(Ref::clone(vc), head.key, index),
                None => return self.unwanted(buffer),
            },
        };
        let (Some(Some(group)), Some(frame)) = (self.groups.get_mut(place), self.frames.get_mut(self.used))
        else {
            return self.unwanted(buffer);
        };
        *frame = Frame { buffer, length: head.length, next: END };
        let before = core::mem::replace(&mut group.last, index);
        group.frames = group.frames.wrapping_add(1);
        group.bytes = group.bytes.wrapping_add(head.length.into());
        self.used = self.used.wrapping_add(1);
        if before != index
            && let Some(before) = self.frames.get_mut(usize::from(before))
        {
            before.next = index;
        }
    }

    fn new_group(&mut self, vc: Ref<Vc>, key: SessionKey, first: u8) -> usize {
        let place = self.grouped;
        if let Some(group) = self.groups.get_mut(place) {
            *group = Some(Group { vc, key, frames: 0, bytes: 0, first, last: first });
            self.grouped = place.wrapping_add(1);
        }
        place
    }

    /// Notes a buffer that goes back to the card.
    pub(super) fn unwanted(&mut self, buffer: u32) {
        if let Some(slot) = self.unwanted.get_mut(self.unwanted_count) {
            *slot = buffer;
            self.unwanted_count = self.unwanted_count.wrapping_add(1);
        }
    }

    /// The buffers that go back to the card.
    pub(super) fn unwanted_buffers(&self) -> &[u32] {
        self.unwanted.get(..self.unwanted_count).unwrap_or_default()
    }

    /// Takes the groups out, one after the other.
    pub(super) fn next_group(&mut self) -> Option<Group> {
        let place = self.grouped.checked_sub(1)?;
        self.grouped = place;
        self.groups.get_mut(place)?.take()
    }

    /// The first frame of a group.
    pub(super) fn first(&self, group: &Group) -> Option<Frame> {
        self.frames.get(usize::from(group.first)).copied()
    }

    /// The frame of the same group behind this one.
    pub(super) fn after(&self, frame: Frame) -> Option<Frame> {
        self.frames.get(usize::from(frame.next)).copied()
    }
}
