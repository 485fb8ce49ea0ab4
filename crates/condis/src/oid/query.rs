//! Answers to queries.

use super::{Facts, MAC_OPTIONS, MEDIUM_CO_WAN, Path, Scope, Size, Vc, find, number as oid, supported};
use crate::answer::Answer;
use crate::bytes::{length32, put, put_u32, u32_at};
use crate::status::Status;
use crate::tapi::{address_caps, call_diagnostics, cm_caps, line_caps};
use crate::wan::{HEADER_NATIVE, MEDIUM_PPPOE, low};

/// The NDIS version this driver is written for, 6.40, as `OID_GEN_DRIVER_VERSION` wants it.
const DRIVER_VERSION: u16 = 0x0628;
/// The slowest link of the cards, 10 Mbit/s, in units of 100 bit/s.
const MINIMUM_LINK_SPEED: u32 = 100_000;
/// `NDIS_OBJECT_TYPE_DEFAULT`.
const OBJECT_TYPE_DEFAULT: u8 = 0x80;
/// `NdisInterruptModerationNotSupported`.
const INTERRUPT_MODERATION_NOT_SUPPORTED: u32 = 1;
/// `SupportedStatistics` within `NDIS_STATISTICS_INFO`: all of its fields.
const STATISTICS_FLAGS: u32 = 0x003F_87FF;

/// Answers a query, `NdisRequestQueryInformation` or `NdisRequestQueryStatistics`.
///
/// `vc` is the VC that the request names, if it names one. `buffer` is the request's
/// `InformationBuffer`, empty when that is NULL. Runs at any IRQL; returns at once.
///
/// Errors: `BUFFER_TOO_SHORT` with the bytes needed, `NOT_SUPPORTED`, `INVALID_DATA` when a VC is
/// missing, and those of [`crate::tapi`].
pub fn query(number: u32, path: Path, facts: &Facts<'_>, vc: Option<&Vc<'_>>, buffer: &mut [u8]) -> Answer {
    let Some(entry) = find(number).filter(|entry| entry.is_on(path) && entry.query != Size::NotQueried)
    else {
        return Answer::refused(Status::NOT_SUPPORTED);
    };
    match (entry.scope, vc) {
        (Scope::Vc, Some(vc)) => vc_value(number, vc, buffer),
        (Scope::Vc, None) => Answer::refused(Status::INVALID_DATA),
        // A miniport must always agree; the set that follows is what counts. The buffer holds the state asked about.
        _ if number == oid::PNP_QUERY_POWER => agree(buffer),
        _ if entry.query == Size::Counter => counter(number, facts, vc, buffer),
        _ if entry.query == Size::Bytes(4) => ulong(number, facts, buffer),
        _ => structure(number, facts, buffer),
    }
}

/// Whether the answer to a query has something in it that the card counts: its errors, and what it had no room for. Nothing of
/// that is known of a VC.
pub fn is_counted_by_card(number: u32, of_vc: bool) -> bool {
    match number {
        oid::GEN_STATISTICS => true,
        oid::GEN_XMIT_ERROR | oid::GEN_RCV_ERROR | oid::GEN_RCV_NO_BUFFER | oid::GEN_RCV_CRC_ERROR => !of_vc,
        _ => false,
    }
}

/// Agrees to a power state, and leaves it in the buffer.
fn agree(buffer: &[u8]) -> Answer {
    if u32_at(buffer, 0).is_some() { Answer::done(4) } else { Answer::too_short(4) }
}

/// Values that only a VC has.
fn vc_value(number: u32, vc: &Vc<'_>, buffer: &mut [u8]) -> Answer {
    match number {
        oid::WAN_CO_GET_LINK_INFO => Answer::write(buffer, &vc.link_info.to_bytes()),
        oid::WAN_CO_GET_STATS_INFO => vc.stats.write(buffer),
        oid::CO_TAPI_GET_CALL_DIAGNOSTICS => call_diagnostics::write(vc.origin, vc.diagnostics, buffer),
        _ => Answer::refused(Status::NOT_SUPPORTED),
    }
}

/// Counters: eight bytes, or four in a buffer that has no room for eight.
fn counter(number: u32, facts: &Facts<'_>, vc: Option<&Vc<'_>>, buffer: &mut [u8]) -> Answer {
    let stats = vc.map_or(&facts.stats, |vc| &vc.stats);
    let value = match number {
        oid::GEN_XMIT_OK => stats.frames_sent,
        oid::GEN_RCV_OK => stats.frames_received,
        oid::GEN_XMIT_ERROR => stats.send_errors,
        oid::GEN_RCV_ERROR => stats.receive_errors,
        oid::GEN_RCV_NO_BUFFER => stats.receive_no_buffer,
        oid::GEN_DIRECTED_BYTES_XMIT => stats.bytes_sent,
        oid::GEN_DIRECTED_BYTES_RCV => stats.bytes_received,
        // The card drops such frames before anybody knows whose they are.
        oid::GEN_RCV_CRC_ERROR => vc.map_or(facts.crc_errors, |_| 0),
        _ => return Answer::refused(Status::NOT_SUPPORTED),
    };
    match buffer.len() {
        8.. => Answer::write(buffer, &value.to_le_bytes()),
        4..8 => Answer { needed: 8, ..Answer::write(buffer, &low(value).to_le_bytes()) },
        _ => Answer::too_short(8),
    }
}

/// Values of one `ULONG`.
fn ulong(number: u32, facts: &Facts<'_>, buffer: &mut [u8]) -> Answer {
    let [a, b, c, ..] = facts.permanent_address;
    let value = match number {
        // NdisHardwareStatusReady and NdisHardwareStatusNotReady.
        oid::GEN_HARDWARE_STATUS => {
            if facts.hardware_ready {
                0
            } else {
                4
            }
        }
        oid::GEN_MEDIA_SUPPORTED | oid::GEN_MEDIA_IN_USE => MEDIUM_CO_WAN,
        oid::GEN_MAXIMUM_LOOKAHEAD | oid::GEN_MAXIMUM_FRAME_SIZE => facts.wan.max_frame_size,
        oid::GEN_TRANSMIT_BUFFER_SPACE => facts.transmit_buffer_space,
        oid::GEN_RECEIVE_BUFFER_SPACE => facts.receive_buffer_space,
        oid::GEN_TRANSMIT_BLOCK_SIZE | oid::GEN_RECEIVE_BLOCK_SIZE | oid::GEN_MAXIMUM_TOTAL_SIZE => {
            facts.total_size
        }
        // The vendor's bytes of the card's address, in memory order.
        oid::GEN_VENDOR_ID => u32::from_le_bytes([a, b, c, 0]),
        oid::GEN_CURRENT_PACKET_FILTER => facts.packet_filter,
        oid::GEN_CURRENT_LOOKAHEAD => facts.lookahead,
        oid::GEN_MAC_OPTIONS => MAC_OPTIONS,
        // NdisMediaStateConnected and NdisMediaStateDisconnected.
        oid::GEN_MEDIA_CONNECT_STATUS => u32::from(!facts.link_up),
        oid::GEN_VENDOR_DRIVER_VERSION => facts.vendor_driver_version,
        oid::GEN_CO_MINIMUM_LINK_SPEED => MINIMUM_LINK_SPEED,
        oid::WAN_MEDIUM_SUBTYPE => MEDIUM_PPPOE,
        oid::WAN_HEADER_FORMAT => HEADER_NATIVE,
        oid::WAN_LINE_COUNT => facts.lines.count.saturating_mul(facts.lines.calls_per_line),
        _ => return Answer::refused(Status::NOT_SUPPORTED),
    };
    Answer::write(buffer, &value.to_le_bytes())
}

/// Everything else.
fn structure(number: u32, facts: &Facts<'_>, buffer: &mut [u8]) -> Answer {
    match number {
        oid::GEN_SUPPORTED_LIST => supported_list(buffer),
        oid::GEN_LINK_SPEED => link_speed(facts, buffer),
        oid::GEN_VENDOR_DESCRIPTION => text(facts.vendor_description, buffer),
        oid::GEN_DRIVER_VERSION => Answer::write(buffer, &DRIVER_VERSION.to_le_bytes()),
        oid::GEN_INTERRUPT_MODERATION => interrupt_moderation(buffer),
        oid::GEN_STATISTICS => statistics(facts, buffer),
        oid::_802_3_PERMANENT_ADDRESS | oid::WAN_PERMANENT_ADDRESS => {
            Answer::write(buffer, &facts.permanent_address)
        }
        oid::_802_3_CURRENT_ADDRESS | oid::WAN_CURRENT_ADDRESS => {
            Answer::write(buffer, &facts.current_address)
        }
        oid::WAN_CO_GET_INFO => Answer::write(buffer, &facts.wan.to_bytes()),
        oid::CO_TAPI_CM_CAPS => cm_caps::write(&facts.lines, buffer),
        oid::CO_TAPI_LINE_CAPS => line_caps::write(&facts.lines, buffer),
        oid::CO_TAPI_ADDRESS_CAPS => address_caps::write(&facts.lines, buffer),
        _ => Answer::refused(Status::NOT_SUPPORTED),
    }
}

fn supported_list(buffer: &mut [u8]) -> Answer {
    let needed = supported().len().wrapping_mul(4);
    let Some(list) = buffer.get_mut(..needed) else {
        return Answer::too_short(length32(needed));
    };
    for (chunk, oid) in list.chunks_exact_mut(4).zip(supported()) {
        chunk.copy_from_slice(&oid.to_le_bytes());
    }
    Answer::done(length32(needed))
}

/// `NDIS_CO_LINK_SPEED`: outbound and inbound, in units of 100 bit/s.
fn link_speed(facts: &Facts<'_>, buffer: &mut [u8]) -> Answer {
    let speed = u32::try_from(facts.lines.bits_per_second / 100).unwrap_or(u32::MAX);
    let [a, b, c, d] = speed.to_le_bytes();
    Answer::write(buffer, &[a, b, c, d, a, b, c, d])
}

/// A string with its NUL.
fn text(text: &str, buffer: &mut [u8]) -> Answer {
    let needed = text.len().saturating_add(1);
    let Some(buffer) = buffer.get_mut(..needed) else {
        return Answer::too_short(length32(needed));
    };
    let _ = put(buffer, 0, text.as_bytes());
    let _ = put(buffer, text.len(), &[0]);
    Answer::done(length32(needed))
}

/// `NDIS_INTERRUPT_MODERATION_PARAMETERS`: header, flags, and whether moderation is on. Moderation is
/// set by the registry keyword, not by request, which the page of `OID_GEN_INTERRUPT_MODERATION` calls "not supported";
/// a set request is then to end in `INVALID_DATA`.
fn interrupt_moderation(buffer: &mut [u8]) -> Answer {
    let mut parameters = [0; 12];
    let _ = put(&mut parameters, 0, &[OBJECT_TYPE_DEFAULT, 1, 12, 0]);
    let _ = put_u32(&mut parameters, 8, INTERRUPT_MODERATION_NOT_SUPPORTED);
    Answer::write(buffer, &parameters)
}

/// `NDIS_STATISTICS_INFO`: header, flags, and 18 counters from offset 8. Point-to-point frames count
/// as directed.
fn statistics(facts: &Facts<'_>, buffer: &mut [u8]) -> Answer {
    let stats = &facts.stats;
    let mut info = [0; 152];
    let _ = put(&mut info, 0, &[OBJECT_TYPE_DEFAULT, 1, 152, 0]);
    let _ = put_u32(&mut info, 4, STATISTICS_FLAGS);
    for (offset, value) in [
        (8, stats.receive_errors.saturating_add(stats.receive_no_buffer)), // ifInDiscards
        (16, stats.receive_errors),                                        // ifInErrors
        (24, stats.bytes_received),                                        // ifHCInOctets
        (32, stats.frames_received),                                       // ifHCInUcastPkts
        (56, stats.bytes_sent),                                            // ifHCOutOctets
        (64, stats.frames_sent),                                           // ifHCOutUcastPkts
        (88, stats.send_errors),                                           // ifOutErrors
        (104, stats.bytes_received),                                       // ifHCInUcastOctets
        (128, stats.bytes_sent),                                           // ifHCOutUcastOctets
    ] {
        let _ = put(&mut info, offset, &value.to_le_bytes());
    }
    Answer::write(buffer, &info)
}
