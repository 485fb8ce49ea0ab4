//! The registers and bits that the corrections look at (SDM section 13, 82574 datasheet section 10).

pub(super) const CTRL: u64 = 0x0000;
pub(super) const STATUS: u64 = 0x0008;
pub(super) const MDIC: u64 = 0x0020;
pub(super) const ITR: u64 = 0x00c4;
pub(super) const ICS: u64 = 0x00c8;
pub(super) const IMS: u64 = 0x00d0;
pub(super) const IMC: u64 = 0x00d8;
pub(super) const EIAC: u64 = 0x00dc;
pub(super) const IVAR: u64 = 0x00e4;
/// First of five.
pub(super) const EITR: u64 = 0x00e8;
pub(super) const RCTL: u64 = 0x0100;
pub(super) const TCTL: u64 = 0x0400;
pub(super) const PBA: u64 = 0x1000;
pub(super) const RDBAL: u64 = 0x2800;
pub(super) const RDBAH: u64 = 0x2804;
pub(super) const RDLEN: u64 = 0x2808;
pub(super) const RDH: u64 = 0x2810;
pub(super) const RDT: u64 = 0x2818;
pub(super) const TDBAL: u64 = 0x3800;
pub(super) const TDBAH: u64 = 0x3804;
pub(super) const TDLEN: u64 = 0x3808;
pub(super) const TDT: u64 = 0x3818;
pub(super) const MPC: u64 = 0x4010;
pub(super) const RNBC: u64 = 0x40a0;
pub(super) const SWSM: u64 = 0x5b50;

pub(super) const CTRL_SLU: u32 = 1 << 6;
pub(super) const CTRL_RST: u32 = 1 << 26;
/// FD, LU, SPEED and ASDV: what depends on the link.
pub(super) const STATUS_LINK: u32 = 0x03c3;
pub(super) const STATUS_LU: u32 = 1 << 1;
pub(super) const CAUSE_LSC: u32 = 1 << 2;
pub(super) const CAUSE_RXO: u32 = 1 << 6;
pub(super) const RCTL_EN: u32 = 1 << 1;
pub(super) const RCTL_LPE: u32 = 1 << 5;
pub(super) const RCTL_BSEX: u32 = 1 << 25;
pub(super) const TCTL_PSP: u32 = 1 << 3;
