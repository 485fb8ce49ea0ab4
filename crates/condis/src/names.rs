//! [`Names`]: a list of service names, held inline.

use crate::name::CAPACITY;

/// Bytes of all names together, with one more for each.
pub const MAX_BYTES: usize = 512;

/// The list, or a name in it, is too long, or a name is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Names as they are offered: each behind its length.
#[derive(Clone, Copy)]
pub struct Names {
    length: usize,
    bytes: [u8; MAX_BYTES],
}

impl Names {
    /// No names.
    pub const fn new() -> Self {
        Self { length: 0, bytes: [0; MAX_BYTES] }
    }

    /// The names, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes.get(..self.length).unwrap_or_default();
        core::iter::from_fn(move || {
            let (length, names) = rest.split_first()?;
            let (name, more) = names.split_at_checked(usize::from(*length))?;
            rest = more;
            Some(name)
        })
    }

    /// Whether there are none, which stands for "any".
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether a name is among them.
    pub fn contains(&self, name: &[u8]) -> bool {
        self.iter().any(|it| it == name)
    }

    /// Appends a name.
    pub fn push(&mut self, name: &[u8]) -> Result<(), Malformed> {
        let length = u8::try_from(name.len()).map_err(|_| Malformed)?;
        let end =
            self.length.checked_add(1).and_then(|start| start.checked_add(name.len())).ok_or(Malformed)?;
        if name.is_empty() || name.len() > CAPACITY {
            return Err(Malformed);
        }
        let place = self.bytes.get_mut(self.length..end).ok_or(Malformed)?;
        let (head, tail) = place.split_first_mut().ok_or(Malformed)?;
        *head = length;
        tail.copy_from_slice(name);
        self.length = end;
        Ok(())
    }
}

impl Default for Names {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Names {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Names {}

impl core::fmt::Debug for Names {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter().map(<[u8]>::escape_ascii)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[test]
    fn names_come_back_in_order() {
        let mut names = Names::new();
        assert!(names.is_empty() && !names.contains(b""));
        names.push(b"internet").unwrap();
        names.push(&[7; CAPACITY]).unwrap();
        assert_eq!(names.iter().collect::<Vec<_>>(), [&b"internet"[..], &[7; CAPACITY]]);
        assert!(names.contains(b"internet") && !names.contains(b"inter") && !names.is_empty());
        for bad in [&b""[..], &[7; CAPACITY + 1]] {
            assert_eq!(names.push(bad), Err(Malformed));
        }
    }

    proptest! {
        #[test]
        fn what_fits_is_kept(list in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..140), 0..12)) {
            let mut names = Names::new();
            let kept: Vec<_> = list.iter().filter(|name| names.push(name).is_ok()).collect();
            prop_assert!(names.iter().eq(kept.iter().map(|name| name.as_slice())));
            let bytes: usize = kept.iter().map(|name| name.len() + 1).sum();
            prop_assert!(bytes <= MAX_BYTES);
        }
    }
}
