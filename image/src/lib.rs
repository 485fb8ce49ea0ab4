//! What can be said of the driver by reading its image, without running it.
//!
//! - [`stack`]: how much stack its functions and its entry points take;
//! - [`pe`]: the image as the loader sees it;
//! - [`symbols`]: names, from the linker's map.

pub mod code;
pub mod pe;
pub mod stack;
pub mod symbols;
pub mod unwind;
