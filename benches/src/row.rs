//! One row of the results.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

/// Which way frames go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    /// From a client to the card, and the completion back.
    Send,
    /// From the card to a client, and the buffer back.
    Receive,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Send => "send",
            Self::Receive => "receive",
        })
    }
}

/// How frames are spread over VCs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Spread {
    /// All frames are on one VC.
    One,
    /// Each batch is on another VC than the last.
    Batch,
    /// Each frame is on another VC than the last.
    Frame,
}

/// What one frame costs, on average of its batch.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Row {
    /// Which way it goes.
    pub(crate) direction: Direction,
    /// Its bytes from the PPP protocol field on.
    pub(crate) size: usize,
    /// Frames between two interrupts.
    pub(crate) batch: usize,
    /// VCs in use.
    pub(crate) vcs: usize,
    /// How frames are spread over them.
    pub(crate) spread: Spread,
    /// Instructions of the driver.
    pub(crate) instructions: f64,
    /// Cycles of the driver, the stand-ins for NDIS and the kernel included.
    pub(crate) cycles: f64,
    /// Instructions of the floor.
    pub(crate) floor_instructions: f64,
    /// Cycles of the floor.
    pub(crate) floor_cycles: f64,
    /// Cycles of rp-pppoe's relay, if it was measured.
    pub(crate) relay_cycles: Option<f64>,
}
