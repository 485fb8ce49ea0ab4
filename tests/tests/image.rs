//! The image itself: what it imports and on what it loads, how it is laid out, what stack it takes, that it is reproducible.

use std::{collections::BTreeSet, fs, path::Path};

use driver_image::{barriers, imports::FirstVersions, inf::Inf, pe::Image, stack::Report, symbols::Symbols};

use object::{
    LittleEndian as LE,
    pe::{
        IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE, IMAGE_DLLCHARACTERISTICS_NX_COMPAT, IMAGE_FILE_MACHINE_AMD64,
        IMAGE_SCN_MEM_EXECUTE, IMAGE_SCN_MEM_WRITE, IMAGE_SUBSYSTEM_NATIVE, ImageNtHeaders64,
    },
    read::pe::{ImageNtHeaders, ImageOptionalHeader, ImageThunkData as _, PeFile64},
};
use scenarios::driver;

/// Nothing in a miniport of this kind needs more.
const LARGEST: usize = 288 * 1024;

fn bytes() -> Vec<u8> {
    fs::read(driver()).expect("readable")
}

/// Modules and the names imported from them.
fn imports(file: &PeFile64<'_>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let table = file.import_table().expect("well-formed").expect("imports");
    let mut descriptors = table.descriptors().expect("well-formed");
    while let Some(descriptor) = descriptors.next().expect("well-formed") {
        let module =
            String::from_utf8_lossy(table.name(descriptor.name.get(LE)).expect("a name")).into_owned();
        let mut thunks = table.thunks(descriptor.original_first_thunk.get(LE)).expect("well-formed");
        while let Some(thunk) = thunks.next::<ImageNtHeaders64>().expect("well-formed") {
            assert!(!thunk.is_ordinal(), "imported from {module} by number");
            let (_, name) = table.hint_name(thunk.address()).expect("a name");
            found.push((module.clone(), String::from_utf8_lossy(name).into_owned()));
        }
    }
    found
}

#[test]
fn imports_come_from_kernel_hal_cng_and_ndis() {
    let bytes = bytes();
    let imports = imports(&PeFile64::parse(&*bytes).expect("a PE32+ image"));
    let modules: BTreeSet<_> = imports.iter().map(|(module, _)| module.to_ascii_lowercase()).collect();
    for module in &modules {
        assert!(
            ["ntoskrnl.exe", "hal.dll", "ndis.sys", "cng.sys"].contains(&module.as_str()),
            "imports from {module}"
        );
    }
    assert!(modules.contains("ndis.sys"));
    assert!(imports.iter().any(|(_, name)| name == "NdisMRegisterMiniportDriver"));
}

/// The INF must not offer the driver to a Windows that cannot load it.
#[test]
fn every_import_is_in_the_oldest_windows_of_the_inf() {
    let image = Image::parse(&bytes()).expect("an image");
    let oldest = Inf::parse(include_str!("../../mcm.inx")).oldest().expect("a version");
    let missing = FirstVersions::known().expect("the table").missing(&image, oldest);
    assert!(missing.is_empty(), "the INF names {oldest}:\n{}", missing.join("\n"));
}

#[test]
fn stack_is_bounded() {
    let image = Image::parse(&bytes()).expect("an image");
    let map = fs::read_to_string(driver().with_extension("map")).expect("the linker's map");
    let report = Report::of(&image, &Symbols::parse(&map, image.base)).expect("readable code");
    assert!(report.faults.is_empty(), "{report}");
    // The handlers of both tables, of interrupts, timers and the work item.
    assert!(report.entries.len() > 30, "{report}");
    assert!(!image.imports.values().any(|import| import.name == "__chkstk"), "imports __chkstk");
}

/// The image for ARM64, which `cargo xtask test` builds if it can.
#[test]
fn registers_are_accessed_behind_barriers() {
    let Some(sys) = std::env::var_os("MCM_SYS_ARM64") else {
        eprintln!("skipped: there is no image for ARM64 (MCM_SYS_ARM64)");
        return;
    };
    let sys = Path::new(&sys);
    let image = Image::parse(&fs::read(sys).expect("readable")).expect("an image");
    let accesses = barriers::accesses(&image, &sys.with_extension("pdb")).expect("debug information");
    // Bring-up, link, interrupts, statistics and doorbells have many more.
    assert!(accesses.len() > 50, "{} accesses", accesses.len());
    let bare: Vec<_> = accesses.iter().filter(|access| !access.ordered).collect();
    assert!(bare.is_empty(), "{} of {} without a barrier: {bare:#?}", bare.len(), accesses.len());
}

#[test]
fn no_panic_can_stop_the_system() {
    let bytes = bytes();
    let imports = imports(&PeFile64::parse(&*bytes).expect("a PE32+ image"));
    for forbidden in ["KeBugCheckEx", "KeBugCheck", "ExRaiseStatus", "RtlAssert", "DbgBreakPoint"] {
        assert!(!imports.iter().any(|(_, name)| name == forbidden), "imports {forbidden}");
    }
    for text in ["panicked at", "called `Option::unwrap()`", "index out of bounds", "capacity overflow"] {
        let found = bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!found, "{text:?} is in the image: a panic is reachable");
    }
}

#[test]
fn headers_are_those_of_a_driver() {
    let bytes = bytes();
    let file = PeFile64::parse(&*bytes).expect("a PE32+ image");
    let headers = file.nt_headers();
    assert_eq!(headers.file_header().machine.get(LE), IMAGE_FILE_MACHINE_AMD64);
    let optional = headers.optional_header();
    assert_eq!(optional.subsystem(), IMAGE_SUBSYSTEM_NATIVE);
    let flags = optional.dll_characteristics();
    assert_ne!(flags.0 & IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE.0, 0, "cannot be relocated");
    assert_ne!(flags.0 & IMAGE_DLLCHARACTERISTICS_NX_COMPAT.0, 0, "wants executable data");
    assert_ne!(optional.address_of_entry_point(), 0);
    assert_eq!(optional.file_alignment() % 512, 0);
    assert!(bytes.len() < LARGEST, "{} bytes", bytes.len());
}

#[test]
fn nothing_is_both_written_and_executed() {
    let bytes = bytes();
    let file = PeFile64::parse(&*bytes).expect("a PE32+ image");
    let mut code = 0;
    for section in file.section_table().iter() {
        let name = String::from_utf8_lossy(section.raw_name()).into_owned();
        let flags = section.characteristics.get(LE);
        let (write, execute) = (IMAGE_SCN_MEM_WRITE.0, IMAGE_SCN_MEM_EXECUTE.0);
        assert_ne!(flags.0 & (write | execute), write | execute, "{name} is writable and executable");
        code += u32::from(flags.0 & execute != 0);
        // Everything is touched at DISPATCH_LEVEL or above, so nothing may be paged.
        assert!(!name.starts_with("PAGE"), "{name} is pageable");
    }
    assert_ne!(code, 0, "no code");
}

#[test]
fn checksum_is_right() {
    let mut bytes = bytes();
    let file = PeFile64::parse(&*bytes).expect("a PE32+ image");
    let stored = file.nt_headers().optional_header().check_sum();
    let pe = u32::from_le_bytes(bytes[0x3c..0x40].try_into().expect("four bytes")) as usize;
    // The field is 64 bytes into the optional header, which follows signature and file header.
    let at = pe + 4 + 20 + 64;
    bytes[at..at + 4].fill(0);
    let mut sum = 0_u64;
    for pair in bytes.chunks(2) {
        sum += u64::from(u16::from_le_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let sum = u32::try_from(sum + bytes.len() as u64).expect("a small image");
    assert_eq!(stored, sum, "the loader refuses drivers with a wrong checksum");
}

#[test]
fn no_path_of_the_build_is_in_it() {
    let bytes = bytes();
    let home = std::env::var("HOME").unwrap_or_default();
    let here = env!("CARGO_MANIFEST_DIR").trim_end_matches("/tests");
    for path in [home.as_str(), here, "/.cargo/", "\\Users\\"] {
        // A home of `/` or `/root` may be part of anything.
        let found = path.len() > 5 && bytes.windows(path.len()).any(|window| window == path.as_bytes());
        assert!(!found, "{path:?} is in the image");
    }
}
