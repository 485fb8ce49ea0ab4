//! Each allocation of an Access Concentrator fails once: that is answered, and nothing is left behind.

mod common;

use common::server::{config, host, padi, padr};
use common::{AC, at};
use core::cell::Cell;
use pppoe::concentrator::{Concentrator, Event, NotAccepted, Refusal};
use pppoe::{Code, Inbound, Instant, Packet, Repr};
use std::alloc::{GlobalAlloc, Layout, System};

thread_local! {
    /// How many allocations of this thread succeed before one fails.
    static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
}

struct Failing;

// SAFETY: every block comes from `System`, and goes back to it with the layout it came with.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let left = LEFT.get();
        LEFT.set(left.wrapping_sub(1));
        if left == 0 {
            return core::ptr::null_mut();
        }
        // SAFETY: the caller's promise about the layout is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block is one of `alloc`, so of `System`, with this layout.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Failing = Failing;

/// Runs `f` with the `nth` allocation failing; whether it got that far.
fn failing<R>(nth: usize, f: impl FnOnce() -> R) -> (R, bool) {
    LEFT.set(nth);
    let result = f();
    let left = LEFT.replace(usize::MAX);
    (result, left > nth)
}

#[derive(Debug, PartialEq)]
enum End {
    NotMade,
    Refused,
    NotAccepted,
    Connected,
}

fn minute(number: u32) -> Instant {
    at(u64::from(number) * 60_000)
}

/// One discovery, in the middle of others so that the tables must grow now and then.
fn discovery(ac: &mut Concentrator, number: u32, nth: usize) -> (End, bool) {
    let now = minute(number);
    let mut buffer = [0; 1514];
    let solicitation = padi(host(number), &[]);
    let Ok(Inbound::Concentrator(packet)) = Inbound::parse(&solicitation, AC) else { panic!() };
    let Event::Answer(offer) = ac.handle(now, &packet, &common::server::SERVICES, &mut buffer) else {
        panic!()
    };
    let pado = Packet::parse(&buffer[..offer.len]).and_then(|packet| Repr::parse(&packet)).unwrap();
    let request = padr(host(number), pado.ac_cookie.unwrap(), &[]);
    let Ok(Inbound::Concentrator(packet)) = Inbound::parse(&request, AC) else { panic!() };
    let before = (ac.requests(), ac.waiting(), ac.sessions());

    failing(nth, || match ac.handle(now, &packet, &common::server::SERVICES, &mut buffer) {
        Event::Answer(answer) => {
            assert!(matches!(answer.refusal, Some(Refusal::AcSystem(_))) && answer.code == Code::Pads);
            assert_eq!((ac.requests(), ac.waiting(), ac.sessions()), before);
            End::Refused
        }
        Event::Requested(request) => match ac.accept(now, request.id, |_| false, &mut buffer) {
            Ok(_) => End::Connected,
            Err(why) => {
                assert_eq!(why, NotAccepted::Resources);
                assert!(ac.reject(now, request.id, Refusal::AcSystem(""), &mut buffer).is_some());
                assert_eq!((ac.waiting(), ac.sessions()), (before.1, before.2));
                End::NotAccepted
            }
        },
        event @ Event::Ignored(_) => panic!("{event:?}"),
    })
}

#[test]
fn every_failure_is_answered() {
    for nth in 0.. {
        let (made, failed) = failing(nth, || Concentrator::try_new(&config(), &[5; 16], at(0)));
        assert_eq!(made.is_err(), failed);
        if !failed {
            break;
        }
    }
    let mut ends = [End::NotMade, End::Refused, End::NotAccepted, End::Connected].map(|end| (end, 0));
    ends[0].1 = 1;
    let mut ac = Concentrator::try_new(&config(), &[5; 16], at(0)).unwrap();
    let mut connected = 0;
    for number in 0..400 {
        for nth in 0.. {
            let (end, failed) = discovery(&mut ac, number, nth);
            // Without the memory to grow a table goes on with what it has.
            assert!(end == End::Connected || failed, "{number} {nth}");
            connected += usize::from(end == End::Connected);
            ends.iter_mut().filter(|(kind, _)| *kind == end).for_each(|(_, count)| *count += 1);
            if end == End::Connected || nth > 6 {
                break;
            }
        }
        // All that were refused with a memory of it are forgotten, so that no limit is in the way.
        while ac.expire(minute(number + 1)).is_some() {}
        assert_eq!((ac.waiting(), ac.requests(), ac.sessions()), (0, 0, connected));
    }
    // Room for the sessions was made with the concentrator.
    assert!(
        connected == 400 && ends.iter().all(|(kind, count)| (*count > 0) == (*kind != End::NotAccepted)),
        "{ends:?}"
    );
}
