//! Writes a small driver by hand: what a linker would make of four functions, one import and one pointer.

/// What can be wrong with the driver.
#[derive(Clone, Copy, Default)]
pub(super) struct Options {
    pub(super) machine: Option<u16>,
    pub(super) writable_code: bool,
    pub(super) import: Option<&'static str>,
}

/// Calls the import with 7 and returns its result.
pub(super) const ENTRY: usize = 0x1000;
/// Returns what the relocated pointer points to.
pub(super) const FOLLOW: usize = 0x1020;
/// Writes to read-only data.
pub(super) const SPOIL: usize = 0x1030;
/// Jumps into data.
pub(super) const STRAY: usize = 0x1040;

/// What the linker's map says of it.
pub(super) const MAP: &str = "
 test

 Timestamp is 0 (Thu Jan  1 00:00:00 1970)

 Preferred load address is 0000000140000000

 Start         Length     Name                   Class
 0001:00000000 00000060H .text                   CODE

  Address         Publics by Value              Rva+Base               Lib:Object

 0001:00000000       DriverEntry                0000000140001000     test.obj
 0001:00000020       _RNvCs1234_4test6follow    0000000140001020     test.obj
 0001:00000030       spoil                      0000000140001030     test.obj
 0001:00000040       stray                      0000000140001040     test.obj
 0003:00000000       POINTER                    0000000140003000     test.obj

 entry point at         0001:00000000

 Static symbols
";

const BASE: u64 = 0x1_4000_0000;
const TEXT: u32 = 0x6000_0020;
const RDATA: u32 = 0x4000_0040;
const DATA: u32 = 0xC000_0040;
const SLOT: usize = 0x2040;
const VALUE: usize = 0x2080;
const POINTER: usize = 0x3000;

struct Bytes(Vec<u8>);

impl Bytes {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        self.0.resize(self.0.len().max(end), 0);
        self.0[at..end].copy_from_slice(bytes);
    }

    fn u16(&mut self, at: usize, value: u16) {
        self.put(at, &value.to_le_bytes());
    }

    fn u32(&mut self, at: usize, value: usize) {
        self.put(at, &u32::try_from(value).expect("32 bits").to_le_bytes());
    }

    fn u64(&mut self, at: usize, value: u64) {
        self.put(at, &value.to_le_bytes());
    }

    /// Code at `rva` of the first section: `before`, the distance to `target`, `after`.
    fn code(&mut self, rva: usize, before: &[u8], target: usize, after: &[u8]) {
        let at = rva - 0x1000 + 0x400;
        self.put(at, before);
        let place = at + before.len();
        self.u32(place, target - (rva + before.len() + 4));
        self.put(place + 4, after);
    }
}

/// The driver's file.
pub(super) fn driver(options: Options) -> Vec<u8> {
    let mut file = Bytes(vec![0; 0xC00]);
    headers(&mut file, options);
    // sub rsp, 40; mov ecx, 7; call [slot]; add rsp, 40; ret
    let before = [0x48, 0x83, 0xEC, 0x28, 0xB9, 7, 0, 0, 0, 0xFF, 0x15];
    file.code(ENTRY, &before, SLOT, &[0x48, 0x83, 0xC4, 0x28, 0xC3]);
    // mov rax, [pointer]; mov eax, [rax]; ret
    file.code(FOLLOW, &[0x48, 0x8B, 0x05], POINTER, &[0x8B, 0x00, 0xC3]);
    // mov [value], ecx; ret
    file.code(SPOIL, &[0x89, 0x0D], VALUE, &[0xC3]);
    // lea rax, [pointer]; jmp rax
    file.code(STRAY, &[0x48, 0x8D, 0x05], POINTER, &[0xFF, 0xE0]);
    imports(&mut file, options.import.unwrap_or("Probe"));
    file.u32(0x600 + VALUE - 0x2000, 0x1234_5678);
    file.u64(0x800, BASE + VALUE as u64);
    // One block of relocations: the page, its length, a 64-bit relocation at offset 0, and padding.
    file.u32(0xA00, POINTER);
    file.u32(0xA04, 12);
    file.u16(0xA08, 0xA000);
    file.0
}

fn headers(file: &mut Bytes, options: Options) {
    file.put(0, b"MZ");
    file.u32(0x3C, 0x40);
    file.put(0x40, b"PE\0\0");
    file.u16(0x44, options.machine.unwrap_or(0x8664));
    file.u16(0x46, 4);
    file.u16(0x54, 0xF0);
    file.u16(0x56, 0x22);
    let optional = 0x58;
    file.u16(optional, 0x20B);
    file.u32(optional + 16, ENTRY);
    file.u64(optional + 24, BASE);
    file.u32(optional + 32, 0x1000);
    file.u32(optional + 36, 0x200);
    file.u32(optional + 56, 0x5000);
    file.u32(optional + 60, 0x400);
    file.u32(optional + 108, 16);
    // Import directory and base relocations.
    file.u32(optional + 112 + 8, 0x2000);
    file.u32(optional + 112 + 12, 40);
    file.u32(optional + 112 + 40, 0x4000);
    file.u32(optional + 112 + 44, 12);
    let text = if options.writable_code { TEXT | 0x8000_0000 } else { TEXT };
    let sections: [(&[u8], usize, u32); 4] = [
        (b".text", 0x400, text),
        (b".rdata", 0x600, RDATA),
        (b".data", 0x800, DATA),
        (b".reloc", 0xA00, RDATA),
    ];
    for (index, (name, offset, flags)) in sections.into_iter().enumerate() {
        let at = optional + 0xF0 + 40 * index;
        file.put(at, name);
        file.u32(at + 8, 0x200);
        file.u32(at + 12, 0x1000 * (index + 1));
        file.u32(at + 16, 0x200);
        file.u32(at + 20, offset);
        file.u32(at + 36, flags as usize);
    }
}

/// One descriptor: names at 0x2030, slots at 0x2040, the module's name at 0x2050, the hint and name at 0x2060.
fn imports(file: &mut Bytes, name: &str) {
    let rdata = 0x600;
    file.u32(rdata, 0x2030);
    file.u32(rdata + 12, 0x2050);
    file.u32(rdata + 16, SLOT);
    file.u64(rdata + 0x30, 0x2060);
    file.u64(rdata + 0x40, 0x2060);
    file.put(rdata + 0x50, b"ntoskrnl.EXE\0");
    file.put(rdata + 0x62, name.as_bytes());
}
