//! Measures what mcm.sys costs, the simulator's own work left out: [`datapath`] what a frame costs, [`calls`] what a
//! call costs; and [`sim`] what a frame costs the simulator. Each is a command.

mod boot;
pub mod calls;
mod captured;
mod card;
mod clock;
mod command;
pub mod datapath;
mod floor;
mod instrument;
mod layout;
mod measure;
mod plot;
mod profile;
mod raw;
mod relay;
mod routines;
mod row;
mod services;
pub mod sim;
mod targets;
mod trace;
mod wire;
