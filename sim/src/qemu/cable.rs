//! The cable between QEMU's card and the simulator: a pair of datagram sockets, one datagram a frame.
//!
//! QEMU takes a datagram without bytes for the end of the cable and never reads again: none is sent.

use std::{
    io,
    os::{
        fd::{AsRawFd as _, RawFd},
        unix::net::UnixDatagram,
    },
};

/// Longest frame that a card sends.
const LONGEST: usize = 1 << 16;

/// This end.
#[derive(Debug)]
pub(super) struct Cable {
    socket: UnixDatagram,
}

impl Cable {
    pub(super) fn new(socket: UnixDatagram) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { socket })
    }

    /// The next frame that the card has sent.
    pub(super) fn receive(&self) -> Option<Vec<u8>> {
        let mut frame = vec![0; LONGEST];
        let len = self.socket.recv(&mut frame).ok()?;
        frame.truncate(len);
        Some(frame)
    }

    /// Sends a frame to the card; false when the socket does not take it.
    pub(super) fn send(&self, frame: &[u8]) -> bool {
        !frame.is_empty() && self.socket.send(frame).is_ok()
    }

    /// QEMU has not yet read all that was sent.
    pub(super) fn pending(&self) -> bool {
        unread(self.socket.as_raw_fd()) != 0
    }
}

/// Bytes sent on `socket` that its peer has not read.
fn unread(socket: RawFd) -> libc::c_int {
    let mut bytes = 0;
    // SAFETY: the request writes one int, and the descriptor is open.
    let result = unsafe { libc::ioctl(socket, libc::TIOCOUTQ, &raw mut bytes) };
    if result == 0 { bytes } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_peer_has_not_read_is_pending() {
        let (near, far) = UnixDatagram::pair().expect("a pair");
        let cable = Cable::new(near).expect("a cable");
        assert!(!cable.pending() && cable.receive().is_none());
        assert!(cable.send(&[7; 60]) && cable.pending());
        assert_eq!(far.recv(&mut [0; 100]).expect("a frame"), 60);
        assert!(!cable.pending());
        far.send(&[]).expect("room");
        assert_eq!(cable.receive(), Some(Vec::new()), "an empty frame is no end");
        assert!(!cable.send(&[]) && !cable.pending(), "and is never sent");
    }
}
