//! Which cards there are and how they differ.
//!
//! One row of [`MODELS`] per device id. A card of a known family under another id takes a row here and a line of
//! `mcm.inx`, in the same order, and nothing else.

/// Intel's PCI vendor id.
pub const VENDOR: u16 = 0x8086;

/// A generation of controllers that is programmed alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// PCI and PCI-X controllers of the 8254x Software Developer's Manual ("SDM").
    I8254x,
    /// The PCI Express controller of the 82574 datasheet ("82574").
    I82574,
}

/// Where the EERD register keeps its fields (SDM 13.4.4, 82574 10.2.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EerdLayout {
    /// DONE in bit 4, the word address in bits 15:8.
    Done4Address8,
    /// DONE in bit 1, the word address in bits 15:2.
    Done1Address2,
}

/// What the driver has to know of one device id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    /// PCI device id.
    pub device: u16,
    /// The name Intel sells it by.
    pub name: &'static str,
    /// How it is programmed.
    pub family: Family,
    /// Layout of the EEPROM read register.
    pub eerd: EerdLayout,
    /// Bytes of the receive FIFO after a reset (PBA: SDM 13.4.16, 82574 10.2.2).
    pub receive_fifo: u32,
    /// Number of MSI-X vectors, 0 without MSI-X.
    pub messages: u8,
    /// Whether firmware shares the PHY and EEPROM, so that they need a semaphore.
    pub semaphore: bool,
}

/// Every card this crate drives.
pub const MODELS: &[Model] = &[
    Model {
        device: 0x100E,
        name: "82540EM",
        family: Family::I8254x,
        eerd: EerdLayout::Done4Address8,
        receive_fifo: 48 * 1024,
        messages: 0,
        semaphore: false,
    },
    Model {
        device: 0x100F,
        name: "82545EM",
        family: Family::I8254x,
        eerd: EerdLayout::Done4Address8,
        receive_fifo: 48 * 1024,
        messages: 0,
        semaphore: false,
    },
    Model {
        device: 0x10D3,
        name: "82574L",
        family: Family::I82574,
        eerd: EerdLayout::Done1Address2,
        receive_fifo: 20 * 1024,
        messages: 5,
        semaphore: true,
    },
];

impl Model {
    /// The row for a PCI vendor and device id.
    pub fn find(vendor: u16, device: u16) -> Option<&'static Self> {
        if vendor != VENDOR {
            return None;
        }
        MODELS.iter().find(|model| model.device == device)
    }
}
