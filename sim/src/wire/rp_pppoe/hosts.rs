//! Debian's rp-pppoe client as hosts that dial the card: `pppoe` in a network namespace of its own. Its relay has its
//! output tied to its input, so what the card sends comes back through rp-pppoe's code alone.

use std::{
    io,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Cable, FAR_END, Namespace, Relays, StartError, find};

/// The cable to the hosts.
pub type RpPppoeHosts = Cable<Clients>;

/// The hosts' end of the cable. Dropping it ends them.
pub struct Clients(RpPppoeClients);

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
        let clients = RpPppoeClients { namespace: namespace.name().to_owned(), children: Arc::default() };
        Self::lay(namespace, Clients(clients))
    }

    /// The handle.
    pub fn clients(&self) -> RpPppoeClients {
        self.peer().0.clone()
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

    /// How many of those that were dialled listen to their sessions.
    pub fn listening(&self) -> usize {
        let mut children = self.children();
        let living =
            children.iter_mut().find_map(|child| matches!(child.try_wait(), Ok(None)).then(|| child.id()));
        living.map_or(0, |process| Relays { process }.listening())
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

impl Drop for Clients {
    fn drop(&mut self) {
        for mut child in self.0.children().drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
