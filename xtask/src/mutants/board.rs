//! Says how far the judging is: a line for each result and, on a terminal, one that is rewritten.

use super::caught::Caught;
use super::list::Mutant;
use crate::command::progress;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Board {
    total: usize,
    begun: Instant,
    terminal: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    done: usize,
    unnoticed: usize,
    /// What each worker has in hand.
    in_hand: Vec<Option<String>>,
}

impl Board {
    pub(super) fn new(total: usize, workers: usize) -> Self {
        let state = State { in_hand: vec![None; workers], ..State::default() };
        let terminal = std::io::stderr().is_terminal();
        Self { total, begun: Instant::now(), terminal, state: Mutex::new(state) }
    }

    pub(super) fn begins(&self, worker: usize, mutant: &Mutant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = state.in_hand.get_mut(worker) {
            *place = Some(mutant.what.clone());
        }
        self.rewrite(&state);
    }

    pub(super) fn ends(&self, worker: usize, mutant: &Mutant, caught: &Caught) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = state.in_hand.get_mut(worker) {
            *place = None;
        }
        let noticed = caught.is_as_wanted(mutant.wanted());
        state.done += 1;
        state.unnoticed += usize::from(!noticed);
        self.wipe();
        let verb = if noticed { "Noticed" } else { "Not noticed" };
        let (rules, story) = (caught.rules(mutant.wanted()), caught.story(mutant.wanted()));
        progress(verb, format_args!("{}: {}: {rules} ({story})", mutant.file, mutant.what));
        self.rewrite(&state);
    }

    /// Nothing more is to come.
    pub(super) fn wipe(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }

    fn rewrite(&self, state: &State) {
        if self.terminal {
            let line = state.line(self.total, self.begun.elapsed());
            let cut: String = line.chars().take(118).collect();
            eprint!("\r\x1b[K{cut}");
            let _ = std::io::stderr().flush();
        }
    }
}

impl State {
    fn line(&self, total: usize, elapsed: Duration) -> String {
        let Self { done, unnoticed, .. } = self;
        let left = total.saturating_sub(*done);
        let each = u32::try_from(*done).ok().and_then(|done| elapsed.checked_div(done));
        let rest = each.zip(u32::try_from(left).ok()).map(|(each, left)| each.saturating_mul(left));
        let rest = rest.map_or(String::new(), |rest| format!(", {} min left", rest.as_secs().div_ceil(60)));
        let in_hand: Vec<_> = self.in_hand.iter().flatten().map(String::as_str).collect();
        format!("{done} of {total} judged, {unnoticed} not noticed{rest}: {}", in_hand.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::super::list::tests::mutant;
    use super::*;

    #[test]
    fn the_line_says_how_far_it_is() {
        let board = Board::new(4, 2);
        board.begins(0, &mutant("a", "any"));
        board.begins(1, &Mutant { what: "y".to_owned(), ..mutant("a", "any") });
        board.ends(0, &mutant("a", "any"), &Caught::default());
        let state = board.state.lock().unwrap();
        assert_eq!(state.line(4, Duration::from_mins(2)), "1 of 4 judged, 1 not noticed, 6 min left: y");
        assert_eq!(State::default().line(4, Duration::ZERO), "0 of 4 judged, 0 not noticed: ");
    }
}
