//! The client of QEMU's test protocol: a line a command, a line an answer, and between them lines that tell of
//! interrupts. QEMU sends those that an access causes before its answer.

use std::{
    collections::BTreeSet,
    fmt,
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
    time::Duration,
};

/// How long QEMU may take over an answer; it takes microseconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// The connection, and the interrupt lines that are asserted.
#[derive(Debug)]
pub(super) struct Qtest {
    stream: BufReader<UnixStream>,
    raised: BTreeSet<u32>,
    /// Why QEMU does not answer any more.
    failure: Option<String>,
}

impl Qtest {
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream), raised: BTreeSet::new(), failure: None })
    }

    /// Why QEMU does not answer any more, if so. Reads then give all ones, and writes are lost.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Any interrupt line is asserted.
    pub(super) fn asserted(&self) -> bool {
        !self.raised.is_empty()
    }

    /// Has interrupts reported instead of delivered to the (halted) processor.
    pub(super) fn intercept_interrupts(&mut self) {
        self.command(format_args!("irq_intercept_in ioapic"));
    }

    /// Does nothing. When it returns, QEMU's main loop has been round since it was called: descriptors that were
    /// readable have been read and timers that were due have fired.
    pub(super) fn barrier(&mut self) {
        self.command(format_args!("endianness"));
    }

    /// Reads `size` (1, 2, 4 or 8) bytes of physical memory.
    pub(super) fn read(&mut self, address: u64, size: u8) -> u64 {
        let answer = match size {
            1 => self.command(format_args!("readb {address:#x}")),
            2 => self.command(format_args!("readw {address:#x}")),
            4 => self.command(format_args!("readl {address:#x}")),
            _ => self.command(format_args!("readq {address:#x}")),
        };
        answer.and_then(|text| parse(&text)).unwrap_or(u64::MAX)
    }

    /// Writes `size` (1, 2, 4 or 8) bytes of physical memory.
    pub(super) fn write(&mut self, address: u64, size: u8, value: u64) {
        let value = value & u64::MAX >> (64 - 8 * u32::from(size.clamp(1, 8)));
        match size {
            1 => self.command(format_args!("writeb {address:#x} {value:#x}")),
            2 => self.command(format_args!("writew {address:#x} {value:#x}")),
            4 => self.command(format_args!("writel {address:#x} {value:#x}")),
            _ => self.command(format_args!("writeq {address:#x} {value:#x}")),
        };
    }

    /// Writes a dword to a port.
    pub(super) fn out(&mut self, port: u16, value: u32) {
        self.command(format_args!("outl {port:#x} {value:#x}"));
    }

    /// One command; what follows the `OK` of its answer.
    fn command(&mut self, command: fmt::Arguments<'_>) -> Option<String> {
        if self.failure.is_some() {
            return None;
        }
        let result = self.exchange(command);
        result.map_err(|error| self.failure = Some(format!("{command}: {error}"))).ok()
    }

    fn exchange(&mut self, command: fmt::Arguments<'_>) -> io::Result<String> {
        // One write a command: QEMU wakes for each.
        self.stream.get_mut().write_all(format!("{command}\n").as_bytes())?;
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(interrupt) = line.strip_prefix("IRQ ") {
                self.interrupt(interrupt.trim_end());
            } else if let Some(answer) = line.strip_prefix("OK") {
                return Ok(answer.trim().to_owned());
            } else {
                return Err(io::Error::other(line.trim_end().to_owned()));
            }
        }
    }

    fn interrupt(&mut self, text: &str) {
        let mut words = text.split(' ');
        let (what, line) = (words.next(), words.next().and_then(|line| line.parse().ok()));
        match (what, line) {
            (Some("raise"), Some(line)) => {
                self.raised.insert(line);
            }
            (Some("lower"), Some(line)) => {
                self.raised.remove(&line);
            }
            _ => {}
        }
    }
}

fn parse(answer: &str) -> Option<u64> {
    u64::from_str_radix(answer.strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client whose QEMU answers the next commands with `answers`, whatever they are.
    fn client(answers: &str) -> (Qtest, UnixStream) {
        let (near, mut far) = UnixStream::pair().expect("a pair");
        far.write_all(answers.as_bytes()).expect("room");
        (Qtest::new(near).expect("a client"), far)
    }

    #[test]
    fn interrupts_are_known_when_the_answer_is() {
        let (mut qtest, _far) = client("IRQ raise 20\nOK\nIRQ lower 20\nOK 0x80\n");
        qtest.write(0xc8, 4, 4);
        assert!(qtest.asserted());
        assert_eq!(qtest.read(0xc0, 4), 0x80);
        assert!(!qtest.asserted() && qtest.failure().is_none());
    }

    #[test]
    fn refusal_and_end_are_failures() {
        let (mut qtest, _far) = client("FAIL Unknown command\n");
        assert_eq!(qtest.read(0, 4), u64::MAX);
        assert_eq!(qtest.failure(), Some("readl 0x0: FAIL Unknown command"));
        let (mut qtest, far) = client("OK\n");
        qtest.barrier();
        drop(far);
        assert_eq!(qtest.read(0, 4), u64::MAX);
        assert!(qtest.failure().is_some());
    }
}
