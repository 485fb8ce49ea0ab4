//! The Ethernet frame check sequence (IEEE 802.3 section 3.2.9).

/// The FCS of `frame` (destination address to last payload byte), in the order it is sent.
pub(super) fn fcs(frame: &[u8]) -> [u8; 4] {
    let mut crc = u32::MAX;
    for byte in frame {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ ((crc & 1) * 0xedb8_8320);
        }
    }
    (!crc).to_le_bytes()
}

#[cfg(test)]
mod tests {
    #[test]
    fn check_value_of_the_polynomial() {
        assert_eq!(super::fcs(b"123456789"), 0xcbf4_3926_u32.to_le_bytes());
    }
}
