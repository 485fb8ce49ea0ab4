//! What can be said of the driver by reading its image, without running it.
//!
//! - [`barriers`]: whether register accesses are ordered on ARM64;
//! - [`stack`]: how much stack its functions and its entry points take;
//! - [`imports`], [`inf`]: the oldest Windows that it loads on, and the one that its INF names;
//! - [`pe`]: the image as the loader sees it;
//! - [`symbols`]: names, from the linker's map.

pub mod barriers;
pub mod code;
pub mod imports;
pub mod inf;
pub mod pe;
pub mod stack;
pub mod symbols;
pub mod unwind;
pub mod windows;
