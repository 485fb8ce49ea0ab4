//! Who plays the card.

use std::{fmt, str::FromStr};

use super::RunError;
use crate::{
    machine::{Machine, Step},
    ndis::readings,
    nic::{E1000, Faults, Model},
    pci::Device,
    qemu,
};

/// Who plays the card.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// The simulator's own model; a run is then a function of its seed.
    #[default]
    InProcess,
    /// QEMU's model, in a QEMU process made for the run.
    Qemu,
}

impl Backend {
    /// A card after power-on whose EEPROM holds `mac`, and which misbehaves as `faults` say.
    ///
    /// # Errors
    /// [`RunError::Card`].
    pub fn card(
        self,
        machine: &Machine,
        model: Model,
        mac: [u8; 6],
        faults: Faults,
    ) -> Result<Box<dyn Device>, RunError> {
        match self {
            Self::InProcess => Ok(Box::new(E1000::on(readings().board, model, mac, faults))),
            Self::Qemu => {
                let card = qemu::Card::start(model, mac, qemu::Fidelity::default());
                let card = card.map_err(|error| RunError::Card(error.to_string()))?;
                machine.step(Step::new("card", format!("{model} played by QEMU {}", card.version())));
                Ok(Box::new(qemu::Faulty::new(card, model, faults)))
            }
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InProcess => "in-process",
            Self::Qemu => "qemu",
        })
    }
}

impl FromStr for Backend {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "in-process" => Ok(Self::InProcess),
            "qemu" => Ok(Self::Qemu),
            _ => Err("a card is played in-process or by qemu"),
        }
    }
}
