//! Constants for the macros that bindgen drops: those with a cast, such as every `NDIS_STATUS_*`, and those
//! with the size of a structure, such as every `NDIS_SIZEOF_*`.
//!
//! For each a `static const` is appended to the header that bindgen reads, so that the compiler computes the
//! value from the header itself.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;

/// Prefix of the constants in the generated header; it goes again when bindgen names them.
pub(crate) const PREFIX: &str = "ndis_sys_value_of_";

/// Casts to these types are kept.
const TYPES: [&str; 8] =
    ["NDIS_STATUS", "NDIS_AF", "NDIS_PORT_NUMBER", "NDIS_OID", "ULONG", "UINT", "USHORT", "UCHAR"];

/// One constant for each dropped macro.
#[derive(Debug)]
pub(crate) struct Constants {
    /// Each with its C declaration, on one line.
    declarations: Vec<String>,
}

impl Constants {
    /// The constants for the macros of the files at `paths`.
    pub(crate) fn of<'a>(paths: impl Iterator<Item = &'a str>) -> Result<Self, Box<dyn Error>> {
        let mut found = BTreeMap::new();
        for path in paths {
            let text =
                String::from_utf8_lossy(&fs::read(path).map_err(|e| format!("{path}: {e}"))?).into_owned();
            collect(&text, &mut found);
        }
        let declare = |(name, kind): (String, _)| format!("static const {kind} {PREFIX}{name} = {name};");
        Ok(Self { declarations: found.into_iter().map(declare).collect() })
    }

    /// C source that declares them, one a line.
    pub(crate) fn source(&self) -> String {
        self.declarations.join("\n")
    }

    /// Removes what clang's `diagnostics` reject and says whether that was anything: a header may name the size of a
    /// structure that it does not declare, or not for this version of the contract. The declarations follow line
    /// `before` of the file `header`.
    pub(crate) fn remove_rejected(&mut self, diagnostics: &str, header: &str, before: usize) -> bool {
        let rejected: BTreeSet<usize> = diagnostics
            .split(&format!("{header}:"))
            .skip(1)
            .filter_map(|rest| rest.split(':').next()?.parse().ok())
            .collect();
        let count = self.declarations.len();
        let mut line = before;
        self.declarations.retain(|_| {
            line += 1;
            !rejected.contains(&line)
        });
        self.declarations.len() < count
    }
}

fn collect(text: &str, found: &mut BTreeMap<String, &'static str>) {
    let text = text.replace("\r\n", "\n").replace("\\\n", " ");
    for line in text.lines() {
        if let Some((name, body)) = object_macro(line)
            && let Some(kind) = constant_type(name, body)
        {
            found.insert(name.to_owned(), kind);
        }
    }
}

/// Name and body of a macro without parameters.
fn object_macro(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start().strip_prefix('#')?.trim_start().strip_prefix("define")?.trim_start();
    let (name, body) = line.split_once(char::is_whitespace)?;
    let body = body.split("//").next().unwrap_or(body).split("/*").next().unwrap_or(body);
    (!name.contains('(')).then_some((name, body.trim()))
}

/// The type of the constant, for a macro that bindgen drops.
fn constant_type(name: &str, body: &str) -> Option<&'static str> {
    if name.starts_with("NDIS_SIZEOF_") {
        // The size of a structure's revision has one use: `Size` of its header, a USHORT.
        return Some("USHORT");
    }
    if name.starts_with("NDIS_STATUS_") && body.starts_with("NDIS_STATUS_") {
        return Some("NDIS_STATUS");
    }
    let cast = body.strip_prefix("((")?;
    let (kind, value) = cast.split_once(')')?;
    let value = value.strip_suffix(')')?.trim();
    let plain = !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    TYPES.into_iter().find(|known| plain && *known == kind.trim())
}
