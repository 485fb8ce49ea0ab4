//! Debian's rp-pppoe client as hosts that dial the card: `pppoe` in a network namespace of its own. Its relay has its
//! output tied to its input, so what the card sends comes back through rp-pppoe's code alone.

use std::{
    io,
    os::fd::RawFd,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{FAR_END, LinuxInterface, Namespace, StartError, Wire, find};

/// The cable to the hosts. Dropping it ends them and removes the namespace.
pub struct RpPppoeHosts {
    // First, so that the socket closes before its interface goes.
    interface: LinuxInterface,
    clients: RpPppoeClients,
    _namespace: Namespace,
}

/// A handle by which a script dials and hangs up.
#[derive(Clone, Debug)]
pub struct RpPppoeClients {
    namespace: String,
    children: Arc<Mutex<Vec<Child>>>,
}

impl RpPppoeHosts {
    /// Makes the namespace and the cable; nobody dials yet.
    ///
    /// # Errors
    /// When a program is missing or the system refuses, as it does to all but root.
    pub fn start() -> Result<Self, StartError> {
        find("pppoe", "pppoe")?;
        let namespace = Namespace::create()?;
        let interface = LinuxInterface::open(namespace.near_end()).map_err(StartError::Interface)?;
        let clients = RpPppoeClients { namespace: namespace.name().to_owned(), children: Arc::default() };
        Ok(Self { interface, clients, _namespace: namespace })
    }

    /// The handle.
    pub fn clients(&self) -> RpPppoeClients {
        self.clients.clone()
    }
}

impl RpPppoeClients {
    fn children(&self) -> MutexGuard<'_, Vec<Child>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a host that asks for a service; empty for any. Its number.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn dial(&self, service: &str) -> Result<usize, StartError> {
        let (reader, writer) = io::pipe()?;
        let mut command = Command::new(find("ip", "iproute2")?);
        command.args(["netns", "exec", &self.namespace]).arg(find("pppoe", "pppoe")?);
        command.args(["-I", FAR_END, "-U"]);
        if !service.is_empty() {
            command.args(["-S", service]);
        }
        let child = command.stdin(reader).stdout(writer).stderr(Stdio::null()).spawn()?;
        let mut children = self.children();
        children.push(child);
        Ok(children.len() - 1)
    }

    /// Has a host end its session: it sends a PADT.
    pub fn hang_up(&self, host: usize) {
        if let Some(child) = self.children().get(host) {
            let _ = Command::new("kill").arg(child.id().to_string()).stderr(Stdio::null()).status();
        }
    }

    /// Whether a host's process has ended, as it does with its session.
    pub fn has_ended(&self, host: usize) -> bool {
        self.children().get_mut(host).is_none_or(|child| !matches!(child.try_wait(), Ok(None)))
    }
}

impl Drop for RpPppoeHosts {
    fn drop(&mut self) {
        for mut child in self.clients.children().drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Wire for RpPppoeHosts {
    fn send(&mut self, now: Duration, frame: &[u8]) {
        self.interface.send(now, frame);
    }

    fn receive(&mut self, now: Duration) -> Option<Vec<u8>> {
        self.interface.receive(now)
    }

    fn deadline(&self) -> Option<Duration> {
        self.interface.deadline()
    }

    fn fd(&self) -> Option<RawFd> {
        self.interface.fd()
    }
}
