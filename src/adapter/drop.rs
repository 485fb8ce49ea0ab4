//! The end of an adapter.

use super::Adapter;

impl Drop for Adapter {
    /// However initialisation or operation ended, the card must not touch memory that is about to be freed. After a
    /// halt this has been done; after a failed initialisation it has not.
    fn drop(&mut self) {
        if let Some(_access) = self.card.access() {
            self.nic.quiesce();
        }
    }
}
