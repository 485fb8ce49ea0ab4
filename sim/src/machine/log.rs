//! The event log: one line an event, the same lines for the same configuration.
//!
//! A line holds virtual time, processor, activity and text; nothing in it may depend on addresses, the clock or a hash
//! map's order. The hash covers every line; of the text the last [`KEEP`] bytes or more stay in memory.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Write as _};

use sha2::{Digest, Sha256};

use super::Machine;

/// How much of the log is kept.
const KEEP: usize = 16 << 20;

pub(super) struct Log {
    enabled: bool,
    trace: bool,
    lines: Cell<u64>,
    inner: RefCell<Inner>,
}

struct Inner {
    hash: Sha256,
    older: String,
    newer: String,
    line: String,
}

impl Log {
    pub(super) fn new(trace: bool, enabled: bool) -> Self {
        let inner = Inner {
            hash: Sha256::new(),
            older: String::new(),
            newer: String::new(),
            line: String::with_capacity(256),
        };
        Self { enabled: enabled || trace, trace, lines: Cell::new(0), inner: RefCell::new(inner) }
    }

    fn append(&self, now: u64, who: fmt::Arguments<'_>, text: fmt::Arguments<'_>) {
        // An argument's `Display` that logs finds the log borrowed; its line is dropped, as it is in every run.
        let Ok(mut inner) = self.inner.try_borrow_mut() else { return };
        let inner = &mut *inner;
        inner.line.clear();
        let _ = write!(inner.line, "{:>12}.{:03} {who} ", now / 1000, now % 1000);
        let start = inner.line.len();
        let _ = write!(inner.line, "{text}");
        if inner.line[start..].contains('\n') {
            let flat = inner.line[start..].replace('\n', "\\n");
            inner.line.truncate(start);
            inner.line.push_str(&flat);
        }
        inner.line.push('\n');
        if self.trace {
            eprint!("{}", inner.line);
        }
        inner.hash.update(inner.line.as_bytes());
        inner.newer.push_str(&inner.line);
        if inner.newer.len() > KEEP {
            inner.older = std::mem::take(&mut inner.newer);
        }
        self.lines.set(self.lines.get() + 1);
    }
}

impl Machine {
    /// Appends a line to the event log; line breaks in `text` are escaped.
    pub fn log(&self, text: fmt::Arguments<'_>) {
        if !self.log.enabled {
            return;
        }
        let now = self.clock.now();
        let logged = self.with_activity(|activity| {
            let (cpu, irql) = (activity.cpu.get(), activity.irql.get());
            self.log.append(now, format_args!("cpu{cpu} irql{irql:<2} {:<20}", activity.label), text);
        });
        if logged.is_none() {
            self.log.append(now, format_args!("     host   {:<20}", ""), text);
        }
    }

    /// SHA-256 of the event log so far, in hexadecimal.
    pub fn log_hash(&self) -> String {
        let hash = self.log.inner.borrow().hash.clone().finalize();
        hash.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// How many lines the event log has.
    pub fn log_lines(&self) -> u64 {
        self.log.lines.get()
    }

    /// The event log, or its end if it is longer than what is kept.
    pub fn log_text(&self) -> String {
        let inner = self.log.inner.borrow();
        format!("{}{}", inner.older, inner.newer)
    }
}
