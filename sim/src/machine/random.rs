//! The generators that take the machine's decisions.

use std::cell::RefCell;

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;

use super::Machine;

/// One seeded generator. PCG64 is specified and portable: a seed means the same run everywhere.
pub(super) struct Random(RefCell<Pcg64>);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(RefCell::new(Pcg64::seed_from_u64(seed)))
    }

    pub(super) fn next(&self) -> u64 {
        self.0.borrow_mut().next_u64()
    }

    /// A number below `n`, by multiplication and shift; the bias of 2^-64 times `n` does not matter here.
    pub(super) fn below(&self, n: u64) -> u64 {
        u64::try_from((u128::from(self.next()) * u128::from(n)) >> 64).unwrap_or(0)
    }
}

impl Machine {
    /// The next random number, for devices, scripts and answers. The scheduler has a generator of its own.
    pub fn random(&self) -> u64 {
        self.random.next()
    }

    /// A random number below `n`, or zero when `n` is zero.
    pub fn below(&self, n: u64) -> u64 {
        self.random.below(n)
    }

    /// True with the probability `numerator / denominator`.
    pub fn chance(&self, numerator: u64, denominator: u64) -> bool {
        self.random.below(denominator) < numerator
    }
}
