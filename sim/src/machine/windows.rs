//! The release of Windows that a machine runs: one table says which kernel and which NDIS belong together.

use super::random::Random;

/// A release of Windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// What it is called.
    pub name: &'static str,
    /// Major and minor version of the kernel, and its build number.
    pub kernel: (u32, u32, u32),
    /// Major and minor version of NDIS.
    pub ndis: (u8, u8),
}

const fn release(name: &'static str, (major, minor, build): (u32, u32, u32), ndis: u8) -> Windows {
    Windows { name, kernel: (major, minor, build), ndis: (6, ndis) }
}

impl Windows {
    /// Those that brought another version of NDIS 6, the oldest first: page "Overview of NDIS versions", and up to 1709
    /// what `ndis.h` wants of `NTDDI_VERSION`. The builds are those of Microsoft's pages of release information.
    pub const RELEASES: [Self; 19] = [
        release("Windows Vista", (6, 0, 6_000), 0),
        release("Windows Vista SP1", (6, 0, 6_001), 1),
        release("Windows 7", (6, 1, 7_600), 20),
        release("Windows 8", (6, 2, 9_200), 30),
        release("Windows 8.1", (6, 3, 9_600), 40),
        release("Windows 10, version 1507", (10, 0, 10_240), 50),
        release("Windows 10, version 1511", (10, 0, 10_586), 51),
        release("Windows 10, version 1607", (10, 0, 14_393), 60),
        release("Windows 10, version 1703", (10, 0, 15_063), 70),
        release("Windows 10, version 1709", (10, 0, 16_299), 80),
        release("Windows 10, version 1803", (10, 0, 17_134), 81),
        release("Windows 10, version 1809", (10, 0, 17_763), 82),
        release("Windows 10, version 1903", (10, 0, 18_362), 83),
        release("Windows 10, version 2004", (10, 0, 19_041), 84),
        release("Windows Server 2022", (10, 0, 20_348), 85),
        release("Windows 11, version 21H2", (10, 0, 22_000), 86),
        release("Windows 11, version 22H2", (10, 0, 22_621), 87),
        release("Windows Server, version 23H2", (10, 0, 25_398), 88),
        release("Windows 11, version 24H2", (10, 0, 26_100), 89),
    ];

    /// The newest release, which machines run unless they are told otherwise.
    pub const NEWEST: Self = Self::RELEASES[Self::RELEASES.len() - 1];

    /// The release with this build of the kernel.
    pub fn of_build(build: u32) -> Option<Self> {
        Self::RELEASES.into_iter().find(|it| it.kernel.2 == build)
    }

    /// The releases with this build of the kernel or a later one.
    pub fn since(build: u32) -> impl Iterator<Item = Self> + Clone {
        Self::RELEASES.into_iter().filter(move |it| it.kernel.2 >= build)
    }

    /// One of these by this seed; the newest if there is none.
    pub fn drawn(seed: u64, build: u32) -> Self {
        let releases = Self::since(build);
        let nth = Random::new(seed ^ 0x7769_6E64).below(releases.clone().count().max(1) as u64);
        usize::try_from(nth).ok().and_then(|nth| releases.clone().nth(nth)).unwrap_or(Self::NEWEST)
    }

    /// Whether its NDIS takes drivers for this version: one that was published, and no later than its own. On x64 there
    /// is no floor (`NDIS_MIN_API` in `ndis.h`); NDIS 5 is another interface, which is not played here.
    pub fn takes_ndis(&self, version: (u8, u8)) -> bool {
        version <= self.ndis && Self::RELEASES.iter().any(|it| it.ndis == version)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn later_releases_have_later_kernels_and_a_later_ndis() {
        assert!(
            Windows::RELEASES
                .windows(2)
                .all(|two| two[0].kernel < two[1].kernel && two[0].ndis < two[1].ndis)
        );
    }

    #[test]
    fn each_release_from_a_build_on_is_drawn() {
        let drawn = (0..100).map(|seed| Windows::drawn(seed, 19_041).kernel.2).collect::<BTreeSet<_>>();
        assert!(drawn.into_iter().eq([19_041, 20_348, 22_000, 22_621, 25_398, 26_100]));
        assert_eq!(Windows::drawn(1, u32::MAX), Windows::NEWEST);
    }

    #[test]
    fn a_release_takes_what_was_published_before_it() {
        let old = Windows::of_build(19_041).expect("Windows 10, version 2004");
        assert_eq!(old.ndis, (6, 84));
        for version in [(6, 0), (6, 1), (6, 20), (6, 30), (6, 84)] {
            assert!(old.takes_ndis(version), "{version:?}");
        }
        for version in [(5, 1), (6, 2), (6, 45), (6, 85), (7, 0)] {
            assert!(!old.takes_ndis(version), "{version:?}");
        }
        assert!(Windows::NEWEST.takes_ndis((6, 89)));
    }
}
