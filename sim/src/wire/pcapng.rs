//! A capture of the cable in pcapng, with virtual timestamps: the same run writes the same file.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    time::Duration,
};

use pcap_file::{
    DataLink, Endianness, PcapError,
    pcapng::{
        PcapNgWriter,
        blocks::{
            enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption},
            interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption},
        },
    },
};

/// `if_tsresol`: nanoseconds.
const NANOSECONDS: u8 = 9;
/// Bytes of a section header block without options.
const SECTION: u64 = 28;
/// Direction bits of `epb_flags`.
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;
/// Bytes of an enhanced packet block beside the frame and what aligns it to four: head, flags, end of options, length.
const BLOCK: u64 = 28 + 8 + 4 + 4;

/// Writes the frames of one cable to a file: all, or the first ones if they are more than fit.
pub struct PcapTee {
    writer: PcapNgWriter<Box<dyn Write>>,
    /// Bytes that may still be written.
    room: u64,
    left_out: u64,
}

impl PcapTee {
    /// Makes the file at `path` of at most `limit` bytes, replacing one that is there.
    pub fn create(path: &Path, limit: u64) -> io::Result<Self> {
        Self::new(Box::new(BufWriter::new(File::create(path)?)), limit)
    }

    /// Writes at most `limit` bytes to `sink`, but for its head, which is always there.
    pub fn new(sink: Box<dyn Write>, limit: u64) -> io::Result<Self> {
        // Little-endian everywhere, so that the file is the same everywhere.
        let mut writer = PcapNgWriter::with_endianness(sink, Endianness::Little).map_err(into_io)?;
        let name = InterfaceDescriptionOption::IfName(Cow::Borrowed("nic0"));
        let resolution = InterfaceDescriptionOption::IfTsResol(NANOSECONDS);
        let interface = InterfaceDescriptionBlock {
            linktype: DataLink::ETHERNET,
            snaplen: 0,
            options: vec![name, resolution],
        };
        let head = SECTION + writer.write_pcapng_block(interface).map_err(into_io)? as u64;
        Ok(Self { writer, room: limit.saturating_sub(head), left_out: 0 })
    }

    /// Frames for which there was no room.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Records a frame at `now`; false if it is the first that does not fit. A file that cannot be written any more stays
    /// as it is: the run goes on.
    pub fn write(&mut self, now: Duration, frame: &[u8], sent: bool) -> bool {
        let size = BLOCK + (frame.len() as u64).next_multiple_of(4);
        // Nothing comes after what was left out, so that a capture has no gap.
        if self.left_out != 0 || size > self.room {
            self.left_out += 1;
            return self.left_out > 1;
        }
        self.room -= size;
        let direction = if sent { OUTBOUND } else { INBOUND };
        let packet = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: now,
            original_len: u32::try_from(frame.len()).unwrap_or(u32::MAX),
            data: Cow::Borrowed(frame),
            options: vec![EnhancedPacketOption::Flags(direction)],
        };
        let _ = self.writer.write_pcapng_block(packet);
        true
    }
}

fn into_io(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use pcap_file::pcapng::{Block, PcapNgReader};

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Rc<RefCell<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(buf)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn capture() -> Vec<u8> {
        let sink = Shared::default();
        let mut tee = PcapTee::new(Box::new(sink.clone()), u64::MAX).expect("memory");
        tee.write(Duration::from_nanos(5_000_000_123), &[1, 2, 3], true);
        tee.write(Duration::from_secs(6), &[4; 60], false);
        sink.0.take()
    }

    #[test]
    fn frames_come_back_with_time_and_direction() {
        let bytes = capture();
        let mut reader = PcapNgReader::new(bytes.as_slice()).expect("a section");
        let mut found = Vec::new();
        while let Some(block) = reader.next_block() {
            if let Block::EnhancedPacket(packet) = block.expect("a block") {
                let outbound = packet.options.contains(&EnhancedPacketOption::Flags(2));
                found.push((packet.timestamp.as_nanos(), packet.data.to_vec(), outbound));
            }
        }
        assert_eq!(found, [(5_000_000_123, vec![1, 2, 3], true), (6_000_000_000, vec![4; 60], false)]);
    }

    #[test]
    fn a_full_capture_ends_with_a_whole_frame() {
        let whole = capture().len() as u64;
        for limit in [0, whole - 1, whole, whole + 10] {
            let sink = Shared::default();
            let mut tee = PcapTee::new(Box::new(sink.clone()), limit).expect("memory");
            let fit: Vec<bool> = [[9; 3].as_slice(), &[4; 60], &[5; 1]]
                .into_iter()
                .map(|frame| tee.write(Duration::from_secs(6), frame, true))
                .collect();
            let bytes = sink.0.take();
            let mut reader = PcapNgReader::new(bytes.as_slice()).expect("a section");
            let mut frames = 0;
            while let Some(block) = reader.next_block() {
                frames += u64::from(matches!(block.expect("whole blocks"), Block::EnhancedPacket(_)));
            }
            let wanted = if limit == 0 { 0 } else { 1 + u64::from(limit >= whole) };
            assert_eq!((frames, tee.left_out()), (wanted, 3 - wanted), "limit {limit}");
            assert_eq!(fit.iter().filter(|fit| !**fit).count(), 1, "it is told once");
            assert!(limit == 0 || bytes.len() as u64 <= limit, "limit {limit}");
        }
    }

    #[test]
    fn same_frames_make_the_same_file() {
        assert_eq!(capture(), capture());
    }
}
