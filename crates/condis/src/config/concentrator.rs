//! How the adapter presents itself to hosts that call it, and how much it lets be done to it.

use super::{Refused, characters};
use crate::name::Name;
use crate::names::Names;

/// Least and greatest number of requests that are remembered unless the registry gives one.
const LEAST_REQUESTS: u16 = 4096;
const MOST_REQUESTS: u16 = 32_768;
/// Least and greatest number of calls that are offered to clients at a time.
const LEAST_OFFERED: u16 = 256;
const MOST_OFFERED: u16 = 1024;

/// The settings of the access concentrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concentrator {
    /// Whether the adapter is one, once a client has a SAP.
    pub enabled: bool,
    /// Its name; empty: made from the station address.
    pub name: Name,
    /// The services that clients of TAPI take calls for; none: any.
    pub services: Names,
    /// Answers a second, to all hosts.
    pub answers: u32,
    /// Requests remembered; 0: as many as the number of lines makes sensible.
    pub requests: u16,
}

impl Concentrator {
    /// The defaults.
    pub const fn new() -> Self {
        Self { enabled: false, name: Name::new(), services: Names::new(), answers: 10_000, requests: 0 }
    }

    /// Whether a client of TAPI takes a call for `service`; empty: for any.
    pub fn offers(&self, service: &[u8]) -> bool {
        service.is_empty() || self.services.is_empty() || self.services.contains(service)
    }

    /// Requests remembered, with so many lines.
    pub fn requests(&self, lines: u32) -> u16 {
        let lines = u16::try_from(lines).unwrap_or(u16::MAX);
        if self.requests == 0 { lines.clamp(LEAST_REQUESTS, MOST_REQUESTS) } else { self.requests }
    }

    /// Calls that are offered at a time, with so many lines.
    pub fn offered(&self, lines: u32) -> u16 {
        let lines = u16::try_from(lines).unwrap_or(u16::MAX);
        lines.clamp(LEAST_OFFERED, MOST_OFFERED).min(self.requests(lines.into()))
    }
}

impl Default for Concentrator {
    fn default() -> Self {
        Self::new()
    }
}

/// Puts names where they belong, unless they are refused: between commas, in UTF-16LE; spaces around them do not count. `%` with two hexadecimal digits is the byte of that
/// value, as in a destination.
#[inline(never)]
pub(super) fn set_services(place: &mut Names, text: &[u8]) -> Result<(), Refused> {
    let mut names = Names::new();
    let mut name = Name::new();
    // Bytes up to the last that is not a plain space.
    let mut end = 0;
    let mut rest = characters(text);
    loop {
        match rest.next() {
            Some(' ') if name.is_empty() => {}
            Some(' ') => name.push(b' ').map_err(|_| Refused)?,
            end_of_name @ (None | Some(',')) => {
                let trimmed = name.as_bytes().get(..end).unwrap_or_default();
                if !trimmed.is_empty() {
                    names.push(trimmed).map_err(|_| Refused)?;
                }
                (name, end) = (Name::new(), 0);
                if end_of_name.is_none() {
                    *place = names;
                    return Ok(());
                }
            }
            Some(character) => {
                match (character, crate::destination::escaped(rest.clone())) {
                    ('%', Some(byte)) => {
                        name.push(byte).map_err(|_| Refused)?;
                        rest.next();
                        rest.next();
                    }
                    (other, _) => name.push_char(other).map_err(|_| Refused)?,
                }
                end = name.as_bytes().len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn list(text: &str) -> Result<Vec<Vec<u8>>, Refused> {
        let text: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut names = Names::new();
        set_services(&mut names, &text)?;
        Ok(names.iter().map(<[u8]>::to_vec).collect())
    }

    #[test]
    fn names_stand_between_commas() {
        assert_eq!(list("internet").unwrap(), [b"internet"]);
        assert_eq!(
            list(" internet , voice over ip,,größe ").unwrap(),
            [&b"internet"[..], b"voice over ip", "größe".as_bytes()]
        );
        assert_eq!(list("a%2Cb,%20c,100%").unwrap(), [&b"a,b"[..], b" c", b"100%"]);
        assert_eq!(list("a\0,b").unwrap(), [b"a"]);
        assert!(list(" , ").unwrap().is_empty() && list("").unwrap().is_empty());
        assert_eq!(list(&"x".repeat(129)), Err(Refused));
        assert_eq!(list(&"é".repeat(65)), Err(Refused));
    }

    #[test]
    fn any_service_or_those_that_are_listed() {
        let mut it = Concentrator::new();
        assert!(it.offers(b"") && it.offers(b"anything"));
        it.services.push(b"internet").unwrap();
        assert!(it.offers(b"") && it.offers(b"internet") && !it.offers(b"anything"));
    }

    #[test]
    fn limits_follow_the_lines_unless_they_are_set() {
        let it = Concentrator::new();
        assert_eq!([1, 4096, 10_000, 65_534].map(|lines| it.requests(lines)), [4096, 4096, 10_000, 32_768]);
        assert_eq!([1, 500, 65_534].map(|lines| it.offered(lines)), [256, 500, 1024]);
        let set = Concentrator { requests: 100, ..it };
        assert_eq!((set.requests(65_534), set.offered(65_534)), (100, 100));
    }
}
