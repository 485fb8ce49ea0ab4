//! What the commands have in common.

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use ndis_sim::wire::rp_pppoe::{clean_up_when_interrupted, leave_it_to_the_handler};

/// Does what a command does, and reports why it could not.
pub(crate) fn run(command: impl FnOnce() -> Result<()>) -> ExitCode {
    let result = clean_up_when_interrupted().map_err(Into::into).and_then(|()| command());
    leave_it_to_the_handler();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Says on a terminal what is being measured.
pub(crate) fn progress(what: &str) {
    let mut err = io::stderr();
    if err.is_terminal() {
        // Nobody who watches misses a line that cannot be written.
        let _ = write!(err, "\r{what:<60}\r");
    }
}

/// Makes the directory that a file is to lie in.
pub(crate) fn make_directory_of(path: &Path) -> Result<()> {
    let Some(directory) = path.parent() else { return Ok(()) };
    fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))
}
