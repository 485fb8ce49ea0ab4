//! Generates [`crate::abi`] from the headers that the driver is built against, so that both sides agree.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use bindgen::callbacks::{ItemInfo, ItemKind, ParseCallbacks};
use bindgen::{Abi, Builder, EnumVariation};

/// What the driver defines before it includes ndis.h.
const CONTRACT: [&str; 3] =
    ["NDIS640_MINIPORT=1", "NDIS_MINIPORT_DRIVER=1", "NDIS_TAPI_CURRENT_VERSION=0x00030000"];

const HEADERS: [&str; 5] = ["ntifs.h", "ntddk.h", "ndis.h", "ndiswan.h", "ndistapi.h"];

/// Prefix of the constants made of macros; it goes again when they are bound.
const PREFIX: &str = "value_of_";

fn main() -> Result<(), Box<dyn Error>> {
    let tree = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("../wdk/Include").canonicalize()?;
    println!("cargo::rerun-if-changed={}", tree.display());
    println!("cargo::rerun-if-changed=build.rs");
    let version = newest(&tree)?;
    let mut files = Vec::new();
    headers(&version, &mut files)?;

    let includes = HEADERS.map(|header| format!("#include <{header}>\n")).concat();
    let constants = constants(&files)?;
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
    for entry in fs::read_dir(tree)? {
        versions.push(entry?.path());
    }
    versions.sort();
    versions.pop().ok_or_else(|| "the tree holds no version".into())
}

/// All header files below `directory`, in the order of their paths.
fn headers(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
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

/// Declares a constant for each macro of the headers that bindgen drops: those with a cast, those with the size of a
/// structure, and other names of these.
fn constants(headers: &[PathBuf]) -> Result<String, Box<dyn Error>> {
    let mut found = BTreeMap::new();
    for path in headers {
        let text = fs::read_to_string(path)?.replace("\\\n", " ");
        for (name, body) in text.lines().filter_map(object_macro) {
            let of_type = if name.starts_with("NDIS_SIZEOF_") {
                "USHORT".to_owned()
            } else if is_cast(body) || body.starts_with("NDIS_STATUS_") {
                format!("__typeof__({name})")
            } else {
                continue;
            };
            found.insert(name.to_owned(), format!("static const {of_type} {PREFIX}{name} = {name};\n"));
        }
    }
    Ok(found.into_values().collect())
}

/// Name and body of a macro without parameters.
fn object_macro(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start().strip_prefix('#')?.trim_start().strip_prefix("define")?.trim_start();
    let (name, body) = line.split_once(char::is_whitespace)?;
    let body = body.split("/*").next().unwrap_or(body);
    (!name.contains('(')).then_some((name, body.trim()))
}

/// Whether the body is `((TYPE)value)`.
fn is_cast(body: &str) -> bool {
    let cast = body.strip_prefix("((").and_then(|rest| rest.strip_suffix(')'));
    cast.and_then(|cast| cast.split_once(')')).is_some_and(|(_, value)| {
        let value = value.trim().trim_start_matches('-');
        !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// Gives the constants made of macros the macros' names.
#[derive(Debug)]
struct Rename;

impl ParseCallbacks for Rename {
    fn item_name(&self, item: ItemInfo<'_>) -> Option<String> {
        match item.kind {
            ItemKind::Var => item.name.strip_prefix(PREFIX).map(str::to_owned),
            _ => None,
        }
    }
}
