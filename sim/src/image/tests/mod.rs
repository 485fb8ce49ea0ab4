//! Tests of the loader with a driver written by hand.

mod pe;

use std::rc::Rc;

use pe::{ENTRY, FOLLOW, MAP, Options, SPOIL, STRAY, driver};
use proptest::prelude::*;

use super::{Export, Image, LoadError, follows_call};
use crate::machine::{Config, DISPATCH_LEVEL, IrqlRange, Machine, Stuck, enter};
use crate::verifier::trips::Trip;

/// The rules that are tripped by tests of this part.
pub(crate) const TRIPS: &[Trip] =
    &[("BC.BE", read_only_data_stays_and_data_is_no_code), ("BC.CE", an_unloaded_image_is_not_called)];

unsafe extern "win64" fn probe(value: u32) -> u32 {
    let call = enter("Probe", IrqlRange::PASSIVE);
    if call.machine().irql() == DISPATCH_LEVEL {
        call.machine().log(format_args!("stack: {}", call.machine().call_stack().join(" < ")));
    }
    value + 35
}

fn exports() -> Vec<Export> {
    vec![Export::routine("ntoskrnl.exe", "Probe", probe as *const () as usize)]
}

fn load(options: Options) -> Result<Image, LoadError> {
    Image::load("test.sys", &driver(options), Some(MAP), &exports())
}

/// A machine with the driver loaded.
pub(crate) fn loaded() -> (Rc<Machine>, Rc<Image>) {
    let machine = Machine::new(Config::default());
    let image = Rc::new(load(Options::default()).expect("loads"));
    machine.set_image(Some(Rc::clone(&image)));
    (machine, image)
}

/// Calls the function at `rva` at `irql` and returns what it returned.
fn call(machine: &Machine, image: &Image, rva: usize, irql: u8) -> Result<u32, Stuck> {
    let address = image.base() + rva;
    let result = Rc::new(std::cell::Cell::new(0));
    let out = Rc::clone(&result);
    let thread = machine.spawn("caller", move || {
        let machine = Machine::current();
        machine.raise_irql(irql);
        // SAFETY: the driver's functions take and return no more than this.
        let f = unsafe { std::mem::transmute::<usize, unsafe extern "win64" fn() -> u32>(address) };
        // SAFETY: what goes wrong in it ends the run.
        out.set(machine.call_driver("DriverEntry", || unsafe { f() }));
        machine.lower_irql(0);
    });
    machine.join(thread).map(|()| result.get())
}

#[test]
fn an_image_is_mapped_relocated_and_bound() {
    let (machine, image) = loaded();
    assert_eq!(image.entry_point(), image.base() + ENTRY);
    assert_eq!(image.imports(), ["ntoskrnl.EXE!Probe"]);
    assert_eq!(image.sha256.len(), 64);
    assert_eq!(call(&machine, &image, ENTRY, 0).expect("returns"), 42);
    assert_eq!(call(&machine, &image, FOLLOW, 0).expect("returns"), 0x1234_5678);
    assert!(machine.verifier().findings().is_empty());
}

unsafe extern "win64" fn other_probe(value: u32) -> u32 {
    value
}

#[test]
fn an_import_can_be_bound_anew() {
    let (machine, image) = loaded();
    let former = image.rebind(0, other_probe as *const () as usize);
    assert_eq!(call(&machine, &image, ENTRY, DISPATCH_LEVEL).expect("returns"), 7);
    assert_eq!(image.rebind(0, former), other_probe as *const () as usize);
    assert_eq!(call(&machine, &image, ENTRY, 0).expect("returns"), 42);
    assert!(machine.verifier().findings().is_empty());
}

#[test]
fn findings_name_the_call_and_the_log_its_callers() {
    let (machine, image) = loaded();
    call(&machine, &image, ENTRY, DISPATCH_LEVEL).expect("returns");
    let finding = &machine.verifier().findings()[0];
    assert_eq!(finding.rule, "IRQL.Probe");
    assert_eq!(finding.call_site.as_deref(), Some("Probe from DriverEntry+0xf"));
    assert_eq!(finding.extent, ["DriverEntry"]);
    assert!(machine.log_text().contains("stack: Probe from DriverEntry+0xf"), "{}", machine.log_text());
}

#[test]
fn addresses_have_names() {
    let (_machine, image) = loaded();
    let name = |rva: usize| image.symbol(image.base() + rva);
    assert_eq!(name(ENTRY).as_deref(), Some("DriverEntry"));
    assert_eq!(name(FOLLOW + 4).as_deref(), Some("test::follow+0x4"));
    assert_eq!(name(0x10).as_deref(), Some("test.sys+0x10"));
    assert_eq!(name(0x5000), None);
    assert!(image.is_return_address(image.base() + ENTRY + 15));
    assert!(!image.is_return_address(image.base() + ENTRY + 14));
}

#[test]
fn read_only_data_stays_and_data_is_no_code() {
    let (machine, image) = loaded();
    let crash = call(&machine, &image, SPOIL, 0).expect_err("faults").crash.expect("a crash");
    assert_eq!((crash.rule, crash.stack[0].as_str()), ("BC.BE", "spoil"));
    let (machine, image) = loaded();
    let crash = call(&machine, &image, STRAY, 0).expect_err("faults").crash.expect("a crash");
    assert_eq!((crash.rule, crash.stack[0].as_str()), ("BC.FC", "POINTER"));
}

#[test]
fn an_unloaded_image_is_not_called() {
    let (machine, image) = loaded();
    assert!(call(&machine, &image, ENTRY, 0).is_ok());
    image.unload();
    let crash = call(&machine, &image, ENTRY, 0).expect_err("faults").crash.expect("a crash");
    assert_eq!(crash.rule, "BC.CE");
    assert!(crash.reason.contains("DriverEntry"), "{crash}");
}

#[test]
fn what_cannot_be_loaded_is_refused() {
    let missing = load(Options { import: Some("NtFrobnicate"), ..Options::default() }).expect_err("missing");
    assert_eq!(missing.to_string(), "nobody exports ntoskrnl.EXE!NtFrobnicate");
    let arm = load(Options { machine: Some(0xAA64), ..Options::default() }).expect_err("another processor");
    assert_eq!(arm, LoadError::Machine(0xAA64));
    let writable = load(Options { writable_code: true, ..Options::default() }).expect_err("writable code");
    assert_eq!(writable, LoadError::WritableCode(".text".to_owned()));
    assert!(matches!(Image::load("x", b"MZ", None, &[]), Err(LoadError::Format(_))));
    assert!(matches!(Image::open("/nonexistent".as_ref(), &[]), Err(LoadError::Read(_))));
}

#[test]
fn calls_of_each_form_are_recognised() {
    let code = |bytes: &[u8]| {
        let mut before = [0x90; 7];
        before[7 - bytes.len()..].copy_from_slice(bytes);
        before
    };
    // call rel32; call rax; call r12; call [rax]; call [rsp]; call [rbp+8]; call [rip+0]; call [rsp+0x100]
    let calls: [&[u8]; 8] = [
        &[0xE8, 1, 2, 3, 4],
        &[0xFF, 0xD0],
        &[0x41, 0xFF, 0xD4],
        &[0xFF, 0x10],
        &[0xFF, 0x14, 0x24],
        &[0xFF, 0x55, 0x08],
        &[0xFF, 0x15, 0, 0, 0, 0],
        &[0xFF, 0x94, 0x24, 0, 1, 0, 0],
    ];
    assert!(calls.into_iter().all(|call| follows_call(code(call))));
    // nop; jmp rel32; jmp rax; push [rax]
    let others: [&[u8]; 4] = [&[], &[0xE9, 1, 2, 3, 4], &[0xFF, 0xE0], &[0xFF, 0x30]];
    assert!(!others.into_iter().any(|other| follows_call(code(other))));
}

proptest! {
    #[test]
    fn damaged_files_are_refused_or_loaded(at in 0_usize..0xC00, byte: u8, len in 0_usize..=0xC00) {
        let mut file = driver(Options::default());
        file[at] = byte;
        file.truncate(len.max(0x800));
        let _ = Image::load("x", &file, None, &exports());
        file.truncate(len);
        let _ = Image::load("x", &file, None, &exports());
    }
}
