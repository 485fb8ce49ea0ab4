//! One session of the access concentrator.

use std::time::Duration;

/// A session that is up.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// Address of the host.
    pub(super) host: [u8; 6],
    host_uniq: Vec<u8>,
    /// When the access concentrator ends it.
    pub(super) hang_up: Option<Duration>,
}

impl Session {
    pub(super) fn new(host: [u8; 6], host_uniq: &[u8], hang_up: Option<Duration>) -> Self {
        Self { host, host_uniq: host_uniq.to_vec(), hang_up }
    }

    /// Whether a request of this host with this mark is a repetition of the one that made the session.
    pub(super) fn is(&self, host: [u8; 6], host_uniq: &[u8]) -> bool {
        self.host == host && self.host_uniq == host_uniq
    }
}
