//! A PE32+ image as the loader sees it, by relative virtual address (RVA).

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, Result, bail, ensure};
use object::{
    LittleEndian as LE,
    pe::{
        IMAGE_DIRECTORY_ENTRY_EXCEPTION, IMAGE_FILE_MACHINE_AMD64, IMAGE_FILE_MACHINE_ARM64,
        IMAGE_REL_BASED_DIR64, IMAGE_SCN_MEM_EXECUTE, ImageNtHeaders64,
    },
    read::pe::{ImageNtHeaders as _, ImageOptionalHeader as _, ImageThunkData as _, PeFile64},
};

/// The processor an image is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// 64-bit x86.
    X64,
    /// 64-bit Arm.
    Arm64,
}

/// A name that another module exports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// `NDIS.SYS`.
    pub module: String,
    /// `NdisMSleep`.
    pub name: String,
}

impl fmt::Display for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}!{}", self.module, self.name)
    }
}

/// An entry of the exception directory: a part of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuntimeFunction {
    /// RVA of its first byte.
    pub begin: u32,
    /// RVA behind its last byte.
    pub end: u32,
    /// RVA of its unwind information.
    pub unwind: u32,
}

impl RuntimeFunction {
    /// Bytes of an entry on x86-64.
    pub const SIZE: usize = 12;

    /// Reads an entry.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        Some(Self { begin: word(0)?, end: word(4)?, unwind: word(8)? })
    }
}

/// A section as it lies in memory.
#[derive(Clone, Debug)]
pub struct Section {
    /// RVA of its first byte.
    pub start: u32,
    /// Its contents.
    pub bytes: Vec<u8>,
    /// Whether it is code.
    pub executable: bool,
}

/// An image.
#[derive(Clone, Debug)]
pub struct Image {
    /// What it runs on.
    pub machine: Machine,
    /// The address that it prefers.
    pub base: u64,
    /// RVA of `DriverEntry`.
    pub entry: u32,
    /// Its sections.
    pub sections: Vec<Section>,
    /// The exception directory; empty for ARM64, whose entries are others.
    pub functions: Vec<RuntimeFunction>,
    /// Imports by the RVA of their slot in the import address table.
    pub imports: BTreeMap<u32, Import>,
    /// RVAs that the image's data points to: what its relocations relocate.
    pub pointers: Vec<u32>,
}

impl Image {
    /// Reads an image.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let file = PeFile64::parse(bytes).context("no PE32+ image")?;
        let machine = match file.nt_headers().file_header().machine.get(LE) {
            IMAGE_FILE_MACHINE_AMD64 => Machine::X64,
            IMAGE_FILE_MACHINE_ARM64 => Machine::Arm64,
            other => bail!("an image for machine {other:?}"),
        };
        let optional = file.nt_headers().optional_header();
        let sections = file.section_table();
        let mut image = Self {
            machine,
            base: optional.image_base(),
            entry: optional.address_of_entry_point(),
            sections: Vec::new(),
            functions: Vec::new(),
            imports: imports(&file)?,
            pointers: Vec::new(),
        };
        for section in sections.iter() {
            let mut contents = section.pe_data(bytes).context("a section")?.to_vec();
            let size = section.virtual_size.get(LE);
            contents.resize(usize::try_from(size)?, 0);
            let executable = section.characteristics.get(LE).0 & IMAGE_SCN_MEM_EXECUTE.0 != 0;
            let start = section.virtual_address.get(LE);
            image.sections.push(Section { start, bytes: contents, executable });
        }
        if machine == Machine::X64
            && let Some(directory) = file.data_directory(IMAGE_DIRECTORY_ENTRY_EXCEPTION)
        {
            let table = directory.data(bytes, &sections).context("the exception directory")?;
            let entries = table.chunks_exact(RuntimeFunction::SIZE).filter_map(RuntimeFunction::read);
            image.functions = entries.collect();
        }
        image.pointers = pointers(&file, bytes, &image)?;
        Ok(image)
    }

    /// Bytes of the image.
    pub fn read(&self, rva: u32, length: u32) -> Option<&[u8]> {
        if length == 0 {
            return Some(&[]);
        }
        let section = self.section(rva)?;
        let start = (rva - section.start) as usize;
        section.bytes.get(start..start.checked_add(length as usize)?)
    }

    /// A word of the image.
    pub fn word(&self, rva: u32) -> Option<u32> {
        Some(u32::from_le_bytes(self.read(rva, 4)?.try_into().ok()?))
    }

    /// Whether there is code at an RVA.
    pub fn is_code(&self, rva: u32) -> bool {
        self.section(rva).is_some_and(|section| section.executable)
    }

    fn section(&self, rva: u32) -> Option<&Section> {
        self.sections.iter().find(|section| {
            rva.checked_sub(section.start).is_some_and(|offset| (offset as usize) < section.bytes.len())
        })
    }
}

/// Slots of the import address table and what the loader puts there.
fn imports(file: &PeFile64<'_>) -> Result<BTreeMap<u32, Import>> {
    let mut found = BTreeMap::new();
    let Some(table) = file.import_table()? else { return Ok(found) };
    let mut descriptors = table.descriptors()?;
    while let Some(descriptor) = descriptors.next()? {
        let module = String::from_utf8_lossy(table.name(descriptor.name.get(LE))?).into_owned();
        let mut thunks = table.thunks(descriptor.original_first_thunk.get(LE))?;
        let mut slot = descriptor.first_thunk.get(LE);
        while let Some(thunk) = thunks.next::<ImageNtHeaders64>()? {
            ensure!(!thunk.is_ordinal(), "imported from {module} by number");
            let (_, name) = table.hint_name(thunk.address())?;
            let name = String::from_utf8_lossy(name).into_owned();
            found.insert(slot, Import { module: module.clone(), name });
            slot += 8;
        }
    }
    Ok(found)
}

/// What the words that the relocations name point to.
fn pointers(file: &PeFile64<'_>, bytes: &[u8], image: &Image) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    let Some(mut blocks) = file.data_directories().relocation_blocks(bytes, &file.section_table())? else {
        return Ok(found);
    };
    while let Some(block) = blocks.next()? {
        for relocation in block {
            if relocation.typ != IMAGE_REL_BASED_DIR64 {
                continue;
            }
            let word = image.read(relocation.virtual_address, 8).context("a relocation outside the image")?;
            let address = u64::from_le_bytes(word.try_into()?);
            let rva = address.checked_sub(image.base).context("a pointer that leaves the image")?;
            found.push(u32::try_from(rva)?);
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
