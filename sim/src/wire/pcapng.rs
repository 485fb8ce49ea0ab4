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
/// Direction bits of `epb_flags`.
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;

/// Writes every frame of one cable to a file.
pub struct PcapTee {
    writer: PcapNgWriter<Box<dyn Write>>,
}

impl PcapTee {
    /// Makes the file at `path`, replacing one that is there.
    pub fn create(path: &Path) -> io::Result<Self> {
        Self::new(Box::new(BufWriter::new(File::create(path)?)))
    }

    /// Writes to `sink`.
    pub fn new(sink: Box<dyn Write>) -> io::Result<Self> {
        // Little-endian everywhere, so that the file is the same everywhere.
        let mut writer = PcapNgWriter::with_endianness(sink, Endianness::Little).map_err(into_io)?;
        let name = InterfaceDescriptionOption::IfName(Cow::Borrowed("nic0"));
        let resolution = InterfaceDescriptionOption::IfTsResol(NANOSECONDS);
        let interface = InterfaceDescriptionBlock {
            linktype: DataLink::ETHERNET,
            snaplen: 0,
            options: vec![name, resolution],
        };
        writer.write_pcapng_block(interface).map_err(into_io)?;
        Ok(Self { writer })
    }

    /// Records a frame at `now`. A file that cannot be written any more stays as it is: the run goes on.
    pub fn write(&mut self, now: Duration, frame: &[u8], sent: bool) {
        let direction = if sent { OUTBOUND } else { INBOUND };
        let packet = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: now,
            original_len: u32::try_from(frame.len()).unwrap_or(u32::MAX),
            data: Cow::Borrowed(frame),
            options: vec![EnhancedPacketOption::Flags(direction)],
        };
        let _ = self.writer.write_pcapng_block(packet);
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
        let mut tee = PcapTee::new(Box::new(sink.clone())).expect("memory");
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
    fn same_frames_make_the_same_file() {
        assert_eq!(capture(), capture());
    }
}
