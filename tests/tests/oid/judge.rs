//! What becomes of a request with every kind of buffer.

use ndis_sim::ndis::{
    oid::{OidRequest, OidResult, RequestKind},
    status,
};

use crate::{
    table::Query::{self, Counter, Exactly, Never, Sized, Told},
    ways::Fate,
};

/// A query with a buffer of `length` bytes that holds what a client of this OID writes into it.
pub(crate) fn query(oid: u32, size: Query, length: usize) -> OidRequest {
    let mut buffer = vec![0; length];
    if let Sized(at, _) = size
        && let Some(total) = buffer.get_mut(at..at + 4)
    {
        total.copy_from_slice(&u32::try_from(length - at).expect("short").to_le_bytes());
    }
    OidRequest::query_with(oid, &buffer)
}

/// Data that a set accepts.
pub(crate) fn value(oid: u32, length: usize) -> Vec<u8> {
    let words: &[u32] = match oid {
        0x0401_0181 => &[1400, 1400, 0x100, 0x100, 0, 0, 0, 0],
        // A filter, a lookahead, options, or D0.
        _ => &[1],
    };
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.resize(length, 0);
    bytes
}

/// Queries an OID with every kind of buffer.
#[track_caller]
pub(crate) fn judge_query(
    who: &str,
    size: Query,
    fate: Fate,
    ask: &dyn Fn(OidRequest) -> OidResult,
    oid: u32,
) {
    let nothing = OidRequest { buffer: None, ..OidRequest::query(oid, 0) };
    if fate != Fate::Answered || size == Never {
        let refusal =
            if fate == Fate::WantsVc && size != Never { status::INVALID_DATA } else { status::NOT_SUPPORTED };
        for request in
            [OidRequest::query(oid, 0), OidRequest::query(oid, 4), OidRequest::query(oid, 400), nothing]
        {
            let result = ask(request);
            assert_eq!((result.status, result.bytes, result.needed), (refusal, 0, 0), "{who}");
        }
        return;
    }
    let exact = match size {
        Exactly(exact) => exact,
        Counter => 8,
        Told => ask(OidRequest::query(oid, 0)).needed,
        Sized(_, fixed) => {
            // The strings count in what is needed once the fixed part is there to be read.
            let needed = ask(query(oid, size, fixed as usize - 1)).needed;
            assert!(needed >= fixed, "{who}: {needed} bytes needed");
            needed
        }
        Never => unreachable!("handled above"),
    };
    assert_ne!(exact, 0, "{who}");
    let longest_refused = if size == Counter { 3 } else { exact as usize - 1 };
    let none = ask(nothing);
    assert_eq!((none.status, none.bytes), (status::BUFFER_TOO_SHORT, 0), "{who} without a buffer");
    for length in [0, 1, longest_refused] {
        let result = ask(query(oid, size, length));
        if let Sized(_, fixed) = size
            && length >= fixed as usize
        {
            // What does not fit is left out, and ulNeededSize tells.
            assert_eq!(
                (result.status, result.bytes, result.needed),
                (status::SUCCESS, fixed, 0),
                "{who} in {length}"
            );
            continue;
        }
        let needed = if let Sized(_, fixed) = size
            && length < 16
        {
            fixed
        } else {
            exact
        };
        let found = (result.status, result.bytes, result.needed);
        assert_eq!(found, (status::BUFFER_TOO_SHORT, 0, needed), "{who} in {length} bytes");
    }
    for length in [exact as usize, exact as usize + 9, 2000] {
        let result = ask(query(oid, size, length));
        let found = (result.status, result.bytes, result.needed, result.data.len());
        assert_eq!(found, (status::SUCCESS, exact, 0, exact as usize), "{who} in {length} bytes");
        let statistics = OidRequest { kind: RequestKind::QueryStatistics, ..query(oid, size, length) };
        let result = ask(statistics);
        assert_eq!((result.status, result.bytes), (status::SUCCESS, exact), "{who} as statistics");
    }
    if size == Counter {
        for length in 4..8 {
            let result = ask(query(oid, size, length));
            let found = (result.status, result.bytes, result.needed);
            assert_eq!(found, (status::SUCCESS, 4, 8), "{who} in {length} bytes");
        }
    }
}

/// Sets an OID with every kind of buffer.
#[track_caller]
pub(crate) fn judge_set(
    who: &str,
    length: usize,
    fate: Fate,
    ask: &dyn Fn(OidRequest) -> OidResult,
    oid: u32,
) {
    let nothing = OidRequest { buffer: None, ..OidRequest::set(oid, &[]) };
    if fate == Fate::Unknown || length == 0 {
        for request in [OidRequest::set(oid, &[]), OidRequest::set(oid, &[0; 64]), nothing] {
            let result = ask(request);
            assert_eq!(
                (result.status, result.bytes, result.needed),
                (status::NOT_SUPPORTED, 0, 0),
                "{who}, set"
            );
        }
        return;
    }
    let needed = u32::try_from(length).expect("short");
    for request in
        [nothing, OidRequest::set(oid, &[]), OidRequest::set(oid, &value(oid, length)[..length - 1])]
    {
        let result = ask(request);
        let found = (result.status, result.bytes, result.needed);
        assert_eq!(found, (status::INVALID_LENGTH, 0, needed), "{who}, too short a set");
    }
    for length in [length, length + 9] {
        let result = ask(OidRequest::set(oid, &value(oid, length)));
        let wanted =
            if fate == Fate::WantsVc { (status::INVALID_DATA, 0) } else { (status::SUCCESS, needed) };
        assert_eq!((result.status, result.bytes), wanted, "{who}, set with {length} bytes");
    }
}
