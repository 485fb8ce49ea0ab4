//! Versions of Windows, as an INF's decorations have them.

use std::fmt;

use anyhow::{Context as _, Result, ensure};

/// A version: no build number stands for the first build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
    build: u32,
}

/// The first build whose INF parser knows build numbers ("INF Manufacturer Section").
const FIRST_DECORATED: u32 = 14310;

impl Version {
    /// Reads the parts of a `TargetOSVersion` behind the architecture:
    /// `OSMajorVersion.OSMinorVersion[.[ProductType][.[SuiteMask][.BuildNumber]]]`.
    pub fn parse(text: &str) -> Result<Self> {
        let parts: Vec<_> = text.split('.').collect();
        let (major, minor, build) = match parts.as_slice() {
            [major, minor] => (major, minor, "0"),
            [major, minor, _product, _suite, build] => (major, minor, *build),
            _ => anyhow::bail!("{text:?} is no version of Windows"),
        };
        let number = |part: &str| part.parse().with_context(|| format!("{part:?} in {text:?} is no number"));
        let version = Self { major: number(major)?, minor: number(minor)?, build: number(build)? };
        let known = version.build == 0 || version.build >= FIRST_DECORATED && version.major >= 10;
        ensure!(known, "{text}: build numbers begin with {FIRST_DECORATED}");
        Ok(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { major, minor, build } = self;
        write!(f, "{major}.{minor}")?;
        if *build == 0 { Ok(()) } else { write!(f, "...{build}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered() {
        let ordered = ["5.0", "6.0", "6.3", "10.0", "10.0...16299", "10.0...19041"];
        let read: Vec<_> = ordered.iter().map(|text| Version::parse(text).unwrap()).collect();
        assert!(read.is_sorted());
        assert_eq!(read.iter().map(ToString::to_string).collect::<Vec<_>>(), ordered);
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in ["", "10", "10.x", "10.0.19041", "10.0...", "10.0...10240", "6.3...19041"] {
            assert!(Version::parse(text).is_err(), "{text}");
        }
    }
}
