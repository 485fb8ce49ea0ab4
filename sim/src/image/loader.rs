//! Loading: mapping, relocation, binding, protection.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use object::LittleEndian as LE;
use object::pe::{self, ImageNtHeaders64};
use object::read::pe::{ImageNtHeaders, ImageOptionalHeader, ImageThunkData, PeFile};
use sha2::{Digest, Sha256};

use super::map::Symbols;
use super::thunks::Thunks;
use super::{Export, Image, LoadError, Section};
use crate::machine::Machine;
use crate::memory::pages::{Access, Reservation, round_up};

/// Larger images are none.
const LARGEST: usize = 64 << 20;

type File<'a> = PeFile<'a, ImageNtHeaders64>;

fn format(error: impl std::fmt::Display) -> LoadError {
    LoadError::Format(error.to_string())
}

pub(super) fn load(
    name: &str,
    bytes: &[u8],
    map: Option<&str>,
    exports: &[Export],
) -> Result<Image, LoadError> {
    let file = File::parse(bytes).map_err(format)?;
    let header = file.nt_headers();
    let machine = header.file_header().machine.get(LE);
    if machine != pe::IMAGE_FILE_MACHINE_AMD64 {
        return Err(LoadError::Machine(machine.0));
    }
    let optional = header.optional_header();
    let size = round_up(optional.size_of_image() as usize);
    if size > LARGEST {
        return Err(format(format_args!("an image of {size} bytes")));
    }
    let mut loader = Loader { file, pages: Reservation::new(size), size };
    loader.pages.protect(0, size, Access::ReadWrite);
    loader.copy(bytes, optional.size_of_headers() as usize)?;
    loader.relocate(optional.image_base())?;
    let Bound { imports, slots, thunks } = loader.bind(exports)?;
    loader.set_cookie()?;
    let sections = loader.sections()?;
    loader.protect(&sections)?;
    let hash = Sha256::digest(bytes);
    Ok(Image {
        sha256: hash.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }),
        name: name.to_owned(),
        entry: optional.address_of_entry_point() as usize,
        sections,
        imports,
        slots,
        symbols: map.map(Symbols::parse).unwrap_or_default(),
        _thunks: thunks,
        unloaded: Cell::new(false),
        size,
        pages: loader.pages,
    })
}

/// The imports after binding: their names, the places of their addresses, and what lies between.
struct Bound {
    imports: Vec<String>,
    slots: Vec<usize>,
    thunks: Option<Thunks>,
}

struct Loader<'a> {
    file: File<'a>,
    pages: Reservation,
    size: usize,
}

impl Loader<'_> {
    fn write(&mut self, rva: usize, bytes: &[u8]) -> Result<(), LoadError> {
        if rva.checked_add(bytes.len()).is_none_or(|end| end > self.size) {
            return Err(format("an address outside the image"));
        }
        let target = self.pages.pointer(rva);
        // SAFETY: the range was checked to lie in the image's pages, which are writable and only ours until loaded.
        unsafe { target.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(())
    }

    fn read<const N: usize>(&self, rva: usize) -> Result<[u8; N], LoadError> {
        if rva.checked_add(N).is_none_or(|end| end > self.size) {
            return Err(format("an address outside the image"));
        }
        let source = self.pages.pointer(rva).cast::<[u8; N]>();
        // SAFETY: the range was checked to lie in the image's pages; an array of bytes has no alignment.
        Ok(unsafe { source.read() })
    }

    fn copy(&mut self, bytes: &[u8], headers: usize) -> Result<(), LoadError> {
        self.write(0, bytes.get(..headers).ok_or_else(|| format("headers past the end of the file"))?)?;
        let sections: Vec<_> = self.file.section_table().iter().copied().collect();
        for section in sections {
            let data = section.pe_data(bytes).map_err(format)?;
            self.write(section.virtual_address.get(LE) as usize, data)?;
        }
        Ok(())
    }

    fn relocate(&mut self, preferred: u64) -> Result<(), LoadError> {
        let delta = (self.pages.base() as u64).wrapping_sub(preferred);
        let directories = self.file.data_directories();
        let blocks =
            directories.relocation_blocks(self.file.data(), &self.file.section_table()).map_err(format)?;
        let Some(mut blocks) = blocks else { return Ok(()) };
        let mut places = Vec::new();
        while let Some(block) = blocks.next().map_err(format)? {
            places.extend(block);
        }
        for place in places {
            match place.typ {
                pe::IMAGE_REL_BASED_ABSOLUTE => {}
                pe::IMAGE_REL_BASED_DIR64 => {
                    let rva = place.virtual_address as usize;
                    let value = u64::from_le_bytes(self.read(rva)?).wrapping_add(delta);
                    self.write(rva, &value.to_le_bytes())?;
                }
                kind => return Err(LoadError::Relocation(kind.0)),
            }
        }
        Ok(())
    }

    /// The import slots: where they are and what is to be in them.
    fn slots(&self) -> Result<Vec<(usize, String, String)>, LoadError> {
        let mut slots = Vec::new();
        let Some(table) = self.file.import_table().map_err(format)? else { return Ok(slots) };
        let mut descriptors = table.descriptors().map_err(format)?;
        while let Some(descriptor) = descriptors.next().map_err(format)? {
            let module = table.name(descriptor.name.get(LE)).map_err(format)?;
            let module = String::from_utf8_lossy(module).into_owned();
            let first = descriptor.original_first_thunk.get(LE);
            let slot = descriptor.first_thunk.get(LE);
            let mut names = table.thunks(if first == 0 { slot } else { first }).map_err(format)?;
            let mut rva = slot as usize;
            while let Some(thunk) = names.next::<ImageNtHeaders64>().map_err(format)? {
                let name = if thunk.is_ordinal() {
                    format!("#{}", thunk.ordinal())
                } else {
                    let (_, name) = table.hint_name(thunk.address()).map_err(format)?;
                    String::from_utf8_lossy(name).into_owned()
                };
                slots.push((rva, module.clone(), name));
                rva += size_of::<u64>();
            }
        }
        Ok(slots)
    }

    fn bind(&mut self, exports: &[Export]) -> Result<Bound, LoadError> {
        let known: BTreeMap<(String, &str), &Export> = exports
            .iter()
            .map(|export| ((export.module.to_ascii_lowercase(), export.name), export))
            .collect();
        let slots = self.slots()?;
        let places: Vec<_> = slots.iter().map(|slot| slot.0).collect();
        let machine = Machine::try_current();
        let mut thunks = machine.as_ref().map(|_| Thunks::new(slots.len()));
        let (mut imports, mut missing) = (Vec::new(), Vec::new());
        for (rva, module, name) in slots {
            imports.push(format!("{module}!{name}"));
            let Some(export) = known.get(&(module.to_ascii_lowercase(), name.as_str())) else {
                missing.push(format!("{module}!{name}"));
                continue;
            };
            let address = match (&machine, &mut thunks) {
                (Some(machine), Some(thunks)) if export.thunk => thunks.add(machine, export.address),
                _ => export.address,
            };
            self.write(rva, &(address as u64).to_le_bytes())?;
        }
        if !missing.is_empty() {
            return Err(LoadError::MissingImports(missing));
        }
        if let Some(thunks) = &thunks {
            thunks.seal();
        }
        Ok(Bound { imports, slots: places, thunks })
    }

    /// Gives the stack protector's cookie, if the image has one, a value other than the default, as the kernel does.
    fn set_cookie(&mut self) -> Result<(), LoadError> {
        /// Offset of `SecurityCookie` in `IMAGE_LOAD_CONFIG_DIRECTORY64`.
        const COOKIE: usize = 88;
        let directory = self.file.data_directories().get(pe::IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG);
        let Some(directory) = directory else { return Ok(()) };
        let rva = directory.virtual_address.get(LE) as usize;
        if rva == 0 || u32::from_le_bytes(self.read(rva)?) as usize <= COOKIE {
            return Ok(());
        }
        let cookie = u64::from_le_bytes(self.read(rva + COOKIE)?);
        let Some(offset) =
            usize::try_from(cookie).ok().and_then(|cookie| cookie.checked_sub(self.pages.base()))
        else {
            return Ok(());
        };
        // The cookie's upper 16 bits are zero.
        self.write(offset, &0x0000_5EED_C00C_1E5A_u64.to_le_bytes())
    }

    fn sections(&self) -> Result<Vec<Section>, LoadError> {
        let mut sections = Vec::new();
        for header in self.file.section_table().iter() {
            let flags = header.characteristics.get(LE);
            let section = Section {
                name: String::from_utf8_lossy(header.raw_name()).into_owned(),
                rva: header.virtual_address.get(LE) as usize,
                len: header.virtual_size.get(LE).max(1) as usize,
                executable: flags.0 & pe::IMAGE_SCN_MEM_EXECUTE.0 != 0,
                writable: flags.0 & pe::IMAGE_SCN_MEM_WRITE.0 != 0,
            };
            if section.executable && section.writable {
                return Err(LoadError::WritableCode(section.name));
            }
            sections.push(section);
        }
        sections.sort_by_key(|section| section.rva);
        Ok(sections)
    }

    fn protect(&self, sections: &[Section]) -> Result<(), LoadError> {
        self.pages.protect(0, self.size, Access::Read);
        for section in sections {
            let end = section.rva.checked_add(round_up(section.len)).filter(|&end| end <= self.size);
            if end.is_none() || !section.rva.is_multiple_of(crate::memory::pages::PAGE) {
                return Err(format(format_args!(
                    "section {} does not lie in pages of the image",
                    section.name
                )));
            }
            let access = match (section.executable, section.writable) {
                (true, _) => Access::ReadExecute,
                (false, true) => Access::ReadWrite,
                (false, false) => Access::Read,
            };
            self.pages.protect(section.rva, section.len, access);
        }
        Ok(())
    }
}
