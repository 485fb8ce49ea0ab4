//! Whether accesses to device registers are ordered on ARM64.
//!
//! `READ_REGISTER_ULONG` and `WRITE_REGISTER_ULONG` of the WDK's wdm.h issue a data synchronization barrier for the full
//! system, `DSB SY`, before the access: without one the card may see a doorbell before the descriptors that it is about.
//! Which instructions are such accesses is in the debug information: the volatile ones that were written in
//! `crates/ndis/src/io_space.rs`, wherever they have been inlined.
//!
//! Words are decoded as "Arm Architecture Reference Manual for A-profile", C4.1, has them. It takes three classes of them
//! and one barrier, for which a disassembler would be much.

use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use pdb_addr2line::pdb::PDB;
use pdb_addr2line::{Context, ContextPdbData};

use crate::pe::{Image, Machine};

/// Where registers are accessed.
const SOURCE: &str = "crates/ndis/src/io_space.rs";
/// `DSB SY`.
const BARRIER: u32 = 0xd503_3f9f;
/// The stack pointer, as a base register.
const SP: u32 = 31;

/// An access to a device register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Where it is.
    pub rva: u32,
    /// The function of the driver that it is in.
    pub function: String,
    /// Whether a barrier comes before it, and no other access between.
    pub ordered: bool,
}

/// All accesses to device registers in an ARM64 image, whose debug information is in `pdb`.
pub fn accesses(image: &Image, pdb: &Path) -> Result<Vec<Access>> {
    ensure!(image.machine == Machine::Arm64, "no image for ARM64");
    let file = File::open(pdb).with_context(|| format!("opening {}", pdb.display()))?;
    let data = ContextPdbData::try_from_pdb(PDB::open(file)?)?;
    let context = data.make_context()?;
    let mut found = Vec::new();
    for section in image.sections.iter().filter(|section| section.executable) {
        let words: Vec<_> = section
            .bytes
            .chunks_exact(4)
            .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
            .collect();
        for (index, _) in words.iter().enumerate().filter(|(_, word)| is_access(**word)) {
            let rva = section.start + u32::try_from(index * 4)?;
            if let Some(function) = of_register(&context, rva)? {
                found.push(Access { rva, function, ordered: is_ordered(&words[..index]) });
            }
        }
    }
    Ok(found)
}

/// The function that an instruction is in, if it accesses a register.
fn of_register(context: &Context<'_, '_>, rva: u32) -> Result<Option<String>> {
    let Some(found) = context.find_frames(rva)? else { return Ok(None) };
    let mut frames = found.frames.into_iter();
    let innermost = frames.next().and_then(|frame| frame.function).unwrap_or_default();
    let named = innermost.contains("read_volatile") || innermost.contains("write_volatile");
    let mut outer = frames.filter(|_| named);
    let is_source = |file: Option<&str>| file.is_some_and(|file| file.replace('\\', "/").ends_with(SOURCE));
    if !outer.any(|frame| is_source(frame.file.as_deref())) {
        return Ok(None);
    }
    Ok(Some(outer.next_back().and_then(|frame| frame.function).unwrap_or_default()))
}

/// Whether the words before an access end in a barrier, with nothing but arithmetic behind it.
fn is_ordered(before: &[u32]) -> bool {
    for &word in before.iter().rev() {
        let spilled = is_access(word) && base(word) == SP;
        if word == BARRIER {
            return true;
        }
        if is_access(word) && !spilled || is_branch(word) {
            return false;
        }
    }
    false
}

/// Loads and stores, but for exclusive ones and atomic operations: those are for memory, and debug information may give them
/// to the access before.
const fn is_access(word: u32) -> bool {
    let exclusive = word & 0x3f00_0000 == 0x0800_0000;
    let atomic = word & 0x3b20_0c00 == 0x3820_0000;
    (word >> 25) & 0b0101 == 0b0100 && !exclusive && !atomic
}

/// Branches, exception generating and system instructions, but for hints and barriers.
const fn is_branch(word: u32) -> bool {
    (word >> 26) & 0b111 == 0b101 && word >> 12 != 0x000d_5033 && word >> 12 != 0x000d_5032
}

const fn base(word: u32) -> u32 {
    (word >> 5) & 31
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `str w1, [x0]`, `ldr w0, [x0, #8]`, `ldr x8, [sp, #16]`, `ldr x8, [x19]`, `add x0, x8, x1`, `cbz w0, .`, `ret`,
    /// `dmb ish`.
    const STORE: u32 = 0xb900_0001;
    const LOAD: u32 = 0xb940_0800;
    const FROM_STACK: u32 = 0xf940_0be8;
    const FROM_MEMORY: u32 = 0xf940_0268;
    /// `ldxr w9, [x8]`, `stxr w10, w9, [x8]`, `ldaddal w9, w10, [x8]`.
    const LDXR: u32 = 0x885f_7d09;
    const STXR: u32 = 0x880a_fd09;
    const LDADDAL: u32 = 0xb8e9_010a;
    const ADD: u32 = 0x8b01_0100;
    const CBZ: u32 = 0x3400_0000;
    const RET: u32 = 0xd65f_03c0;
    const DMB_ISH: u32 = 0xd503_3bbf;

    #[test]
    fn words_are_told_apart() {
        for word in [STORE, LOAD, FROM_STACK, FROM_MEMORY] {
            assert!(is_access(word) && !is_branch(word), "{word:#x}");
        }
        for word in [CBZ, RET] {
            assert!(is_branch(word) && !is_access(word), "{word:#x}");
        }
        for word in [ADD, BARRIER, DMB_ISH, LDXR, STXR, LDADDAL] {
            assert!(!is_branch(word) && !is_access(word), "{word:#x}");
        }
    }

    #[test]
    fn a_barrier_must_come_last() {
        assert!(is_ordered(&[STORE, BARRIER]));
        assert!(is_ordered(&[BARRIER, ADD, FROM_STACK]));
        assert!(!is_ordered(&[]));
        assert!(!is_ordered(&[ADD, DMB_ISH]));
        for between in [FROM_MEMORY, STORE, CBZ, RET] {
            assert!(!is_ordered(&[BARRIER, between]), "{between:#x}");
        }
    }
}
