//! The floor: a bare loop that moves the bytes and writes the descriptors that the driver moves and writes, and does nothing
//! else. No lists, no VCs, no PPPoE, no locks, no counters; memory of its own, laid out like the driver's.

use std::ops::Range;
use std::sync::atomic::{Ordering, fence};

use crate::raw;
use crate::routines::{COPY, Copy};

/// Bytes of a buffer, as in the driver.
const BUFFER: usize = 2048;
/// Bytes of a received frame's head that the driver copies out of the card's reach: Ethernet and PPPoE headers, PPP protocol.
const HEAD: usize = 22;
/// End of packet, insert FCS, report status.
const COMMAND: u32 = (1 | 1 << 1 | 1 << 3) << 24;
const DONE: u32 = 1;

#[repr(C, align(16))]
#[derive(Clone, Copy, Default)]
struct Descriptor {
    address: u64,
    length: u32,
    status: u32,
}

/// A frame to be sent.
#[repr(C)]
#[derive(Clone, Copy)]
struct Frame {
    start: *const u8,
    length: u32,
}

/// What the loops work on.
#[repr(C)]
struct Ring {
    descriptors: *mut Descriptor,
    buffers: *mut u8,
    count: u32,
    head: u32,
    tail: u32,
    doorbell: u32,
    copy: Copy,
}

/// A ring and frames.
pub(crate) struct Floor {
    ring: Ring,
    descriptors: Vec<Descriptor>,
    #[cfg_attr(not(test), expect(dead_code, reason = "the ring points into it"))]
    buffers: Vec<u8>,
    frames: Vec<Frame>,
    _contents: Vec<Vec<u8>>,
}

/// Copies the head of a received frame to the stack.
#[inline]
fn copy_head(frame: *const u8) {
    // SAFETY: a buffer is longer than that.
    let head = unsafe { frame.cast::<[u8; HEAD]>().read_unaligned() };
    std::hint::black_box(&head);
}

unsafe extern "C" {
    // The linker's names for the ends of the section.
    static __start_bench_floor: u8;
    static __stop_bench_floor: u8;
}

/// Where the loops lie.
pub(crate) fn code() -> Range<usize> {
    (&raw const __start_bench_floor).addr()..(&raw const __stop_bench_floor).addr()
}

/// A routine of the floor and its arguments.
pub(crate) type Call = (usize, [usize; 5]);

impl Floor {
    /// A ring of `count` descriptors and as many frames of `length` bytes on the wire.
    pub(crate) fn new(count: u32, length: u32) -> Self {
        let (places, bytes) = (count as usize, length as usize);
        let contents: Vec<_> = (0..count).map(|_| vec![0x5A; bytes]).collect();
        let frames = contents.iter().map(|frame| Frame { start: frame.as_ptr(), length }).collect();
        let mut descriptors = vec![Descriptor::default(); places];
        let mut buffers = vec![0_u8; places * BUFFER];
        let ring = Ring {
            descriptors: descriptors.as_mut_ptr(),
            buffers: buffers.as_mut_ptr(),
            count,
            head: 0,
            tail: 0,
            doorbell: 0,
            copy: COPY,
        };
        Self { ring, descriptors, buffers, frames, _contents: contents }
    }

    fn ring_address(&mut self) -> usize {
        (&raw mut self.ring).expose_provenance()
    }

    /// Puts `count` frames into the ring.
    pub(crate) fn send(&mut self, count: usize) -> Call {
        let frames = self.frames.as_ptr().expose_provenance();
        (send as *const () as usize, [self.ring_address(), frames, count, 0, 0])
    }

    /// Takes finished frames out of the ring.
    pub(crate) fn reclaim(&mut self) -> Call {
        (reclaim as *const () as usize, [self.ring_address(), 0, 0, 0, 0])
    }

    /// Takes received frames out of the ring and gives the buffers back to it.
    pub(crate) fn receive(&mut self) -> Call {
        (receive as *const () as usize, [self.ring_address(), 0, 0, 0, 0])
    }

    /// What a card would do: all frames from the head to the tail are sent.
    pub(crate) fn card_sends(&mut self) {
        let mut index = self.ring.head;
        while index != self.ring.tail {
            self.finish(index);
            index = (index + 1) % self.ring.count;
        }
    }

    /// What a card would do: `count` frames arrive.
    pub(crate) fn card_receives(&mut self, count: u32) {
        for ahead in 0..count {
            self.finish((self.ring.head + ahead) % self.ring.count);
        }
    }

    fn finish(&mut self, index: u32) {
        let place = &raw mut self.descriptors[index as usize].status;
        raw::write(place.expose_provenance(), DONE);
    }

    /// Where head and tail are.
    #[cfg(test)]
    fn position(&self) -> (u32, u32) {
        (self.ring.head, self.ring.tail)
    }
}

impl Ring {
    #[inline]
    const fn next(&self, index: u32) -> u32 {
        let next = index + 1;
        if next == self.count { 0 } else { next }
    }

    #[inline]
    fn descriptor(&self, index: u32) -> *mut Descriptor {
        self.descriptors.wrapping_add(index as usize)
    }

    #[inline]
    fn fill(&self, index: u32, length: u32) {
        let at = self.descriptor(index).addr();
        raw::write(at, self.buffers.addr() as u64 + (index as usize * BUFFER) as u64);
        raw::write(at + 12, 0_u32);
        raw::write(at + 8, length);
    }

    /// Tells the card of the tail.
    #[inline]
    fn ring_doorbell(&mut self) {
        fence(Ordering::SeqCst);
        raw::write((&raw mut self.doorbell).addr(), self.tail);
    }
}

#[unsafe(link_section = "bench_floor")]
unsafe extern "win64" fn send(ring: &mut Ring, frames: *const Frame, count: usize) {
    for index in 0..count {
        // SAFETY: the caller's frames.
        let frame = unsafe { frames.wrapping_add(index).read() };
        let slot = ring.tail;
        // SAFETY: a frame is shorter than a buffer, of which there is one for each descriptor.
        unsafe {
            (ring.copy)(ring.buffers.wrapping_add(slot as usize * BUFFER), frame.start, frame.length as usize)
        };
        ring.fill(slot, frame.length | COMMAND);
        ring.tail = ring.next(slot);
    }
    ring.ring_doorbell();
}

#[unsafe(link_section = "bench_floor")]
unsafe extern "win64" fn reclaim(ring: &mut Ring) {
    while ring.head != ring.tail {
        let status: u32 = raw::read(ring.descriptor(ring.head).addr() + 12);
        if status & DONE == 0 {
            break;
        }
        fence(Ordering::Acquire);
        ring.head = ring.next(ring.head);
    }
}

#[unsafe(link_section = "bench_floor")]
unsafe extern "win64" fn receive(ring: &mut Ring) {
    loop {
        let slot = ring.head;
        let at = ring.descriptor(slot).addr();
        if raw::read::<u32>(at + 12) & DONE == 0 {
            break;
        }
        fence(Ordering::Acquire);
        std::hint::black_box(raw::read::<u32>(at + 8));
        copy_head(ring.buffers.wrapping_add(slot as usize * BUFFER));
        ring.fill(slot, 0);
        ring.head = ring.next(slot);
        ring.tail = slot;
    }
    ring.ring_doorbell();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Counter;

    fn run((routine, arguments): Call) {
        // SAFETY: the floor's own calls; nothing is counted.
        unsafe { Counter::new(&[]).call(routine, &arguments) };
    }

    #[test]
    fn frames_go_through_the_ring() {
        let mut floor = Floor::new(8, 84);
        for round in 1..=5 {
            run(floor.send(3));
            run(floor.reclaim());
            assert_eq!(floor.position(), ((round - 1) * 3 % 8, round * 3 % 8), "nothing is sent yet");
            floor.card_sends();
            run(floor.reclaim());
            assert_eq!(floor.position(), (round * 3 % 8, round * 3 % 8));
        }
        assert_eq!(floor.descriptors[0].length, 84 + COMMAND);
        assert_eq!(floor.buffers[..85], [[0x5A; 84].as_slice(), &[0]].concat());
    }

    #[test]
    fn received_frames_leave_their_descriptors_empty() {
        let mut floor = Floor::new(8, 84);
        for round in 1..=5 {
            floor.card_receives(3);
            run(floor.receive());
            assert_eq!(floor.position().0, round * 3 % 8);
            assert!(floor.descriptors.iter().all(|descriptor| descriptor.status == 0));
        }
    }
}
