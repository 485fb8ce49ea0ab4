//! The driver's image: the loader of the PE file that ships.
//!
//! The image is mapped at an address that is not its preferred one, relocated, bound to the exports of the simulator,
//! and protected as its sections ask, none of them both writable and executable. Between the image and each export lies
//! a thunk (`thunks.rs`) which notes where the call came from. An unloaded image keeps its addresses, inaccessible, so
//! that a late callback faults.

mod loader;
mod map;
#[cfg(test)]
pub(crate) mod tests;
mod thunks;

use std::cell::Cell;
use std::fmt;
use std::path::Path;

use crate::memory::pages::{Access, PAGE, Reservation};

/// A routine that a driver can import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Export {
    /// The module that exports it: `ntoskrnl.exe`, `HAL.dll`, `NDIS.SYS`. Compared without case.
    pub module: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its address, or that of the variable.
    pub address: usize,
    /// Whether it is called as Windows code calls: all but variables and `__chkstk`, which has a convention of its own.
    pub thunk: bool,
}

impl Export {
    /// A routine.
    pub const fn routine(module: &'static str, name: &'static str, address: usize) -> Self {
        Self { module, name, address, thunk: true }
    }

    /// A variable, or a routine with a calling convention of its own.
    pub const fn raw(module: &'static str, name: &'static str, address: usize) -> Self {
        Self { module, name, address, thunk: false }
    }
}

/// Why an image could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// The file could not be read.
    Read(String),
    /// The file is no PE32+ image.
    Format(String),
    /// The image is not for x86-64.
    Machine(u16),
    /// Nobody exports these imports, each `module!name`.
    MissingImports(Vec<String>),
    /// A section is writable and executable.
    WritableCode(String),
    /// A relocation type that x86-64 images do not have.
    Relocation(u16),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "the image cannot be read: {error}"),
            Self::Format(error) => write!(f, "not a PE32+ image: {error}"),
            Self::Machine(machine) => write!(f, "the image is for machine {machine:#06x}, not for x86-64"),
            Self::MissingImports(names) => write!(f, "nobody exports {}", names.join(", ")),
            Self::WritableCode(section) => write!(f, "section {section} is writable and executable"),
            Self::Relocation(kind) => write!(f, "relocation of unknown type {kind}"),
        }
    }
}

impl std::error::Error for LoadError {}

/// A section of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// Its first address relative to the image's.
    pub rva: usize,
    /// Its length in memory.
    pub len: usize,
    /// Whether it holds code.
    pub executable: bool,
    /// Whether it can be written.
    pub writable: bool,
}

/// A loaded image.
#[derive(Debug)]
pub struct Image {
    /// Hash of the file, in hexadecimal.
    pub sha256: String,
    /// The file's name, for symbols.
    name: String,
    pages: Reservation,
    size: usize,
    entry: usize,
    sections: Vec<Section>,
    imports: Vec<String>,
    /// Where the address of each import stands, relative to the image.
    slots: Vec<usize>,
    symbols: map::Symbols,
    _thunks: Option<thunks::Thunks>,
    unloaded: Cell<bool>,
}

impl Image {
    /// Loads the image from its file, binding its imports to `exports`. The linker's map of the same name with the
    /// extension `map`, if there is one, names its symbols.
    pub fn open(path: &Path, exports: &[Export]) -> Result<Self, LoadError> {
        let bytes =
            std::fs::read(path).map_err(|error| LoadError::Read(format!("{}: {error}", path.display())))?;
        let map = std::fs::read_to_string(path.with_extension("map")).ok();
        let name =
            path.file_name().map_or_else(|| "driver".to_owned(), |name| name.to_string_lossy().into_owned());
        Self::load(&name, &bytes, map.as_deref(), exports)
    }

    /// Loads the image from the bytes of its file and, if there is one, the text of the linker's map.
    pub fn load(name: &str, bytes: &[u8], map: Option<&str>, exports: &[Export]) -> Result<Self, LoadError> {
        loader::load(name, bytes, map, exports)
    }

    /// Address of the entry point.
    pub fn entry_point(&self) -> usize {
        self.pages.base() + self.entry
    }

    /// Address of the image.
    pub fn base(&self) -> usize {
        self.pages.base()
    }

    /// Its length in memory.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Its file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The imports, as `module!name`, in the order of the file.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// Binds the import with this place in [`Self::imports`] to another routine, past the thunk that tells the
    /// simulator of calls; gives its former binding. For measurements that leave the simulator out.
    ///
    /// # Panics
    /// If there is no such import, or the image is unloaded.
    pub fn rebind(&self, import: usize, address: usize) -> usize {
        assert!(!self.unloaded.get(), "the image is loaded");
        let slot = self.slots[import];
        let page = slot - slot % PAGE;
        let holds = |section: &&Section| page >= section.rva && page < section.rva + section.len;
        let writable = self.sections.iter().find(holds).is_some_and(|section| section.writable);
        self.pages.protect(page, PAGE, Access::ReadWrite);
        let place = self.pages.pointer(slot).cast::<[u8; size_of::<usize>()]>();
        // SAFETY: an import slot is a word of the image, and its page was just made writable.
        let former = unsafe { place.replace(address.to_le_bytes()) };
        self.pages.protect(page, PAGE, if writable { Access::ReadWrite } else { Access::Read });
        usize::from_le_bytes(former)
    }

    /// The sections in the order of their addresses.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// Whether the address is the image's.
    pub fn contains(&self, address: usize) -> bool {
        address.wrapping_sub(self.pages.base()) < self.size
    }

    /// What is at `address`: `symbol+offset`, or `image+rva` without a map; `None` if it is not the image's.
    pub fn symbol(&self, address: usize) -> Option<String> {
        let rva = address.wrapping_sub(self.pages.base());
        if rva >= self.size {
            return None;
        }
        Some(match self.symbols.find(rva) {
            Some((symbol, 0)) => symbol.to_owned(),
            Some((symbol, offset)) => format!("{symbol}+{offset:#x}"),
            None => format!("{}+{rva:#x}", self.name),
        })
    }

    /// Whether the address lies in code, just behind a call.
    pub fn is_return_address(&self, address: usize) -> bool {
        let rva = address.wrapping_sub(self.pages.base());
        let code = self
            .sections
            .iter()
            .find(|section| section.executable && rva >= section.rva + 8 && rva <= section.rva + section.len);
        if code.is_none() || self.unloaded.get() {
            return false;
        }
        let before: [u8; 7] = std::array::from_fn(|index| {
            let byte = self.pages.pointer(rva - 7 + index);
            // SAFETY: the byte lies in the section's code, which can be read while the image is loaded.
            unsafe { byte.read() }
        });
        follows_call(before)
    }

    /// Whether [`Self::unload`] was called.
    pub fn is_unloaded(&self) -> bool {
        self.unloaded.get()
    }

    /// Takes the image's memory away; calls into it fault from now on.
    pub fn unload(&self) {
        self.unloaded.set(true);
        self.pages.discard(0, self.size);
    }
}

/// Whether a call ends with these bytes: `E8 rel32`, or `FF /2` with a register or memory operand.
fn follows_call(before: [u8; 7]) -> bool {
    let indirect = |len: usize| {
        let at = 7 - len;
        before[at] == 0xFF && (before[at + 1] >> 3) & 7 == 2
    };
    before[2] == 0xE8 || [2, 3, 4, 6, 7].into_iter().any(indirect)
}
