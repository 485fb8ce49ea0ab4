//! OID requests to the smallest driver.

use super::calls::handle_of;
use super::data;
use super::mini::{adapter, deviates, later, mini, ndis};
use crate::ndis::handle::Handle;
use crate::ndis::parameters::u32_at;
use crate::ndis::status::{self, Status};
use crate::ndis::{oid, raw};

/// `NDIS_WAN_CO_GET_LINK_INFO`: frames of 1,500 bytes both ways.
const LINK: [u32; 8] = [1500, 1500, 0x100, 0x100, 0, 0, 0, 0];
/// What is answered without a VC, in ascending order.
const LISTED: &[u32] = &[
    0x0001_0101,
    0x0001_0102,
    0x0001_0103,
    0x0001_0104,
    0x0001_0107,
    0x0001_010C,
    0x0001_0110,
    0x0001_0113,
    0x0001_0114,
    0x0001_0116,
    0x0002_0101,
    0x0002_0102,
    0x0002_0103,
    0x0002_0104,
    0x0002_0105,
    0x0002_0120,
    0x0401_0105,
    0x0401_010A,
    0x0401_0180,
];
/// What can be set: protocol options, packet filter, link parameters, power.
const SETTABLE: &[u32] = &[0x0001_010E, 0x0001_0112, 0x0401_0181, 0xFD01_0101];

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// The answer to a query with this input; none if the OID is unknown.
fn value(oid: u32, vc: bool, input: &[u8]) -> Option<Vec<u8>> {
    Some(match oid {
        0x0001_0101 if deviates("unsorted list") => words(&[2, 1]),
        0x0001_0101 => words(LISTED),
        0x0001_010C if deviates("no vendor") => return None,
        0x0001_0107 => words(&[10_000_000, 10_000_000]),
        0x0001_0110 if deviates("old version") => vec![30, 6],
        0x0001_0110 => vec![40, 6],
        0x0001_0113 if deviates("reserved MAC option") => words(&[0x8000_0009]),
        0x0001_0113 => words(&[9]),
        0x0002_0101..=0x0002_0105 if input.len() >= 8 && deviates("no wide statistics") => return None,
        0x0002_0101..=0x0002_0105 => vec![0; if input.len() < 8 { 4 } else { 8 }],
        0x0401_010A => words(&[u32::from(!deviates("no lines"))]),
        0x0401_0180 => words(&[1500, 8, 0x100, 0]),
        0x0401_0182 if vc => mini(|it| it.link.borrow().clone()),
        0x0401_0282 if vc && deviates("statistics of an earlier call") => vec![1; 116],
        0x0401_0282 if vc => vec![0; if deviates("short statistics") { 100 } else { 116 }],
        0x0101_0103 | 0xFD01_010C | 0x0001_0117 if deviates("empty lists") => Vec::new(),
        0xFE00_1001 => words(&[if deviates("old TAPI") { 0x0001_0003 } else { 0x0003_0000 }, 1, 0]),
        0xFE00_1002 => line(input),
        0xFE00_1003 => address(input),
        _ if LISTED.contains(&oid) => words(&[12]),
        _ if deviates("knows any OID") => words(&[0]),
        _ => return None,
    })
}

/// `CO_TAPI_LINE_CAPS`: the provider's name and the line's, if there is room.
fn line(input: &[u8]) -> Vec<u8> {
    const FIXED: u32 = 292;
    let total = u32_at(input, 8);
    let mut bytes = vec![0; input.len().max(300)];
    let mut put = |at: usize, value: u32| bytes[8 + at..12 + at].copy_from_slice(&value.to_le_bytes());
    let room = total >= FIXED + 8;
    for (at, value) in [
        (0, total),
        (4, FIXED + 8),
        (8, if room { FIXED + 8 } else { FIXED }),
        (12, if room { 8 } else { 0 }),
        (16, FIXED),
        (40, 3),
        (48, 1),
        (56, 1_000_000_000),
        (60, 0x100),
        (116, 4),
    ] {
        put(at, value);
    }
    if room {
        bytes[300..308].copy_from_slice(b"P\0\0\0M\0\0\0");
    }
    bytes.truncate(8 + total as usize);
    bytes
}

/// `CO_TAPI_ADDRESS_CAPS`.
fn address(input: &[u8]) -> Vec<u8> {
    const FIXED: u32 = 228;
    let total = u32_at(input, 12);
    let mut bytes = vec![0; 12 + total.max(FIXED) as usize];
    let mut put = |at: usize, value: u32| bytes[12 + at..16 + at].copy_from_slice(&value.to_le_bytes());
    for (at, value) in [(0, total), (4, FIXED), (8, FIXED), (84, 1), (224, 0x100)] {
        put(at, value);
    }
    bytes
}

/// Answers a request in its structure.
fn answer(request: usize, vc: bool) -> Status {
    if mini(|it| it.gone.get()) && !deviates("answers when gone") {
        return status::NOT_ACCEPTED;
    }
    let kind: u32 = raw::read((request + 4) as *const u32);
    let oid: u32 = raw::read((request + 32) as *const u32);
    let (buffer, length): (usize, u32) =
        (raw::read((request + 40) as *const usize), raw::read((request + 48) as *const u32));
    if deviates("changes the request") {
        raw::write((request + 32) as *mut u32, 0);
    }
    if mini(|it| it.link.borrow().is_empty()) {
        mini(|it| it.link.replace(words(&LINK)));
    }
    let data = if buffer == 0 { Vec::new() } else { raw::bytes(buffer, length as usize) };
    if kind == 1 {
        return set(request, oid, buffer, &data);
    }
    let Some(value) = value(oid, vc, &data) else { return status::NOT_SUPPORTED };
    if buffer == 0 && deviates("answers without a buffer") {
        return status::SUCCESS;
    }
    let needed = u32::try_from(value.len()).expect("a short answer");
    if length < needed {
        raw::write((request + 56) as *mut u32, if deviates("no needed size") { 0 } else { needed });
        return status::BUFFER_TOO_SHORT;
    }
    raw::store(buffer, &value);
    let written = if deviates("writes too much") { length + 1 } else { needed };
    raw::write((request + 52) as *mut u32, if deviates("no bytes written") { 0 } else { written });
    status::SUCCESS
}

fn set(request: usize, oid: u32, buffer: usize, data: &[u8]) -> Status {
    let known = SETTABLE.contains(&oid) || (oid == 0x0001_0101 && deviates("list can be set"));
    if !known || (oid == 0xFD01_0101 && deviates("refuses power")) {
        return status::NOT_SUPPORTED;
    }
    if oid == 0xFD01_0101 && u32_at(data, 0) > 1 {
        data::sleep();
    }
    if oid == 0x0401_0181 {
        if u32_at(data, 0) > 1500 {
            return status::INVALID_DATA;
        }
        if !deviates("forgets the link") {
            mini(|it| it.link.replace(data.to_vec()));
        }
    }
    if deviates("set writes") {
        raw::write(buffer as *mut u8, 0xFF);
    }
    raw::write((request + 52) as *mut u32, u32::try_from(data.len()).expect("a short set"));
    status::SUCCESS
}

pub(super) unsafe extern "win64" fn oid_request(_adapter: usize, request: usize) -> Status {
    if deviates("keeps a miniport request") {
        return status::PENDING;
    }
    if mini(|mini| mini.pend.get()) {
        return later(move || {
            let status = answer(request, false);
            ndis!(oid::miniport_complete, adapter(), request, status);
        });
    }
    answer(request, false)
}

pub(super) unsafe extern "win64" fn co_oid_request(_adapter: usize, vc: usize, request: usize) -> Status {
    if deviates("keeps an OID request") {
        return status::PENDING;
    }
    let handle = if vc == 0 { std::ptr::null_mut() } else { handle_of(vc) };
    let status = answer(request, vc != 0);
    if mini(|mini| mini.pend.get()) {
        return later(move || {
            match () {
                () if deviates("wrong completion") => {
                    ndis!(oid::miniport_complete, adapter(), request, status);
                }
                () if deviates("OID with PENDING") => {
                    ndis!(oid::co_complete, adapter(), handle, request, status::PENDING);
                }
                () => {}
            }
            ndis!(oid::co_complete, adapter(), handle, request, status);
            if deviates("OID completed twice") {
                ndis!(oid::co_complete, adapter(), handle, request, status);
            }
        });
    }
    if deviates("OID completes and returns") {
        ndis!(oid::co_complete, adapter(), handle, request, status);
    }
    status
}

pub(super) unsafe extern "win64" fn cm_oid_request(
    af: usize,
    _vc: usize,
    _party: usize,
    request: usize,
) -> Status {
    let handle = mini(|mini| mini.afs.borrow().get(&af).copied().unwrap_or(0));
    if mini(|mini| mini.pend.get()) {
        return later(move || {
            let status = answer(request, false);
            let null = std::ptr::null_mut();
            let wrong = if deviates("wrong AF handle") { adapter() } else { handle as Handle };
            ndis!(oid::cm_complete, wrong, null, null, request, status);
        });
    }
    answer(request, false)
}
