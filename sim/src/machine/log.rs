//! The event log: one line an event, the same lines for the same configuration.
//!
//! A line holds virtual time in microseconds, processor, IRQL, activity and text; nothing in it may depend on addresses,
//! the clock or a hash map's order. The hash covers every line; of the text the last [`KEEP`] bytes or more stay in
//! memory. Every kernel call makes a line, so that lines are put together by hand and hashed in bulk.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Write as _};

use sha2::{Digest, Sha256};

use super::Machine;
use super::activity::Activity;

/// How much of the log is kept.
const KEEP: usize = 16 << 20;
/// How much is hashed at once.
const BULK: usize = 16 << 10;

pub(super) struct Log {
    enabled: bool,
    trace: bool,
    lines: Cell<u64>,
    inner: RefCell<Inner>,
}

#[derive(Default)]
struct Inner {
    hash: Sha256,
    older: String,
    newer: String,
    /// How much of `newer` the hash covers.
    hashed: usize,
}

impl Inner {
    fn update_hash(&mut self) {
        self.hash.update(&self.newer.as_bytes()[self.hashed..]);
        self.hashed = self.newer.len();
    }
}

impl Log {
    pub(super) fn new(trace: bool, enabled: bool) -> Self {
        Self { enabled: enabled || trace, trace, lines: Cell::new(0), inner: RefCell::default() }
    }

    fn append(&self, now: u64, activity: Option<&Activity>, text: fmt::Arguments<'_>) {
        // An argument's `Display` that logs finds the log borrowed; its line is dropped, as it is in every run.
        let Ok(mut inner) = self.inner.try_borrow_mut() else { return };
        let inner = &mut *inner;
        let line = inner.newer.len();
        push_time(&mut inner.newer, now);
        match activity {
            Some(activity) => push_activity(&mut inner.newer, activity),
            None => inner.newer.push_str("host                              "),
        }
        let start = inner.newer.len();
        let _ = inner.newer.write_fmt(text);
        if inner.newer[start..].contains('\n') {
            let flat = inner.newer[start..].replace('\n', "\\n");
            inner.newer.truncate(start);
            inner.newer.push_str(&flat);
        }
        inner.newer.push('\n');
        if self.trace {
            eprint!("{}", &inner.newer[line..]);
        }
        if inner.newer.len() - inner.hashed > BULK {
            inner.update_hash();
        }
        if inner.newer.len() > KEEP {
            inner.update_hash();
            inner.older = std::mem::take(&mut inner.newer);
            inner.hashed = 0;
        }
        self.lines.set(self.lines.get() + 1);
    }
}

/// Microseconds with three decimals, right-aligned in 16 columns, and a space.
fn push_time(text: &mut String, nanoseconds: u64) {
    let mut columns = [b' '; 17];
    let (mut rest, mut at, mut digits) = (nanoseconds, 16, 0);
    // Zero has its three decimals and one digit before them too.
    while (rest > 0 || digits < 4) && at > 0 {
        at -= 1;
        if digits == 3 {
            columns[at] = b'.';
            at -= 1;
        }
        columns[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        digits += 1;
    }
    text.push_str(std::str::from_utf8(&columns).unwrap_or_default());
}

fn push_activity(text: &mut String, activity: &Activity) {
    let cpu = u32::try_from(activity.cpu.get()).unwrap_or(0);
    text.push_str("cpu");
    match char::from_digit(cpu, 10) {
        Some(digit) => text.push(digit),
        None => _ = write!(text, "{cpu}"),
    }
    text.push_str(" irql");
    match char::from_digit(activity.irql.get().into(), 16) {
        Some(digit) => text.push(digit),
        None => text.push('?'),
    }
    text.push(' ');
    text.push_str(&activity.label);
    for _ in activity.label.len()..23 {
        text.push(' ');
    }
    text.push(' ');
}

impl Machine {
    /// Appends a line to the event log; line breaks in `text` are escaped.
    pub fn log(&self, text: fmt::Arguments<'_>) {
        if !self.log.enabled {
            return;
        }
        let now = self.clock.now();
        if self.with_activity(|activity| self.log.append(now, Some(activity), text)).is_none() {
            self.log.append(now, None, text);
        }
    }

    /// SHA-256 of the event log so far, in hexadecimal.
    pub fn log_hash(&self) -> String {
        let mut inner = self.log.inner.borrow_mut();
        inner.update_hash();
        let hash = inner.hash.clone().finalize();
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
