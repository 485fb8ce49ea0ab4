//! Makes a linked image a function of its source.
//!
//! With `/Brepro` the linker derives the image's time stamps from its contents. Among those is the GUID
//! that ties the image to its PDB, and the PDB records directories of this machine, some of them random
//! (rustc's temporary files). Therefore GUID and time stamps are derived here, once more, from
//! all of the image but themselves, and the PDB is given the same GUID. The check sum of the header,
//! which the kernel demands of a driver and LLVM's linker leaves zero, comes last.
//!
//! Layouts: PE format specification, "COFF File Header", "Optional Header" and "Debug Directory".

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use std::ops::Range;

/// Offset of the pointer to the PE signature.
const E_LFANEW: usize = 0x3c;
/// Size of signature and COFF file header, after which the optional header begins.
const COFF_HEADER: usize = 24;
/// Offset of the check sum in the optional header.
const CHECK_SUM: usize = 64;
/// Offset of the data directories in the optional header of a 64-bit image.
const DATA_DIRECTORIES: usize = 112;
/// Index of the debug directory.
const DEBUG: usize = 6;
/// Size of an entry of the debug directory.
const DEBUG_ENTRY: usize = 28;
/// `IMAGE_DEBUG_TYPE_CODEVIEW`.
const CODEVIEW: u32 = 2;

/// Where an image has what depends on the machine that linked it.
#[derive(Debug)]
struct Stamps {
    times: Vec<Range<usize>>,
    guid: Range<usize>,
    check_sum: Range<usize>,
}

/// Gives an image and its PDB stamps derived from the image's other contents.
pub(crate) fn stamp(image: &mut [u8], pdb: &mut [u8]) -> Result<()> {
    let stamps = find(image)?;
    let old_guid = image[stamps.guid.clone()].to_vec();
    for range in stamps.times.iter().chain([&stamps.guid, &stamps.check_sum]) {
        image[range.clone()].fill(0);
    }
    let digest = Sha256::digest(&image);
    let (time, guid) = (&digest[..4], &digest[4..20]);
    for range in &stamps.times {
        image[range.clone()].copy_from_slice(time);
    }
    image[stamps.guid].copy_from_slice(guid);
    let sum = check_sum(image);
    image[stamps.check_sum].copy_from_slice(&sum.to_le_bytes());
    replace_once(pdb, &old_guid, guid).context("the GUID of the image in its PDB")
}

fn find(image: &[u8]) -> Result<Stamps> {
    let header = offset(image, E_LFANEW)?;
    ensure!(image.get(header..header + 4) == Some(b"PE\0\0"), "not a PE image");
    let optional = header + COFF_HEADER;
    ensure!(image.get(optional..optional + 2) == Some(&[0x0b, 0x02]), "not a 64-bit image");
    let check_sum = optional + CHECK_SUM..optional + CHECK_SUM + 4;
    let directory = optional + DATA_DIRECTORIES + DEBUG * 8;
    let (address, size) = (offset(image, directory)?, offset(image, directory + 4)?);
    let start = file_offset(image, header, address)?;
    let mut times = Vec::new();
    times.push(header + 8..header + 12);
    let mut guid = None;
    for entry in (start..start + size).step_by(DEBUG_ENTRY) {
        times.push(entry + 4..entry + 8);
        if word(image, entry + 12)? == CODEVIEW {
            let record = offset(image, entry + 24)?;
            ensure!(image.get(record..record + 4) == Some(b"RSDS"), "the CodeView record names no PDB 7.0");
            guid = Some(record + 4..record + 20);
        }
    }
    ensure!(image.len() >= start + size, "the debug directory is cut off");
    let guid = guid.context("the image has no CodeView record")?;
    ensure!(image.len() >= guid.end, "the CodeView record is cut off");
    Ok(Stamps { times, guid, check_sum })
}

/// The place in the file of a relative virtual address, by way of the section table.
fn file_offset(image: &[u8], header: usize, address: usize) -> Result<usize> {
    let sections = usize::from(u16::try_from(word(image, header + 6)? & 0xffff)?);
    let optional_size = usize::from(u16::try_from(word(image, header + 20)? & 0xffff)?);
    let table = header + COFF_HEADER + optional_size;
    for section in (0..sections).map(|index| table + index * 40) {
        let (start, size, raw) =
            (offset(image, section + 12)?, offset(image, section + 16)?, offset(image, section + 20)?);
        if (start..start + size).contains(&address) {
            return Ok(raw + address - start);
        }
    }
    bail!("address {address:#x} is in no section")
}

fn word(image: &[u8], at: usize) -> Result<u32> {
    let bytes = image.get(at..at + 4).with_context(|| format!("the image ends before {at:#x}"))?;
    Ok(u32::from_le_bytes(bytes.try_into()?))
}

fn offset(image: &[u8], at: usize) -> Result<usize> {
    Ok(usize::try_from(word(image, at)?)?)
}

/// The check sum of an image whose own field holds zero: the end-around-carry sum of its 16-bit words,
/// plus its length, as `CheckSumMappedFile` computes it.
fn check_sum(image: &[u8]) -> u32 {
    let sum = image.chunks(2).fold(0_u32, |sum, pair| {
        let word = u32::from(pair[0]) | u32::from(pair.get(1).copied().unwrap_or(0)) << 8;
        let sum = sum + word;
        (sum & 0xffff) + (sum >> 16)
    });
    sum.wrapping_add(u32::try_from(image.len()).unwrap_or(u32::MAX))
}

/// Replaces the only occurrence of `old`.
fn replace_once(bytes: &mut [u8], old: &[u8], new: &[u8]) -> Result<()> {
    let mut found =
        bytes.windows(old.len()).enumerate().filter(|(_, window)| *window == old).map(|(at, _)| at);
    let (Some(at), None) = (found.next(), found.next()) else { bail!("not found exactly once") };
    bytes[at..at + old.len()].copy_from_slice(new);
    Ok(())
}

/// The SHA-256 of some bytes, in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digits =
        |byte: u8| [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]));
    Sha256::digest(bytes).iter().copied().flat_map(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID_AT: usize = 0x244;

    /// The least image that has a CodeView record: one section at 0x1000, in the file at 0x200.
    fn image(time: u32, guid: [u8; 16]) -> Vec<u8> {
        let mut image = vec![0; 0x301];
        let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
        put(E_LFANEW, &[0x80]);
        put(0x80, b"PE\0\0");
        put(0x86, &[1]);
        put(0x88, &time.to_le_bytes());
        put(0x94, &[240]);
        put(0x98, &[0x0b, 0x02]);
        put(0x98 + DATA_DIRECTORIES + DEBUG * 8, &[0, 0x10, 0, 0, 28]);
        let section = 0x98 + 240;
        put(section + 12, &0x1000_u32.to_le_bytes());
        put(section + 16, &0x100_u32.to_le_bytes());
        put(section + 20, &0x200_u32.to_le_bytes());
        put(0x204, &time.to_le_bytes());
        put(0x20c, &CODEVIEW.to_le_bytes());
        put(0x218, &0x240_u32.to_le_bytes());
        put(0x240, b"RSDS");
        put(GUID_AT, &guid);
        image
    }

    #[test]
    fn images_that_differ_in_stamps_alone_become_equal() {
        let (mut a, mut b) = (image(1, [7; 16]), image(2, [8; 16]));
        let mut pdb = [vec![0; 5], vec![7; 16], vec![1]].concat();
        stamp(&mut a, &mut pdb).unwrap();
        stamp(&mut b, &mut [8; 16]).unwrap();
        assert_eq!(a, b);
        assert_eq!(a[GUID_AT..GUID_AT + 16], pdb[5..21]);
        assert_eq!(a[0x88..0x8c], a[0x204..0x208]);
        let mut other = image(1, [7; 16]);
        other[0x2ff] = 1;
        stamp(&mut other, &mut [7; 16]).unwrap();
        assert_ne!(a[GUID_AT..GUID_AT + 16], other[GUID_AT..GUID_AT + 16]);
    }

    #[test]
    fn the_check_sum_carries_around() {
        assert_eq!(check_sum(&[0xff, 0xff, 0x02, 0x00]), 2 + 4);
        assert_eq!(check_sum(&[0x01, 0x02, 0x03]), 0x0204 + 3);
    }

    #[test]
    fn what_is_no_image_of_the_kind_is_refused() {
        assert!(stamp(&mut [], &mut []).is_err());
        assert!(stamp(&mut image(1, [7; 16]), &mut [0; 16]).is_err(), "another image's PDB");
        let mut no_record = image(1, [7; 16]);
        no_record[0x240] = 0;
        assert!(stamp(&mut no_record, &mut [7; 16]).is_err());
        let whole = image(1, [7; 16]);
        for length in 0..0x254 {
            assert!(stamp(&mut whole[..length].to_vec(), &mut [7; 16]).is_err(), "{length:#x}");
        }
    }

    #[test]
    fn hashes_are_in_hexadecimal() {
        assert!(sha256(b"").starts_with("e3b0c44298fc1c14"));
    }
}
