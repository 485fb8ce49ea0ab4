//! What a peer must not guess.

use core::hash::Hasher;

use siphasher::sip128::{Hash128, Hasher128, SipHasher24};

/// A key of SipHash-2-4 with 128 bits of output (Aumasson, Bernstein, INDOCRYPT 2012), which is a pseudo-random
/// function: who sees outputs learns nothing of others. Not printed.
#[derive(Clone, Copy)]
pub(crate) struct Key(SipHasher24);

impl Key {
    pub(crate) fn new(octets: &[u8; 16]) -> Self {
        Self(SipHasher24::new_with_key(octets))
    }

    /// Hashes `parts`, each behind its length, so that no two lists look alike.
    pub(crate) fn hash(&self, parts: &[&[u8]]) -> Hash128 {
        let mut hasher = self.0;
        for part in parts {
            hasher.write_u64(u64::try_from(part.len()).unwrap_or(u64::MAX));
            hasher.write(part);
        }
        hasher.finish128()
    }

    /// Hashes the number `number`.
    pub(crate) fn number(&self, number: u64) -> Hash128 {
        let mut hasher = self.0;
        hasher.write_u64(number);
        hasher.finish128()
    }

    /// A key that says nothing about this one, nor about those with another `label`.
    pub(crate) fn derive(&self, label: &str) -> Self {
        let Hash128 { h1, h2 } = self.hash(&[label.as_bytes()]);
        Self(SipHasher24::new_with_keys(h1, h2))
    }
}

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Key")
    }
}

/// Unpredictable numbers: the hashes of a counter.
#[derive(Debug)]
pub(crate) struct Sequence {
    key: Key,
    counter: u64,
}

impl Sequence {
    pub(crate) const fn new(key: Key) -> Self {
        Self { key, counter: 0 }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(1);
        self.key.number(self.counter).h1
    }

    /// A number in `0..=max`. The high half of a product, so without division; the bias is below 2^-32.
    pub(crate) fn up_to(&mut self, max: u32) -> u32 {
        let product = u128::from(self.next()).wrapping_mul(u128::from(max).wrapping_add(1));
        u32::try_from(product >> 64).unwrap_or(max)
    }
}

/// Numbers of which nobody can foresee the next who has seen the others.
#[derive(Debug)]
pub struct Random(Sequence);

impl Random {
    /// Numbers that follow from `secret`: octets of a cryptographic generator.
    pub fn new(secret: &[u8; 16]) -> Self {
        Self(Sequence::new(Key::new(secret)))
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0.next()
    }

    /// A secret that says nothing about this one.
    pub fn secret(&mut self) -> [u8; 16] {
        (u128::from(self.number()) << 64 | u128::from(self.number())).to_le_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first of the reference implementation's vectors for 128 bits (key 00..0f, empty message).
    #[test]
    fn is_siphash() {
        let key = Key::new(&core::array::from_fn(|i| u8::try_from(i).unwrap()));
        let Hash128 { h1, h2 } = key.0.finish128();
        let want =
            [0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93];
        assert_eq!((u128::from(h2) << 64 | u128::from(h1)).to_le_bytes(), want);
    }

    #[test]
    fn numbers_follow_from_the_secret() {
        let numbers = |secret| {
            let mut random = Random::new(&[secret; 16]);
            (random.number(), random.number(), random.secret())
        };
        assert_eq!(numbers(1), numbers(1));
        let (first, second, secret) = numbers(2);
        assert!(first != second && numbers(1).0 != first && secret != [0; 16]);
    }

    #[test]
    fn lists_do_not_run_together() {
        let key = Key::new(&[7; 16]);
        assert!(key.hash(&[b"ab", b"c"]) != key.hash(&[b"a", b"bc"]));
        assert!(key.hash(&[b"ab"]) != key.hash(&[b"ab", b""]));
        assert!(key.derive("a").number(1) != key.derive("b").number(1));
    }

    #[test]
    fn numbers_stay_in_range_and_reach_its_ends() {
        let mut sequence = Sequence::new(Key::new(&[1; 16]));
        let mut seen = [false; 4];
        for _ in 0..200 {
            seen[usize::try_from(sequence.up_to(3)).unwrap()] = true;
        }
        assert_eq!((seen, sequence.up_to(0)), ([true; 4], 0));
    }
}
