//! The network namespace of the server: made, used and removed again, also when the run is interrupted.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{Settings, StartError, find, stand_in};
use crate::wire::frame::DISCOVERY;

/// RFC 4638 needs eight bytes more than Ethernet's 1,500.
const MTU: &str = "1508";
/// How long the server may take to open its socket on a busy machine.
const START: Duration = Duration::from_secs(30);
/// How long it may take to end before it is made to.
const PATIENCE: Duration = Duration::from_secs(5);
/// Name of the cable's end in a namespace.
pub const FAR_END: &str = "ac0";

/// Namespaces that exist, by name, so that an interrupted process can remove them.
static LIVE: Mutex<BTreeMap<String, Remains>> = Mutex::new(BTreeMap::new());

/// What has to be removed with a namespace.
#[derive(Debug)]
struct Remains {
    near_end: String,
    server: Option<Child>,
}

/// A namespace with one end of a cable in it.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    near_end: String,
}

impl Namespace {
    /// Makes a namespace and a cable into it; both ends are up.
    ///
    /// # Errors
    /// When `ip` is missing or refuses, as it does to all but root.
    pub fn create() -> Result<Self, StartError> {
        let ip = find("ip", "iproute2")?;
        remove_orphans(&ip);
        let ip = ip.display();
        let (name, near_end) = names();
        run(&format!("{ip} netns add {name}"))?;
        let namespace = Self { name, near_end };
        let remains = Remains { near_end: namespace.near_end.clone(), server: None };
        lock().insert(namespace.name.clone(), remains);
        let Self { name, near_end } = &namespace;
        run(&format!(
            "{ip} link add {near_end} mtu {MTU} type veth peer name {FAR_END} mtu {MTU} netns {name}"
        ))?;
        run(&format!("{ip} link set {near_end} up"))?;
        run(&format!("{ip} -n {name} link set {FAR_END} up"))?;
        Ok(namespace)
    }

    /// Its name, for `ip netns exec`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The end of the cable in the process's own namespace.
    pub fn near_end(&self) -> &str {
        &self.near_end
    }

    /// Where what runs in it may keep files; removed with it.
    pub(super) fn directory(&self) -> PathBuf {
        directory(&self.name)
    }

    /// The process of the server, while there is one.
    pub(super) fn server(&self) -> Option<u32> {
        lock().get(&self.name)?.server.as_ref().map(Child::id)
    }

    /// Starts the server and waits until its discovery socket is open.
    pub(super) fn start_server(&mut self, settings: &Settings) -> Result<(), StartError> {
        let server = find("pppoe-server", "pppoe")?;
        let relay = find("pppoe", "pppoe")?;
        let mut child = Command::new(find("ip", "iproute2")?)
            .args(["netns", "exec", &self.name])
            .arg(server)
            .args(["-F", "-I", FAR_END, "-C", &settings.ac_name, "-S", &settings.service])
            .args(["-N", &settings.sessions.to_string(), "-L", "10.67.15.1", "-R", "10.67.16.1"])
            .args(settings.message.iter().flat_map(|message| ["-M", message]))
            .arg("-q")
            .arg(&settings.stand_in)
            .arg("-Q")
            .arg(relay)
            .env(stand_in::VARIABLE, if settings.echo { stand_in::ECHO } else { stand_in::IDLE })
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let listening = wait_for_socket(&mut child);
        if let Some(remains) = lock().get_mut(&self.name) {
            remains.server = Some(child);
        }
        listening
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let remains = lock().remove(&self.name);
        if let Some(remains) = remains {
            remove(&self.name, remains);
        }
    }
}

/// Removes every namespace this process has made: for the handler of a termination signal.
pub(super) fn clean_up_all() {
    let all = std::mem::take(&mut *lock());
    for (name, remains) in all {
        remove(&name, remains);
    }
}

fn lock() -> std::sync::MutexGuard<'static, BTreeMap<String, Remains>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the names of namespaces begin with; the process that made them and a number follow.
const PREFIX: &str = "ndis-sim-";

/// Names for a namespace and an interface that nobody else uses: no other process, and no other thread of this one.
fn names() -> (String, String) {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    (format!("{PREFIX}{process}-{number}"), near_end(process, number))
}

/// Interface names have fifteen characters at most; a process id has seven.
fn near_end(process: u32, number: usize) -> String {
    format!("nsim{process}n{number}")
}

/// The process that made a namespace of this name, and the number it has.
fn maker(name: &str) -> Option<(u32, usize)> {
    let (process, number) = name.strip_prefix(PREFIX)?.split_once('-')?;
    Some((process.parse().ok()?, number.parse().ok()?))
}

/// Removes the namespaces of processes that were killed.
fn remove_orphans(ip: &Path) {
    let Ok(list) = Command::new(ip).args(["netns", "list"]).output() else { return };
    for line in String::from_utf8_lossy(&list.stdout).lines() {
        let Some(name) = line.split_whitespace().next() else { continue };
        let Some((process, number)) = maker(name) else { continue };
        if !Path::new("/proc").join(process.to_string()).exists() {
            remove(name, Remains { near_end: near_end(process, number), server: None });
        }
    }
}

/// Runs a command of words without blanks in them.
fn run(command: &str) -> Result<(), StartError> {
    let mut words = command.split(' ');
    let output = Command::new(words.next().unwrap_or_default()).args(words).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(StartError::Command(command.to_owned(), said))
}

/// Waits until the process has a packet socket for discovery.
fn wait_for_socket(child: &mut Child) -> Result<(), StartError> {
    let end = Instant::now() + START;
    while Instant::now() < end {
        if let Some(status) = child.try_wait()? {
            return Err(StartError::Server(format!("it ended with {status}")));
        }
        if packet_sockets(child.id(), DISCOVERY) != 0 {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(2));
    }
    Err(StartError::Server("it opened no socket for discovery".to_owned()))
}

/// How many packet sockets for frames of this type are open in the namespace that a process is in.
pub(super) fn packet_sockets(process: u32, ethertype: u16) -> usize {
    let list = fs::read_to_string(format!("/proc/{process}/net/packet")).unwrap_or_default();
    let types = list.lines().filter_map(|line| line.split_whitespace().nth(3));
    types.filter(|found| u16::from_str_radix(found, 16) == Ok(ethertype)).count()
}

/// Ends what runs in the namespace, nothing of which was there before, and removes it and the cable.
fn remove(name: &str, remains: Remains) {
    let Ok(ip) = find("ip", "iproute2") else { return };
    if let Some(server) = remains.server {
        end(server);
    }
    // The relays are the server's children; one that outlives it is found by the namespace it lives in.
    let left = Command::new(&ip).args(["netns", "pids", name]).output();
    for pid in left.map(|output| output.stdout).unwrap_or_default().split(|byte| *byte == b'\n') {
        if let Some(pid) = std::str::from_utf8(pid).ok().filter(|pid| !pid.is_empty()) {
            let _ = Command::new("kill").args(["-KILL", pid]).stderr(Stdio::null()).status();
        }
    }
    // The kernel would remove the cable with the namespace, but at its leisure.
    let _ = Command::new(&ip).args(["link", "del", &remains.near_end]).stderr(Stdio::null()).status();
    let _ = Command::new(&ip).args(["netns", "del", name]).stderr(Stdio::null()).status();
    let _ = fs::remove_dir_all(directory(name));
}

/// The directory of a namespace.
fn directory(name: &str) -> PathBuf {
    std::env::temp_dir().join(name)
}

/// Asks the server to end, which makes it end its sessions, and insists after a while.
fn end(mut child: Child) {
    let _ = Command::new("kill").arg(child.id().to_string()).stderr(Stdio::null()).status();
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_maker() {
        let (name, cable) = names();
        let (process, number) = maker(&name).expect("one of ours");
        assert_eq!((process, near_end(process, number)), (std::process::id(), cable));
        assert_ne!(names().0, name, "another thread may be about to use it");
        assert_eq!(maker("ndis-sim-x-1"), None);
        assert_eq!(maker("somebody"), None);
    }

    #[test]
    fn namespaces_of_the_dead_are_removed() {
        let Ok(ip) = find("ip", "iproute2") else { return };
        // No process has this number: it is beyond what Linux gives.
        let name = format!("{PREFIX}4194305-7");
        if run(&format!("{} netns add {name}", ip.display())).is_err() {
            eprintln!("skipped: no namespaces can be made here");
            return;
        }
        remove_orphans(&ip);
        let left = Command::new(&ip).args(["netns", "list"]).output().expect("a list");
        assert!(!String::from_utf8_lossy(&left.stdout).contains(&name));
    }
}
