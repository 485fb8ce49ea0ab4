//! The MSI-X table and pending bit array of a function (PCI Local Bus Specification 3.0, section 6.8.2).

use super::Platform;

/// Bytes of one table entry: address, upper address, data, vector control.
const ENTRY: usize = 16;
/// Vector control bit 0.
const MASKED: u32 = 1;

/// Table and pending bits; `N` entries at most 32, since one pending dword is kept.
#[derive(Clone, Debug)]
pub struct MsixTable {
    entries: Vec<[u32; 4]>,
    pending: u32,
    enabled: bool,
    function_mask: bool,
}

impl MsixTable {
    /// `vectors` entries, all masked, as after reset.
    ///
    /// # Panics
    /// With more than 32 vectors.
    pub fn new(vectors: usize) -> Self {
        assert!(vectors <= 32, "one dword of pending bits");
        Self { entries: vec![[0, 0, 0, MASKED]; vectors], pending: 0, enabled: false, function_mask: false }
    }

    /// The capability's message control register was written.
    pub fn control(&mut self, p: &dyn Platform, message_control: u16) {
        self.enabled = message_control & 0x8000 != 0;
        self.function_mask = message_control & 0x4000 != 0;
        self.deliver(p);
    }

    /// MSI-X is enabled; `INTx#` must then not be used.
    pub fn enabled(&self) -> bool {
        self.enabled
    }

    /// Sends the message of `vector`, or remembers it while masked. Vectors that do not exist are ignored.
    pub fn raise(&mut self, p: &dyn Platform, vector: usize) {
        if self.enabled && vector < self.entries.len() {
            self.pending |= 1 << vector;
            self.deliver(p);
        }
    }

    /// Reads a dword of the table at byte `off`.
    pub fn read(&self, off: usize) -> u32 {
        self.entries.get(off / ENTRY).map_or(0, |entry| entry[off % ENTRY / 4])
    }

    /// Writes a dword of the table at byte `off`.
    pub fn write(&mut self, p: &dyn Platform, off: usize, value: u32) {
        let Some(entry) = self.entries.get_mut(off / ENTRY) else { return };
        let word = off % ENTRY / 4;
        entry[word] = if word == 3 { value & MASKED } else { value };
        self.deliver(p);
    }

    /// The pending bit array.
    pub fn pending(&self) -> u32 {
        self.pending
    }

    fn deliver(&mut self, p: &dyn Platform) {
        if !self.enabled || self.function_mask {
            return;
        }
        for (vector, entry) in (0u16..).zip(&self.entries) {
            if self.pending >> vector & 1 != 0 && entry[3] & MASKED == 0 {
                self.pending &= !(1 << vector);
                p.message(vector);
            }
        }
    }
}
