//! The register table: one declaration per register, with offset, access, source and fields.
//!
//! A register is a type over its 32 bits; a field is a constant of that type, so a field cannot be applied to another
//! register's value, and a read-only register cannot be written. Sections are those of the two manuals that [the crate's
//! documentation](crate#sources) names. One of the 82574's that ends at a group, such as 10.2.7, is the group's: the
//! register is found there under its name.

use core::marker::PhantomData;

use crate::{Error, Registers};

mod general;
mod interrupt;
mod receive;
mod statistics;
mod transmit;

pub use general::*;
pub use interrupt::*;
pub use receive::*;
pub use statistics::*;
pub use transmit::*;

/// What reading and writing a register does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read only.
    RO,
    /// Read and write.
    RW,
    /// Write only; what it reads as is undefined.
    WO,
    /// Reading clears (or may clear), writing ones clears those bits.
    W1C,
    /// A counter that reading clears and that stops at all ones.
    RC,
    /// Plain storage that may hold any value, all ones included.
    RAM,
}

/// One row of [`table`]: a register as the datasheet lists it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Intel's name.
    pub name: &'static str,
    /// Byte offset in BAR 0 of the (first) register.
    pub offset: u32,
    /// Number of registers; more than one for an array.
    pub count: u32,
    /// Bytes between the registers of an array.
    pub stride: u32,
    /// What reading and writing does.
    pub access: Access,
    /// Section of the SDM, or `""` where the 8254x has no such register.
    pub sdm: &'static str,
    /// Section of the 82574 datasheet, or of the register's group there, or `""` where the 82574 has no such register.
    pub i82574: &'static str,
    /// Names and inclusive bit ranges of the fields.
    pub fields: &'static [(&'static str, u32, u32)],
}

/// A register (or an array of them) as a type over its value.
pub trait Register: Copy {
    /// The register's row in the table.
    const ROW: Row;
    /// The value made of these bits.
    fn from_bits(bits: u32) -> Self;
    /// The value's bits.
    fn bits(self) -> u32;

    /// The bits of a field, shifted down to bit 0.
    fn get(self, field: Field<Self>) -> u32 {
        (self.bits() & field.mask) >> field.shift
    }
    /// Whether any bit of a field is set.
    fn is_set(self, field: Field<Self>) -> bool {
        self.bits() & field.mask != 0
    }
    /// The value with a field replaced; excess bits of `value` are cut off.
    #[must_use]
    fn with(self, field: Field<Self>, value: u32) -> Self {
        Self::from_bits(self.bits() & !field.mask | (value << field.shift) & field.mask)
    }
    /// The value with all bits of a field set.
    #[must_use]
    fn set(self, field: Field<Self>) -> Self {
        Self::from_bits(self.bits() | field.mask)
    }
    /// The value with all bits of a field cleared.
    #[must_use]
    fn clear(self, field: Field<Self>) -> Self {
        Self::from_bits(self.bits() & !field.mask)
    }
}

/// A register software may read.
pub trait Readable: Register {}
/// A register software may write.
pub trait Writable: Register {}

/// A range of bits of register `R`.
pub struct Field<R> {
    shift: u32,
    mask: u32,
    register: PhantomData<fn() -> R>,
}

impl<R> Clone for Field<R> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<R> Copy for Field<R> {}

impl<R> Field<R> {
    /// Bits `low..=high`. Only for constants: a bad range does not compile.
    const fn new(low: u32, high: u32) -> Self {
        assert!(low <= high && high < 32, "a field lies within 32 bits");
        Self {
            shift: low,
            mask: (u32::MAX << low) & (u32::MAX >> 31_u32.wrapping_sub(high)),
            register: PhantomData,
        }
    }
}

/// Declares registers: `NAME = offset, ACCESS, "SDM section", "82574 section" { FIELD: low..=high; BIT: n; }`.
macro_rules! registers {
    ($($(#[$doc:meta])* $name:ident = $offset:literal $([$count:literal; $stride:literal])?,
       $access:ident, $sdm:literal, $i82574:literal
       { $($(#[$fdoc:meta])* $field:ident: $low:literal $(..= $high:literal)?;)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
            pub struct $name(u32);

            impl $name {
                $($(#[$fdoc])* pub const $field: super::Field<Self> = super::Field::new(
                    $low, registers!(@last $low $(, $high)?));)*
            }

            impl super::Register for $name {
                const ROW: super::Row = super::Row {
                    name: stringify!($name),
                    offset: $offset,
                    count: registers!(@last 1 $(, $count)?),
                    stride: registers!(@last 4 $(, $stride)?),
                    access: super::Access::$access,
                    sdm: $sdm,
                    i82574: $i82574,
                    fields: &[$((stringify!($field), $low, registers!(@last $low $(, $high)?))),*],
                };
                fn from_bits(bits: u32) -> Self {
                    Self(bits)
                }
                fn bits(self) -> u32 {
                    self.0
                }
            }
            registers!(@access $access $name);
        )*
        pub(super) const TABLE: &[super::Row] = &[$(<$name as super::Register>::ROW),*];
    };
    (@last $a:literal) => { $a };
    (@last $a:literal, $b:literal) => { $b };
    (@access RO $name:ident) => { impl super::Readable for $name {} };
    (@access RC $name:ident) => { impl super::Readable for $name {} };
    (@access WO $name:ident) => { impl super::Writable for $name {} };
    (@access $other:ident $name:ident) => {
        impl super::Readable for $name {}
        impl super::Writable for $name {}
    };
}
use registers;

/// All registers of this crate, for diagnostics and for checking them against another description of the card.
pub fn table() -> impl Iterator<Item = &'static Row> {
    [general::TABLE, interrupt::TABLE, receive::TABLE, transmit::TABLE, statistics::TABLE]
        .into_iter()
        .flatten()
}

/// Typed access to a card's registers.
#[derive(Debug)]
pub(crate) struct Bus<R>(R);

impl<R: Registers> Bus<R> {
    pub(crate) fn new(registers: R) -> Self {
        Self(registers)
    }

    /// Writes a register through the I/O window; false without one. The address register comes first, the data register
    /// behind it (SDM 13, registers in I/O space). Not twice at once.
    pub(crate) fn write_by_port<T: Writable>(&self, value: T) -> bool {
        self.0.write_port(0, T::ROW.offset) && self.0.write_port(4, value.bits())
    }

    /// Reads a register. All ones means [`Error::Gone`].
    pub(crate) fn read<T: Readable>(&self) -> Result<T, Error> {
        self.read_at::<T>(0)
    }

    /// Reads register `index` of an array; the index wraps around.
    pub(crate) fn read_at<T: Readable>(&self, index: u32) -> Result<T, Error> {
        let bits = self.0.read(offset::<T>(index));
        let any_value = matches!(T::ROW.access, Access::RC | Access::RAM);
        // STATUS has bits that are always 0, so it tells a full counter from a missing card.
        if bits == u32::MAX && (!any_value || self.0.read(Status::ROW.offset) == u32::MAX) {
            return Err(Error::Gone);
        }
        Ok(T::from_bits(bits))
    }

    /// Writes a register.
    pub(crate) fn write<T: Writable>(&self, value: T) {
        self.write_at(0, value);
    }

    /// Writes register `index` of an array; the index wraps around.
    pub(crate) fn write_at<T: Writable>(&self, index: u32, value: T) {
        self.0.write(offset::<T>(index), value.bits());
    }

    /// Reads, changes and writes back a register.
    pub(crate) fn modify<T: Readable + Writable>(&self, change: impl FnOnce(T) -> T) -> Result<(), Error> {
        self.write(change(self.read()?));
        Ok(())
    }

    /// Makes sure that all writes so far have reached the card (posted writes do not pass a read: PCI 3.2.5).
    pub(crate) fn flush(&self) -> Result<(), Error> {
        self.read::<Status>().map(|_| ())
    }
}

/// The byte offset of register `index`, which wraps around at the end of the array.
fn offset<T: Register>(index: u32) -> u32 {
    let index = index.checked_rem(T::ROW.count).unwrap_or(0);
    T::ROW.offset.wrapping_add(index.wrapping_mul(T::ROW.stride))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_aligned_unique_and_inside_the_bar() {
        let mut seen = std::collections::BTreeMap::new();
        for row in table() {
            for index in 0..row.count {
                let offset = row.offset + index * row.stride;
                assert!(offset.is_multiple_of(4) && offset < 0x2_0000, "{}", row.name);
                assert_eq!(seen.insert(offset, row.name), None, "{} shares {offset:05X}h", row.name);
            }
        }
    }

    #[test]
    fn fields_do_not_overlap() {
        for row in table() {
            let mut used = 0_u64;
            for &(name, low, high) in row.fields {
                let mask = ((1_u64 << (high - low + 1)) - 1) << low;
                assert_eq!(used & mask, 0, "{}.{name}", row.name);
                used |= mask;
            }
        }
    }

    #[test]
    fn every_register_names_its_source() {
        for row in table() {
            assert!(!(row.sdm.is_empty() && row.i82574.is_empty()), "{}", row.name);
        }
    }

    #[test]
    fn a_field_replaces_only_its_bits() {
        let value = Eerd::from_bits(0xFFFF_FFFF).with(Eerd::ADDRESS8, 0x1_A5);
        assert_eq!(value.bits(), 0xFFFF_A5FF);
        assert_eq!(value.get(Eerd::ADDRESS8), 0xA5);
        assert_eq!(value.clear(Eerd::DATA).bits(), 0x0000_A5FF);
    }
}
