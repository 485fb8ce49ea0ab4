//! The functions of an x86-64 image: what stack each takes, and whom it calls.
//!
//! Where functions begin and end is in the exception directory; functions without an entry there are leaves, which
//! take no stack and call nobody ("x64 stack usage", "Function types"). What is not as the calling convention has it
//! is a fault, since it would make the numbers wrong.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use iced_x86::{Code as Op, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};

use crate::pe::{Image, Import, Machine, RuntimeFunction};
use crate::symbols::Symbols;
use crate::unwind::Unwind;

/// Bytes of a return address, which is on the stack before a function's first instruction.
pub const RETURN_ADDRESS: u32 = 8;

/// A function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Function {
    /// Bytes of stack that it takes, its return address among them.
    pub frame: u32,
    /// Those that it calls.
    pub calls: BTreeSet<u32>,
    /// Those that it goes on with when its own frame is gone.
    pub tails: BTreeSet<u32>,
    /// What it calls, or goes on with, outside of the image.
    pub imports: BTreeSet<Import>,
}

/// All functions of an image.
#[derive(Clone, Debug, Default)]
pub struct Code {
    /// By the RVA of their beginning.
    pub functions: BTreeMap<u32, Function>,
    /// Those whose address is taken: what others, NDIS among them, call by a pointer.
    pub pointed_to: BTreeSet<u32>,
    /// What could not be understood.
    pub faults: Vec<String>,
}

impl Code {
    /// Reads all code that can be reached from the entry point, the exception directory and pointers.
    pub fn read(image: &Image, symbols: &Symbols) -> Result<Self> {
        ensure!(image.machine == Machine::X64, "the stack is read from x86-64 images only");
        let mut reader = Reader::new(image, symbols)?;
        reader.point_to(image.entry);
        for &rva in image.pointers.iter().filter(|&&rva| image.is_code(rva)) {
            reader.point_to(rva);
        }
        while let Some(start) = reader.queue.pop_first() {
            reader.function(start);
        }
        Ok(reader.code)
    }
}

/// A contiguous piece of a function.
#[derive(Clone, Copy, Debug)]
struct Part {
    begin: u32,
    end: u32,
    /// What its own prologue takes, and how long that is.
    taken: u32,
    prologue: u32,
}

impl Part {
    fn contains(&self, rva: u32) -> bool {
        (self.begin..self.end).contains(&rva)
    }
}

struct Reader<'a> {
    image: &'a Image,
    symbols: &'a Symbols,
    /// Where something begins, a leaf's end among them.
    borders: BTreeSet<u32>,
    /// The parts of each function of the exception directory, and what they take together.
    parts: BTreeMap<u32, (Vec<Part>, u32)>,
    /// To be read yet.
    queue: BTreeSet<u32>,
    code: Code,
}

impl<'a> Reader<'a> {
    fn new(image: &'a Image, symbols: &'a Symbols) -> Result<Self> {
        let mut parts = BTreeMap::<u32, (Vec<Part>, u32)>::new();
        for &RuntimeFunction { begin, end, unwind } in &image.functions {
            let (whole, first) = Unwind::whole(image, RuntimeFunction { begin, end, unwind })?;
            let own = Unwind::read(image, unwind)?;
            let (list, frame) = parts.entry(first.begin).or_default();
            list.push(Part { begin, end, taken: own.taken, prologue: own.prologue });
            *frame = whole.max(*frame);
        }
        let borders = image.functions.iter().map(|function| function.begin).chain(symbols.places());
        let sections =
            image.sections.iter().map(|section| section.start.saturating_add(length(&section.bytes)));
        let borders = borders.chain(sections).collect();
        let queue = parts.keys().copied().collect();
        Ok(Self { image, symbols, borders, parts, queue, code: Code::default() })
    }

    fn fault(&mut self, function: u32, at: u64, what: &str) {
        let name = self.symbols.name(function);
        self.code.faults.push(format!("{name}, at {at:#x}: {what}"));
    }

    /// The beginning of the function to which an address belongs, whether known before or a leaf found now.
    fn enter(&mut self, rva: u32) -> bool {
        if !self.code.functions.contains_key(&rva) {
            let inside = |parts: &[Part]| parts.iter().any(|part| part.contains(rva));
            if !self.parts.contains_key(&rva) && self.parts.values().any(|(parts, _)| inside(parts)) {
                return false;
            }
            self.queue.insert(rva);
        }
        true
    }

    fn point_to(&mut self, rva: u32) {
        if self.enter(rva) {
            self.code.pointed_to.insert(rva);
        } else {
            self.fault(rva, rva.into(), "pointed to, and no beginning of a function");
        }
    }

    fn function(&mut self, start: u32) {
        let (parts, taken) = self.parts.get(&start).cloned().unwrap_or_else(|| {
            let end = self.borders.range(start + 1..).next().copied().unwrap_or(start);
            (vec![Part { begin: start, end, taken: 0, prologue: 0 }], 0)
        });
        let mut function = Function { frame: taken.saturating_add(RETURN_ADDRESS), ..Function::default() };
        // Before it is read: it may go on with itself.
        self.code.functions.insert(start, Function::default());
        let body = Body::read(self.image, &parts);
        for part in &parts {
            self.prologue(start, part, &body);
        }
        for (index, instruction) in body.instructions.iter().enumerate() {
            self.flow(start, &mut function, &parts, &body, index, instruction);
        }
        self.code.functions.insert(start, function);
    }

    /// Compares what the instructions of a part do to the stack with what its unwind information says.
    fn prologue(&mut self, start: u32, part: &Part, body: &Body) {
        let (mut taken, mut constant) = (0_u32, None);
        for instruction in body.instructions.iter().filter(|it| part.contains(rva_of(it.ip()))) {
            let at = instruction.ip();
            let in_prologue = rva_of(at) < part.begin.saturating_add(part.prologue);
            let growth = match growth(instruction, constant) {
                Growth::None => continue,
                Growth::Constant(value) => {
                    constant = Some(value);
                    continue;
                }
                Growth::Bytes(bytes) => bytes,
                Growth::Unknown => {
                    self.fault(start, at, "takes stack by a number that is not in the code");
                    continue;
                }
            };
            if in_prologue {
                taken = taken.saturating_add(growth);
            } else {
                self.fault(start, at, "takes stack outside of its prologue");
            }
        }
        if taken != part.taken {
            let what = format!("takes {taken} bytes, and its unwind information says {}", part.taken);
            self.fault(start, part.begin.into(), &what);
        }
    }

    /// Whom an instruction calls or goes on with.
    fn flow(
        &mut self,
        start: u32,
        function: &mut Function,
        parts: &[Part],
        body: &Body,
        index: usize,
        instruction: &Instruction,
    ) {
        let at = instruction.ip();
        if let Some(rva) = address_of_code(self.image, instruction) {
            self.point_to(rva);
        }
        match instruction.flow_control() {
            FlowControl::Call | FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch => {
                let Some(target) = near_target(instruction) else {
                    return self.fault(start, at, "branches out of the image");
                };
                let call = instruction.flow_control() == FlowControl::Call;
                if !call && parts.iter().any(|part| part.contains(target)) {
                    return;
                }
                if !self.image.is_code(target) || !self.enter(target) {
                    return self.fault(start, at, "branches into the middle of another function");
                }
                // A branch that leaves the function before its epilogue keeps the frame, as a call does.
                let gone = function.frame == RETURN_ADDRESS || body.follows_epilogue(index);
                if call || !gone {
                    function.calls.insert(target);
                } else {
                    function.tails.insert(target);
                }
                if call && !self.parts.contains_key(&start) {
                    self.fault(start, at, "calls, and has no unwind information");
                }
            }
            FlowControl::IndirectCall | FlowControl::IndirectBranch => {
                if let Some(import) = self.import(instruction) {
                    function.imports.insert(import);
                } else if instruction.flow_control() == FlowControl::IndirectCall {
                    self.fault(start, at, "calls by a pointer");
                } else if !body.is_switch(self.image, parts, index) {
                    self.fault(start, at, "branches by a pointer");
                }
            }
            _ => {}
        }
    }

    /// The import that an instruction calls or jumps to through the import address table.
    fn import(&self, instruction: &Instruction) -> Option<Import> {
        let slot = instruction.is_ip_rel_memory_operand().then(|| instruction.ip_rel_memory_address())?;
        self.image.imports.get(&u32::try_from(slot).ok()?).cloned()
    }
}

/// The instructions of a function. Their addresses are RVAs.
struct Body {
    instructions: Vec<Instruction>,
}

impl Body {
    fn read(image: &Image, parts: &[Part]) -> Self {
        let mut instructions = Vec::new();
        for part in parts {
            let bytes = image.read(part.begin, part.end.saturating_sub(part.begin)).unwrap_or_default();
            let decoder = Decoder::with_ip(64, bytes, part.begin.into(), DecoderOptions::NONE);
            // The linker fills gaps with INT3.
            instructions.extend(decoder.into_iter().filter(|it| it.mnemonic() != Mnemonic::Int3));
        }
        Self { instructions }
    }

    /// Whether the instruction before gives back stack: an epilogue ends in pops or an addition, and a return or jump.
    fn follows_epilogue(&self, index: usize) -> bool {
        let Some(before) = index.checked_sub(1).and_then(|before| self.instructions.get(before)) else {
            return false;
        };
        before.mnemonic() == Mnemonic::Pop
            || (matches!(before.mnemonic(), Mnemonic::Add | Mnemonic::Lea)
                && before.op0_register() == Register::RSP)
    }

    /// Whether a jump goes to a place of the same function that a table says: the number from the table is added to
    /// the table's own address, which the function has loaded.
    fn is_switch(&self, image: &Image, parts: &[Part], index: usize) -> bool {
        /// Instructions between the load of the number and the jump.
        const NEAR: usize = 8;
        let target = self.instructions[index].op0_register();
        let before = &self.instructions[index.saturating_sub(NEAR)..index];
        let sum = before.iter().any(|it| it.mnemonic() == Mnemonic::Add && it.op0_register() == target);
        let number =
            before.iter().any(|it| it.mnemonic() == Mnemonic::Movsxd && it.memory_index_scale() == 4);
        let mut tables = self.instructions.iter().filter(|it| it.mnemonic() == Mnemonic::Lea);
        let inside = |table: &Instruction| {
            let table = u32::try_from(table.ip_rel_memory_address()).ok()?;
            let place = table.wrapping_add(image.word(table)?);
            Some(!image.is_code(table) && parts.iter().any(|part| part.contains(place)))
        };
        sum && number && tables.any(|it| it.is_ip_rel_memory_operand() && inside(it) == Some(true))
    }
}

/// What an instruction does to the stack pointer, downwards.
enum Growth {
    None,
    /// Nothing, but it loads a number that may be taken off.
    Constant(u32),
    Bytes(u32),
    Unknown,
}

fn growth(instruction: &Instruction, constant: Option<u32>) -> Growth {
    let on_stack = instruction.op0_kind() == OpKind::Register && instruction.op0_register() == Register::RSP;
    match instruction.mnemonic() {
        Mnemonic::Push => Growth::Bytes(8),
        Mnemonic::Sub if on_stack => match instruction.op1_kind() {
            OpKind::Register if matches!(instruction.op1_register(), Register::RAX | Register::EAX) => {
                constant.map_or(Growth::Unknown, Growth::Bytes)
            }
            OpKind::Register | OpKind::Memory => Growth::Unknown,
            _ => u32::try_from(instruction.immediate(1)).map_or(Growth::Unknown, Growth::Bytes),
        },
        // `mov eax, size` before a call of `__chkstk`.
        Mnemonic::Mov if instruction.code() == Op::Mov_r32_imm32 => match instruction.op0_register() {
            Register::EAX => Growth::Constant(instruction.immediate32()),
            _ => Growth::None,
        },
        // The epilogue gives back. What does so by a register is `lea rsp, [rbp + n]` with a frame pointer.
        Mnemonic::Add if on_stack => match u32::try_from(instruction.immediate(1)) {
            Ok(_) => Growth::None,
            Err(_) => Growth::Unknown,
        },
        Mnemonic::Lea if on_stack && instruction.memory_base() == Register::RBP => Growth::None,
        Mnemonic::Enter => Growth::Unknown,
        Mnemonic::Cmp | Mnemonic::Test => Growth::None,
        _ if on_stack => Growth::Unknown,
        _ => Growth::None,
    }
}

/// Code whose address an instruction loads.
fn address_of_code(image: &Image, instruction: &Instruction) -> Option<u32> {
    let loads = instruction.mnemonic() == Mnemonic::Lea && instruction.is_ip_rel_memory_operand();
    let rva = u32::try_from(loads.then(|| instruction.ip_rel_memory_address())?).ok()?;
    image.is_code(rva).then_some(rva)
}

fn near_target(instruction: &Instruction) -> Option<u32> {
    u32::try_from(instruction.near_branch_target()).ok()
}

#[expect(clippy::cast_possible_truncation, reason = "decoded at an RVA")]
fn rva_of(ip: u64) -> u32 {
    ip as u32
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
