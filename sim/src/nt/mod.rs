//! What `ntoskrnl.exe` and `HAL.dll` export.

use crate::image::Export;

/// The exports of the kernel.
pub fn exports() -> Vec<Export> {
    Vec::new()
}
