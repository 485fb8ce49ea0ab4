//! Generates [`crate::abi`] from the headers that the driver is built against, so that both sides agree.

#[path = "../crates/ndis-sys/build/macros.rs"]
mod macros;

use std::error::Error;
use std::path::{Path, PathBuf};

use bindgen::callbacks::{ItemInfo, ItemKind, ParseCallbacks};
use bindgen::{Abi, Builder, EnumVariation};

/// What the driver defines before it includes ndis.h.
const CONTRACT: [&str; 3] =
    ["NDIS640_MINIPORT=1", "NDIS_MINIPORT_DRIVER=1", "NDIS_TAPI_CURRENT_VERSION=0x00030000"];

const HEADERS: [&str; 5] = ["ntifs.h", "ntddk.h", "ndis.h", "ndiswan.h", "ndistapi.h"];

fn main() -> Result<(), Box<dyn Error>> {
    let tree = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("../wdk/Include").canonicalize()?;
    println!("cargo::rerun-if-changed={}", tree.display());
    println!("cargo::rerun-if-changed=build.rs");
    let version = newest(&tree)?;
    let mut files = Vec::new();
    headers(&version, &mut files)?;

    let includes: String = HEADERS.iter().map(|header| format!("#include <{header}>\n")).collect();
    let constants = macros::as_constants(files.iter().filter_map(|path| path.to_str()))?;
    let builder = Builder::default()
        .header_contents("abi.h", &format!("{includes}{constants}"))
        .clang_arg("--target=x86_64-pc-windows-msvc")
        .clang_args(["-ffreestanding", "-nostdlibinc", "-D_AMD64_=1", "-DDEPRECATE_DDK_FUNCTIONS=1"])
        .clang_args(CONTRACT.map(|definition| format!("-D{definition}")))
        .clang_args(["km", "km/crt", "shared"].map(|part| format!("-I{}", version.join(part).display())))
        .use_core()
        .ctypes_prefix("crate::abi::ctypes")
        .default_enum_style(EnumVariation::ModuleConsts)
        .override_abi(Abi::Win64, ".*")
        .ignore_functions()
        .wrap_unsafe_ops(true)
        .layout_tests(false)
        .derive_default(true)
        .generate_comments(false)
        .parse_callbacks(Box::new(Rename));
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("abi.rs");
    builder.generate()?.write_to_file(out)?;
    Ok(())
}

/// The directory of the newest version in the tree.
fn newest(tree: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let mut versions = Vec::new();
    for entry in std::fs::read_dir(tree)? {
        versions.push(entry?.path());
    }
    versions.sort();
    versions.pop().ok_or_else(|| "the tree holds no version".into())
}

/// All header files below `directory`, in the order of their paths.
fn headers(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        paths.push(entry?.path());
    }
    paths.sort();
    for path in paths {
        if path.is_dir() {
            headers(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "h") {
            files.push(path);
        }
    }
    Ok(())
}

/// Gives the constants made of macros the macros' names.
#[derive(Debug)]
struct Rename;

impl ParseCallbacks for Rename {
    fn item_name(&self, item: ItemInfo<'_>) -> Option<String> {
        match item.kind {
            ItemKind::Var => item.name.strip_prefix(macros::PREFIX).map(str::to_owned),
            _ => None,
        }
    }
}
