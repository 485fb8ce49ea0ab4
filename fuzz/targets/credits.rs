//! Two accounts of credits on one link, on which anything may happen: nobody sends without credits, nothing is said twice a
//! moment, and what is counted fits 16 bits.
//!
//! The input begins with the scale and what each side grants; a list of steps follows: what, and a number.

use core::time::Duration;

use pppoe::credit::{Account, Agreement};
use pppoe::extension::{Credits, Extension, Flow};
use pppoe::{Address, Code, InBand, Inbound, Instant, SessionKey};

const A: Address = Address([2, 0, 0, 0, 0, 1]);
const B: Address = Address([2, 0, 0, 0, 0, 2]);

/// One side: its account, what it really may send, and the grants that are in that.
struct Side {
    account: Account,
    purse: u32,
    counted: Vec<u16>,
}

impl Side {
    fn new(peer: Address, grant: u16, granted: u16, unit: u16) -> Self {
        let key = SessionKey::new(peer, 7).expect("a session");
        let account = Account::new(key, Agreement { grant, granted, unit }, Instant::ZERO);
        Self { account, purse: granted.into(), counted: Vec::new() }
    }

    /// Sends a packet if there are credits for it.
    fn send(&mut self, octets: u16, now: Instant) -> bool {
        let cost = self.account.cost(octets.into());
        if !self.account.affords(cost, now) {
            assert!(self.account.deadline().is_some(), "held without an end");
            return false;
        }
        self.account.pay(cost);
        assert!(cost <= self.purse, "sent without credits");
        self.purse -= cost;
        true
    }

    /// A grant arrives, of whichever number and size.
    fn granted(&mut self, padg: Flow, now: Instant) -> Option<Flow> {
        let before = self.account.left();
        let answer = self.account.granted(&padg, now);
        let gained = u32::from(self.account.left() - before);
        assert!(gained <= u32::from(padg.credits.forward));
        if gained != 0 {
            assert!(answer.is_some(), "a grant that counts is answered");
            self.purse = (self.purse + gained).min(0xFFFF);
            self.counted.push(padg.sequence);
        }
        if let Some(answer) = answer {
            assert_eq!((answer.sequence, answer.credits.forward), (padg.sequence, 0));
            assert_eq!(answer.credits.backward, self.account.left());
        }
        answer
    }

    /// The PADG that is due, and that no other is at once.
    fn poll(&mut self, now: Instant) -> Option<Flow> {
        let Ok(due) = self.account.poll(now) else {
            assert!(self.account.deadline().is_some_and(|at| at <= now));
            return None;
        };
        assert!(self.account.deadline().is_none_or(|at| at > now), "nothing is due any more");
        assert_eq!(self.account.poll(now), Ok(None), "two PADGs in a moment");
        due
    }
}

/// As the other side reads it.
fn over_the_wire(flow: Flow, code: Code, from: Address) -> Flow {
    let mut frame = [0xAA; Flow::FRAME_LEN];
    assert_eq!(flow.emit(code, from, &mut frame), Ok(frame.len()));
    let Ok(Inbound::Extension(Extension::Grant(read) | Extension::Response(read))) =
        Inbound::parse(&frame, flow.key.peer())
    else {
        panic!("cannot be read")
    };
    assert_eq!((read.key.peer(), read.sequence, read.credits), (from, flow.sequence, flow.credits));
    read
}

/// Judges one input.
pub(crate) fn run(input: &[u8]) {
    in_band(input);
    let Some((&[u0, u1, a0, a1, b0, b1], mut rest)) = input.split_first_chunk() else { return };
    let unit = u16::from_be_bytes([u0, u1]);
    let (to_b, to_a) = (u16::from_be_bytes([a0, a1]), u16::from_be_bytes([b0, b1]));
    let mut sides = [Side::new(B, to_b, to_a, unit), Side::new(A, to_a, to_b, unit)];
    let mut now = Instant::ZERO;
    let (mut grant, mut answer): ([Option<Flow>; 2], [Option<Flow>; 2]) = ([None; 2], [None; 2]);
    while let Some((&[what, n0, n1], next)) = rest.split_first_chunk() {
        rest = next;
        let number = u16::from_be_bytes([n0, n1]);
        let from = usize::from(what & 1);
        let to = 1 - from;
        let address = [A, B];
        match what >> 1 & 7 {
            0 => now = now.saturating_add(Duration::from_millis(number.into())),
            1 => {
                if sides[from].send(number.max(1), now) && what & 0x10 == 0 {
                    sides[to].account.received(1, number.into(), now);
                }
            }
            // What is on the wire stays there: it may come again, and late.
            2 => {
                let due = sides[from].poll(now).map(|it| over_the_wire(it, Code::Padg, address[from]));
                grant[from] = due.or(grant[from]);
            }
            3 => {
                if let Some(flow) = grant[from] {
                    let back = sides[to].granted(flow, now);
                    answer[to] = back.map(|it| over_the_wire(it, Code::Padc, address[to])).or(answer[to]);
                }
            }
            4 => {
                if let Some(padc) = answer[from] {
                    sides[to].account.responded(&padc, now);
                }
            }
            5 => {
                let credits = Credits { forward: number, backward: !number };
                let key = sides[to].account.key();
                sides[to].granted(Flow { key, sequence: number.rotate_left(8), credits }, now);
            }
            6 => {
                sides[to].account.granted_in_band(Credits { forward: number, backward: number }, now);
                sides[to].purse = (sides[to].purse + u32::from(number)).min(0xFFFF);
            }
            _ => {
                let credits = Credits { forward: number, backward: number };
                let key = sides[to].account.key();
                sides[to].account.responded(&Flow { key, sequence: number, credits }, now);
            }
        }
        for side in &sides {
            assert_eq!(u32::from(side.account.left()), side.purse, "the account is exact");
        }
    }
}

/// A session frame that is read without its credits is the frame that it would be without them.
fn in_band(input: &[u8]) {
    let Some(head) = input.first_chunk::<{ InBand::LEN }>() else { return };
    let own = input.first_chunk().map_or(A, |&octets| Address(octets));
    if let Some(found) = InBand::parse(head, input.len(), own) {
        assert!(InBand::OFFSET + usize::from(found.head.length) <= input.len());
        let mut without = [&input[..20], &input[28..]].concat();
        let length = u16::from_be_bytes([without[18], without[19]]) - 8;
        without[18..20].copy_from_slice(&length.to_be_bytes());
        let Ok(Inbound::Data(data)) = Inbound::parse(&without, own) else { panic!("no session frame") };
        assert_eq!((data.key, data.ppp.len()), (found.head.key, usize::from(found.head.length)));
        assert!(Inbound::parse(input, own).is_err(), "it is none for who has not agreed");
    }
}
