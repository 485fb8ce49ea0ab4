//! The packets of RFC 2516, Appendix B.

mod common;

use common::{AC, HOST, at};
use pppoe::{Address, Code, Config, Discovery, Header, Inbound, Repr, SessionKey};

const PADI: [u8; 24] =
    [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2, 0, 0, 0, 0xC1, 1, 0x88, 0x63, 0x11, 0x09, 0, 0, 0, 4, 1, 1, 0, 0];

const PADO: [u8; 52] = [
    2, 0, 0, 0, 0xC1, 1, 2, 0, 0, 0, 0xAC, 1, 0x88, 0x63, 0x11, 0x07, 0, 0, 0, 0x20, 1, 1, 0, 0, 1, 2, 0,
    0x18, 0x47, 0x6F, 0x20, 0x52, 0x65, 0x64, 0x42, 0x61, 0x63, 0x6B, 0x20, 0x2D, 0x20, 0x65, 0x73, 0x68,
    0x73, 0x68, 0x65, 0x73, 0x68, 0x6F, 0x6F, 0x74,
];

const LCP: [u8; 22] =
    [2, 0, 0, 0, 0xAC, 1, 2, 0, 0, 0, 0xC1, 1, 0x88, 0x64, 0x11, 0, 0x12, 0x34, 0, 2, 0xC0, 0x21];

// covers: RFC2516:5.1, RFC2516:4
#[test]
fn padi() {
    let mut repr = Repr::new(Address::BROADCAST, HOST, Code::Padi);
    repr.service_name = Some(b"");
    let mut buffer = [0xAA; 60];
    assert_eq!(repr.emit(&mut buffer), Ok(60));
    assert_eq!(buffer[..24], PADI);
    assert_eq!(buffer[24..], [0; 36]);

    let Ok(Inbound::Concentrator(parsed)) = Inbound::parse(&PADI, AC) else { panic!() };
    assert_eq!((parsed.code, parsed.service_name, parsed.host_uniq), (Code::Padi, Some(&b""[..]), None));
}

// covers: RFC2516:5.1
#[test]
fn a_call_sends_that_padi_and_its_host_uniq() {
    let config = Config { host_uniq: Some(b"ab"), ..Config::new(HOST) };
    let mut call = Discovery::new(&config, at(0), 1).unwrap();
    let mut buffer = [0xAA; 60];
    call.poll(at(0), &mut buffer).unwrap().unwrap();
    let mut want = PADI.to_vec();
    want.extend([1, 3, 0, 2, b'a', b'b']);
    want[19] = 10;
    want.resize(60, 0);
    assert_eq!(buffer[..], want);
}

// covers: RFC2516:5.2
#[test]
fn pado() {
    let Ok(Inbound::Host(parsed)) = Inbound::parse(&PADO, HOST) else { panic!() };
    assert_eq!((parsed.source, parsed.code, parsed.service_name), (AC, Code::Pado, Some(&b""[..])));
    assert_eq!(parsed.ac_name, Some(&b"Go RedBack - eshshesh\x6f\x6f\x74"[..]));
    let mut buffer = [0xAA; 60];
    assert_eq!(parsed.emit(&mut buffer), Ok(60));
    assert_eq!(buffer[..52], PADO);
}

// covers: RFC2516:6
#[test]
fn session_packet() {
    let key = SessionKey::new(AC, 0x1234).unwrap();
    assert_eq!(Header::new(HOST, key).for_length(2), LCP[..20]);

    // As the Access Concentrator receives it.
    let Ok(Inbound::Data(data)) = Inbound::parse(&LCP, AC) else { panic!() };
    assert_eq!((data.key, data.protocol), (SessionKey::new(HOST, 0x1234).unwrap(), 0xC021));
    assert_eq!(data.ppp, [0xC0, 0x21]);
}
