//! Debian's rp-pppoe as the far end, which nobody here wrote: its server, its client, and its plugin for `pppd`. Each is in a
//! network namespace of its own that is made for the run and removed after it.
//!
//! `pppoe-server` starts a `pppd` for each session. Kernels without PPP have none that works, so [`stand_in`]
//! takes its place: it runs the server's own relay with its output tied to its input, and what the host sends comes
//! back through rp-pppoe's code alone.

mod cable;
mod hosts;
mod interrupt;
mod machine;
mod namespace;
pub mod stand_in;

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

pub use cable::Cable;
pub use hosts::{RpPppoeClients, RpPppoeHosts};
pub use interrupt::{clean_up_when_interrupted, leave_it_to_the_handler};
pub use machine::{LinuxHost, Pppd};
pub use namespace::{FAR_END, Namespace};

use super::{LinuxInterface, Wire, frame, linux_interface::InterfaceError};

/// What the server is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// AC-Name.
    pub ac_name: String,
    /// Service-Name; empty serves any.
    pub service: String,
    /// Most sessions at a time.
    pub sessions: u16,
    /// The program that serves as `pppd`; it has to call [`stand_in::run`].
    pub stand_in: PathBuf,
    /// Whether sessions send back what they receive. Else each is a process that does nothing.
    pub echo: bool,
    /// What it tells each client in a PADM, after the PADS.
    pub message: Option<String>,
}

/// Why the server could not be started.
#[derive(Debug)]
pub enum StartError {
    /// A program is missing; its Debian package.
    Missing(&'static str, &'static str),
    /// A command of the set-up failed: the command and what it said.
    Command(String, String),
    /// The server ended, or did not open its socket in time; what it said.
    Server(String),
    /// The machine did not come up; what it said.
    Machine(String),
    /// Its interface cannot be used.
    Interface(InterfaceError),
    /// The system refused something.
    Io(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(program, package) => {
                write!(f, "{program} is not installed: `apt-get install {package}`")
            }
            Self::Command(command, said) => {
                write!(f, "`{command}` failed: {said} (making a network namespace takes root)")
            }
            Self::Server(said) => write!(f, "pppoe-server did not start: {said}"),
            Self::Machine(said) => write!(f, "User-Mode Linux did not come up: {said}"),
            Self::Interface(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A look at the relays of sessions. The relay opens its socket when the PADS is sent or has come, and a busy machine may
/// take its time: what comes before is lost.
#[derive(Clone, Copy, Debug)]
pub struct Relays {
    /// Any process in the namespace of theirs.
    process: u32,
}

impl Relays {
    /// How many of them listen.
    pub fn listening(&self) -> usize {
        namespace::packet_sockets(self.process, frame::SESSION)
    }
}

/// The cable to a running server.
pub type RpPppoe = Cable<Server>;

/// A server, which ends with its namespace.
pub struct Server;

impl RpPppoe {
    /// Makes the namespace and the cable, starts the server in it and waits until it listens.
    ///
    /// # Errors
    /// When a program is missing, the server does not start, or the system refuses, as it does to all but root.
    pub fn start(settings: &Settings) -> Result<Self, StartError> {
        let mut namespace = Namespace::create()?;
        namespace.start_server(settings)?;
        Self::lay(namespace, Server)
    }

    /// The relays of the server's sessions, while there is a server.
    pub fn relays(&self) -> Option<Relays> {
        self.process().map(|process| Relays { process })
    }

    /// The server's process.
    pub fn process(&self) -> Option<u32> {
        self.namespace().server()
    }
}

/// Finds a program where Debian puts it, whatever `PATH` says.
fn find(program: &'static str, package: &'static str) -> Result<PathBuf, StartError> {
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .into_iter()
        .map(|directory| Path::new(directory).join(program))
        .find(|path| path.exists())
        .ok_or(StartError::Missing(program, package))
}
