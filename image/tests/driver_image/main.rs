//! What the checks say of small images, and of the files of the driver.

mod common;
mod imports;
mod inf;
mod stack;
