//! rp-pppoe's user-mode relay for comparison: what Debian's `pppoe` process spends on a frame.
//!
//! The relay runs in a network namespace of its own, which is removed afterwards, between pipes, where `pppd` would be, and
//! a `veth` cable. Its time is what the scheduler accounts to the process: its own code, its system calls, and the way
//! through the kernel's packet sockets and `veth`, which the kernel runs on its account.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, RawFd};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use ndis_sim::wire::rp_pppoe::{FAR_END, Namespace};
use ndis_sim::wire::{LinuxInterface, Wire as _};

use crate::clock::ticks_to_f64;
use crate::row::Direction;

/// Debian's relay.
const PROGRAM: &str = "/usr/sbin/pppoe";
/// The relay's address and its session.
const STATION: [u8; 6] = [0x02, 0, 0, 0, 0xC1, 0x01];
const SESSION: u16 = 77;
/// How long one value is measured, and how often; the least counts, as what disturbs the machine only adds.
const TIME: Duration = Duration::from_millis(150);
const TURNS: usize = 5;
/// How long nothing may happen.
const PATIENCE: Duration = Duration::from_secs(3);
/// Frames under way: so many that the relay need not wait, and so few that its socket, which holds 208 KiB, loses none.
const WINDOW: [u64; 2] = [512, 64];
/// HDLC (RFC 1662).
const FLAG: u8 = 0x7E;
const ESCAPE: u8 = 0x7D;

/// A running relay.
pub(crate) struct Relay {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    interface: LinuxInterface,
    peer: [u8; 6],
    /// Flags of HDLC frames read so far.
    flags: u64,
    namespace: Namespace,
}

impl Relay {
    /// Starts the relay. It takes root, and the packages pppoe and iproute2.
    pub(crate) fn start() -> Result<Self> {
        ensure!(Path::new(PROGRAM).exists(), "{PROGRAM} is not installed (package pppoe)");
        let namespace = Namespace::create()?;
        let address = text_of(STATION);
        let named = ["-n", namespace.name(), "link", "set", FAR_END, "address", &address];
        ensure!(Command::new("ip").args(named).status()?.success(), "the cable's end takes no address");
        let near = fs::read_to_string(format!("/sys/class/net/{}/address", namespace.near_end()))?;
        let near = near.trim();
        let mut child = Command::new("ip")
            .args(["netns", "exec", namespace.name(), PROGRAM, "-n", "-I", FAR_END, "-S", ""])
            .args(["-e", &format!("{SESSION}:{near}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let input = child.stdin.take().context("no pipe to the relay")?;
        let output = child.stdout.take().context("no pipe from the relay")?;
        let interface =
            LinuxInterface::open(namespace.near_end()).map_err(|error| anyhow::anyhow!("{error}"))?;
        let mut peer = [0; 6];
        for (byte, text) in peer.iter_mut().zip(near.split(':')) {
            *byte = u8::from_str_radix(text, 16)?;
        }
        let mut relay = Self { child, input, output, interface, peer, flags: 0, namespace };
        set_nonblocking(relay.output.as_raw_fd())?;
        relay.wait_for_socket()?;
        Ok(relay)
    }

    fn wait_for_socket(&mut self) -> Result<()> {
        let list = format!("/proc/{}/net/packet", self.child.id());
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                bail!("the relay ended with {status}");
            }
            let sockets = fs::read_to_string(&list).unwrap_or_default();
            if sockets.lines().any(|line| line.split_whitespace().nth(3) == Some("8864")) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(2));
        }
        bail!("the relay opened no socket")
    }

    /// Nanoseconds of processor time that the relay spends on a frame of `size` bytes from the PPP protocol field on.
    pub(crate) fn nanoseconds(&mut self, direction: Direction, size: usize) -> Result<f64> {
        (0..TURNS).try_fold(f64::INFINITY, |least, _| Ok(least.min(self.turn(direction, size)?)))
    }

    fn turn(&mut self, direction: Direction, size: usize) -> Result<f64> {
        let ppp = payload(size);
        let frame = match direction {
            Direction::Send => hdlc(&ppp),
            Direction::Receive => {
                let [high, low] = SESSION.to_be_bytes();
                let length = u16::try_from(size)?.to_be_bytes();
                [&STATION[..], &self.peer, &[0x88, 0x64, 0x11, 0, high, low], &length, &ppp].concat()
            }
        };
        let before = (self.time()?, self.relayed(direction)?);
        let (start, mut moved) = (Instant::now(), Instant::now());
        let window = WINDOW[usize::from(direction == Direction::Receive)];
        let (mut sent, mut relayed) = (0, 0);
        while start.elapsed() < TIME || relayed < sent {
            while sent - relayed < window && start.elapsed() < TIME {
                match direction {
                    Direction::Send => self.input.write_all(&frame)?,
                    Direction::Receive => self.interface.send(Duration::ZERO, &frame),
                }
                sent += 1;
            }
            let now = self.relayed(direction)? - before.1;
            if now == relayed {
                ensure!(moved.elapsed() < PATIENCE, "{} of {sent} frames were not relayed", sent - relayed);
                thread::yield_now();
            } else {
                moved = Instant::now();
            }
            relayed = now;
        }
        Ok(ticks_to_f64(self.time()? - before.0) / ticks_to_f64(relayed))
    }

    /// Processor time of the relay in nanoseconds.
    fn time(&self) -> Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/schedstat", self.child.id()))?;
        Ok(text.split_whitespace().next().context("no time in schedstat")?.parse()?)
    }

    /// Frames that have come out of the relay.
    fn relayed(&mut self, direction: Direction) -> Result<u64> {
        if direction == Direction::Send {
            let path = format!("/sys/class/net/{}/statistics/rx_packets", self.namespace.near_end());
            return Ok(fs::read_to_string(path)?.trim().parse()?);
        }
        let mut bytes = [0; 8192];
        loop {
            match self.output.read(&mut bytes) {
                Ok(0) => bail!("the relay has ended"),
                Ok(length) => {
                    self.flags += (bytes[..length].split(|byte| *byte == FLAG).count() - 1) as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(self.flags / 2),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // The namespace is removed next; a relay that has ended already is no matter.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn set_nonblocking(fd: RawFd) -> io::Result<()> {
    // SAFETY: the descriptor is open, and F_GETFL takes no argument.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    // SAFETY: the descriptor is open, and F_SETFL takes a number.
    let result = unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn text_of(address: [u8; 6]) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}

/// A PPP frame of `size` bytes that looks random: HDLC escapes some bytes.
fn payload(size: usize) -> Vec<u8> {
    let random =
        std::iter::successors(Some(1_u32), |x| Some(x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223)));
    [0x00, 0x21].into_iter().chain(random.map(|x| x.to_le_bytes()[3])).take(size).collect()
}

/// The frame as a pty carries it (RFC 1662, all control characters escaped).
fn hdlc(ppp: &[u8]) -> Vec<u8> {
    let mut frame = [&[0xFF, 0x03], ppp].concat();
    let fcs = !frame.iter().fold(0xFFFF, |fcs, byte| step(fcs, *byte));
    frame.extend(fcs.to_le_bytes());
    let mut line = vec![FLAG];
    for byte in frame {
        if byte == FLAG || byte == ESCAPE || byte < 0x20 {
            line.extend([ESCAPE, byte ^ 0x20]);
        } else {
            line.push(byte);
        }
    }
    line.push(FLAG);
    line
}

/// One byte of the FCS (RFC 1662, appendix C).
fn step(fcs: u16, byte: u8) -> u16 {
    (0..8).fold(fcs ^ u16::from(byte), |fcs, _| if fcs & 1 == 0 { fcs >> 1 } else { fcs >> 1 ^ 0x8408 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hdlc_frames_have_a_good_fcs_and_no_flag_inside() {
        let line = hdlc(&payload(300));
        let inside = &line[1..line.len() - 1];
        assert!(!inside.contains(&FLAG) && inside.iter().all(|byte| *byte >= 0x20));
        let mut plain = Vec::new();
        let mut bytes = inside.iter();
        while let Some(&byte) = bytes.next() {
            plain.push(if byte == ESCAPE { bytes.next().expect("a byte") ^ 0x20 } else { byte });
        }
        // RFC 1662: the FCS over a frame and its FCS is this.
        assert_eq!(plain.iter().fold(0xFFFF, |fcs, byte| step(fcs, *byte)), 0xF0B8);
        assert_eq!(plain.len(), 2 + 300 + 2);
    }
}
