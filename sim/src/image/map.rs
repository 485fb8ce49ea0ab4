//! The linker's map: names for addresses.
//!
//! `lld-link /map` lists a section and offset, the mangled name, and the address at the preferred base. Only the lines
//! with these three columns matter; the preferred base stands on a line of its own.

/// The symbols of an image, by address.
#[derive(Debug, Default)]
pub(super) struct Symbols(Vec<(usize, String)>);

impl Symbols {
    /// Reads a map.
    pub(super) fn parse(text: &str) -> Self {
        let mut base = 0;
        let mut symbols = Vec::new();
        for line in text.lines() {
            if let Some(address) = line.trim().strip_prefix("Preferred load address is ") {
                base = usize::from_str_radix(address.trim(), 16).unwrap_or(0);
            } else if let Some((address, name)) = symbol(line)
                && let Some(rva) = address.checked_sub(base)
            {
                symbols.push((rva, demangle(name)));
            }
        }
        symbols.sort();
        symbols.dedup_by_key(|symbol| symbol.0);
        Self(symbols)
    }

    /// The symbol at or before `rva`, and the distance to it.
    pub(super) fn find(&self, rva: usize) -> Option<(&str, usize)> {
        let index = self.0.partition_point(|symbol| symbol.0 <= rva).checked_sub(1)?;
        let (start, name) = self.0.get(index)?;
        Some((name, rva - start))
    }
}

/// Address and name of a line ` 0001:00000010  name  0000000140001010 ...`.
fn symbol(line: &str) -> Option<(usize, &str)> {
    let mut columns = line.split_whitespace();
    let (section, offset) = columns.next()?.split_once(':')?;
    let place = section.len() == 4 && offset.len() == 8;
    let name = columns.next()?;
    let address = columns.next().filter(|address| place && address.len() == 16)?;
    Some((usize::from_str_radix(address, 16).ok()?, name))
}

/// The readable name, without the hash that tells builds apart.
fn demangle(name: &str) -> String {
    rustc_demangle::try_demangle(name).map_or_else(|_| name.to_owned(), |name| format!("{name:#}"))
}
