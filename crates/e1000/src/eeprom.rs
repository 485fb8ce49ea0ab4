//! Reading the EEPROM through EERD (SDM 5 and 13.4.4, 82574 10.2.2.4).

use crate::registers::{Eerd, Field, Register};
use crate::{Delay, EerdLayout, Error, MacAddress, Nic, Registers};

/// What words 00h to 3Fh add up to (SDM 5.6.35).
pub(crate) const CHECKSUM: u16 = 0xBABA;
/// Words the checksum covers.
pub(crate) const CHECKED_WORDS: u8 = 0x40;

/// Polls of EERD per word, 10 us apart: a word takes some 50 us on the serial bus.
const POLLS: u32 = 1_000;

/// The command that reads `word`, and the field that tells that it is done.
fn command(layout: EerdLayout, word: u8) -> (Eerd, Field<Eerd>) {
    match layout {
        EerdLayout::Done4Address8 => {
            (Eerd::default().set(Eerd::START).with(Eerd::ADDRESS8, u32::from(word)), Eerd::DONE4)
        }
        // Here the address begins at bit 2 and overlaps the other layout's DONE, so it is no field of the table.
        EerdLayout::Done1Address2 => (Eerd::from_bits(u32::from(word) << 2).set(Eerd::START), Eerd::DONE1),
    }
}

impl<R: Registers> Nic<R> {
    /// Reads one 16-bit word. `PASSIVE_LEVEL`; at most 10 ms.
    ///
    /// # Errors
    /// [`Error::EepromTimeout`], [`Error::Gone`].
    pub fn read_eeprom(&self, delay: &impl Delay, word: u8) -> Result<u16, Error> {
        let (start, done) = command(self.model.eerd, word);
        self.bus.write(start);
        for _ in 0..POLLS {
            let answer: Eerd = self.bus.read()?;
            if answer.is_set(done) {
                return Ok(u16::try_from(answer.get(Eerd::DATA)).unwrap_or(0));
            }
            delay.microseconds(10);
        }
        Err(Error::EepromTimeout { word })
    }

    /// Checks the checksum, which the card itself does not (SDM 5.6.35).
    pub(crate) fn verify_eeprom(&self, delay: &impl Delay) -> Result<(), Error> {
        let mut sum = 0_u16;
        for word in 0..CHECKED_WORDS {
            sum = sum.wrapping_add(self.read_eeprom(delay, word)?);
        }
        if sum == CHECKSUM { Ok(()) } else { Err(Error::EepromChecksum { sum }) }
    }

    /// The Ethernet address in words 0 to 2, low byte first (SDM 5.6.1). `PASSIVE_LEVEL`.
    ///
    /// # Errors
    /// [`Error::InvalidAddress`] for a group address or zeros, and those of [`Nic::read_eeprom`].
    pub fn permanent_address(&self, delay: &impl Delay) -> Result<MacAddress, Error> {
        let mut address = MacAddress::default();
        let (pairs, _) = address.0.as_chunks_mut::<2>();
        for (pair, word) in pairs.iter_mut().zip(0..) {
            *pair = self.read_eeprom(delay, word)?.to_le_bytes();
        }
        if address.is_station() { Ok(address) } else { Err(Error::InvalidAddress) }
    }
}
