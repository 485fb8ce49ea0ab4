//! Flow control by credits (RFC 5578): agreed on in either role, and the account of a session.

mod common;

use common::server::{Server, config};
use common::{AC, HOST, Host, at, frame, raw};
use pppoe::concentrator::Event as Served;
use pppoe::credit::{Account, Agreement, GRANT_MAX, Offer, Unanswered};
use pppoe::extension::{Credits, Extension, Flow};
use pppoe::{Code, Config, Event, InBand, Inbound, Instant, Packet, Repr, SessionKey, TagType};
use proptest::prelude::*;

const SECOND: u64 = 1000;
const AGREED: Agreement = Agreement { grant: 100, granted: 10, unit: 64 };

fn key() -> SessionKey {
    SessionKey::new(AC, 7).unwrap()
}

fn account(agreement: Agreement) -> Account {
    Account::new(key(), agreement, at(0))
}

fn flow(sequence: u16, forward: u16, backward: u16) -> Flow {
    Flow { key: key(), sequence, credits: Credits { forward, backward } }
}

fn asking(grant: u16, scale: u16) -> Config<'static> {
    Config { credits: Some(Offer { grant, scale }), ..Config::new(HOST) }
}

fn tags<'a>(credits: &'a [u8], scale: &'a [u8]) -> Vec<(TagType, &'a [u8])> {
    let tags = [(TagType::Credits, credits), (TagType::CreditScaleFactor, scale)];
    tags.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

// covers: RFC5578:negotiation
#[test]
fn a_host_asks_in_the_padr_and_the_pads_decides() {
    for (scale, written) in [(64, None), (32, Some(vec![0, 32]))] {
        let mut host = Host::soliciting(&asking(500, scale));
        assert_eq!(host.tag(TagType::Credits), None, "the PADI asks for nothing");
        assert_eq!(host.receive(&host.pado(AC)), Event::Offered(AC));
        host.poll().unwrap();
        assert_eq!(host.tag(TagType::Credits), Some(vec![500_u16.to_be_bytes()[0], 0xF4, 0, 0]));
        assert_eq!(host.tag(TagType::CreditScaleFactor), written);
        let first = host.sent.last().cloned();
        host.wait().unwrap();
        assert_eq!(host.sent.last().cloned(), first, "each repetition is the same");
    }
    let agreed = |granted, unit| Some(Agreement { grant: 500, granted, unit });
    for (credits, scale, expected) in [
        (&[0, 9, 1, 0xF4][..], &[][..], agreed(9, 64)),
        (&[0, 0, 0, 0], &[], agreed(0, 64)),
        // The finer scale counts; none and zero are 64.
        (&[0, 9, 0, 0], &[0, 128], agreed(9, 100)),
        (&[0, 9, 0, 0], &[0, 16], agreed(9, 16)),
        (&[0, 9, 0, 0], &[0, 0], agreed(9, 64)),
        // Nothing that can be read: no agreement.
        (&[0, 9, 0], &[0, 64], None),
        (&[0, 9, 0, 0, 0], &[], None),
        (&[], &[0, 64], None),
    ] {
        let mut host = Host::requesting(&asking(500, 100));
        let pads = host.pads(AC, 7, &tags(credits, scale));
        assert!(matches!(host.receive(&pads), Event::Connected(_)));
        assert_eq!(host.call.agreement(), expected, "{credits:?} {scale:?}");
    }
    // Who has not asked does not agree.
    let mut host = Host::requesting(&Config::new(HOST));
    let pads = host.pads(AC, 7, &tags(&[0, 9, 0, 0], &[0, 64]));
    assert!(matches!(host.receive(&pads), Event::Connected(_)));
    assert_eq!(host.call.agreement(), None);
}

// covers: RFC5578:negotiation
#[test]
fn an_access_concentrator_agrees_with_who_asks_if_it_may() {
    let may = pppoe::concentrator::Config { credits: Some(12_750), ..config() };
    for (credits, scale, expected, answer) in [
        (&[0, 50, 0, 0][..], &[][..], Some((50, 64)), (Some(vec![0, 200, 0, 50]), None)),
        (&[0, 50, 0, 0], &[0, 64], Some((50, 64)), (Some(vec![0, 200, 0, 50]), Some(vec![0, 64]))),
        (&[0, 50, 0, 0], &[0, 0], Some((50, 64)), (Some(vec![0, 200, 0, 50]), None)),
        (&[0, 50], &[0, 64], None, (None, None)),
        (&[], &[0, 64], None, (None, None)),
    ] {
        let mut server = Server::new(&may);
        let (id, padr) = server.request(HOST, &tags(credits, scale));
        let accepted = server.accept(id);
        let expected = expected.map(|(granted, unit)| Agreement { grant: 200, granted, unit });
        assert_eq!(accepted.credits, expected);
        let value = |server: &Server, kind| server.values(kind).first().map(|value| value.to_vec());
        let both =
            |server: &Server| (value(server, TagType::Credits), value(server, TagType::CreditScaleFactor));
        assert_eq!(both(&server), answer);
        // The same again for a PADR again.
        server.receive(&padr);
        assert_eq!(both(&server), answer);
    }
    // However fine the scale, no more than can be counted.
    let mut server = Server::new(&may);
    for (scale, grant) in [([0, 1], 12_750), ([0xFF, 0xFF], 1), ([0, 63], 203)] {
        let (id, _) = server.request(HOST, &tags(&[0, 0, 9, 9], &scale));
        assert_eq!(server.accept(id).credits.map(|it| (it.grant, it.granted)), Some((grant, 0)));
        server.sleep(10_000);
    }
    assert_eq!(pppoe::credit::grant_for(u32::MAX, 0), GRANT_MAX);
    let mut never = Server::new(&config());
    let (id, _) = never.request(HOST, &tags(&[0, 50, 0, 0], &[]));
    assert_eq!((never.accept(id).credits, never.values(TagType::Credits).len()), (None, 0));
}

#[test]
fn a_pads_all_tags_fits_what_a_padr_may_have() {
    let may = pppoe::concentrator::Config { credits: Some(200 * 64), max_payload: 1500, ..config() };
    let mut fitted = false;
    for length in 1300..1500 {
        let relay = vec![7; length];
        let mut all = tags(&[0, 50, 0, 0], &[0, 32]);
        all.extend([(TagType::PppMaxPayload, &[0x05, 0xDC][..]), (TagType::RelaySessionId, &relay)]);
        let mut server = Server::new(&may);
        let Served::Answer(_) = server.receive(&common::server::padi(HOST, &all)) else { continue };
        let cookie = server.reply().ac_cookie.unwrap().to_vec();
        if let Served::Requested(request) = server.receive(&common::server::padr(HOST, &cookie, &all)) {
            let id = request.id;
            assert!(server.accept(id).credits.is_some());
            assert_eq!(server.reply().max_payload, Some(1500));
            fitted = true;
        }
    }
    assert!(fitted);
}

// covers: RFC5578:packets
#[test]
fn padg_and_padc_are_written_as_they_are_read() {
    let mut buffer = [0xAA; Flow::FRAME_LEN];
    let sent = Flow { key: SessionKey::new(HOST, 7).unwrap(), ..flow(0x1234, 5, 0xFFFF) };
    let parse = |buffer: &[u8]| match Inbound::parse(buffer, HOST) {
        Ok(Inbound::Extension(Extension::Grant(flow))) => (Code::Padg, flow),
        Ok(Inbound::Extension(Extension::Response(flow))) => (Code::Padc, flow),
        other => panic!("{other:?}"),
    };
    for code in [Code::Padg, Code::Padc] {
        assert_eq!(sent.emit(code, AC, &mut buffer), Ok(60));
        assert_eq!(parse(&buffer), (code, flow(0x1234, 5, 0xFFFF)));
        assert!(sent.emit(code, AC, &mut buffer[..59]).is_err());
    }
    let tags = [(TagType::SequenceNumber, &[0x12, 0x34][..]), (TagType::Credits, &[0, 5, 0xFF, 0xFF])];
    let mut expected = frame(HOST, AC, 0x0B, 7, &tags);
    expected.resize(60, 0);
    assert_eq!(buffer[..], expected);
}

// covers: RFC5578:in-band
#[test]
fn credits_in_front_of_a_packet_are_taken_off() {
    let payload = [1, 6, 0, 4, 0, 1, 0, 2, 0xC0, 0x21, 1, 1, 0, 4];
    let good = raw(HOST, AC, 0x8864, 0, 7, &payload);
    let parse = |frame: &[u8]| InBand::parse(frame.first_chunk().unwrap(), frame.len(), HOST);
    let found = parse(&good).unwrap();
    assert_eq!((found.head.key, found.head.length), (key(), 6));
    assert_eq!(found.credits, Credits { forward: 1, backward: 2 });
    assert_eq!(good[InBand::OFFSET..], payload[8..]);
    let damaged = |at: usize, value: u8| {
        let mut frame = good.clone();
        frame[at] = value;
        parse(&frame)
    };
    // Another destination, type, version, code and id; a length beyond the frame and one without a packet; another tag and
    // another length of it; an odd protocol.
    for (at, value) in
        [(5, 9), (13, 0x63), (14, 0x12), (15, 9), (19, 15), (19, 9), (21, 7), (23, 5), (28, 0x21)]
    {
        assert_eq!(damaged(at, value), None, "octet {at}");
    }
    assert_eq!(parse(&raw(HOST, AC, 0x8864, 0, 0, &payload)), None);
    assert_eq!(
        parse(
            &raw(HOST, AC, 0x8864, 0, 7, &payload[8..])[..20]
                .iter()
                .chain(&[0; 20])
                .copied()
                .collect::<Vec<_>>()
        ),
        None
    );
    assert!(damaged(19, 10).is_some_and(|it| it.head.length == 2), "what is behind LENGTH is padding");
}

// covers: RFC5578:charging
#[test]
fn a_packet_costs_its_octets_rounded_up_and_nothing_goes_without() {
    for (unit, octets, cost) in
        [(64, 1, 1), (64, 64, 1), (64, 65, 2), (1, 1494, 1494), (0xFFFF, 1494, 1), (64, 0, 0)]
    {
        assert_eq!(account(Agreement { unit, ..AGREED }).cost(octets), cost);
    }
    let mut account = account(AGREED);
    assert!(account.affords(10, at(0)) && !account.affords(11, at(0)));
    account.pay(10);
    assert!(!account.affords(1, at(0)) && account.affords(0, at(0)));
    assert!(!account.affords(u32::MAX, at(0)));
    account.pay_back(3);
    assert_eq!(account.left(), 3, "what was not sent after all");
    account.pay(3);
    account.granted_in_band(Credits { forward: 0xFFF0, backward: 0 }, at(0));
    account.granted_in_band(Credits { forward: 0xFFF0, backward: 0 }, at(0));
    assert_eq!(account.left(), 0xFFFF, "credits saturate");
}

// covers: RFC5578:grants
#[test]
fn a_grant_counts_once_and_is_always_answered() {
    let mut account = account(AGREED);
    let mut left = 10;
    // Number, credits, whether they count: repeated, older, around the end of the numbers, and again.
    for (sequence, forward, counts) in [
        (0xFFF0, 5, true),
        (0xFFF0, 5, false),
        (0xFFF0, 0, false),
        (0xFFFF, 7, true),
        (0xFFF0, 5, false),
        (1, 1, true),
        (0xFFFF, 7, false),
        (0x8000, 9, true),
        (0x0000, 9, false),
        (0xFFFF, 9, true),
    ] {
        left += if counts { forward } else { 0 };
        let answer = account.granted(&flow(sequence, forward, 100), at(0));
        assert_eq!(answer, Some(flow(sequence, 0, left)), "{sequence:#x}");
        assert_eq!(account.left(), left);
    }
    account.granted(&flow(2, 0xFFFF, 100), at(0));
    assert_eq!(account.left(), 0xFFFF);
}

// covers: RFC5578:grants
#[test]
fn a_flood_of_grants_is_answered_in_part_and_of_no_effect_otherwise() {
    let mut account = account(AGREED);
    let answers = (0..5000).filter(|&n| account.granted(&flow(n, 1, 0), at(0)).is_some()).count();
    assert_eq!((answers, account.left()), (512, 522));
    assert!(account.granted(&flow(5000, 1, 0), at(100)).is_some());
    assert_eq!(account.left(), 523);
}

// covers: RFC5578:grants
#[test]
fn the_peer_is_kept_at_what_it_was_granted() {
    let mut account = account(Agreement { grant: 0xFFFF, ..AGREED });
    assert_eq!(account.deadline(), Some(at(SECOND)), "whether the PADS was understood as a grant");
    assert_eq!(account.poll(at(999)), Ok(None));
    assert_eq!(account.poll(at(SECOND)), Ok(Some(flow(1, 0, 10))));
    account.responded(&flow(1, 0, GRANT_MAX), at(1001));
    assert_eq!((account.deadline(), account.poll(at(99_000))), (None, Ok(None)), "an idle session is silent");
    // A little: in a second. Half of it: at once.
    account.received(10, 6400, at(100_000));
    assert_eq!((account.poll(at(100_000)), account.deadline()), (Ok(None), Some(at(101_000))));
    account.received(16_384, 0, at(100_001));
    assert_eq!(account.poll(at(100_001)), Ok(Some(flow(2, 16_384 + 110, 10))));
    // No other grant before the answer, which is believed.
    account.received(60_000, 0, at(100_002));
    assert_eq!(account.poll(at(100_003)), Ok(None));
    account.responded(&flow(1, 0, 0), at(100_003));
    assert_eq!(account.poll(at(100_003)), Ok(None), "an answer to another grant");
    account.responded(&flow(2, 9, 16_000), at(100_004));
    assert_eq!(account.poll(at(100_004)), Ok(Some(flow(3, GRANT_MAX - 16_000, 10))));
}

// covers: RFC5578:grants
#[test]
fn a_grant_without_an_answer_is_repeated_without_credits_and_then_given_up() {
    let mut account = account(AGREED);
    account.received(60, 0, at(0));
    assert_eq!(account.poll(at(0)), Ok(Some(flow(1, 60, 10))));
    for second in 1..5 {
        assert_eq!(account.deadline(), Some(at(second * SECOND)));
        assert_eq!(account.poll(at(second * SECOND - 1)), Ok(None));
        assert_eq!(account.poll(at(second * SECOND)), Ok(Some(flow(1, 0, 10))));
    }
    assert_eq!(account.poll(at(5 * SECOND)), Err(Unanswered));
    assert_eq!((account.poll(at(99 * SECOND)), account.deadline()), (Err(Unanswered), Some(at(5 * SECOND))));
}

/// A sender that is held tells the peer how little it has, in case that counts otherwise.
// covers: RFC5578:charging
#[test]
fn who_is_held_for_want_of_credits_says_so() {
    let mut account = account(AGREED);
    account.poll(at(SECOND)).unwrap();
    account.responded(&flow(1, 0, 100), at(SECOND));
    assert_eq!(account.deadline(), None);
    account.pay(8);
    assert!(!account.affords(3, at(5000)));
    assert_eq!(account.poll(at(5999)), Ok(None));
    assert_eq!(account.poll(at(6000)), Ok(Some(flow(2, 0, 2))));
}

/// A peer that says it has nothing, whatever it is granted, gets a PADG a second and no more.
#[test]
fn a_peer_that_never_has_enough_is_not_answered_with_a_flood() {
    let mut account = account(AGREED);
    let mut sent = 0;
    for millis in 0..60_000 {
        if let Ok(Some(padg)) = account.poll(at(millis)) {
            sent += 1;
            account.responded(&flow(padg.sequence, 0, 0), at(millis));
            account.granted(&flow(u16::try_from(millis % 7).unwrap(), 0, 0), at(millis));
        }
    }
    assert!((55..=60).contains(&sent), "{sent}");
}

/// One side of a link: an account, and what it really may send.
struct Side {
    account: Account,
    /// Credits by the strictest count: what arrived, each grant once.
    purse: u32,
    counted: Vec<u16>,
    sent: u64,
    last_sent: Instant,
    dead: bool,
}

impl Side {
    fn new(agreement: Agreement) -> Self {
        let (purse, counted) = (agreement.granted.into(), Vec::new());
        let account = Account::new(key(), agreement, at(0));
        Self { account, purse, counted, sent: 0, last_sent: at(0), dead: false }
    }
}

#[derive(Clone, Copy, Debug)]
enum Wire {
    Grant(Flow),
    Answer(Flow),
    Packet(usize),
}

/// Two accounts that grant each other credits over a link which loses and doubles frames.
fn play(seed: u64, loss: u64, doubled: u64, windows: [u16; 2], unit: u16, millis: u64) -> [Side; 2] {
    let mut state = seed;
    let mut below = move |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let [a, b] = windows;
    let mut sides = [
        Side::new(Agreement { grant: a, granted: b, unit }),
        Side::new(Agreement { grant: b, granted: a, unit }),
    ];
    let mut queue: Vec<(u64, usize, Wire)> = Vec::new();
    for millis in 0..millis {
        let now = at(millis);
        let (due, rest) = queue.into_iter().partition(|(at, ..)| *at <= millis);
        queue = rest;
        let due: Vec<(u64, usize, Wire)> = due;
        let mut out = Vec::new();
        for (_, to, wire) in due {
            let side = &mut sides[to];
            match wire {
                Wire::Grant(flow) => {
                    if !side.counted.contains(&flow.sequence) {
                        side.counted.push(flow.sequence);
                        side.purse = (side.purse + u32::from(flow.credits.forward)).min(0xFFFF);
                    }
                    out.extend(side.account.granted(&flow, now).map(|flow| (to, Wire::Answer(flow))));
                }
                Wire::Answer(flow) => side.account.responded(&flow, now),
                Wire::Packet(octets) => side.account.received(1, octets as u64, now),
            }
        }
        for (from, side) in sides.iter_mut().enumerate() {
            for _ in 0..4 {
                let octets = 20 + usize::try_from(below(1475)).unwrap();
                let cost = side.account.cost(octets);
                if !side.dead && side.account.affords(cost, now) {
                    side.account.pay(cost);
                    assert!(side.purse >= cost, "{from} sends at {millis} ms without credits");
                    side.purse -= cost;
                    (side.sent, side.last_sent) = (side.sent + octets as u64, now);
                    out.push((from, Wire::Packet(octets)));
                }
            }
            match side.account.poll(now) {
                Ok(Some(flow)) => out.push((from, Wire::Grant(flow))),
                Ok(None) => assert!(side.account.deadline().is_none_or(|at| at > now)),
                Err(Unanswered) => side.dead = true,
            }
        }
        for (from, wire) in out {
            for _ in 0..if below(100) < doubled { 2 } else { 1 } {
                if below(100) >= loss {
                    queue.push((millis + 1 + below(3), 1 - from, wire));
                }
            }
        }
    }
    sides
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is lost, doubled and overtaken, nobody sends without credits; and with little loss nobody stands still.
    #[test]
    fn two_accounts_keep_to_their_credits(
        seed: u64, loss in 0..80_u64, doubled in 0..50_u64,
        first in 1..40_000_u16, second in 1..40_000_u16, unit in prop::sample::select(vec![1, 16, 64, 256]),
    ) {
        play(seed, loss, doubled, [first, second], unit, 12_000);
    }

    #[test]
    fn two_accounts_never_stand_still(
        seed: u64, loss in 0..10_u64, first in 3000..40_000_u16, second in 3000..40_000_u16,
        unit in prop::sample::select(vec![1, 16, 64, 256]),
    ) {
        let sides = play(seed, loss, 10, [first, second], unit, 30_000);
        // The answers to all tries of a PADG may be lost; then its sender gives up, as it should.
        let given_up = sides.iter().any(|side| side.dead);
        prop_assert!(!given_up || loss > 0);
        prop_assume!(!given_up);
        for side in sides {
            // All but the last of those tries take five seconds, which may come twice.
            prop_assert!(side.last_sent > at(18_000), "stood still since {:?}, {} octets", side.last_sent, side.sent);
        }
    }
}

/// The same octets in the PADR and PADS of our own two roles.
// covers: RFC5578:negotiation
#[test]
fn our_two_roles_agree() {
    let may = pppoe::concentrator::Config { credits: Some(200 * 32), ..config() };
    let mut server = Server::new(&may);
    let mut host = Host::soliciting(&asking(500, 32));
    server.receive(&host.sent[0].clone());
    let offer = server.sent.clone();
    host.receive(&offer);
    host.poll().unwrap();
    let request = host.sent.last().unwrap().clone();
    let Served::Requested(asked) = server.receive(&request) else { panic!() };
    let id = asked.id;
    let accepted = server.accept(id).credits.unwrap();
    assert_eq!(accepted, Agreement { grant: 200, granted: 500, unit: 32 });
    let confirmation = server.sent.clone();
    host.receive(&confirmation);
    assert_eq!(host.call.agreement(), Some(Agreement { grant: 500, granted: 200, unit: 32 }));
    let read = Repr::parse(&Packet::parse(&confirmation).unwrap()).unwrap();
    assert_eq!(read.credits, Some(Credits { forward: 200, backward: 500 }));
}
