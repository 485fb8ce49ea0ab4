//! Constants for the macros that bindgen drops: those with a cast, such as every `NDIS_STATUS_*`, and those
//! with the size of a structure, such as every `NDIS_SIZEOF_*`.
//!
//! For each a `static const` is appended to the header that bindgen reads, so that the compiler computes the
//! value from the header itself.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;

/// Prefix of the constants in the generated header; it goes again when bindgen names them.
pub(crate) const PREFIX: &str = "ndis_sys_value_of_";

/// Casts to these types are kept.
const TYPES: [&str; 8] =
    ["NDIS_STATUS", "NDIS_AF", "NDIS_PORT_NUMBER", "NDIS_OID", "ULONG", "UINT", "USHORT", "UCHAR"];

/// C declarations of one constant for each dropped macro of the files at `paths`.
pub(crate) fn as_constants<'a>(paths: impl Iterator<Item = &'a str>) -> Result<String, Box<dyn Error>> {
    let mut found = BTreeMap::new();
    for path in paths {
        let text = String::from_utf8_lossy(&fs::read(path).map_err(|e| format!("{path}: {e}"))?).into_owned();
        collect(&text, &mut found);
    }
    let mut header = String::new();
    for (name, kind) in found {
        // A macro may be hidden by the version of the contract.
        writeln!(header, "#ifdef {name}\nstatic const {kind} {PREFIX}{name} = {name};\n#endif")?;
    }
    Ok(header)
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
