//! Small images put together by hand: bytes of code, unwind information and names.

use std::collections::BTreeMap;

use driver_image::pe::{Image, Import, Machine, RuntimeFunction, Section};
use driver_image::stack::Report;
use driver_image::symbols::Symbols;

/// Where the code is, and the data, unwind information first.
pub(crate) const CODE: u32 = 0x1000;
pub(crate) const DATA: u32 = 0x8000;
/// Slots of the import address table.
pub(crate) const PROBE_SLOT: u32 = 0x9000;
pub(crate) const SLEEP_SLOT: u32 = 0x9008;

/// An image that grows function by function.
pub(crate) struct Builder {
    code: Vec<u8>,
    data: Vec<u8>,
    functions: Vec<RuntimeFunction>,
    pointers: Vec<u32>,
    symbols: Symbols,
}

impl Builder {
    pub(crate) fn new() -> Self {
        let (code, data, functions, pointers) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { code, data, functions, pointers, symbols: Symbols::default() }
    }

    /// Where the next function begins.
    pub(crate) fn next(&self) -> u32 {
        CODE + u32::try_from(self.code.len()).unwrap()
    }

    fn place(&mut self, name: &str, code: &[u8]) -> (u32, u32) {
        let begin = self.next();
        self.code.extend_from_slice(code);
        let end = self.next();
        while !self.code.len().is_multiple_of(16) {
            self.code.push(0xcc);
        }
        if !name.is_empty() {
            self.symbols.add(begin, name);
        }
        (begin, end)
    }

    /// A function without unwind information.
    pub(crate) fn leaf(&mut self, name: &str, code: &[u8]) -> u32 {
        self.place(name, code).0
    }

    /// A function with unwind information: the length of its prologue, and its unwind codes, each with the places of
    /// its operands.
    pub(crate) fn function(&mut self, name: &str, code: &[u8], prologue: u8, codes: &[u16]) -> u32 {
        let (begin, end) = self.place(name, code);
        let unwind = self.unwind(0, prologue, codes, None);
        self.functions.push(RuntimeFunction { begin, end, unwind });
        begin
    }

    /// A piece of the function that was made last.
    pub(crate) fn chained(&mut self, code: &[u8], prologue: u8, codes: &[u16]) -> u32 {
        let parent = *self.functions.last().unwrap();
        let (begin, end) = self.place("", code);
        let unwind = self.unwind(4, prologue, codes, Some(parent));
        self.functions.push(RuntimeFunction { begin, end, unwind });
        begin
    }

    fn unwind(&mut self, flags: u8, prologue: u8, codes: &[u16], parent: Option<RuntimeFunction>) -> u32 {
        let rva = DATA + u32::try_from(self.data.len()).unwrap();
        self.data.extend([1 | flags << 3, prologue, u8::try_from(codes.len()).unwrap(), 0]);
        self.data.extend(codes.iter().flat_map(|code| code.to_le_bytes()));
        self.data.resize(self.data.len().next_multiple_of(4), 0);
        if let Some(RuntimeFunction { begin, end, unwind }) = parent {
            self.data.extend([begin, end, unwind].iter().flat_map(|word| word.to_le_bytes()));
        }
        rva
    }

    /// Words of data: a jump table.
    pub(crate) fn table(&mut self, words: impl Fn(u32) -> Vec<u32>) -> u32 {
        let rva = DATA + u32::try_from(self.data.len()).unwrap();
        self.data.extend(words(rva).iter().flat_map(|word| word.to_le_bytes()));
        rva
    }

    /// The image's data points to a function.
    pub(crate) fn point_to(&mut self, rva: u32) {
        self.pointers.push(rva);
    }

    /// Calls into the next function: `call rva`, placed `at` bytes from its beginning.
    pub(crate) fn call(&self, at: u32, to: u32) -> [u8; 5] {
        self.near(0xe8, at, to)
    }

    /// `jmp rva`.
    pub(crate) fn jump(&self, at: u32, to: u32) -> [u8; 5] {
        self.near(0xe9, at, to)
    }

    /// `call [rip + slot]`.
    pub(crate) fn call_import(&self, at: u32, slot: u32) -> [u8; 6] {
        let [a, b, c, d] = slot.wrapping_sub(self.next() + at + 6).to_le_bytes();
        [0xff, 0x15, a, b, c, d]
    }

    fn near(&self, opcode: u8, at: u32, to: u32) -> [u8; 5] {
        let [a, b, c, d] = to.wrapping_sub(self.next() + at + 5).to_le_bytes();
        [opcode, a, b, c, d]
    }

    /// The image, which is entered at `entry`.
    pub(crate) fn image(&self, entry: u32) -> Image {
        let section =
            |start, bytes: &Vec<u8>, executable| Section { start, bytes: bytes.clone(), executable };
        let import = |name: &str| Import { module: "ntoskrnl.exe".to_owned(), name: name.to_owned() };
        Image {
            machine: Machine::X64,
            base: 0x1_8000_0000,
            entry,
            sections: vec![section(CODE, &self.code, true), section(DATA, &self.data, false)],
            functions: self.functions.clone(),
            imports: BTreeMap::from([(PROBE_SLOT, import("__chkstk")), (SLEEP_SLOT, import("NdisMSleep"))]),
            pointers: self.pointers.clone(),
        }
    }

    /// What is found in it.
    pub(crate) fn report(&self, entry: u32) -> Report {
        Report::of(&self.image(entry), &self.symbols).unwrap()
    }
}

/// Bytes from an entry point down.
pub(crate) fn depth(report: &Report, entry: &str) -> u32 {
    report.entries.iter().find(|path| path.frames[0].name == entry).expect("an entry point").bytes
}

/// The frame of a function.
pub(crate) fn frame(report: &Report, name: &str) -> u32 {
    report.frames.iter().find(|frame| frame.name == name).expect("a function").bytes
}

/// The names along the deepest path of an entry point.
pub(crate) fn path<'a>(report: &'a Report, entry: &str) -> Vec<&'a str> {
    let path = report.entries.iter().find(|path| path.frames[0].name == entry).expect("an entry point");
    path.frames.iter().map(|frame| frame.name.as_str()).collect()
}
