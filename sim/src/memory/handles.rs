//! Opaque handles.
//!
//! A handle given to the driver is an address in a range that nobody can access, so that dereferencing one is a fault;
//! no address is handed out twice, so that a closed handle stays recognisable for the rest of the run.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::c_void;
use std::fmt;
use std::rc::Rc;

use super::pages::Reservation;

/// Distance between two handles.
const STRIDE: usize = 16;
/// Addresses reserved for handles: 2^28 of them.
const SPACE: usize = STRIDE << 28;

/// Names an object in logs and findings: its kind and its number, from 1, among all objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectId {
    /// What it is.
    pub kind: &'static str,
    /// Which one.
    pub number: u32,
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.kind, self.number)
    }
}

/// Why a handle is no handle of the wanted kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadHandle {
    /// The null pointer.
    Null,
    /// Never was a handle.
    Unknown,
    /// Was one and has been closed.
    Closed(ObjectId),
    /// Is one, of another kind.
    WrongKind {
        /// What it is.
        actual: ObjectId,
        /// What it should be.
        wanted: &'static str,
    },
}

impl fmt::Display for BadHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("the handle is NULL"),
            Self::Unknown => f.write_str("the value never was a handle"),
            Self::Closed(object) => write!(f, "the handle of {object} is closed"),
            Self::WrongKind { actual, wanted } => write!(f, "the handle is of {actual}, not of a {wanted}"),
        }
    }
}

impl std::error::Error for BadHandle {}

struct Entry {
    kind: &'static str,
    object: Option<Rc<dyn Any>>,
}

/// The handles of one machine.
pub struct Handles {
    space: Reservation,
    entries: RefCell<Vec<Entry>>,
}

impl Handles {
    pub(crate) fn new() -> Self {
        Self { space: Reservation::new(SPACE), entries: RefCell::default() }
    }

    /// Makes a handle of `kind` for `object`.
    ///
    /// # Panics
    /// When 2^28 handles have been made.
    pub fn create(&self, kind: &'static str, object: Rc<dyn Any>) -> *mut c_void {
        let mut entries = self.entries.borrow_mut();
        entries.push(Entry { kind, object: Some(object) });
        assert!(entries.len() < SPACE / STRIDE, "handles left");
        self.space.pointer(entries.len() * STRIDE).cast()
    }

    /// Forgets every object.
    pub(crate) fn release(&self) {
        drop(self.entries.take());
    }

    fn index(&self, handle: *const c_void) -> Result<usize, BadHandle> {
        if handle.is_null() {
            return Err(BadHandle::Null);
        }
        let offset = handle.addr().wrapping_sub(self.space.base());
        let index = (offset / STRIDE).wrapping_sub(1);
        let known = offset.is_multiple_of(STRIDE) && index < self.entries.borrow().len();
        if known { Ok(index) } else { Err(BadHandle::Unknown) }
    }

    /// The kind of what the value is or was a handle of.
    pub fn kind(&self, handle: *const c_void) -> Option<&'static str> {
        self.index(handle).ok().map(|index| self.entries.borrow()[index].kind)
    }

    /// The object behind an open handle of `kind`.
    ///
    /// # Panics
    /// If the kind's objects are not of type `T`.
    pub fn lookup<T: 'static>(&self, handle: *const c_void, kind: &'static str) -> Result<Rc<T>, BadHandle> {
        let index = self.index(handle)?;
        let entries = self.entries.borrow();
        let entry = &entries[index];
        let actual = object_id(entry.kind, index);
        if entry.kind != kind {
            return Err(BadHandle::WrongKind { actual, wanted: kind });
        }
        let object = entry.object.clone().ok_or(BadHandle::Closed(actual))?;
        Ok(object.downcast().expect("one type a kind"))
    }

    /// Closes a handle of `kind` and returns its object.
    ///
    /// # Panics
    /// If the kind's objects are not of type `T`.
    pub fn close<T: 'static>(&self, handle: *const c_void, kind: &'static str) -> Result<Rc<T>, BadHandle> {
        let object = self.lookup(handle, kind)?;
        let index = self.index(handle)?;
        let entry = self.entries.borrow_mut()[index].object.take();
        drop(entry);
        Ok(object)
    }

    /// What `handle` names or named, of whatever kind.
    pub fn identify(&self, handle: *const c_void) -> Option<ObjectId> {
        let index = self.index(handle).ok()?;
        Some(object_id(self.entries.borrow()[index].kind, index))
    }

    /// The object whose handle's bytes hold `address`, and whether it is open: tells what a fault touched.
    pub fn at_address(&self, address: usize) -> Option<(ObjectId, bool)> {
        let index = (address.checked_sub(self.space.base())? / STRIDE).checked_sub(1)?;
        let entries = self.entries.borrow();
        let entry = entries.get(index)?;
        Some((object_id(entry.kind, index), entry.object.is_some()))
    }

    /// The open handles of `kind`, oldest first.
    pub fn open(&self, kind: &'static str) -> Vec<ObjectId> {
        let entries = self.entries.borrow();
        let open =
            entries.iter().enumerate().filter(|(_, entry)| entry.kind == kind && entry.object.is_some());
        open.map(|(index, _)| object_id(kind, index)).collect()
    }

    /// All open handles, oldest first.
    pub fn all_open(&self) -> Vec<ObjectId> {
        let entries = self.entries.borrow();
        let open = entries.iter().enumerate().filter(|(_, entry)| entry.object.is_some());
        open.map(|(index, entry)| object_id(entry.kind, index)).collect()
    }
}

fn object_id(kind: &'static str, index: usize) -> ObjectId {
    ObjectId { kind, number: u32::try_from(index + 1).unwrap_or(u32::MAX) }
}
