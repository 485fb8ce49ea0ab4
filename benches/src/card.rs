//! The card while the driver is measured: its registers are plain memory, and these few lines do to the descriptors what
//! the card would have done.

use anyhow::{Result, ensure};

use crate::raw;

/// Registers (Intel's manual 317453, section 13.4).
mod register {
    pub(super) const RDBAL: usize = 0x2800;
    pub(super) const TDBAL: usize = 0x3800;
    /// From a ring's base address to its length, head and tail.
    pub(super) const HIGH: usize = 4;
    pub(super) const LENGTH: usize = 8;
    pub(super) const HEAD: usize = 0x10;
    pub(super) const TAIL: usize = 0x18;
}

/// Offsets in a descriptor.
const LENGTH: usize = 8;
const STATUS: usize = 12;
/// Status: descriptor done, end of packet.
const DONE: u32 = 1;
const END: u32 = 2;
/// Command of a transmit descriptor, with its length: report status.
const REPORT: u32 = 1 << 27;

/// Memory that driver and card share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shared {
    /// Where the card finds it.
    pub(crate) bus: u64,
    /// Where the driver finds it.
    pub(crate) address: usize,
    /// Its length.
    pub(crate) length: usize,
}

struct Ring {
    /// Its registers.
    registers: usize,
    descriptors: usize,
    count: u32,
    /// The descriptor that the card handles next.
    next: u32,
    /// What `next` was when the card was taken over.
    first: u32,
}

impl Ring {
    fn at(&self, index: u32) -> usize {
        self.descriptors + 16 * index as usize
    }

    fn tail(&self) -> u32 {
        raw::read(self.registers + register::TAIL)
    }

    fn step(&mut self) {
        self.next = if self.next + 1 == self.count { 0 } else { self.next + 1 };
    }
}

/// The card, taken over from the simulator until it is dropped.
pub(crate) struct Card {
    registers: usize,
    window: usize,
    shared: Vec<Shared>,
    transmit: Ring,
    receive: Ring,
}

impl Card {
    /// Takes over the card whose registers the driver has mapped. It must be idle, and nothing but the driver's data path
    /// may run until the card is given back.
    pub(crate) fn take(registers: usize, window: usize, shared: &[Shared]) -> Result<Self> {
        let ring = |base: usize| {
            let word = |offset: usize| raw::read::<u32>(registers + base + offset);
            let bus = u64::from(word(0)) | u64::from(word(register::HIGH)) << 32;
            let (count, next) = (word(register::LENGTH) / 16, word(register::HEAD));
            let tail = word(register::TAIL);
            let ring = Ring {
                registers: registers + base,
                descriptors: translate(shared, bus).unwrap_or(0),
                count,
                next,
                first: next,
            };
            (ring, tail)
        };
        let ((transmit, transmit_tail), (receive, receive_tail)) =
            (ring(register::TDBAL), ring(register::RDBAL));
        ensure!(transmit.descriptors != 0 && receive.descriptors != 0, "the card has no rings");
        ensure!(transmit.next == transmit_tail, "the card still sends");
        let card = Self { registers, window, shared: shared.to_vec(), transmit, receive };
        card.protect(libc::PROT_READ | libc::PROT_WRITE);
        raw::write(card.transmit.registers + register::TAIL, transmit_tail);
        raw::write(card.receive.registers + register::TAIL, receive_tail);
        Ok(card)
    }

    fn protect(&self, access: libc::c_int) {
        let start = std::ptr::with_exposed_provenance_mut(self.registers);
        // SAFETY: the simulator reserved these pages for the card's registers and keeps nothing in them.
        let result = unsafe { libc::mprotect(start, self.window, access) };
        assert!(result == 0, "mprotect: {}", std::io::Error::last_os_error());
    }

    /// Sends all frames that the driver has put into the ring; how many.
    pub(crate) fn send(&mut self) -> usize {
        let tail = self.transmit.tail();
        let mut count = 0;
        while self.transmit.next != tail {
            let at = self.transmit.at(self.transmit.next);
            if raw::read::<u32>(at + LENGTH) & REPORT != 0 {
                raw::write(at + STATUS, raw::read::<u32>(at + STATUS) | DONE);
            }
            self.transmit.step();
            count += 1;
        }
        count
    }

    /// The frame that the driver has put into the ring, `ahead` of the one to be sent next.
    pub(crate) fn waiting(&self, ahead: u32) -> Vec<u8> {
        let at = self.transmit.at((self.transmit.next + ahead) % self.transmit.count);
        let length = raw::read::<u32>(at + LENGTH) & 0xFFFF;
        let address = translate(&self.shared, raw::read(at));
        address.map_or_else(Vec::new, |address| raw::bytes(address, length as usize))
    }

    /// Receives a frame of `length` bytes, of which only the beginning is written: nobody reads the rest.
    pub(crate) fn receive(&mut self, head: &[u8], length: usize) {
        assert!(self.receive.next != self.receive.tail(), "the driver has given the card a buffer");
        let at = self.receive.at(self.receive.next);
        let buffer = translate(&self.shared, raw::read(at)).expect("a receive buffer in shared memory");
        raw::store(buffer, head);
        raw::write(at + LENGTH, u32::try_from(length).unwrap_or(0));
        raw::write(at + STATUS, DONE | END);
        self.receive.step();
    }

    /// Whether the transmit ring stands where it stood when the card was taken over.
    pub(crate) fn sends_are_round(&self) -> bool {
        self.transmit.next == self.transmit.first
    }

    /// The same for the receive ring.
    pub(crate) fn receives_are_round(&self) -> bool {
        self.receive.next == self.receive.first
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        self.protect(libc::PROT_NONE);
    }
}

/// Where the driver sees what the card sees at a bus address.
fn translate(shared: &[Shared], bus: u64) -> Option<usize> {
    shared.iter().find_map(|it| {
        let offset = usize::try_from(bus.checked_sub(it.bus)?).ok()?;
        (offset < it.length).then(|| it.address + offset)
    })
}
