//! Names of functions, from the linker's map.

use std::collections::BTreeMap;

use rustc_demangle::demangle;

/// Names by relative virtual address.
#[derive(Clone, Debug, Default)]
pub struct Symbols(BTreeMap<u32, Vec<String>>);

impl Symbols {
    /// Reads a map: lines of section and offset, name, and the address with the preferred base, which `base` is.
    pub fn parse(map: &str, base: u64) -> Self {
        let mut symbols = Self::default();
        for line in map.lines() {
            let mut words = line.split_whitespace();
            let (Some(place), Some(name), Some(address)) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            let Ok(address) = u64::from_str_radix(address, 16) else { continue };
            let Some(rva) = address.checked_sub(base).and_then(|rva| u32::try_from(rva).ok()) else {
                continue;
            };
            // Sections have a line of this form as well, but a length in place of the address.
            if place.contains(':') && !name.ends_with('H') && rva != 0 {
                symbols.add(rva, name);
            }
        }
        symbols
    }

    /// Adds a name, as the linker knows it.
    pub fn add(&mut self, rva: u32, name: &str) {
        self.0.entry(rva).or_default().push(readable(name));
    }

    /// Where there are names.
    pub fn places(&self) -> impl Iterator<Item = u32> {
        self.0.keys().copied()
    }

    /// The name of what begins at an RVA; where the linker has folded equal functions, the first and how many more.
    pub fn name(&self, rva: u32) -> String {
        let Some(names) = self.0.get(&rva) else { return format!("code at {rva:#x}") };
        match names.as_slice() {
            [name] => name.clone(),
            [name, rest @ ..] => format!("{name} (and {} equal)", rest.len()),
            [] => String::new(),
        }
    }
}

/// A name without hash and with the crates' paths, `<impl T>::f` as the source has it.
fn readable(name: &str) -> String {
    format!("{:#}", demangle(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = " mcm\n\n Preferred load address is 0000000180000000\n\n Start         Length     Name\n \
        0001:00000000 0003659dH .text                   CODE\n\n  Address         Publics by Value    Rva+Base\n\n \
        0001:00000000       DriverEntry                0000000180001000     mcm.o\n \
        0001:00000130       _ZN3mcm7adapter4Card4stop17hef59eff095a4992aE 0000000180001130     mcm.o\n \
        0001:00000130       _ZN3mcm7adapter4Card5start17hef59eff095a4992bE 0000000180001130     mcm.o\n";

    #[test]
    fn names_are_read_and_made_readable() {
        let symbols = Symbols::parse(MAP, 0x1_8000_0000);
        assert_eq!(symbols.places().collect::<Vec<_>>(), [0x1000, 0x1130]);
        assert_eq!(symbols.name(0x1000), "DriverEntry");
        assert_eq!(symbols.name(0x1130), "mcm::adapter::Card::stop (and 1 equal)");
        assert_eq!(symbols.name(0x1131), "code at 0x1131");
    }
}
