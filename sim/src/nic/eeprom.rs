//! The 64-word EEPROM and its read register (SDM section 5 and 13.4.4; 82574 datasheet section 10.2.2.4).

use std::time::Duration;

use super::{Fault, Faults, Model, latency::Latency};

/// Sum of all words.
const SUM: u16 = 0xbaba;
/// Word that makes the sum right.
const CHECKSUM: usize = 0x3f;
/// What makes word 0, the first two octets of the address, that of a group's.
const GROUP: u16 = 1;
/// One word over the serial bus.
const READ_TIME: Duration = Duration::from_micros(40);

/// The EEPROM of one card.
#[derive(Clone, Debug)]
pub(super) struct Eeprom {
    words: [u16; 64],
    model: Model,
    /// Word being read.
    address: usize,
    busy: Option<Latency>,
    started: bool,
}

impl Eeprom {
    pub(super) fn new(model: Model, mac: [u8; 6]) -> Self {
        let mut words = [0; 64];
        for (word, pair) in words.iter_mut().zip(mac.chunks_exact(2)) {
            *word = u16::from_le_bytes([pair[0], pair[1]]);
        }
        words[0x0a] = 0x4008;
        words[0x0b] = model.subsystem();
        words[0x0c] = 0x8086;
        words[0x0d] = model.device_id();
        words[0x0e] = 0x8086;
        words[0x0f] = 0x3040;
        let sum = words.iter().fold(0u16, |sum, word| sum.wrapping_add(*word));
        words[CHECKSUM] = SUM.wrapping_sub(sum);
        Self { words, model, address: 0, busy: None, started: false }
    }

    /// The station address.
    pub(super) fn mac(&self) -> [u8; 6] {
        let mut mac = [0; 6];
        for (pair, word) in mac.chunks_exact_mut(2).zip(self.words) {
            pair.copy_from_slice(&word.to_le_bytes());
        }
        mac
    }

    /// Software writes EERD.
    pub(super) fn write(&mut self, now: Duration, value: u32) {
        if value & 1 == 0 {
            return;
        }
        self.address = if self.model.is_82574() { value >> 2 & 0x3fff } else { value >> 8 & 0xff } as usize;
        self.busy = Some(Latency::new(now, READ_TIME));
        self.started = true;
    }

    /// Software reads EERD. `ready` is false while the card still loads itself from the EEPROM.
    pub(super) fn read(&mut self, now: Duration, ready: bool, faults: &Faults) -> u32 {
        if !self.started {
            return 0;
        }
        let done = ready && self.busy.as_mut().is_none_or(|busy| busy.over(now));
        let address = u32::try_from(self.address).unwrap_or(0);
        let command = if self.model.is_82574() { address << 2 } else { address << 8 };
        if !done {
            return command | 1;
        }
        self.busy = None;
        let mut word = self.words.get(self.address).copied().unwrap_or(0xffff);
        let (spoilt, group) = (faults.has(Fault::EepromChecksum), faults.has(Fault::EepromGroupAddress));
        match self.address {
            0 if group => word |= GROUP,
            CHECKSUM if group && self.words[0] & GROUP == 0 => word = word.wrapping_sub(GROUP),
            CHECKSUM if spoilt => word ^= 1,
            _ => {}
        }
        let done = if self.model.is_82574() { 1 << 1 } else { 1 << 4 };
        u32::from(word) << 16 | command | done
    }

    /// What `CTRL.RST` does: an access under way is lost.
    pub(super) fn reset(&mut self) {
        self.busy = None;
        self.started = false;
    }
}
