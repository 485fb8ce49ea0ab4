//! The driver's image: the loader of the PE file that ships.

use std::fmt;

/// A routine that a driver can import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Export {
    /// The module that exports it: `ntoskrnl.exe`, `HAL.dll`, `NDIS.SYS`. Compared without case.
    pub module: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its address, or that of the variable.
    pub address: usize,
}

/// Why an image could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError(pub String);

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LoadError {}

/// A loaded image.
pub struct Image {
    /// Hash of the file, in hexadecimal.
    pub sha256: String,
}

impl Image {
    /// Loads the image from the bytes of its file, binding its imports to `exports`.
    pub fn load(_bytes: &[u8], _map: Option<&str>, _exports: &[Export]) -> Result<Self, LoadError> {
        Err(LoadError("not loadable".to_owned()))
    }

    /// Address of the entry point.
    pub fn entry_point(&self) -> usize {
        0
    }

    /// The imports, as `module!name`.
    pub fn imports(&self) -> &[String] {
        &[]
    }

    /// The symbol at `address`, with the offset in it, if the address is the image's.
    pub fn symbol(&self, _address: usize) -> Option<String> {
        None
    }
}
