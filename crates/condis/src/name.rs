//! [`Name`]: a service name or access-concentrator name, held inline.

use core::fmt;

/// Longest name in bytes. RFC 2516 sets no limit but the frame; RAS passes at most 128 characters.
pub const CAPACITY: usize = 128;

/// The name does not fit [`CAPACITY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// A name on the wire: bytes, UTF-8 by RFC 2516's word, not checked because peers do not either.
#[derive(Clone, Copy)]
pub struct Name {
    length: usize,
    bytes: [u8; CAPACITY],
}

impl Name {
    /// The empty name.
    pub const fn new() -> Self {
        Self { length: 0, bytes: [0; CAPACITY] }
    }

    /// A name from its bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TooLong> {
        let mut name = Self::new();
        bytes.iter().try_for_each(|&byte| name.push(byte))?;
        Ok(name)
    }

    /// The bytes, as they go into a tag.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Whether the name is empty, which stands for "any".
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(crate) fn push(&mut self, byte: u8) -> Result<(), TooLong> {
        *self.bytes.get_mut(self.length).ok_or(TooLong)? = byte;
        self.length = self.length.saturating_add(1);
        Ok(())
    }

    pub(crate) fn push_char(&mut self, character: char) -> Result<(), TooLong> {
        let mut utf8 = [0; 4];
        character.encode_utf8(&mut utf8).bytes().try_for_each(|byte| self.push(byte))
    }
}

impl Default for Name {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Name {}

impl AsRef<[u8]> for Name {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.as_bytes().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn capacity_is_exact() {
        assert_eq!(Name::from_bytes(&[7; CAPACITY]).unwrap().as_bytes(), [7; CAPACITY]);
        assert_eq!(Name::from_bytes(&[7; CAPACITY + 1]), Err(TooLong));
    }

    #[test]
    fn equality_is_of_the_bytes_in_use() {
        let mut longer = Name::from_bytes(b"isp!").unwrap();
        longer.length = 3;
        assert_eq!(longer, Name::from_bytes(b"isp").unwrap());
        assert_eq!(format!("{longer:?}"), "\"isp\"");
        assert!(Name::default().is_empty());
    }
}
