//! Configures the linker for a WDM driver: WDK library paths, `/DRIVER`, `/ENTRY:DriverEntry`, link map.

fn main() -> Result<(), wdk_build::ConfigError> {
    wdk_build::configure_wdk_binary_build()
}
