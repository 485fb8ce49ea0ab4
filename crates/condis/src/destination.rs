//! The destination of a call: what a user types as the "phone number" of a PPPoE connection.
//!
//! ```text
//! (empty)        any service of any access concentrator
//! service        that service of any access concentrator
//! AC\service     that service of that access concentrator
//! AC\            any service of that access concentrator
//! ```
//! The first backslash separates; another one is an error. `%` with two hexadecimal digits stands
//! for the byte of that value, as in RFC 3986: `%5C` is a backslash within a name, `%25` a percent
//! sign. A `%` before anything else stands for itself. Text ends at the first NUL, if there is one.
//! Names come out as UTF-8 (RFC 2516 section 4); lone surrogates become U+FFFD.

use crate::name::{Name, TooLong};

/// Longest text in UTF-16 code units that is looked at; longer ones are refused.
pub const MAX_UNITS: usize = 512;

/// Why a text is no destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// An odd number of bytes cannot be UTF-16.
    OddLength,
    /// The text has more than [`MAX_UNITS`], or a name more than [`crate::name::CAPACITY`] bytes.
    TooLong,
    /// More than one unescaped backslash.
    TwoSeparators,
}

impl From<TooLong> for Malformed {
    fn from(TooLong: TooLong) -> Self {
        Self::TooLong
    }
}

/// Whom to call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Destination {
    /// The service asked for; empty for any.
    pub service: Name,
    /// The access concentrator asked for; empty for any.
    pub access_concentrator: Name,
}

impl Destination {
    /// A destination from UTF-16LE text, as TAPI passes it.
    #[inline(never)]
    pub fn from_utf16le(text: &[u8]) -> Result<Self, Malformed> {
        if !text.len().is_multiple_of(2) {
            return Err(Malformed::OddLength);
        }
        if text.len() / 2 > MAX_UNITS {
            return Err(Malformed::TooLong);
        }
        let units = text.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(u16::from_le_bytes);
        Self::parse(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)))
    }

    /// A destination from text in a string.
    pub fn from_text(text: &str) -> Result<Self, Malformed> {
        Self::parse(text.chars())
    }

    fn parse(characters: impl Iterator<Item = char> + Clone) -> Result<Self, Malformed> {
        let mut names = [Name::new(), Name::new()];
        let [first, second] = &mut names;
        let mut separated = false;
        let mut rest = characters.take_while(|&character| character != '\0');
        while let Some(character) = rest.next() {
            let name = if separated { &mut *second } else { &mut *first };
            match character {
                '\\' if separated => return Err(Malformed::TwoSeparators),
                '\\' => separated = true,
                '%' => match escaped(rest.clone()) {
                    Some(byte) => {
                        name.push(byte)?;
                        rest.next();
                        rest.next();
                    }
                    None => name.push(b'%')?,
                },
                other => name.push_char(other)?,
            }
        }
        let [first, second] = names;
        Ok(if separated {
            Self { service: second, access_concentrator: first }
        } else {
            Self { service: first, access_concentrator: second }
        })
    }
}

/// The byte that the two hexadecimal digits at the front of `digits` name.
pub(crate) fn escaped(mut digits: impl Iterator<Item = char>) -> Option<u8> {
    let high = digits.next()?.to_digit(16)?;
    let low = digits.next()?.to_digit(16)?;
    u8::try_from(high << 4 | low).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::String;
    use std::vec::Vec;

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn names(text: &str) -> (Vec<u8>, Vec<u8>) {
        let destination = Destination::from_utf16le(&utf16(text)).unwrap();
        (destination.access_concentrator.as_bytes().into(), destination.service.as_bytes().into())
    }

    fn escape(name: &str) -> String {
        name.replace('%', "%25").replace('\\', "%5C").replace('\0', "%00")
    }

    #[test]
    fn the_four_forms() {
        assert_eq!(names(""), (b"".into(), b"".into()));
        assert_eq!(names("isp"), (b"".into(), b"isp".into()));
        assert_eq!(names("ac1\\isp"), (b"ac1".into(), b"isp".into()));
        assert_eq!(names("ac1\\"), (b"ac1".into(), b"".into()));
        assert_eq!(names("\\isp"), (b"".into(), b"isp".into()));
    }

    #[test]
    fn escapes_and_percent_signs() {
        assert_eq!(names("a%5Cb\\c%25d"), (b"a\\b".into(), b"c%d".into()));
        assert_eq!(names("100%"), (b"".into(), b"100%".into()));
        assert_eq!(names("%zz%4"), (b"".into(), b"%zz%4".into()));
        assert_eq!(names("%ff"), (b"".into(), [0xFF].into()));
    }

    #[test]
    fn terminators_surrogates_and_umlauts() {
        assert_eq!(names("isp\0garbage\\\\\\"), (b"".into(), b"isp".into()));
        assert_eq!(names("Münster"), (b"".into(), "Münster".as_bytes().into()));
        let lone = Destination::from_utf16le(&[0x00, 0xD8, b'x', 0]).unwrap();
        assert_eq!(lone.service.as_bytes(), "\u{FFFD}x".as_bytes());
    }

    #[test]
    fn refusals() {
        assert_eq!(Destination::from_text("a\\b\\c"), Err(Malformed::TwoSeparators));
        assert_eq!(Destination::from_utf16le(&[1]), Err(Malformed::OddLength));
        assert_eq!(Destination::from_utf16le(&std::vec![b'a'; 2 * MAX_UNITS + 2]), Err(Malformed::TooLong));
        assert_eq!(Destination::from_text(&"x".repeat(129)), Err(Malformed::TooLong));
    }

    proptest! {
        #[test]
        fn never_panics(text in prop::collection::vec(any::<u8>(), 0..1100)) {
            let _ = Destination::from_utf16le(&text);
        }

        #[test]
        fn escaped_names_come_back(ac in ".{0,32}", service in ".{0,32}") {
            let text = std::format!("{}\\{}", escape(&ac), escape(&service));
            prop_assert_eq!(names(&text), (ac.into_bytes(), service.into_bytes()));
        }
    }
}
