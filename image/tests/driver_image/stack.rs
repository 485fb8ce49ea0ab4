//! What the stack report says of small functions written down byte by byte.

use crate::common::{Builder, CODE, DATA, PROBE_SLOT, SLEEP_SLOT, depth, frame, path};
use driver_image::pe::Machine;
use driver_image::stack::Report;
use driver_image::symbols::Symbols;

/// `ret`, and one byte prologues and epilogues.
const RET: u8 = 0xc3;
const PUSH_RBX: u8 = 0x53;
const POP_RBX: u8 = 0x5b;

/// `UWOP_PUSH_NONVOL rbx`, `UWOP_ALLOC_SMALL` and the two forms of `UWOP_ALLOC_LARGE`, at a place in the prologue.
fn pushed(at: u16) -> u16 {
    at | 3 << 12
}

fn small(at: u16, bytes: u16) -> u16 {
    at | 2 << 8 | (bytes / 8 - 1) << 12
}

fn large(at: u16, bytes: u32) -> [u16; 2] {
    [at | 1 << 8, u16::try_from(bytes / 8).unwrap()]
}

fn huge(at: u16, bytes: u32) -> [u16; 3] {
    [at | 1 << 8 | 1 << 12, (bytes & 0xffff) as u16, (bytes >> 16) as u16]
}

/// `sub rsp, n` and `add rsp, n`, of seven bytes each.
fn sub(bytes: u32) -> Vec<u8> {
    [[0x48, 0x81, 0xec].as_slice(), &bytes.to_le_bytes()].concat()
}

fn add(bytes: u32) -> Vec<u8> {
    [[0x48, 0x81, 0xc4].as_slice(), &bytes.to_le_bytes()].concat()
}

/// A function of `bytes` bytes, return address not counted, that calls another.
fn caller(builder: &mut Builder, name: &str, bytes: u32, callee: u32) -> u32 {
    let call = builder.call(7, callee);
    let code = [sub(bytes).as_slice(), &call, &add(bytes), &[RET]].concat();
    builder.function(name, &code, 7, &large(7, bytes))
}

#[test]
fn pushes_and_subtractions_add_up() {
    let mut builder = Builder::new();
    let code = [0x53, 0x48, 0x83, 0xec, 0x28, 0x48, 0x83, 0xc4, 0x28, POP_RBX, RET];
    let entry = builder.function("entry", &code, 5, &[small(5, 0x28), pushed(1)]);
    let report = builder.report(entry);
    // The return address, rbx, 40 bytes.
    assert_eq!(frame(&report, "entry"), 8 + 8 + 0x28);
    assert_eq!(depth(&report, "entry"), 0x38);
    assert!(report.faults.is_empty(), "{:?}", report.faults);
}

#[test]
fn calls_add_their_callees_frame() {
    let mut builder = Builder::new();
    let leaf = builder.leaf("leaf", &[RET]);
    let inner = caller(&mut builder, "inner", 0x100, leaf);
    let entry = caller(&mut builder, "entry", 0x200, inner);
    let report = builder.report(entry);
    assert_eq!(depth(&report, "entry"), 0x208 + 0x108 + 8);
    assert_eq!(path(&report, "entry"), ["entry", "inner", "leaf"]);
    assert!(report.faults.is_empty(), "{:?}", report.faults);
}

#[test]
fn a_tail_call_replaces_its_callers_frame() {
    let mut builder = Builder::new();
    let leaf = builder.leaf("leaf", &[RET]);
    let target = caller(&mut builder, "target", 0x300, leaf);
    let code = |builder: &Builder| [&[PUSH_RBX, POP_RBX], builder.jump(2, target).as_slice()].concat();
    let bytes = code(&builder);
    let entry = builder.function("entry", &bytes, 1, &[pushed(1)]);
    let report = builder.report(entry);
    assert_eq!(depth(&report, "entry"), 0x308 + 8);
    // A jump that leaves before the epilogue keeps the frame.
    let bytes = [&[PUSH_RBX], builder.jump(1, target).as_slice()].concat();
    let entry = builder.function("hasty", &bytes, 1, &[pushed(1)]);
    assert_eq!(depth(&builder.report(entry), "hasty"), 16 + 0x308 + 8);
}

#[test]
fn a_frame_above_the_limit_is_a_fault() {
    for (bytes, faults) in [(1016, 0), (1024, 1)] {
        let mut builder = Builder::new();
        let code = [sub(bytes).as_slice(), &add(bytes), &[RET]].concat();
        let entry = builder.function("entry", &code, 7, &large(7, bytes));
        let report = builder.report(entry);
        assert_eq!(report.faults.len(), faults, "{:?}", report.faults);
    }
}

#[test]
fn a_path_above_the_limit_is_a_fault() {
    let mut builder = Builder::new();
    let mut at = builder.leaf("leaf", &[RET]);
    for name in ["d", "c", "b", "a"] {
        at = caller(&mut builder, name, 1008, at);
    }
    let report = builder.report(at);
    assert_eq!(depth(&report, "a"), 4 * 1016 + 8);
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    let entry = caller(&mut builder, "entry", 56, at);
    let faults = builder.report(entry).faults;
    assert_eq!(faults, ["from entry down it is 4136 bytes of 4096"]);
}

#[test]
fn a_probed_frame_is_counted_and_a_fault() {
    let mut builder = Builder::new();
    let size = 0x2000_u32;
    let mut code = [[0xb8].as_slice(), &size.to_le_bytes()].concat();
    code.extend(builder.call_import(5, PROBE_SLOT));
    // sub rsp, rax
    code.extend([0x48, 0x29, 0xc4]);
    code.extend(add(size));
    code.push(RET);
    let entry = builder.function("entry", &code, 14, &large(14, size));
    let report = builder.report(entry);
    assert_eq!(frame(&report, "entry"), size + 8);
    assert_eq!(report.faults.len(), 3, "{:?}", report.faults);
    assert!(report.faults.iter().any(|fault| fault.contains("probes the stack")));
}

#[test]
fn the_largest_allocations_have_a_code_of_their_own() {
    let mut builder = Builder::new();
    let size = 0x12_3458_u32;
    let code = [sub(size).as_slice(), &add(size), &[RET]].concat();
    let entry = builder.function("entry", &code, 7, &huge(7, size));
    assert_eq!(frame(&builder.report(entry), "entry"), size + 8);
}

#[test]
fn a_chained_part_takes_what_its_parent_took_and_more() {
    let mut builder = Builder::new();
    let leaf = builder.leaf("leaf", &[RET]);
    builder.function("entry", &[PUSH_RBX, 0x90], 1, &[pushed(1)]);
    let entry = builder.next() - 16;
    // The piece takes 0x100 more, calls, and has an epilogue for both.
    let call = builder.call(7, leaf);
    let code = [sub(0x100).as_slice(), &call, &add(0x100), &[POP_RBX, RET]].concat();
    builder.chained(&code, 7, &large(7, 0x100));
    let report = builder.report(entry);
    assert_eq!(frame(&report, "entry"), 8 + 8 + 0x100);
    assert_eq!(depth(&report, "entry"), 8 + 8 + 0x100 + 8);
    assert!(report.faults.is_empty(), "{:?}", report.faults);
}

#[test]
fn code_and_unwind_information_that_differ_are_a_fault() {
    let mut builder = Builder::new();
    let code = [sub(0x80).as_slice(), &add(0x80), &[RET]].concat();
    let entry = builder.function("entry", &code, 7, &large(7, 0x40));
    let faults = builder.report(entry).faults;
    assert!(faults[0].contains("takes 128 bytes, and its unwind information says 64"), "{faults:?}");
}

#[test]
fn stack_taken_later_is_a_fault() {
    let mut builder = Builder::new();
    let code = [[0x90].as_slice(), &sub(0x80), &add(0x80), &[RET]].concat();
    let entry = builder.function("entry", &code, 0, &[]);
    let faults = builder.report(entry).faults;
    assert!(faults[0].contains("outside of its prologue"), "{faults:?}");
    // `sub rsp, rcx`: as much as a caller likes.
    let entry = builder.function("alloca", &[0x48, 0x29, 0xcc, RET], 0, &[]);
    let faults = builder.report(entry).faults;
    assert!(faults.iter().any(|fault| fault.contains("by a number that is not in the code")), "{faults:?}");
}

#[test]
fn recursion_is_a_fault() {
    let mut builder = Builder::new();
    // Two functions of 16 bytes and more of code that call each other.
    let other = CODE + 32;
    let first = caller(&mut builder, "first", 0x20, other);
    let second = caller(&mut builder, "second", 0x20, first);
    assert_eq!(second, other);
    let faults = builder.report(first).faults;
    assert_eq!(faults, ["recursion: first > second"]);
    let mut builder = Builder::new();
    let itself = caller(&mut builder, "itself", 0x20, CODE);
    assert_eq!(builder.report(itself).faults, ["recursion: itself"]);
}

#[test]
fn a_loop_is_no_recursion() {
    let mut builder = Builder::new();
    // jmp to the function's own beginning
    let entry = builder.leaf("entry", &[0xeb, 0xfe]);
    let report = builder.report(entry);
    assert!(report.faults.is_empty(), "{:?}", report.faults);
}

#[test]
fn a_call_by_a_pointer_is_a_fault_and_one_of_an_import_is_none() {
    let mut builder = Builder::new();
    let call = builder.call_import(4, SLEEP_SLOT);
    let frame = [0x48, 0x83, 0xec, 0x28];
    let code = [frame.as_slice(), &call, &[0x48, 0x83, 0xc4, 0x28, RET]].concat();
    let entry = builder.function("entry", &code, 4, &[small(4, 0x28)]);
    let report = builder.report(entry);
    assert_eq!((depth(&report, "entry"), report.faults.len()), (0x30, 0), "{:?}", report.faults);
    // call rax; call [rax]; jmp rax
    for (instruction, what) in [([0xff, 0xd0], "calls"), ([0xff, 0x10], "calls"), ([0xff, 0xe0], "branches")]
    {
        let code = [frame.as_slice(), &instruction, &[0x48, 0x83, 0xc4, 0x28, RET]].concat();
        let entry = builder.function(what, &code, 4, &[small(4, 0x28)]);
        let faults = builder.report(entry).faults;
        assert!(faults.iter().any(|fault| fault.contains(&format!("{what} by a pointer"))), "{faults:?}");
    }
}

#[test]
fn a_switch_is_no_branch_by_a_pointer() {
    let mut builder = Builder::new();
    let body = builder.next();
    // The cases are the two returns at the end.
    let table = builder.table(|table| vec![(body + 16).wrapping_sub(table), (body + 17).wrapping_sub(table)]);
    let [a, b, c, d] = table.wrapping_sub(body + 7).to_le_bytes();
    // lea rax, [rip + table]; movsxd rcx, [rax + rcx*4]; add rcx, rax; jmp rcx
    let code = [0x48, 0x8d, 0x05, a, b, c, d, 0x48, 0x63, 0x0c, 0x88, 0x48, 0x01, 0xc1, 0xff, 0xe1, RET, RET];
    let entry = builder.leaf("entry", &code);
    let report = builder.report(entry);
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    // The same with a table that leads out of the function.
    let mut builder = Builder::new();
    builder.table(|table| vec![(body + 0x40).wrapping_sub(table)]);
    let entry = builder.leaf("entry", &code);
    assert!(builder.report(entry).faults[0].contains("branches by a pointer"));
}

#[test]
fn functions_that_are_pointed_to_are_entry_points() {
    let mut builder = Builder::new();
    let handler = builder.leaf("handler", &[RET]);
    let other = builder.leaf("other", &[RET]);
    builder.leaf("nobody", &[RET]);
    builder.point_to(handler);
    // lea rax, [rip + other]
    let [a, b, c, d] = other.wrapping_sub(builder.next() + 7).to_le_bytes();
    let entry = builder.leaf("DriverEntry", &[0x48, 0x8d, 0x05, a, b, c, d, RET]);
    let report = builder.report(entry);
    let mut names: Vec<_> = report.entries.iter().map(|path| path.frames[0].name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["DriverEntry", "handler", "other"]);
}

#[test]
fn a_function_without_unwind_information_must_be_a_leaf() {
    let mut builder = Builder::new();
    let leaf = builder.leaf("leaf", &[RET]);
    let call = builder.call(0, leaf);
    let entry = builder.leaf("entry", &[call.as_slice(), &[RET]].concat());
    let faults = builder.report(entry).faults;
    assert!(faults[0].contains("has no unwind information"), "{faults:?}");
}

#[test]
fn a_branch_into_the_middle_of_a_function_is_a_fault() {
    let mut builder = Builder::new();
    let code = [sub(0x80).as_slice(), &add(0x80), &[RET]].concat();
    let other = builder.function("other", &code, 7, &large(7, 0x80));
    let jump = builder.jump(0, other + 7);
    let entry = builder.leaf("entry", &jump);
    let faults = builder.report(entry).faults;
    assert!(faults[0].contains("into the middle"), "{faults:?}");
}

#[test]
fn broken_unwind_information_is_an_error() {
    let mut builder = Builder::new();
    let entry = builder.function("entry", &[RET], 0, &[1 << 8]);
    let error = Report::of(&builder.image(entry), &Symbols::default()).unwrap_err();
    assert!(error.to_string().contains("cut off"), "{error}");
    let mut builder = Builder::new();
    let entry = builder.function("entry", &[RET], 0, &[11 << 8]);
    assert!(Report::of(&builder.image(entry), &Symbols::default()).is_err());
    // Chained to itself.
    let mut builder = Builder::new();
    builder.function("entry", &[RET], 0, &[]);
    let entry = builder.chained(&[RET], 0, &[]);
    let mut image = builder.image(entry);
    let itself = image.functions[1];
    let at = (itself.unwind - DATA) as usize + 4;
    for (offset, word) in [(0, itself.begin), (4, itself.end), (8, itself.unwind)] {
        image.sections[1].bytes[at + offset..at + offset + 4].copy_from_slice(&word.to_le_bytes());
    }
    let error = Report::of(&image, &Symbols::default()).unwrap_err();
    assert!(error.to_string().contains("chained to itself"), "{error}");
}

#[test]
fn other_machines_are_refused() {
    let mut builder = Builder::new();
    let entry = builder.leaf("entry", &[RET]);
    let mut image = builder.image(entry);
    image.machine = Machine::Arm64;
    assert!(Report::of(&image, &Symbols::default()).is_err());
}
