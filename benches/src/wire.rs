//! The far end while calls are made: an access concentrator that gives every request a session, in constant time.

use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::time::Duration;

use ndis_sim::wire::Wire;

/// Its address.
pub(crate) const PEER: [u8; 6] = [0x02, 0, 0, 0, 0xAC, 0x01];
const DISCOVERY: [u8; 2] = [0x88, 0x63];
const PADI: u8 = 0x09;
const PADO: u8 = 0x07;
const PADR: u8 = 0x19;
const PADS: u8 = 0x65;
const PADT: u8 = 0xA7;
/// An AC-Name tag.
const NAME: &[u8] = b"\x01\x02\x00\x05bench";
/// From a request to its answer.
const LATENCY: Duration = Duration::from_micros(10);

/// The access concentrator. Ids of sessions that have ended are given again, the last one first; else they are given in
/// order.
#[derive(Debug, Default)]
pub(crate) struct Concentrator {
    last: u16,
    free: Vec<u16>,
    queue: VecDeque<(Duration, Vec<u8>)>,
}

impl Concentrator {
    /// The answer to a discovery frame, if there is one.
    pub(crate) fn answer(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        let length = usize::from(u16::from_be_bytes([*frame.get(18)?, *frame.get(19)?]));
        let tags = frame.get(20..20 + length)?;
        let (code, session, name) = match (frame.get(12..14)?, frame.get(15)?) {
            (ethertype, &PADI) if ethertype == DISCOVERY => (PADO, 0, NAME),
            (ethertype, &PADR) if ethertype == DISCOVERY => {
                let session = self.free.pop().or_else(|| {
                    self.last = self.last.checked_add(1)?;
                    Some(self.last)
                });
                (PADS, session?, &[][..])
            }
            (ethertype, &PADT) if ethertype == DISCOVERY => {
                self.free.push(u16::from_be_bytes([*frame.get(16)?, *frame.get(17)?]));
                return None;
            }
            _ => return None,
        };
        let length = u16::try_from(tags.len() + name.len()).ok()?.to_be_bytes();
        let head = [&[0x11, code][..], &session.to_be_bytes(), &length].concat();
        Some([frame.get(6..12)?, &PEER, &DISCOVERY, &head, tags, name].concat())
    }
}

impl Wire for Concentrator {
    fn send(&mut self, now: Duration, frame: &[u8]) {
        if let Some(answer) = self.answer(frame) {
            self.queue.push_back((now + LATENCY, answer));
        }
    }

    fn receive(&mut self, now: Duration) -> Option<Vec<u8>> {
        self.queue.pop_front_if(|(at, _)| *at <= now).map(|(_, frame)| frame)
    }

    fn deadline(&self) -> Option<Duration> {
        self.queue.front().map(|(at, _)| *at)
    }

    fn fd(&self) -> Option<RawFd> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_get_sessions_in_order() {
        let mut peer = Concentrator::default();
        let frame = |code: u8| {
            [&[0xFF; 6][..], &[2, 0, 0, 0, 0, 1], &DISCOVERY, &[0x11, code, 0, 0, 0, 4, 1, 1, 0, 0]].concat()
        };
        for (code, answer, session) in [(PADI, PADO, 0), (PADR, PADS, 1), (PADR, PADS, 2)] {
            peer.send(Duration::ZERO, &frame(code));
            assert_eq!(peer.receive(Duration::ZERO), None);
            let got = peer.receive(LATENCY).expect("an answer");
            assert_eq!((got[15], got[17], &got[..6]), (answer, session, &[2, 0, 0, 0, 0, 1][..]));
            assert_eq!(got.len(), 20 + usize::from(got[19]));
        }
        assert_eq!(peer.deadline(), None);
        let mut end = frame(PADT);
        end[17] = 1;
        assert_eq!(peer.answer(&end), None);
        let ids: Vec<_> = (0..2).map(|_| peer.answer(&frame(PADR)).expect("a session")[17]).collect();
        assert_eq!(ids, [1, 3]);
    }
}
