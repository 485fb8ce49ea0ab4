//! The QEMU process of one card.
//!
//! Everything it needs it inherits as open descriptors: its memory, its firmware, the sockets. Nothing of it has a
//! name in the file system, so nothing is left behind, and the kernel ends it with the thread that started it.

use std::{
    fmt,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::{
        fd::{AsFd as _, AsRawFd as _, OwnedFd},
        unix::{
            net::{UnixDatagram, UnixStream},
            process::CommandExt as _,
        },
    },
    process::{Child, Command, Stdio},
    rc::Rc,
};

use rustix::{
    fs::{MemfdFlags, memfd_create},
    io::{FdFlags, fcntl_setfd},
    process::{Signal, set_parent_process_death_signal},
};

use super::{cable::Cable, qmp::Qmp, qtest::Qtest};
use crate::{memory::shared::SharedMemory, nic::Model};

/// Program and the Debian package that has it.
const PROGRAM: &str = "qemu-system-x86_64";
const PACKAGE: &str = "qemu-system-x86";
/// All of it lies below 4 GiB on this machine type; what is not touched costs nothing.
pub(super) const MEMORY: u64 = 2 << 30;
/// Size of the firmware, which ends at 4 GiB, and offset of the first instruction in it.
const FIRMWARE: usize = 1 << 16;
const RESET_VECTOR: usize = 0xfff0;
/// `cli; hlt`, and back to `hlt` should anything wake the processor.
const HALT: [u8; 4] = [0xfa, 0xf4, 0xeb, 0xfd];
/// Name of the network back end.
pub(super) const NETWORK: &str = "cable";
/// Leave out what raises interrupts by itself or is in the way.
const MACHINE: &str =
    "q35,memory-backend=ram,pit=off,hpet=off,usb=off,sata=off,smbus=off,vmport=off,graphics=off";

/// Why QEMU could not be started.
#[derive(Debug)]
pub enum StartError {
    /// It is not installed.
    Missing,
    /// It ended, or is not what is expected; what it said.
    Refused(String),
    /// The system refused something.
    Io(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "{PROGRAM} is not installed: `apt-get install {PACKAGE}`"),
            Self::Refused(said) => write!(f, "{PROGRAM}: {said}"),
            Self::Io(error) => write!(f, "{PROGRAM} cannot be started: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { Self::Missing } else { Self::Io(error) }
    }
}

/// A running QEMU; ended when it is dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// What it writes to its standard error.
    said: File,
}

impl Process {
    #[cfg(test)]
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn end(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// What it has said, if that can be read.
    fn said(&mut self) -> io::Result<String> {
        let mut text = String::new();
        self.said.seek(SeekFrom::Start(0))?;
        self.said.read_to_string(&mut text)?;
        Ok(text.trim().to_owned())
    }

    /// How it ended, once it does not answer any more, and what it said.
    pub(super) fn last_words(&mut self) -> String {
        let _ = self.child.kill();
        let status = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        let said = self.said().unwrap_or_else(|error| error.to_string());
        format!("{status}; it said {said:?}")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// A QEMU and the ways into it.
pub(super) struct Started {
    pub(super) process: Process,
    pub(super) version: String,
    pub(super) qtest: Qtest,
    pub(super) qmp: Qmp,
    pub(super) cable: Cable,
    pub(super) memory: Rc<SharedMemory>,
}

/// QEMU's name of the model.
fn device(model: Model) -> &'static str {
    match model {
        Model::I82540em => "e1000",
        Model::I82545em => "e1000-82545em",
        Model::I82574l => "e1000e",
    }
}

/// QEMU's ends of what it inherits, in the order of [`arguments`].
type Inherited = [OwnedFd; 5];

/// Starts a QEMU with `model`, whose EEPROM holds `mac`, behind a PCI Express root port.
pub(super) fn start(model: Model, mac: [u8; 6]) -> Result<Started, StartError> {
    let memory = Rc::new(SharedMemory::new(MEMORY)?);
    let (qtest, far_qtest) = UnixStream::pair()?;
    let (qmp, far_qmp) = UnixStream::pair()?;
    let (cable, far_cable) = UnixDatagram::pair()?;
    let inherited = [
        memory.as_fd().try_clone_to_owned()?,
        firmware()?.into(),
        far_qtest.into(),
        far_qmp.into(),
        far_cable.into(),
    ];
    let said = file("ndis-sim: errors of QEMU")?;
    let mut process = spawn(model, mac, inherited, said)?;
    match Qmp::connect(qmp) {
        Ok((qmp, version)) => {
            let (qtest, cable) = (Qtest::new(qtest)?, Cable::new(cable)?);
            Ok(Started { process, version, qtest, qmp, cable, memory })
        }
        Err(error) => {
            process.end();
            let text = process.said()?;
            Err(StartError::Refused(if text.is_empty() { error.to_string() } else { text }))
        }
    }
}

fn spawn(model: Model, mac: [u8; 6], inherited: Inherited, said: File) -> io::Result<Process> {
    let mut command = Command::new(PROGRAM);
    command.args(arguments(&inherited));
    let mac = mac.map(|byte| format!("{byte:02x}")).join(":");
    let card = format!("{},netdev={NETWORK},mac={mac},romfile=,bus=root", device(model));
    command.args(["-device", &card]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(said.try_clone()?);
    let prepare = move || {
        // Descriptors are closed in a new program unless told otherwise; only the child's are.
        for descriptor in &inherited {
            fcntl_setfd(descriptor, FdFlags::empty())?;
        }
        // However this process ends, QEMU ends with it.
        set_parent_process_death_signal(Some(Signal::KILL))?;
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes system calls and nothing else: it neither allocates nor locks.
    unsafe { command.pre_exec(prepare) };
    // With the command go this process's copies of QEMU's ends: that they close then tells of QEMU's end.
    Ok(Process { child: command.spawn()?, said })
}

/// QEMU's arguments but for the card.
fn arguments(inherited: &Inherited) -> Vec<String> {
    let [memory, firmware, qtest, qmp, cable] = inherited.each_ref().map(OwnedFd::as_raw_fd);
    let megabytes = MEMORY >> 20;
    let pairs = [
        ("-machine", MACHINE.to_owned()),
        ("-accel", "tcg".to_owned()),
        // The virtual clock jumps to the next timer whenever the processor halts, which it always does.
        ("-icount", "shift=0,sleep=off".to_owned()),
        (
            "-object",
            format!("memory-backend-file,id=ram,size={megabytes}M,mem-path=/dev/fd/{memory},share=on"),
        ),
        ("-m", format!("{megabytes}M")),
        ("-bios", format!("/dev/fd/{firmware}")),
        ("-display", "none".to_owned()),
        // QEMU 7.2 finds the test protocol's character device by this name only.
        ("-chardev", format!("socket,id=qtest,fd={qtest}")),
        ("-qtest", "chardev:qtest".to_owned()),
        ("-qtest-log", "none".to_owned()),
        ("-chardev", format!("socket,id=qmp,fd={qmp}")),
        ("-mon", "chardev=qmp,mode=control".to_owned()),
        ("-netdev", format!("dgram,id={NETWORK},local.type=fd,local.str={cable}")),
        // A bus of the card's own, which can be reset.
        ("-device", "pcie-root-port,id=root,bus=pcie.0,addr=4,chassis=1,slot=1".to_owned()),
    ];
    let arguments = pairs.into_iter().flat_map(|(option, value)| [option.to_owned(), value]);
    ["-nodefaults", "-no-user-config"].map(str::to_owned).into_iter().chain(arguments).collect()
}

/// A file without a name.
fn file(purpose: &str) -> io::Result<File> {
    Ok(File::from(memfd_create(purpose, MemfdFlags::CLOEXEC)?))
}

/// Firmware that halts the processor.
fn firmware() -> io::Result<File> {
    let mut image = vec![HALT[1]; FIRMWARE];
    image[RESET_VECTOR..][..HALT.len()].copy_from_slice(&HALT);
    let mut file = file("ndis-sim: firmware")?;
    file.write_all(&image)?;
    Ok(file)
}
