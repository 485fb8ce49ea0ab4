//! The structures between NDISWAN and a connection-oriented WAN miniport (`ndiswan.h`).
//!
//! A frame on a VC is a PPP frame in simple HDLC framing: `FF 03`, protocol, information; no flags,
//! no checksum, no escapes. PPPoE (RFC 2516 section 7) takes the address and control bytes off.

use crate::answer::Answer;
use crate::bytes::{put_u32, u32_at};
use crate::status::Status;

/// `PPP_FRAMING`, the one framing bit that PPPoE needs. Address-and-control compression must not be
/// negotiated (RFC 2516 section 7), and compressed protocol fields buy nothing.
pub const PPP_FRAMING: u32 = 0x100;

/// `NdisWanMediumPppoe`, for `OID_WAN_MEDIUM_SUBTYPE`.
pub const MEDIUM_PPPOE: u32 = 12;

/// `NdisWanHeaderNative`, for `OID_WAN_HEADER_FORMAT`.
pub const HEADER_NATIVE: u32 = 0;

/// `NDIS_WAN_CO_INFO`: what holds for all VCs of the adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// Largest information field in bytes; 1492 without RFC 4638.
    pub max_frame_size: u32,
    /// Sends that NDISWAN keeps outstanding on a VC, at least 1.
    pub max_send_window: u32,
}

impl Info {
    /// Bytes of the structure.
    pub const SIZE: usize = 16;

    /// The structure: `MaxFrameSize`, `MaxSendWindow`, `FramingBits`, `DesiredACCM`.
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        words([self.max_frame_size, self.max_send_window, PPP_FRAMING, 0])
    }
}

/// `NDIS_WAN_CO_GET_LINK_INFO` and `..._SET_LINK_INFO`: what NDISWAN has negotiated on a VC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkInfo {
    /// Largest information field that will be sent.
    pub max_send_frame_size: u32,
    /// Largest information field that may be received.
    pub max_recv_frame_size: u32,
    /// Framing bits of sent frames.
    pub send_framing_bits: u32,
    /// Framing bits of received frames.
    pub recv_framing_bits: u32,
    /// Compression of sent frames, done above this driver.
    pub send_compression_bits: u32,
    /// Compression of received frames.
    pub recv_compression_bits: u32,
    /// Control characters to escape; Ethernet needs none.
    pub send_accm: u32,
    /// Control characters the peer escapes.
    pub recv_accm: u32,
}

impl LinkInfo {
    /// Bytes of the structure.
    pub const SIZE: usize = 32;

    /// The values of a VC whose session carries so many bytes, before NDISWAN sets any.
    pub const fn new(max_frame_size: u32) -> Self {
        Self {
            max_send_frame_size: max_frame_size,
            max_recv_frame_size: max_frame_size,
            send_framing_bits: PPP_FRAMING,
            recv_framing_bits: PPP_FRAMING,
            send_compression_bits: 0,
            recv_compression_bits: 0,
            send_accm: 0,
            recv_accm: 0,
        }
    }

    /// Parses and checks the buffer of `OID_WAN_CO_SET_LINK_INFO`. Frames larger than the session's become as large as that:
    /// the page forbids them, but whoever can take 1500 bytes, as RFC 1661 asks, may say so without having asked.
    ///
    /// Errors: `None` when it is shorter than [`LinkInfo::SIZE`]; `INVALID_DATA` for framing it does not do.
    pub fn parse(bytes: &[u8], max_frame_size: u32) -> Option<Result<Self, Status>> {
        let parsed = Self {
            max_send_frame_size: u32_at(bytes, 0)?.min(max_frame_size),
            max_recv_frame_size: u32_at(bytes, 4)?.min(max_frame_size),
            send_framing_bits: u32_at(bytes, 8)?,
            recv_framing_bits: u32_at(bytes, 12)?,
            send_compression_bits: u32_at(bytes, 16)?,
            recv_compression_bits: u32_at(bytes, 20)?,
            send_accm: u32_at(bytes, 24)?,
            recv_accm: u32_at(bytes, 28)?,
        };
        let framing = parsed.send_framing_bits | parsed.recv_framing_bits;
        Some(if framing & !PPP_FRAMING == 0 { Ok(parsed) } else { Err(Status::INVALID_DATA) })
    }

    /// The structure.
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        words([
            self.max_send_frame_size,
            self.max_recv_frame_size,
            self.send_framing_bits,
            self.recv_framing_bits,
            self.send_compression_bits,
            self.recv_compression_bits,
            self.send_accm,
            self.recv_accm,
        ])
    }
}

/// `WAN_CO_LINKPARAMS`, the buffer of status `WAN_CO_LINKPARAMS` on a VC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkParams {
    /// Bytes a second; 0 would mean 28.8 kbit/s.
    pub transmit_speed: u32,
    /// Bytes a second.
    pub receive_speed: u32,
    /// Sends that NDISWAN keeps outstanding; 0 stops it.
    pub send_window: u32,
}

impl LinkParams {
    /// The structure.
    pub fn to_bytes(&self) -> [u8; 12] {
        words([self.transmit_speed, self.receive_speed, self.send_window])
    }

    /// `WAN_CO_MTULINKPARAMS`, version 1: the same with the largest information field of the VC.
    pub fn to_bytes_with_mtu(&self, mtu: u32) -> [u8; 20] {
        words([1, self.transmit_speed, self.receive_speed, self.send_window, mtu])
    }
}

/// `WAN_ERROR_*`: what was wrong with a frame, for status `WAN_CO_FRAGMENT`.
pub mod fragment {
    /// Checksum.
    pub const CRC: u32 = 0x01;
    /// Framing.
    pub const FRAMING: u32 = 0x02;
    /// The card ran out of descriptors.
    pub const HARDWARE_OVERRUN: u32 = 0x04;
    /// The driver ran out of buffers.
    pub const BUFFER_OVERRUN: u32 = 0x08;

    /// `NDIS_WAN_CO_FRAGMENT`.
    pub const fn to_bytes(errors: u32) -> [u8; 4] {
        errors.to_le_bytes()
    }
}

/// What a VC has carried, for `OID_WAN_CO_GET_STATS_INFO` and the per-VC counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes of PPP frames sent.
    pub bytes_sent: u64,
    /// Bytes of PPP frames received.
    pub bytes_received: u64,
    /// Frames sent.
    pub frames_sent: u64,
    /// Frames received.
    pub frames_received: u64,
    /// Sends that failed.
    pub send_errors: u64,
    /// Frames received with errors.
    pub receive_errors: u64,
    /// Frames dropped for want of buffers.
    pub receive_no_buffer: u64,
}

impl Stats {
    /// Bytes of `NDIS_WAN_CO_GET_STATS_INFO`: 29 fields of which the first ten concern an MCM.
    pub const SIZE: usize = 116;

    /// Writes `NDIS_WAN_CO_GET_STATS_INFO`. Its counters are 32 bits wide and wrap.
    pub(crate) fn write(&self, buffer: &mut [u8]) -> Answer {
        let mut bytes = [0; Self::SIZE];
        for (offset, value) in [
            (0, self.bytes_sent),
            (4, self.bytes_received),
            (8, self.frames_sent),
            (12, self.frames_received),
            (32, self.receive_errors),
            (36, self.receive_no_buffer),
        ] {
            let _ = put_u32(&mut bytes, offset, low(value));
        }
        Answer::write(buffer, &bytes)
    }
}

/// The low half of a counter.
pub(crate) const fn low(value: u64) -> u32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

fn words<const WORDS: usize, const BYTES: usize>(values: [u32; WORDS]) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    for (chunk, value) in bytes.chunks_exact_mut(4).zip(values) {
        chunk.copy_from_slice(&value.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INFO: Info = Info { max_frame_size: 1492, max_send_window: 16 };

    #[test]
    fn info_is_four_words() {
        let bytes = INFO.to_bytes();
        assert_eq!([0, 4, 8, 12].map(|at| u32_at(&bytes, at).unwrap()), [1492, 16, 0x100, 0]);
    }

    #[test]
    fn link_info_comes_back() {
        let fresh = LinkInfo::new(1492);
        assert_eq!(LinkInfo::parse(&fresh.to_bytes(), 1492), Some(Ok(fresh)));
        assert_eq!(LinkInfo::parse(&fresh.to_bytes()[..31], 1492), None);
    }

    #[test]
    fn what_the_medium_cannot_do_is_refused() {
        let fresh = LinkInfo::new(1492);
        for wrong in
            [LinkInfo { send_framing_bits: 0x300, ..fresh }, LinkInfo { recv_framing_bits: 0x10, ..fresh }]
        {
            assert_eq!(LinkInfo::parse(&wrong.to_bytes(), 1492), Some(Err(Status::INVALID_DATA)));
        }
    }

    #[test]
    fn larger_frames_become_the_sessions() {
        let fresh = LinkInfo::new(1492);
        let larger = LinkInfo { max_send_frame_size: 1493, max_recv_frame_size: u32::MAX, ..fresh };
        assert_eq!(LinkInfo::parse(&larger.to_bytes(), 1492), Some(Ok(fresh)));
        let smaller = LinkInfo { max_send_frame_size: 1400, max_recv_frame_size: 1491, ..fresh };
        assert_eq!(LinkInfo::parse(&smaller.to_bytes(), 1492), Some(Ok(smaller)));
    }

    #[test]
    fn link_params() {
        let params = LinkParams { transmit_speed: 1, receive_speed: 2, send_window: 3 };
        assert_eq!(params.to_bytes(), [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]);
        let with_mtu = params.to_bytes_with_mtu(1492);
        assert_eq!([0, 4, 16].map(|at| u32_at(&with_mtu, at).unwrap()), [1, 1, 1492]);
    }

    #[test]
    fn stats_are_116_bytes() {
        let stats = Stats { bytes_sent: 0x1_0000_0005, frames_received: 7, ..Stats::default() };
        let mut buffer = [0xAA; 116];
        assert_eq!(stats.write(&mut buffer), Answer::done(116));
        assert_eq!([0, 12, 112].map(|at| u32_at(&buffer, at).unwrap()), [5, 7, 0]);
        assert_eq!(stats.write(&mut buffer[..115]), Answer::too_short(116));
    }

    proptest! {
        #[test]
        fn only_good_link_info_passes(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(Ok(info)) = LinkInfo::parse(&bytes, 1492) {
                prop_assert!(info.max_send_frame_size <= 1492 && info.max_recv_frame_size <= 1492);
                prop_assert_eq!(&info.to_bytes()[8..], &bytes[8..32]);
            }
        }
    }
}
