//! Addresses and the receive filter (SDM 3.2.1, 13.4.22 and 13.5; 82574 7.1 and 10.2.5).

use core::fmt;

use bitflags::bitflags;

use crate::registers::{Mta, Rah, Ral, Rctl, Register, Vet};
use crate::{Error, Nic, Registers};

/// An Ethernet address in the order of the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// Whether a station may have this address: neither a group address nor zero.
    pub fn is_station(self) -> bool {
        !self.is_group() && self != Self::default()
    }

    /// Whether this is a group (multicast or broadcast) address.
    pub fn is_group(self) -> bool {
        let [first, ..] = self.0;
        first & 1 != 0
    }

    /// Bytes 0 to 3 and bytes 4 and 5 as RAL and RAH hold them (SDM 13.5.2).
    fn halves(self) -> (u32, u32) {
        let word = self.0.iter().rev().fold(0_u64, |word, &byte| word << 8 | u64::from(byte));
        ((word & 0xFFFF_FFFF) as u32, (word >> 32) as u32)
    }

    /// The bit of the 4,096-bit multicast table for this address with RCTL.MO = 0: bits 47:36 (SDM 13.5.1).
    fn hash(self) -> (u32, u32) {
        let [.., fifth, sixth] = self.0;
        let hash = u32::from(fifth) >> 4 | u32::from(sixth) << 4;
        (hash >> 5, hash & 31)
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, rest @ ..] = self.0;
        write!(formatter, "{first:02x}")?;
        rest.iter().try_for_each(|byte| write!(formatter, ":{byte:02x}"))
    }
}

bitflags! {
    /// Which frames are received besides those to the station address and to the addresses of
    /// [`Nic::set_multicast`].
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Filter: u32 {
        /// All unicast frames.
        const PROMISCUOUS = 1 << 3;
        /// All multicast frames.
        const ALL_MULTICAST = 1 << 4;
        /// Broadcast frames.
        const BROADCAST = 1 << 15;
    }
}

impl Filter {
    /// A receive control value with this filter and everything else unchanged.
    pub(crate) fn apply(self, control: Rctl) -> Rctl {
        control
            .with(Rctl::UPE, self.contains(Self::PROMISCUOUS).into())
            .with(Rctl::MPE, self.contains(Self::ALL_MULTICAST).into())
            .with(Rctl::BAM, self.contains(Self::BROADCAST).into())
    }
}

impl<R: Registers> Nic<R> {
    /// Sets the address whose frames are received, and clears all other filters.
    pub(crate) fn reset_filters(&self, address: MacAddress) {
        self.set_station_address(address);
        for index in 1..Ral::ROW.count {
            // The high half first: it holds the valid bit.
            self.bus.write_at(index, Rah::default());
            self.bus.write_at(index, Ral::default());
        }
        for index in 0..Mta::ROW.count {
            self.bus.write_at(index, Mta::default());
        }
        self.bus.write(Vet::from_bits(0x8100));
    }

    /// Sets the address whose frames are received. Any IRQL up to `DISPATCH_LEVEL`.
    pub fn set_station_address(&self, address: MacAddress) {
        let (low, high) = address.halves();
        // Invalid while it is half written; the reads back are spared, as writes stay in order.
        self.bus.write_at(0, Rah::default());
        self.bus.write_at(0, Ral::from_bits(low));
        self.bus.write_at(0, Rah::from_bits(high).set(Rah::AV));
    }

    /// Receives multicast frames to these addresses (and to others with the same hash), and no longer to those of
    /// earlier calls. Any IRQL up to `DISPATCH_LEVEL`.
    pub fn set_multicast(&self, addresses: impl IntoIterator<Item = MacAddress>) {
        let mut table = [0_u32; Mta::ROW.count as usize];
        for (word, bit) in addresses.into_iter().map(MacAddress::hash) {
            if let Some(entry) = table.get_mut(word as usize) {
                *entry |= 1 << bit;
            }
        }
        for (index, entry) in (0..).zip(table) {
            self.bus.write_at(index, Mta::from_bits(entry));
        }
    }

    /// Changes the filter of a running receiver. Any IRQL up to `DISPATCH_LEVEL`; not concurrently with
    /// [`Nic::start_receive`].
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn set_filter(&self, filter: Filter) -> Result<(), Error> {
        self.bus.modify::<Rctl>(|control| filter.apply(control))
    }
}
