//! rp-pppoe's clients for comparison: `pppoe-discovery`, and `pppoe -d`, which sets a session up and leaves. A process
//! each.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use ndis_sim::wire::rp_pppoe::{FAR_END, Namespace};
use ndis_sim::wire::{LinuxInterface, Wire as _};
use serde::Serialize;

use crate::wire::Concentrator;

/// Processes of each kind; the least of their processor times counts.
const TURNS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(10);

/// What one process spends.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Spent {
    /// The program and its arguments.
    pub(crate) command: String,
    /// Processor time, that of starting a process in a namespace taken off.
    pub(crate) nanoseconds: f64,
    /// By the clock.
    pub(crate) seconds: f64,
}

/// Measures the clients in a namespace of their own against an access concentrator in this process.
pub(super) fn measure() -> Result<Vec<Spent>> {
    for program in ["/usr/sbin/pppoe-discovery", "/usr/sbin/pppoe"] {
        ensure!(Path::new(program).exists(), "{program} is not installed (package pppoe)");
    }
    let namespace = Namespace::create()?;
    let mut interface =
        LinuxInterface::open(namespace.near_end()).map_err(|error| anyhow::anyhow!("{error}"))?;
    let start = least(&namespace, &mut interface, "/bin/true")?.nanoseconds;
    [format!("pppoe-discovery -I {FAR_END} -t 1 -a 1"), format!("pppoe -I {FAR_END} -d")]
        .into_iter()
        .map(|command| {
            let mut spent = least(&namespace, &mut interface, &format!("/usr/sbin/{command}"))?;
            spent.nanoseconds = (spent.nanoseconds - start).max(0.0);
            spent.command = command;
            Ok(spent)
        })
        .collect()
}

fn least(namespace: &Namespace, interface: &mut LinuxInterface, command: &str) -> Result<Spent> {
    let mut least = Spent { command: command.to_owned(), nanoseconds: f64::INFINITY, seconds: f64::INFINITY };
    for _ in 0..TURNS {
        let start = Instant::now();
        let child = Command::new("ip")
            .args(["netns", "exec", namespace.name()])
            .args(command.split(' '))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        least.nanoseconds = least.nanoseconds.min(serve(child, interface)?);
        least.seconds = least.seconds.min(start.elapsed().as_secs_f64());
    }
    Ok(least)
}

/// Answers a client until it ends; its processor time in nanoseconds.
fn serve(mut child: Child, interface: &mut LinuxInterface) -> Result<f64> {
    let process = libc::pid_t::try_from(child.id())?;
    let (start, mut peer) = (Instant::now(), Concentrator::default());
    loop {
        while let Some(frame) = interface.receive(Duration::ZERO) {
            if let Some(mut answer) = peer.answer(&frame) {
                answer.resize(answer.len().max(super::packet::SMALLEST), 0);
                interface.send(Duration::ZERO, &answer);
            }
        }
        let mut status = 0;
        // SAFETY: all bits zero is a valid `rusage`.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: a child of this process, and room for both results.
        let ended = unsafe { libc::wait4(process, &raw mut status, libc::WNOHANG, &raw mut usage) };
        if ended == process {
            ensure!(status == 0, "it ended with status {status:#x}");
            return Ok(nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime));
        }
        if start.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            bail!("it does not end");
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds")]
fn nanoseconds(time: libc::timeval) -> f64 {
    time.tv_sec as f64 * 1e9 + time.tv_usec as f64 * 1e3
}
