use super::*;
use crate::answer::Answer;
use crate::bytes::{put_u32, u32_at, u64_at};
use crate::status::Status;
use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

const PATHS: [Path; 4] =
    [Path::Miniport, Path::Co, Path::Cm(AddressFamily::TapiProxy), Path::Cm(AddressFamily::Ppp)];

fn facts() -> Facts<'static> {
    Facts {
        lines: tapi::Lines { count: 4, calls_per_line: 1, bits_per_second: 1_000_000_000, permanent_id: 9 },
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
        vendor_description: "mcm",
        vendor_driver_version: 0x0001_0000,
        stats: Stats {
            bytes_sent: 1,
            bytes_received: 2,
            frames_sent: 0x3_0000_0003,
            frames_received: 4,
            send_errors: 5,
            receive_errors: 6,
            receive_no_buffer: 7,
        },
        crc_errors: 8,
    }
}

fn vc() -> Vc<'static> {
    Vc {
        link_info: LinkInfo::new(1480),
        max_frame_size: 1480,
        stats: Stats { frames_sent: 77, ..Stats::default() },
        origin: Origin::Outbound,
        diagnostics: b"no such service",
    }
}

fn ask(oid: u32, path: Path, length: usize) -> (Answer, Vec<u8>) {
    let mut buffer = vec![0; length];
    for (offset, value) in [(8, 1000), (12, 1000)] {
        let _ = put_u32(&mut buffer, offset, value);
    }
    let answer = query(oid, path, &facts(), Some(&vc()), &mut buffer);
    buffer.truncate(answer.bytes as usize);
    (answer, buffer)
}

fn ulong(oid: u32, path: Path) -> u32 {
    let (answer, buffer) = ask(oid, path, 4);
    assert_eq!(answer, Answer::done(4), "{oid:#x}");
    u32_at(&buffer, 0).unwrap()
}

#[test]
fn the_table_is_sorted_and_the_list_is_its_miniport_part() {
    assert!(TABLE.is_sorted_by(|left, right| left.oid < right.oid));
    let list: Vec<u32> = TABLE
        .iter()
        .filter(|entry| entry.is_on(Path::Miniport) || entry.is_on(Path::Co))
        .map(|entry| entry.oid)
        .collect();
    assert_eq!(supported()[..], list);
    assert_eq!(ask(number::GEN_SUPPORTED_LIST, Path::Co, 1000).1.len(), 4 * list.len());
}

#[test]
fn every_entry_answers_on_its_paths_and_nowhere_else() {
    for entry in TABLE {
        for path in PATHS {
            let (answer, _) = ask(entry.oid, path, 1008);
            let answered = entry.is_on(path) && entry.query != Size::NotQueried;
            assert_eq!(answer.status.is_success(), answered, "{} on {path:?}", entry.name);
            let set = set(entry.oid, path, &facts(), Some(&vc()), &[1; 40]);
            let settable = entry.is_on(path) && entry.set != 0;
            let refused = set.is_err_and(|answer| answer.status == Status::NOT_SUPPORTED);
            assert_eq!(!refused, settable, "{} on {path:?}", entry.name);
        }
    }
}

#[test]
fn sizes_are_exact() {
    for entry in TABLE {
        let path = PATHS.into_iter().find(|&path| entry.is_on(path)).unwrap();
        if let Size::Bytes(size) = entry.query {
            let length = size as usize;
            assert_eq!(ask(entry.oid, path, length - 1).0, Answer::too_short(size), "{}", entry.name);
            assert_eq!(ask(entry.oid, path, 0).0, Answer::too_short(size), "{}", entry.name);
            assert_eq!(ask(entry.oid, path, length).0, Answer::done(size), "{}", entry.name);
            assert_eq!(ask(entry.oid, path, length + 9).0, Answer::done(size), "{}", entry.name);
        }
        if entry.set != 0 {
            let short = vec![0; entry.set as usize - 1];
            assert_eq!(
                set(entry.oid, path, &facts(), Some(&vc()), &short),
                Err(Answer::wrong_length(entry.set))
            );
        }
    }
}

#[test]
fn counters_come_in_two_widths_and_for_a_vc() {
    let oid = number::GEN_XMIT_OK;
    let mut buffer = [0; 8];
    assert_eq!(query(oid, Path::Miniport, &facts(), None, &mut buffer), Answer::done(8));
    assert_eq!(u64_at(&buffer, 0), Some(0x3_0000_0003));
    let answer = query(oid, Path::Miniport, &facts(), None, &mut buffer[..4]);
    assert_eq!(answer, Answer { status: Status::SUCCESS, bytes: 4, needed: 8 });
    assert_eq!(u32_at(&buffer, 0), Some(3));
    assert_eq!(query(oid, Path::Miniport, &facts(), None, &mut buffer[..3]), Answer::too_short(8));
    assert_eq!(query(oid, Path::Co, &facts(), Some(&vc()), &mut buffer), Answer::done(8));
    assert_eq!(u64_at(&buffer, 0), Some(77));
    // Frames with a wrong checksum are nobody's.
    for (vc, count) in [(None, 8), (Some(&vc()), 0)] {
        assert_eq!(query(number::GEN_RCV_CRC_ERROR, Path::Co, &facts(), vc, &mut buffer), Answer::done(8));
        assert_eq!(u64_at(&buffer, 0), Some(count));
    }
}

#[test]
fn a_power_state_is_agreed_to_and_left_alone() {
    let mut buffer = [4, 0, 0, 0, 9];
    let mut ask =
        |length| query(number::PNP_QUERY_POWER, Path::Miniport, &facts(), None, &mut buffer[..length]);
    assert_eq!([ask(3), ask(4), ask(5)], [Answer::too_short(4), Answer::done(4), Answer::done(4)]);
    assert_eq!(buffer, [4, 0, 0, 0, 9]);
}

#[test]
fn values() {
    assert_eq!(ulong(number::GEN_MEDIA_IN_USE, Path::Co), 12);
    assert_eq!(ulong(number::GEN_MEDIA_CONNECT_STATUS, Path::Co), 0);
    assert_eq!(ulong(number::GEN_VENDOR_ID, Path::Co), 0x0021_1B00);
    assert_eq!(ulong(number::WAN_MEDIUM_SUBTYPE, Path::Co), 12);
    assert_eq!(ulong(number::WAN_LINE_COUNT, Path::Co), 4);
    assert_eq!(ulong(number::GEN_MAXIMUM_TOTAL_SIZE, Path::Miniport), 1514);
    assert_eq!(ask(number::GEN_LINK_SPEED, Path::Co, 8).1, [0x80, 0x96, 0x98, 0, 0x80, 0x96, 0x98, 0]);
    assert_eq!(ask(number::GEN_VENDOR_DESCRIPTION, Path::Co, 9).1, b"mcm\0");
    assert_eq!(ask(number::GEN_VENDOR_DESCRIPTION, Path::Co, 3).0, Answer::too_short(4));
    assert_eq!(ask(number::GEN_DRIVER_VERSION, Path::Co, 2).1, [0x28, 0x06]);
    assert_eq!(ask(number::WAN_CURRENT_ADDRESS, Path::Co, 6).1, [2, 0, 0, 0, 0, 1]);
}

#[test]
fn statistics_add_up() {
    let (_, info) = ask(number::GEN_STATISTICS, Path::Miniport, 152);
    assert_eq!(info[..4], [0x80, 1, 152, 0]);
    let fields = [8, 16, 24, 32, 56, 64, 88, 104, 128].map(|offset| u64_at(&info, offset).unwrap());
    assert_eq!(fields, [13, 6, 2, 4, 1, 0x3_0000_0003, 5, 2, 1]);
}

#[test]
fn a_vc_is_asked_for_where_it_is_needed() {
    let mut buffer = [0; 32];
    let answer = query(number::WAN_CO_GET_LINK_INFO, Path::Co, &facts(), None, &mut buffer);
    assert_eq!(answer.status, Status::INVALID_DATA);
    let link_info = LinkInfo::new(1480);
    let bytes = link_info.to_bytes();
    let refused = set(number::WAN_CO_SET_LINK_INFO, Path::Co, &facts(), None, &bytes).unwrap_err();
    assert_eq!(refused.status, Status::INVALID_DATA);
    let (change, answer) =
        set(number::WAN_CO_SET_LINK_INFO, Path::Co, &facts(), Some(&vc()), &bytes).unwrap();
    assert_eq!((change, answer), (Change::LinkInfo(link_info), Answer::done(32)));
    let larger = LinkInfo::new(1481).to_bytes();
    let taken = set(number::WAN_CO_SET_LINK_INFO, Path::Co, &facts(), Some(&vc()), &larger);
    assert_eq!(taken, Ok((Change::LinkInfo(link_info), Answer::done(32))));
}

#[test]
fn changes() {
    let set4 = |oid, value: u32| {
        set(oid, Path::Miniport, &facts(), None, &value.to_le_bytes()).map(|(change, _)| change)
    };
    let invalid = Err(Answer::refused(Status::INVALID_DATA));
    assert_eq!(set4(number::GEN_CURRENT_LOOKAHEAD, 64), Ok(Change::Lookahead(64)));
    assert_eq!(set4(number::GEN_CURRENT_LOOKAHEAD, 1493), invalid);
    assert_eq!(set4(number::GEN_CURRENT_PACKET_FILTER, 1), Ok(Change::PacketFilter(1)));
    assert_eq!(set4(number::GEN_PROTOCOL_OPTIONS, 1), Ok(Change::None));
    assert_eq!(set4(number::PNP_SET_POWER, 1), Ok(Change::Power(PowerState::D0)));
    assert_eq!(set4(number::PNP_SET_POWER, 4), Ok(Change::Power(PowerState::D3)));
    assert_eq!(set4(number::PNP_SET_POWER, 0), invalid);
    // Moderation is reported as not supported, so a set has to end like this; its length counts first.
    let moderation =
        |length| set(number::GEN_INTERRUPT_MODERATION, Path::Miniport, &facts(), None, &vec![0; length]);
    assert_eq!(moderation(12), Err(Answer::refused(Status::INVALID_DATA)));
    assert_eq!(moderation(11), Err(Answer::wrong_length(12)));
    assert_eq!(set4(0x0001_0208, 0), Err(Answer::refused(Status::NOT_SUPPORTED)));
}

proptest! {
    #[test]
    fn never_panics_nor_claims_more_than_there_is(
        index in 0..TABLE.len(),
        path in 0..PATHS.len(),
        mut buffer in prop::collection::vec(any::<u8>(), 0..400),
        has_vc in any::<bool>(),
    ) {
        let vc = has_vc.then(vc);
        let _ = set(TABLE[index].oid, PATHS[path], &facts(), vc.as_ref(), &buffer);
        let length = buffer.len();
        let answer = query(TABLE[index].oid, PATHS[path], &facts(), vc.as_ref(), &mut buffer);
        prop_assert!(answer.bytes as usize <= length);
        prop_assert!(answer.status.is_success() || answer.bytes == 0);
    }
}
