//! How much stack the prologue of a function takes, as its unwind information says it.
//!
//! Source: "x64 exception handling", `UNWIND_INFO` and `UNWIND_CODE` (learn.microsoft.com, C++ build reference).

use anyhow::{Context as _, Result, bail, ensure};

use crate::pe::{Image, RuntimeFunction};

/// `UNW_FLAG_CHAININFO`: the function goes on in another entry, whose prologue came before.
const CHAIN_INFO: u8 = 4;
/// More parts than a function can have: a chain that leads back to itself.
const LONGEST_CHAIN: usize = 16;

/// What a function's unwind information says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwind {
    /// Bytes that the prologue takes, the return address not among them.
    pub taken: u32,
    /// Bytes of code of the prologue.
    pub prologue: u32,
    /// The entry that this one continues.
    pub parent: Option<RuntimeFunction>,
}

impl Unwind {
    /// Reads the information at an RVA.
    pub fn read(image: &Image, rva: u32) -> Result<Self> {
        let head = image.read(rva, 4).context("unwind information outside the image")?;
        let (version, flags, prologue, count) = (head[0] & 7, head[0] >> 3, head[1], u32::from(head[2]));
        ensure!(matches!(version, 1 | 2), "unwind information of version {version}");
        let codes = image.read(rva + 4, count * 2).context("unwind codes outside the image")?;
        let codes: Vec<_> =
            codes.chunks_exact(2).map(|code| u16::from_le_bytes([code[0], code[1]])).collect();
        let parent = if flags & CHAIN_INFO == 0 {
            None
        } else {
            let size = u32::try_from(RuntimeFunction::SIZE)?;
            let entry = image.read(rva + 4 + count.next_multiple_of(2) * 2, size);
            Some(entry.and_then(RuntimeFunction::read).context("a chain that leaves the image")?)
        };
        Ok(Self { taken: taken(&codes)?, prologue: prologue.into(), parent })
    }

    /// What a part of a function and all that it continues take together, and the entry that is continued.
    pub fn whole(image: &Image, part: RuntimeFunction) -> Result<(u32, RuntimeFunction)> {
        let (mut sum, mut part) = (0_u32, part);
        for _ in 0..LONGEST_CHAIN {
            let unwind = Self::read(image, part.unwind)?;
            sum = sum.checked_add(unwind.taken).context("a frame of more than 4 GiB")?;
            match unwind.parent {
                Some(parent) => part = parent,
                None => return Ok((sum, part)),
            }
        }
        bail!("the unwind information of the function at {:#x} is chained to itself", part.begin)
    }
}

/// The sum of what the codes take.
fn taken(codes: &[u16]) -> Result<u32> {
    let mut sum = 0_u32;
    let mut rest = codes;
    while let [code, behind @ ..] = rest {
        let (operation, info) = ((code >> 8) & 15, u32::from(code >> 12));
        let slot = |index: usize| behind.get(index).map(|&slot| u32::from(slot)).context("a code is cut off");
        let (bytes, slots) = match operation {
            // UWOP_PUSH_NONVOL
            0 => (8, 0),
            // UWOP_ALLOC_LARGE
            1 if info == 0 => (slot(0)?.checked_mul(8).context("no size")?, 1),
            1 => (slot(0)? | slot(1)? << 16, 2),
            // UWOP_ALLOC_SMALL
            2 => (info * 8 + 8, 0),
            // UWOP_SET_FPREG; UWOP_EPILOG (version 2)
            3 | 6 => (0, 0),
            // UWOP_SAVE_NONVOL, UWOP_SAVE_XMM128
            4 | 8 => (0, 1),
            // UWOP_SAVE_NONVOL_FAR, UWOP_SAVE_XMM128_FAR
            5 | 9 => (0, 2),
            // UWOP_PUSH_MACHFRAME: SS, RSP, EFLAGS, CS and RIP, and an error code
            10 => (40 + 8 * (info & 1), 0),
            other => bail!("unwind code {other}"),
        };
        sum = sum.checked_add(bytes).context("a frame of more than 4 GiB")?;
        rest = behind.get(slots..).context("a code is cut off")?;
    }
    Ok(sum)
}
