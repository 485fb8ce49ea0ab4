use std::rc::Rc;

use crate::memory::{BadHandle, Handles, ObjectId};

#[test]
fn a_handle_leads_to_its_object_until_it_is_closed() {
    let handles = Handles::new();
    let handle = handles.create("vc", Rc::new(7_u32));
    assert_eq!(*handles.lookup::<u32>(handle, "vc").expect("open"), 7);
    assert_eq!(handles.open("vc"), [ObjectId { kind: "vc", number: 1 }]);
    assert_eq!(*handles.close::<u32>(handle, "vc").expect("open"), 7);
    let id = ObjectId { kind: "vc", number: 1 };
    assert_eq!(handles.lookup::<u32>(handle, "vc").expect_err("closed"), BadHandle::Closed(id));
    assert_eq!(handles.close::<u32>(handle, "vc").expect_err("closed"), BadHandle::Closed(id));
    assert_eq!(handles.identify(handle), Some(id));
    assert!(handles.all_open().is_empty());
}

#[test]
fn handles_are_not_reused() {
    let handles = Handles::new();
    let first = handles.create("vc", Rc::new(1_u32));
    handles.close::<u32>(first, "vc").expect("open");
    let second = handles.create("vc", Rc::new(2_u32));
    assert_ne!(first, second);
    assert!(matches!(handles.lookup::<u32>(first, "vc"), Err(BadHandle::Closed(_))));
}

#[test]
fn other_values_are_told_apart() {
    let handles = Handles::new();
    let handle = handles.create("vc", Rc::new(1_u32));
    let wrong = handles.lookup::<u32>(handle, "af").expect_err("another kind");
    assert_eq!(wrong.to_string(), "the handle is of vc#1, not of a af");
    assert_eq!(handles.lookup::<u32>(std::ptr::null(), "vc").expect_err("null"), BadHandle::Null);
    let near = handle.wrapping_byte_add(8);
    assert_eq!(handles.lookup::<u32>(near, "vc").expect_err("inside"), BadHandle::Unknown);
    assert_eq!(handles.at_address(near.addr()), Some((ObjectId { kind: "vc", number: 1 }, true)));
    let local = 0_u8;
    assert_eq!(
        handles.lookup::<u32>((&raw const local).cast(), "vc").expect_err("memory"),
        BadHandle::Unknown
    );
    assert_eq!(
        handles.lookup::<u32>(handle.wrapping_byte_add(16), "vc").expect_err("next"),
        BadHandle::Unknown
    );
}
