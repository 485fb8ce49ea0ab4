//! The frames that are sent, and what came of them.

use std::cell::{Cell, RefCell};

/// Where the frame's number is: behind the PPP protocol field, the headers of IPv4 and UDP, and the call's number.
const NUMBER: usize = 2 + 20 + 8 + 4;

/// A frame that is new, known or wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It is what was sent, for the first time.
    Good,
    /// It is what was sent, and it came before.
    Repeated,
    /// Nothing like it was sent on this call.
    Wrong(String),
}

/// The frames of one call.
#[derive(Debug)]
pub(super) struct Pattern {
    call: u32,
    size: usize,
    seed: u64,
    /// Frames sent, by number; `true` once they came back.
    sent: RefCell<Vec<bool>>,
    /// How many have not come back.
    missing: Cell<usize>,
}

impl Pattern {
    pub(super) fn new(call: u32, size: usize, seed: u64) -> Self {
        Self { call, size, seed, sent: RefCell::default(), missing: Cell::new(0) }
    }

    /// The frame of this number, from the protocol field on.
    fn frame(&self, number: u64) -> Vec<u8> {
        let mut frame = headers(self.size);
        frame.extend(self.call.to_be_bytes());
        frame.extend(number.to_be_bytes());
        // SplitMix64 of what identifies the frame: no two frames agree, none compresses to the other.
        let mut state = self.seed ^ u64::from(self.call) << 40 ^ number;
        while frame.len() < self.size {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            frame.extend((mixed ^ mixed >> 27).to_le_bytes());
        }
        frame.truncate(self.size);
        frame
    }

    /// The next frame to send.
    pub(super) fn next(&self) -> Vec<u8> {
        let mut sent = self.sent.borrow_mut();
        let number = sent.len() as u64;
        sent.push(false);
        self.missing.set(self.missing.get() + 1);
        self.frame(number)
    }

    /// Judges a frame that arrived, from the protocol field on.
    pub(super) fn arrived(&self, frame: &[u8]) -> Arrival {
        let number =
            frame.get(NUMBER..NUMBER + 8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
        let mut sent = self.sent.borrow_mut();
        let place = number.and_then(|number| Some((number, sent.get_mut(usize::try_from(number).ok()?)?)));
        let Some((number, back)) = place else {
            return Arrival::Wrong(format!("{} bytes that nobody sent", frame.len()));
        };
        let expected = self.frame(number);
        if frame != expected {
            return Arrival::Wrong(difference(number, &expected, frame));
        }
        if std::mem::replace(back, true) {
            return Arrival::Repeated;
        }
        self.missing.set(self.missing.get() - 1);
        Arrival::Good
    }

    /// Frames sent that have not come back.
    pub(super) fn missing(&self) -> usize {
        self.missing.get()
    }
}

/// PPP protocol field, IPv4 and UDP headers of a frame of `size` bytes between two documentation addresses (RFC
/// 5737), to the discard port: what captures show is then what it looks like.
fn headers(size: usize) -> Vec<u8> {
    let total = u16::try_from(size - 2).unwrap_or(u16::MAX).to_be_bytes();
    let udp = u16::try_from(size - 22).unwrap_or(u16::MAX).to_be_bytes();
    let mut ip = [0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
    let sum: u32 = ip.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let sum = u16::try_from((sum >> 16) + (sum & 0xffff)).unwrap_or(0);
    ip[10..12].copy_from_slice(&(!sum).to_be_bytes());
    let mut headers = vec![0x00, 0x21];
    headers.extend(ip);
    headers.extend([0, 9, 0, 9, udp[0], udp[1], 0, 0]);
    headers
}

fn difference(number: u64, expected: &[u8], found: &[u8]) -> String {
    if expected.len() != found.len() {
        return format!("frame {number} has {} bytes, sent were {}", found.len(), expected.len());
    }
    let at = expected.iter().zip(found).position(|(a, b)| a != b).unwrap_or(0);
    format!("frame {number} differs from byte {at} on")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_known_once() {
        let pattern = Pattern::new(3, 100, 1);
        let (first, second) = (pattern.next(), pattern.next());
        assert_ne!(first, second);
        assert_eq!((first.len(), &first[..2]), (100, &[0x00, 0x21][..]));
        assert_eq!(pattern.arrived(&second), Arrival::Good);
        assert_eq!(pattern.arrived(&second), Arrival::Repeated);
        assert_eq!(pattern.missing(), 1);
        assert_eq!(pattern.arrived(&first), Arrival::Good);
        assert_eq!(pattern.missing(), 0);
    }

    #[test]
    fn header_checksum_is_right() {
        // RFC 1071: the sum over a header with its checksum is all ones.
        let sum: u32 =
            headers(100)[2..22].chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
        assert_eq!((sum >> 16) + (sum & 0xffff), 0xffff);
    }

    #[test]
    fn damage_is_named() {
        let pattern = Pattern::new(3, 100, 1);
        let mut frame = pattern.next();
        frame[50] ^= 1;
        let wrong = |text: &str| Arrival::Wrong(text.to_owned());
        assert_eq!(pattern.arrived(&frame), wrong("frame 0 differs from byte 50 on"));
        assert_eq!(pattern.arrived(&frame[..99]), wrong("frame 0 has 99 bytes, sent were 100"));
        assert_eq!(
            pattern.arrived(&Pattern::new(4, 100, 1).frame(0)),
            wrong("frame 0 differs from byte 33 on")
        );
        assert_eq!(pattern.arrived(&[0, 0x21]), wrong("2 bytes that nobody sent"));
        assert_eq!(pattern.missing(), 1);
    }
}
