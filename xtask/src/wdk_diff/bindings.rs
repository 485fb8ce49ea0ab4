//! bindgen over one tree of headers.

#[path = "../../../crates/ndis-sys/build/corrections.rs"]
mod corrections;

use crate::files::write_if_changed;
use crate::target::Target;
use crate::wdk_tree::WdkTree;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Before the name of a constant that stands for a macro.
pub(super) const MACRO: &str = "wdk_diff_macro_";

/// As wdk-build's, and the contract of crates/ndis-sys.
const DEFINITIONS: [&str; 4] =
    ["_KERNEL_MODE", "NDIS640_MINIPORT=1", "NDIS_MINIPORT_DRIVER=1", "NDIS_TAPI_CURRENT_VERSION=0x00030000"];

fn machine(target: Target) -> &'static [&'static str] {
    match target {
        Target::X64 => &["_WIN64", "_AMD64_", "AMD64"],
        Target::Arm64 => &["_ARM64_", "ARM64", "_USE_DECLSPECS_FOR_SAL=1", "STD_CALL"],
    }
}

const HEADERS: [&str; 7] =
    ["ntifs.h", "ntddk.h", "ntstrsafe.h", "ndis.h", "ndiswan.h", "ndistapi.h", "bcrypt.h"];

/// Rust for the headers of `tree`: a constant for each of `macros` that is defined, and what else the headers declare
/// or, if given, what of it is among `names`. `scratch` takes the result and a corrected ndis.h, to be looked at.
pub(super) fn generate(
    tree: &WdkTree,
    target: Target,
    scratch: &Path,
    macros: &BTreeSet<String>,
    names: Option<&[String]>,
) -> Result<String> {
    let include = tree.root.join("Include").join(&tree.version);
    let mut builder = bindgen::Builder::default()
        .header_contents("wdk-diff.h", &input(&include, scratch, macros)?)
        .use_core()
        .detect_include_paths(false)
        .layout_tests(true)
        .default_enum_style(bindgen::EnumVariation::ModuleConsts)
        .formatter(bindgen::Formatter::None)
        .clang_arg(format!("--target={}", target.triple()))
        .clang_args(["-fms-compatibility", "-fms-extensions", "-fno-builtin", "-Wno-everything"])
        .clang_args(machine(target).iter().chain(&DEFINITIONS).map(|definition| format!("-D{definition}")))
        .clang_args(["km/crt", "km", "shared"].map(|part| format!("-I{}", include.join(part).display())));
    if let Some(names) = names {
        builder = builder.allowlist_item(format!("{MACRO}.*"));
        // A few names to an expression: one for all takes the engine too much memory.
        for names in names.chunks(100) {
            builder = builder.allowlist_item(names.join("|"));
        }
    }
    let bindings =
        builder.generate().with_context(|| format!("bindings to {}", include.display()))?.to_string();
    write_if_changed(&scratch.join("bindings.rs"), &bindings)?;
    Ok(bindings)
}

fn input(include: &Path, scratch: &Path, macros: &BTreeSet<String>) -> Result<String> {
    let mut text = String::new();
    for header in HEADERS {
        let path = corrected(include, scratch, header)?.unwrap_or_else(|| header.into());
        writeln!(text, "#include \"{}\"", path.display())?;
    }
    for name in macros {
        writeln!(text, "#ifdef {name}\nstatic const long long {MACRO}{name} = (long long)({name});\n#endif")?;
    }
    Ok(text)
}

/// A copy of the header with the corrections that it needs, if any.
fn corrected(include: &Path, scratch: &Path, header: &str) -> Result<Option<PathBuf>> {
    let in_km = include.join("km").join(header);
    let original = if in_km.is_file() { in_km } else { include.join("shared").join(header) };
    let text = fs::read(&original).with_context(|| format!("reading {}", original.display()))?;
    let Some(text) = corrections::corrected(&String::from_utf8_lossy(&text)) else { return Ok(None) };
    let copy = scratch.join(header);
    write_if_changed(&copy, text)?;
    Ok(Some(copy))
}
