//! The pseudo-random sequence behind jitter and default tokens.

/// `SplitMix64` (Steele, Lea, Flood, OOPSLA 2014): a bijection of its seed, so distinct seeds give distinct
/// first values. Not for secrets: a Host-Uniq is seen by everyone on the link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = self.0;
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A value in `0..=max`. The high half of a product, so without division.
    pub(crate) fn up_to(&mut self, max: u64) -> u64 {
        let product = u128::from(self.next()).wrapping_mul(u128::from(max).wrapping_add(1));
        u64::try_from(product >> 64).unwrap_or(max)
    }
}
