//! Generates bindings to NDIS from the WDK's headers, as wdk-sys does for the rest of the kernel.
//!
//! Types that wdk-sys already binds are taken from there, so that a `PDRIVER_OBJECT` of one crate is a
//! `PDRIVER_OBJECT` of the other: whatever the headers of wdk-sys include is left out here.

mod corrections;
mod headers;
mod macros;

use bindgen::callbacks::{DeriveTrait, ImplementsTrait, ItemInfo, ItemKind, ParseCallbacks};
use bindgen::{BindgenError, Builder, CodegenConfig};
use headers::Headers;
use macros::Constants;
use std::error::Error;
use std::path::PathBuf;
use wdk_build::{ApiSubset, BuilderExt, Config, configure_wdk_library_build_and_then};

/// What a driver written against the WDK would define before it includes ndis.h.
const CONTRACT: [&str; 3] =
    ["NDIS640_MINIPORT=1", "NDIS_MINIPORT_DRIVER=1", "NDIS_TAPI_CURRENT_VERSION=0x00030000"];

/// The headers bound here.
const NDIS_HEADERS: [&str; 4] = ["ndis.h", "ndiswan.h", "ndistapi.h", "bcrypt.h"];

/// Name of the header that bindgen reads.
const INPUT: &str = "ndis-input.h";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build");
    configure_wdk_library_build_and_then(|config| generate(&config))
}

fn generate(config: &Config) -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let base = config.bindgen_header_contents([ApiSubset::Base])?;
    let input = format!("{base}{}", headers::ndis_input(config, &out, &NDIS_HEADERS)?);

    let covered = Headers::included_by(contract(config)?, &base)?;
    let family = Headers::included_by(contract(config)?, &input)?.without(&covered);
    let constants = constants(config, &input, &family)?;

    let mut builder = with_constants(contract(config)?, &input, &constants)
        .parse_callbacks(Box::new(Bindings))
        .must_use_type("NDIS_STATUS")
        .wrap_unsafe_ops(true)
        .raw_line(LINK);
    for file in covered.patterns() {
        builder = builder.blocklist_file(file);
    }
    builder.generate()?.write_to_file(out.join("ndis.rs"))?;
    Ok(())
}

/// The constants of the headers in `family` that clang accepts after `input`.
fn constants(config: &Config, input: &str, family: &Headers) -> Result<Constants, Box<dyn Error>> {
    let mut constants = Constants::of(family.paths())?;
    let lines = input.lines().count();
    loop {
        let check = with_constants(contract(config)?, input, &constants)
            .clang_arg("-ferror-limit=0")
            .with_codegen_config(CodegenConfig::empty());
        match check.generate() {
            Ok(_) => return Ok(constants),
            Err(BindgenError::ClangDiagnostic(text)) if constants.remove_rejected(&text, INPUT, lines) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The constants follow the rest on lines of their own, by which clang's diagnostics tell them.
fn with_constants(builder: Builder, input: &str, constants: &Constants) -> Builder {
    builder.header_contents(INPUT, &format!("{input}{}", constants.source()))
}

/// Links ndis.lib and cng.lib the way wdk-sys links ntoskrnl.lib.
const LINK: &str = r#"#[cfg(not(test))]
#[link(name = "ndis", kind = "static", modifiers = "-bundle")]
#[link(name = "cng", kind = "static", modifiers = "-bundle")]
unsafe extern "C" {}"#;

fn contract(config: &Config) -> Result<Builder, Box<dyn Error>> {
    let builder = Builder::wdk_default(config)?;
    Ok(builder.clang_args(CONTRACT.map(|definition| format!("--define-macro={definition}"))))
}

/// How bindgen names the constants made of macros, and what it may assume of wdk-sys's types.
#[derive(Debug)]
struct Bindings;

impl ParseCallbacks for Bindings {
    fn item_name(&self, item: ItemInfo<'_>) -> Option<String> {
        match item.kind {
            ItemKind::Var => item.name.strip_prefix(macros::PREFIX).map(str::to_owned),
            _ => None,
        }
    }

    /// wdk-sys derives `Copy` for all it binds and gives everything a `Default`; `Debug` it cannot derive for unions.
    fn blocklisted_type_implements_trait(&self, _name: &str, derive: DeriveTrait) -> Option<ImplementsTrait> {
        match derive {
            DeriveTrait::Copy | DeriveTrait::Default => Some(ImplementsTrait::Yes),
            _ => Some(ImplementsTrait::No),
        }
    }
}
