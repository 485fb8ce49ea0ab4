//! Interrupted runs, which must not leave the namespaces of real peers behind.

use std::sync::atomic::{AtomicBool, Ordering};

use super::namespace::clean_up_all;

/// Exit status after an interrupt, as shells report it.
const INTERRUPTED: i32 = 130;

/// An interrupt has come, and its handler ends the process.
static STOPPING: AtomicBool = AtomicBool::new(false);

/// Has an interrupt or a request to terminate remove the namespaces of this process and end it. For the main function of a
/// command, once.
///
/// # Errors
/// What keeps the handler from being set.
pub fn clean_up_when_interrupted() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        STOPPING.store(true, Ordering::Release);
        clean_up_all();
        std::process::exit(INTERRUPTED);
    })
}

/// Waits for the end once an interrupt has come: what the handler removes would only be made again, or be missed.
pub fn leave_it_to_the_handler() {
    while STOPPING.load(Ordering::Acquire) {
        std::thread::park();
    }
}
