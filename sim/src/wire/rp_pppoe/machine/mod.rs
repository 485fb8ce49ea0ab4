//! A Linux host of its own kernel that dials the card: Debian's User-Mode Linux, in which `pppd` runs with rp-pppoe's
//! plugin and the kernel's PPPoE, and knows RFC 4638, unlike [`RpPppoeHosts`](super::RpPppoeHosts). The machine has this one's files,
//! read-only; its first process is this program again ([`init`]).

pub(super) mod init;

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{Cable, FAR_END, Namespace, StartError, find, stand_in};

/// How long the machine may take until its first process speaks; two seconds is usual.
const PATIENCE: Duration = Duration::from_mins(1);
/// For `pppd` and a kernel.
const MEMORY: &str = "mem=128M";
/// Eight bytes more than Ethernet's 1,500, for RFC 4638.
const MTU: u16 = 1508;
/// Of its network interface.
const ADDRESS: &str = "02:00:00:00:75:01";
/// Lines of what it says that are kept.
const LINES: usize = 500;

/// The cable to the machine. Dropping it takes the machine's power.
pub type LinuxHost = Cable<Machine>;

/// A running machine.
pub struct Machine {
    pppd: Pppd,
    process: Child,
}

/// A handle by which a script has the machine's `pppd` dial, and sees what comes of it.
#[derive(Clone, Debug)]
pub struct Pppd(Arc<Console>);

#[derive(Debug)]
struct Console {
    input: Mutex<ChildStdin>,
    said: Mutex<Said>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct Said {
    lines: Vec<String>,
    ended: bool,
}

impl LinuxHost {
    /// Boots the machine, whose `pppd` is to dial for packets of up to `max_payload` bytes (RFC 4638 if that is more than
    /// 1,492), once. `stand_in` is a program that calls [`stand_in::run`].
    ///
    /// # Errors
    /// When a program is missing, the machine does not come up, or the system refuses, as it does to all but root.
    pub fn boot(stand_in: &Path, max_payload: u16) -> Result<Self, StartError> {
        let kernel = find("linux.uml", "user-mode-linux")?;
        find("pppd", "ppp")?;
        let namespace = Namespace::create()?;
        let machine = Machine::boot(&kernel, &namespace, stand_in, max_payload)?;
        Self::lay(namespace, machine)
    }

    /// The handle.
    pub fn pppd(&self) -> Pppd {
        self.peer().pppd.clone()
    }
}

impl Machine {
    fn boot(
        kernel: &Path,
        namespace: &Namespace,
        stand_in: &Path,
        max_payload: u16,
    ) -> Result<Self, StartError> {
        let directory = namespace.directory();
        fs::create_dir_all(&directory)?;
        let mut process = Command::new(find("ip", "iproute2")?)
            .args(["netns", "exec", namespace.name()])
            .arg(kernel)
            .args([MEMORY, "root=/dev/root", "rootfstype=hostfs", "ro", "quiet"])
            .args(["con=null", "con0=fd:0,fd:1"])
            .arg(format!("uml_dir={}/", directory.display()))
            .arg(format!("vec0:transport=raw,ifname={FAR_END},depth=128,mtu={MTU},mac={ADDRESS}"))
            .arg(format!("init={}", stand_in.display()))
            // What the kernel does not know becomes the environment of its first process.
            .arg(format!("{}={}", stand_in::VARIABLE, stand_in::INIT))
            .arg(format!("{}={max_payload}", init::MAX_PAYLOAD))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            unreachable!("both are piped")
        };
        let console =
            Arc::new(Console { input: Mutex::new(input), said: Mutex::default(), news: Condvar::new() });
        let pppd = Pppd(Arc::clone(&console));
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                console.hear(|said| {
                    if said.lines.len() < LINES {
                        said.lines.push(line.trim_end().to_owned());
                    }
                });
            }
            console.hear(|said| said.ended = true);
        });
        let machine = Self { pppd, process };
        machine.pppd.wait_for(init::UP).map(|()| machine)
    }
}

impl Console {
    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, what: impl FnOnce(&mut Said)) {
        what(&mut self.said());
        self.news.notify_all();
    }
}

impl Pppd {
    /// Waits for a line.
    fn wait_for(&self, line: &str) -> Result<(), StartError> {
        let end = Instant::now() + PATIENCE;
        let mut said = self.0.said();
        loop {
            let now = Instant::now();
            if said.lines.iter().any(|it| it == line) {
                return Ok(());
            }
            if said.ended || now >= end {
                return Err(StartError::Machine(said.lines.join("; ")));
            }
            let waited = self.0.news.wait_timeout(said, end - now);
            said = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What it has said so far.
    pub fn said(&self) -> Vec<String> {
        self.0.said().lines.clone()
    }

    /// Has it dial.
    pub fn dial(&self) {
        let mut input = self.0.input.lock().unwrap_or_else(PoisonError::into_inner);
        // A machine that is down says so by not dialling.
        let _ = writeln!(input);
    }

    /// Whether it has ended, as it does with its session.
    pub fn has_ended(&self) -> bool {
        let said = self.0.said();
        said.ended || said.lines.iter().any(|line| line == init::ENDED)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
