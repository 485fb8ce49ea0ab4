//! Which files the headers include, and where they are.

use crate::corrections::corrected;
use bindgen::callbacks::ParseCallbacks;
use bindgen::{Builder, CodegenConfig};
use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use wdk_build::Config;

/// A set of header files.
#[derive(Debug, Default)]
pub(crate) struct Headers {
    paths: BTreeSet<String>,
}

impl Headers {
    /// Every file that `input` includes, directly or not.
    pub(crate) fn included_by(builder: Builder, input: &str) -> Result<Self, Box<dyn Error>> {
        let seen = Arc::new(Mutex::new(BTreeSet::new()));
        builder
            .header_contents("includes.h", input)
            .with_codegen_config(CodegenConfig::empty())
            .parse_callbacks(Box::new(Recorder { seen: Arc::clone(&seen) }))
            .generate()?;
        let paths = seen.lock().map_err(|_| "the recorder of included files panicked")?.clone();
        Ok(Self { paths })
    }

    /// The files of `self` that are not in `other`.
    pub(crate) fn without(mut self, other: &Self) -> Self {
        self.paths.retain(|path| !other.paths.contains(path));
        self
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str)
    }

    /// Regular expressions that match the files' paths as clang spells them, and nothing else.
    pub(crate) fn patterns(&self) -> impl Iterator<Item = String> {
        self.paths().map(|path| {
            let escaped = path.chars().flat_map(|c| [(!c.is_alphanumeric()).then_some('\\'), Some(c)]);
            format!("^{}$", escaped.flatten().collect::<String>())
        })
    }
}

#[derive(Debug)]
struct Recorder {
    seen: Arc<Mutex<BTreeSet<String>>>,
}

impl ParseCallbacks for Recorder {
    fn include_file(&self, filename: &str) {
        if let Ok(mut seen) = self.seen.lock() {
            seen.insert(filename.to_owned());
        }
    }
}

/// The `#include` lines for `headers`; ndis.h comes from a corrected copy below `out` where it needs one.
pub(crate) fn ndis_input(config: &Config, out: &Path, headers: &[&str]) -> Result<String, Box<dyn Error>> {
    let mut input = String::new();
    for header in headers {
        let original = find(config, header)?;
        println!("cargo::rerun-if-changed={}", original.display());
        let text = String::from_utf8_lossy(&fs::read(&original)?).into_owned();
        match corrected(&text) {
            // Included first, so that the include guard keeps the original out.
            Some(copy) => {
                let path = out.join(header);
                fs::write(&path, copy)?;
                writeln!(input, "#include \"{}\"", path.to_string_lossy().replace('\\', "/"))?;
            }
            None => writeln!(input, "#include \"{header}\"")?,
        }
    }
    Ok(input)
}

fn find(config: &Config, header: &str) -> Result<PathBuf, Box<dyn Error>> {
    for directory in config.include_paths()? {
        let path = directory.join(header);
        if path.is_file() {
            return Ok(path);
        }
    }
    Err(format!("{header} is in none of the WDK's include directories").into())
}
