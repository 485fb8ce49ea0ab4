//! Frames as the event log and the reader of a run are told about them.

use std::fmt::Write as _;

use super::frame::{DISCOVERY, Frame, tag};
use crate::machine::{Machine, Step};

/// Records a frame the card has `what` ("sent" or "received"); discovery frames are steps of the run.
pub(crate) fn tell(machine: &Machine, what: &'static str, bytes: &[u8]) {
    match Frame::parse(bytes) {
        Some(frame) if frame.ethertype == DISCOVERY => {
            machine.step(Step::new("wire", format!("{} {what}: {}", frame.name(), discovery(&frame))));
        }
        Some(frame) => machine.log(format_args!(
            "wire: {what} session {:#06x}, {} bytes, checksum {:#010x}",
            frame.session,
            frame.payload.len(),
            checksum(&frame.payload)
        )),
        None => machine.log(format_args!(
            "wire: {what} {} bytes, checksum {:#010x}",
            bytes.len(),
            checksum(bytes)
        )),
    }
}

/// FNV-1a: enough to tell frames of a log apart.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

fn discovery(frame: &Frame) -> String {
    let mut text = format!("to {}", address(frame.destination));
    if frame.session != 0 {
        let _ = write!(text, ", session {:#06x}", frame.session);
    }
    for (kind, value) in frame.tags().unwrap_or_default() {
        let _ = match kind {
            tag::SERVICE_NAME => write!(text, ", service \"{}\"", value.escape_ascii()),
            tag::AC_NAME => write!(text, ", AC \"{}\"", value.escape_ascii()),
            tag::AC_COOKIE => write!(text, ", cookie of {} bytes", value.len()),
            tag::PPP_MAX_PAYLOAD => {
                write!(text, ", max payload {}", value.try_into().map_or(0, u16::from_be_bytes))
            }
            tag::SERVICE_NAME_ERROR => write!(text, ", Service-Name-Error \"{}\"", value.escape_ascii()),
            tag::AC_SYSTEM_ERROR => write!(text, ", AC-System-Error \"{}\"", value.escape_ascii()),
            tag::GENERIC_ERROR => write!(text, ", Generic-Error \"{}\"", value.escape_ascii()),
            _ => Ok(()),
        };
    }
    text
}

/// An Ethernet address in the usual notation.
pub(crate) fn address(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::{BROADCAST, code, push_tag};

    #[test]
    fn discovery_frames_are_readable() {
        let mut payload = Vec::new();
        push_tag(&mut payload, tag::SERVICE_NAME, b"isp\n");
        push_tag(&mut payload, tag::PPP_MAX_PAYLOAD, &1500u16.to_be_bytes());
        let (destination, source) = (BROADCAST, [2; 6]);
        let frame =
            Frame { destination, source, ethertype: DISCOVERY, code: code::PADI, session: 7, payload };
        let text = "to ff:ff:ff:ff:ff:ff, session 0x0007, service \"isp\\n\", max payload 1500";
        assert_eq!(discovery(&frame), text);
    }
}
