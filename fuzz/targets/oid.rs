//! Any OID request, on any path, with any buffer, gets an answer that keeps to the buffer and tells its length exactly.
//!
//! The input: which OID of the table (the last numbers stand for OIDs that are not in it), path and VC, then the
//! buffer.

use condis::address_family::AddressFamily;
use condis::answer::Answer;
use condis::oid::{self, Facts, Path, TABLE, Vc};
use condis::status::Status;
use condis::tapi::{Lines, call_diagnostics::Origin};
use condis::wan::{Info, LinkInfo, Stats};

const PATHS: [Path; 4] =
    [Path::Miniport, Path::Co, Path::Cm(AddressFamily::TapiProxy), Path::Cm(AddressFamily::Ppp)];

fn facts() -> Facts<'static> {
    let stats = Stats { bytes_sent: u64::MAX, frames_received: 1 << 40, ..Stats::default() };
    Facts {
        lines: Lines { count: 3, calls_per_line: 1, bits_per_second: 1_000_000_000, permanent_id: 9 },
        wan: Info { max_frame_size: 1492, max_send_window: 16 },
        permanent_address: [0, 0x1B, 0x21, 1, 2, 3],
        current_address: [2, 0, 0, 0, 0, 1],
        link_up: true,
        hardware_ready: true,
        lookahead: 128,
        packet_filter: 1,
        total_size: 1514,
        transmit_buffer_space: 1000,
        receive_buffer_space: 2000,
        vendor_description: "a description",
        vendor_driver_version: 0x0001_0000,
        stats,
        crc_errors: u64::MAX,
    }
}

/// Judges one input.
pub(crate) fn run(input: &[u8]) {
    let Some((&[which, how], buffer)) = input.split_first_chunk() else { return };
    let number = TABLE.get(usize::from(which)).map_or(u32::from(which) << 8, |entry| entry.oid);
    let path = PATHS[usize::from(how & 3)];
    let facts = facts();
    let vc = Vc {
        link_info: LinkInfo::new(1480),
        max_frame_size: 1480,
        stats: facts.stats,
        origin: Origin::Inbound,
        diagnostics: b"AC-System-Error: no",
    };
    let vc = (how & 4 != 0).then_some(&vc);
    match oid::set(number, path, &facts, vc, buffer) {
        Ok((_, answer)) => assert!(answer.status.is_success() && answer.bytes as usize <= buffer.len()),
        Err(answer) => refused(answer, Status::INVALID_LENGTH, buffer.len()),
    }
    let mut written = buffer.to_vec();
    let answer = oid::query(number, path, &facts, vc, &mut written);
    if answer.status.is_success() {
        let bytes = answer.bytes as usize;
        assert!(bytes <= buffer.len());
        assert_eq!(written[bytes..], buffer[bytes..], "bytes beyond BytesWritten changed");
        return;
    }
    refused(answer, Status::BUFFER_TOO_SHORT, buffer.len());
    if answer.status == Status::BUFFER_TOO_SHORT {
        written = buffer.to_vec();
        written.resize(answer.needed as usize, 0);
        let again = oid::query(number, path, &facts, vc, &mut written);
        assert_ne!(again.status, Status::BUFFER_TOO_SHORT, "{number:#x}: BytesNeeded are not enough");
    }
}

/// What a request that failed says.
fn refused(answer: Answer, short: Status, length: usize) {
    assert!(!answer.status.is_success() && answer.bytes == 0);
    assert_eq!(answer.status == short, answer.needed != 0);
    assert!(answer.needed == 0 || answer.needed as usize > length);
}
