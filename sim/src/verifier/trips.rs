//! Each rule has a case that trips it.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// A rule's id and a test that fails unless the rule is found broken.
pub(crate) type Trip = (&'static str, fn());

/// The rules found broken by any test of this process.
static FOUND: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A rule was found broken.
pub(crate) fn found(rule: &str) {
    FOUND.lock().unwrap_or_else(PoisonError::into_inner).insert(rule.to_owned());
}
