//! Octets and text in storage of a fixed size.

use core::fmt;

/// Up to `N` octets (at most 65,535), held in place.
#[derive(Clone, Copy)]
pub struct Bytes<const N: usize> {
    len: u16,
    octets: [u8; N],
}

impl<const N: usize> Bytes<N> {
    /// No octets.
    pub const EMPTY: Self = Self { len: 0, octets: [0; N] };

    /// Copies `octets`; `None` if there are more than fit.
    pub fn new(octets: &[u8]) -> Option<Self> {
        let mut bytes = Self { len: u16::try_from(octets.len()).ok()?, octets: [0; N] };
        bytes.octets.get_mut(..octets.len())?.copy_from_slice(octets);
        Some(bytes)
    }

    /// Copies `octets` in place of what was there; false, leaving nothing, if there are more than fit.
    #[must_use]
    pub fn set(&mut self, octets: &[u8]) -> bool {
        self.len = 0;
        let (Ok(len), Some(room)) = (u16::try_from(octets.len()), self.octets.get_mut(..octets.len())) else {
            return false;
        };
        room.copy_from_slice(octets);
        self.len = len;
        true
    }

    /// The octets.
    pub fn as_slice(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl<const N: usize> PartialEq for Bytes<N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl<const N: usize> Eq for Bytes<N> {}

impl<const N: usize> fmt::Debug for Bytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x?}", self.as_slice())
    }
}

/// Octets of [`Text`].
pub const TEXT_MAX: usize = 112;

/// Text from a peer, made fit for a log: at most [`TEXT_MAX`] octets of UTF-8 with `?` for each control
/// character, each character that changes the direction or is invisible, and each ill-formed sequence. What
/// does not fit is cut off at a character boundary.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text(Bytes<TEXT_MAX>);

impl Text {
    /// No text.
    pub const EMPTY: Self = Self(Bytes::EMPTY);

    /// Cleans `octets`. Zeros at the end are left out: some peers terminate what should not be.
    pub fn new(mut octets: &[u8]) -> Self {
        while let [text @ .., 0] = octets {
            octets = text;
        }
        let mut text = Self::EMPTY;
        for chunk in octets.utf8_chunks() {
            let complete = chunk.valid().chars().all(|c| text.push(if is_unsafe(c) { '?' } else { c }));
            if !complete || (!chunk.invalid().is_empty() && !text.push('?')) {
                break;
            }
        }
        text
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.0.as_slice()).unwrap_or_default()
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.0.len == 0
    }

    /// Appends text of one's own, as far as it fits.
    pub(crate) fn append(&mut self, text: &str) {
        let _ = text.chars().all(|c| self.push(c));
    }

    /// Appends a number in decimal.
    pub(crate) fn append_number(&mut self, number: u64) {
        let places = number.checked_ilog10().unwrap_or(0);
        for place in (0..=places).rev() {
            let power = 10_u64.checked_pow(place).unwrap_or(1);
            let digit = number.checked_div(power).and_then(|rest| rest.checked_rem(10)).unwrap_or(0);
            let digit = u32::try_from(digit).ok().and_then(|digit| char::from_digit(digit, 10));
            self.push(digit.unwrap_or('0'));
        }
    }

    fn push(&mut self, c: char) -> bool {
        let start = usize::from(self.0.len);
        let end = start.saturating_add(c.len_utf8());
        let (Some(room), Ok(len)) = (self.0.octets.get_mut(start..end), u16::try_from(end)) else {
            return false;
        };
        let mut utf8 = [0; 4];
        let encoded = c.encode_utf8(&mut utf8).as_bytes();
        for (to, from) in room.iter_mut().zip(encoded) {
            *to = *from;
        }
        self.0.len = len;
        true
    }
}

/// Characters that would let a peer forge or hide part of a log line.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_refuse_what_does_not_fit() {
        assert_eq!(Bytes::<4>::new(b"abcd").unwrap().as_slice(), b"abcd");
        assert!(Bytes::<4>::new(b"abcde").is_none());
        assert_eq!(Bytes::<4>::new(b"").unwrap(), Bytes::EMPTY);
    }

    #[test]
    fn text_is_cleaned() {
        assert_eq!(Text::new(b"no room\r\n\x1b[2J\0\0").as_str(), "no room???[2J");
        assert_eq!(Text::new("caf\u{e9} \u{202e}x".as_bytes()).as_str(), "caf\u{e9} ?x");
        assert_eq!(Text::new(b"a\xffb\xc3").as_str(), "a?b?");
    }

    #[test]
    fn text_is_cut_at_a_character() {
        let long = "\u{20ac}".repeat(100);
        let text = Text::new(long.as_bytes());
        assert_eq!(text.as_str().len(), 111);
        assert_eq!(text.as_str(), "\u{20ac}".repeat(37));
    }
}
