//! One session of the access concentrator.

use std::time::Duration;

use crate::wire::credits::Purse;

/// A session that is up.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// Address of the host.
    pub(super) host: [u8; 6],
    /// The host's mark in the request that made it.
    pub(super) host_uniq: Vec<u8>,
    /// When the access concentrator ends it.
    pub(super) hang_up: Option<Duration>,
    /// Its credits, if it has any.
    pub(super) purse: Option<Purse>,
    /// When it is looked at next: its place among all that are due.
    pub(super) planned: Option<Duration>,
}

impl Session {
    /// When something is to be done about it.
    pub(super) fn next(&self) -> Option<Duration> {
        let grant = self.purse.as_ref().and_then(|purse| purse.next);
        self.hang_up.into_iter().chain(grant).min()
    }
}
