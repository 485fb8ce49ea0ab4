//! The line that tells people at a terminal how far a long run is.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::scenario::Progress;

/// How often the line is written. A run that is over sooner shows none.
const EVERY: Duration = Duration::from_millis(500);

/// A thread that rewrites one line of standard error, if that is a terminal and it is wanted.
pub(super) struct ProgressLine {
    progress: Arc<Progress>,
    over: Arc<(Mutex<bool>, Condvar)>,
    line: Line,
    thread: Option<JoinHandle<()>>,
}

/// The line on the terminal.
#[derive(Clone, Default)]
pub(super) struct Line(Arc<AtomicBool>);

impl Line {
    fn write(&self, text: &str) {
        self.0.store(true, Ordering::Relaxed);
        let mut terminal = io::stderr().lock();
        let _ = write!(terminal, "\r\x1b[K{text}");
        let _ = terminal.flush();
    }

    /// Makes room for other output.
    pub(super) fn wipe(&self) {
        if self.0.swap(false, Ordering::Relaxed) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

impl ProgressLine {
    pub(super) fn start(wanted: bool) -> Self {
        let (progress, over, line) = (Arc::<Progress>::default(), Arc::default(), Line::default());
        let mut this = Self { progress, over, line, thread: None };
        if wanted && io::stderr().is_terminal() {
            let (progress, over, line) =
                (Arc::clone(&this.progress), Arc::clone(&this.over), this.line.clone());
            this.thread = Some(thread::spawn(move || show(&progress, &over, &line)));
        }
        this
    }

    pub(super) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    pub(super) fn wiper(&self) -> Line {
        self.line.clone()
    }

    /// The run is over.
    pub(super) fn end(mut self) {
        *self.over.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.over.1.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.line.wipe();
    }
}

fn show(progress: &Progress, (over, signal): &(Mutex<bool>, Condvar), line: &Line) {
    let begun = Instant::now();
    let mut last = (Duration::ZERO, 0);
    let mut ended = over.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        ended = signal.wait_timeout(ended, EVERY).unwrap_or_else(PoisonError::into_inner).0;
        if *ended {
            return;
        }
        let now = (begun.elapsed(), progress.frames());
        line.write(&text(progress.calls(), now.1, progress.time(), rate(last, now)));
        last = now;
    }
}

/// Frames a second between two looks.
fn rate(before: (Duration, u64), now: (Duration, u64)) -> u64 {
    let nanoseconds = now.0.saturating_sub(before.0).as_nanos().max(1);
    let frames = u128::from(now.1.saturating_sub(before.1));
    u64::try_from(frames * 1_000_000_000 / nanoseconds).unwrap_or(u64::MAX)
}

fn text(calls: u64, frames: u64, time: Duration, rate: u64) -> String {
    let time = time.as_secs_f64();
    format!("{calls} calls up, {frames} frames back, {time:.3} s simulated, {rate} frames/s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_it_is() {
        let second = Duration::from_secs(1);
        assert_eq!(rate((second, 100), (3 * second, 700)), 300);
        assert_eq!(rate((second, 7), (second, 7)), 0);
        let line = text(3, 700, Duration::from_millis(1500), 300);
        assert_eq!(line, "3 calls up, 700 frames back, 1.500 s simulated, 300 frames/s");
    }

    #[test]
    fn without_a_terminal_there_is_none() {
        let line = ProgressLine::start(false);
        assert!(line.thread.is_none());
        line.end();
    }
}
