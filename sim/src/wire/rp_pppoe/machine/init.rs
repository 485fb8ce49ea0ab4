//! The first process of the machine: what a distribution's init would do for `pppd`, and no more.

use std::{
    fs::{self, File},
    io::{self, BufRead as _},
    process::{Command, ExitCode, Stdio},
    thread,
    time::Duration,
};

use rustix::{
    mount::{MountFlags, mount},
    system::{RebootCommand, finit_module, reboot},
};

use super::super::find;

/// Names the largest packet, in the environment.
pub(super) const MAX_PAYLOAD: &str = "NDIS_SIM_MAX_PAYLOAD";
/// Said when the machine is up.
pub(super) const UP: &str = "ndis-sim: up";
/// Said when it has ended.
pub(super) const ENDED: &str = "ndis-sim: pppd has ended";

/// The kernel's PPPoE, each after what it needs.
const MODULES: [&str; 4] = ["slip/slhc", "ppp/ppp_generic", "ppp/pppox", "ppp/pppoe"];
/// The end of the cable.
const INTERFACE: &str = "vec0";

/// Runs `pppd` once a line is read from the console, and turns the machine off when it has ended.
pub(in super::super) fn run() -> ExitCode {
    match set_up().and_then(|()| dial()) {
        Ok(()) => println!("{ENDED}"),
        Err(error) => println!("ndis-sim: {error}"),
    }
    // The console is read at the other side's leisure.
    thread::sleep(Duration::from_millis(50));
    // Only returns if it fails; then the kernel panics for want of a first process, which is as good.
    let _ = reboot(RebootCommand::PowerOff);
    ExitCode::FAILURE
}

fn set_up() -> io::Result<()> {
    for (kind, place) in [("proc", "/proc"), ("sysfs", "/sys"), ("tmpfs", "/run")] {
        mount(kind, place, kind, MountFlags::empty(), None)?;
    }
    fs::create_dir_all("/run/lock")?;
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    for module in MODULES {
        let path = format!("/usr/lib/uml/modules/{}/kernel/drivers/net/{module}.ko", release.trim());
        let file = File::open(&path).map_err(|error| io::Error::other(format!("{path}: {error}")))?;
        finit_module(file, c"", 0)?;
    }
    let ip = find("ip", "iproute2").map_err(io::Error::other)?;
    let status = Command::new(ip).args(["link", "set", INTERFACE, "up"]).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("no {INTERFACE}"))) }
}

fn dial() -> io::Result<()> {
    println!("{UP}");
    io::stdin().lock().skip_until(b'\n')?;
    let max_payload = std::env::var(MAX_PAYLOAD).unwrap_or_default();
    Command::new(find("pppd", "ppp").map_err(io::Error::other)?)
        .args(["plugin", "pppoe.so", &format!("nic-{INTERFACE}")])
        .args(["mtu", &max_payload, "mru", &max_payload])
        .args(["noauth", "noipdefault", "nodefaultroute", "maxfail", "1", "nodetach", "debug", "logfd", "1"])
        .stdin(Stdio::null())
        .status()?;
    Ok(())
}
