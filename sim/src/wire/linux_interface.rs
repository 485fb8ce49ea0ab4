//! A Linux network interface as the cable: PPPoE frames leave and enter through an `AF_PACKET` socket.

use std::{collections::VecDeque, fmt, io, os::fd::IntoRawFd, os::fd::RawFd, time::Duration};

use pnet_datalink::{Channel, Config, DataLinkReceiver, DataLinkSender, NetworkInterface};
use socket2::{Domain, Protocol, Socket, Type};

use super::{
    Wire,
    frame::{DISCOVERY, SESSION},
};

/// `ETH_P_ALL` in network byte order, as `socket` wants it.
const ALL_PROTOCOLS: u16 = 0x0003u16.to_be();
/// Longest frame taken from the interface.
const BUFFER: usize = 16 * 1024;

/// Why an interface cannot be used.
#[derive(Debug)]
pub enum InterfaceError {
    /// No interface has this name.
    Unknown(String),
    /// It is down.
    Down(String),
    /// The system refused the socket.
    Socket(String, io::Error),
}

impl fmt::Display for InterfaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "there is no network interface {name:?}: `ip link` lists them"),
            Self::Down(name) => write!(f, "network interface {name} is down: `ip link set {name} up`"),
            Self::Socket(name, error) => {
                write!(f, "cannot open a packet socket on {name}: {error}")?;
                if error.kind() == io::ErrorKind::PermissionDenied {
                    write!(f, " (it takes root or CAP_NET_RAW)")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for InterfaceError {}

/// The interface, in promiscuous mode: the card's address is not the interface's.
pub struct LinuxInterface {
    sender: Box<dyn DataLinkSender>,
    receiver: Box<dyn DataLinkReceiver>,
    fd: RawFd,
    arrived: VecDeque<Vec<u8>>,
}

impl LinuxInterface {
    /// Opens the interface `name`.
    pub fn open(name: &str) -> Result<Self, InterfaceError> {
        let interface = pnet_datalink::interfaces().into_iter().find(|interface| interface.name == name);
        let interface = interface.ok_or_else(|| InterfaceError::Unknown(name.to_owned()))?;
        if !interface.is_up() {
            return Err(InterfaceError::Down(name.to_owned()));
        }
        Self::attach(&interface).map_err(|error| InterfaceError::Socket(name.to_owned(), error))
    }

    fn attach(interface: &NetworkInterface) -> io::Result<Self> {
        // The socket is made here so that its descriptor is known; the channel owns it from then on.
        let protocol = Protocol::from(i32::from(ALL_PROTOCOLS));
        let fd = Socket::new(Domain::PACKET, Type::RAW, Some(protocol))?.into_raw_fd();
        let config = Config {
            read_timeout: Some(Duration::ZERO),
            read_buffer_size: BUFFER,
            write_buffer_size: BUFFER,
            promiscuous: true,
            socket_fd: Some(fd),
            ..Config::default()
        };
        match pnet_datalink::channel(interface, config)? {
            Channel::Ethernet(sender, receiver) => {
                Ok(Self { sender, receiver, fd, arrived: VecDeque::new() })
            }
            _ => Err(io::Error::other("not an Ethernet interface")),
        }
    }

    /// Takes everything that waits in the socket: a socket left readable would be polled for ever.
    fn pull(&mut self) {
        while let Ok(frame) = self.receiver.next() {
            if is_pppoe(frame) {
                self.arrived.push_back(frame.to_vec());
            }
        }
    }
}

/// Whether the frame's ethertype is one of PPPoE's.
fn is_pppoe(frame: &[u8]) -> bool {
    matches!(frame.get(12..14), Some(kind) if kind == DISCOVERY.to_be_bytes() || kind == SESSION.to_be_bytes())
}

impl Wire for LinuxInterface {
    fn send(&mut self, _now: Duration, frame: &[u8]) {
        // A frame the interface does not take is lost, as on any cable.
        let _ = self.sender.send_to(frame, None);
    }

    fn receive(&mut self, _now: Duration) -> Option<Vec<u8>> {
        if self.arrived.is_empty() {
            self.pull();
        }
        self.arrived.pop_front()
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }

    fn fd(&self) -> Option<RawFd> {
        Some(self.fd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pppoe_passes() {
        let mut frame = [0; 60];
        assert!(!is_pppoe(&frame));
        frame[12..14].copy_from_slice(&[0x88, 0x63]);
        assert!(is_pppoe(&frame));
        frame[13] = 0x64;
        assert!(is_pppoe(&frame));
        assert!(!is_pppoe(&frame[..13]));
    }

    #[test]
    fn unknown_interface_is_named() {
        let error = LinuxInterface::open("no-such-if0").err().expect("there is none");
        assert!(error.to_string().contains("no-such-if0"), "{error}");
    }
}
