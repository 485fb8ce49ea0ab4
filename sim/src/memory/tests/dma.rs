use std::rc::Rc;

use crate::memory::{
    dma::{DmaBuffer, Domain},
    shared::SharedMemory,
};

#[test]
fn driver_and_device_see_the_same_bytes_at_different_addresses() {
    let domain = Domain::new();
    let buffer = domain.allocate(100, true);
    assert_ne!(buffer.virtual_address.addr() as u64, buffer.bus_address);
    domain.write(buffer.bus_address + 10, b"frame").expect("mapped");
    // SAFETY: the buffer has 100 bytes.
    let seen = unsafe { std::slice::from_raw_parts(buffer.virtual_address.wrapping_add(10), 5) };
    assert_eq!(seen, b"frame");
    let mut read = [0; 5];
    domain.read(buffer.bus_address + 10, &mut read).expect("mapped");
    assert_eq!(&read, b"frame");
}

#[test]
fn a_device_touches_only_what_is_mapped() {
    let domain = Domain::new();
    let (first, second) = (domain.allocate(4096, true), domain.allocate(4096, true));
    assert!(second.bus_address > first.bus_address + 4096, "a gap lies between buffers");
    let mut byte = [0; 2];
    assert!(domain.read(first.bus_address + 4094, &mut byte).is_ok());
    let fault = domain.read(first.bus_address + 4095, &mut byte).expect_err("past the end");
    assert_eq!((fault.bus, fault.len, fault.write), (first.bus_address + 4095, 2, false));
    assert!(domain.read(first.bus_address - 1, &mut byte).is_err());
    assert!(domain.write(u64::MAX, &byte).is_err());
    domain.block(true);
    assert!(domain.read(first.bus_address, &mut byte).is_err());
    domain.block(false);
    assert!(domain.free(first));
    assert!(domain.read(first.bus_address, &mut byte).is_err());
    assert_eq!(domain.allocated(), [second]);
}

#[test]
fn buffers_are_freed_exactly_and_once() {
    let domain = Domain::new();
    let buffer = domain.allocate(64, true);
    assert!(!domain.free(DmaBuffer { len: 65, ..buffer }));
    assert!(!domain.free(DmaBuffer { bus_address: buffer.bus_address + 1, ..buffer }));
    assert!(domain.free(buffer));
    assert!(!domain.free(buffer));
}

#[test]
fn other_memory_is_mapped_for_a_while() {
    let domain = Domain::new();
    let mut bytes = *b"payload";
    // SAFETY: the bytes outlive the mapping.
    let bus = unsafe { domain.map(bytes.as_mut_ptr(), bytes.len()) };
    assert_eq!(bus % 4096, bytes.as_ptr().addr() as u64 % 4096);
    let mut read = [0; 7];
    domain.read(bus, &mut read).expect("mapped");
    assert_eq!(read, bytes);
    assert!(domain.unmap(bus));
    assert!(!domain.unmap(bus));
    assert!(domain.read(bus, &mut read).is_err());
}

#[test]
fn bus_addresses_are_offsets_in_shared_memory() {
    let memory = Rc::new(SharedMemory::new(1 << 30).expect("memory"));
    let domain = Domain::shared(Rc::clone(&memory));
    let buffer = domain.allocate(6000, true);
    memory.write(buffer.bus_address + 4096, b"frame").expect("inside");
    // SAFETY: the buffer has 6000 bytes.
    let seen = unsafe { std::slice::from_raw_parts(buffer.virtual_address.wrapping_add(4096), 5) };
    assert_eq!(seen, b"frame");
    domain.write(buffer.bus_address, b"ring").expect("mapped");
    let mut read = [0; 4];
    memory.read(buffer.bus_address, &mut read).expect("inside");
    assert_eq!(&read, b"ring");
    assert!(domain.free(buffer));
    assert!(memory.touched().is_empty(), "freed memory is given back");
    assert!(domain.read(buffer.bus_address, &mut read).is_err());
}
