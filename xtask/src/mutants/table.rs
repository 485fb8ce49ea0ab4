//! The results, as a table and as a verdict.

use super::caught::Caught;
use super::list::Mutant;
use anyhow::{Result, ensure};
use std::fmt::Write as _;

/// Of a hundred slips, so many have to be noticed.
const ENOUGH: usize = 95;

#[derive(Debug, Default)]
pub(super) struct Table {
    text: String,
    rows: String,
    argued_rows: String,
    slips: usize,
    noticed: usize,
    argued: usize,
    not_built: usize,
}

impl Table {
    pub(super) fn add(&mut self, mutant: &Mutant, caught: &Caught) {
        let wanted = mutant.wanted();
        let noticed = caught.is_as_wanted(wanted);
        let rules = caught.rules(wanted);
        let note = match wanted {
            Some(rule) if !noticed && !caught.is_empty() => format!(" (not by {rule})"),
            _ => String::new(),
        };
        self.slips += 1;
        self.noticed += usize::from(noticed);
        self.not_built += usize::from(!caught.is_built());
        let argument = mutant.argued.as_deref().filter(|_| !noticed && caught.is_built());
        self.argued += usize::from(argument.is_some());
        let remark = match (argument, &mutant.argued) {
            (Some(why), _) => format!(": {why}"),
            (None, Some(_)) if noticed => " (its argument is out of date)".to_owned(),
            _ => String::new(),
        };
        let _ = writeln!(self.text, "{:<75} {rules}{note}{remark}", mutant.what);
        let (what, file) = (cell(&mutant.what), &mutant.file);
        if let Some(why) = argument {
            let _ = writeln!(self.argued_rows, "| {what} | `{file}` | {} |", cell(why));
        } else {
            let story = cell(caught.story(wanted));
            let _ = writeln!(self.rows, "| {what} | `{file}` | {rules}{note} | {story} |");
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// One line.
    pub(super) fn summary(&self) -> String {
        let Self { slips, noticed, argued, not_built, .. } = self;
        let not = slips - noticed - argued - not_built;
        format!(
            "{slips} slips: {noticed} noticed, {argued} not noticed and argued, {not} not noticed, {not_built} not compiled"
        )
    }

    /// All were noticed or argued. Of the whole list enough have to be noticed, whatever is argued.
    pub(super) fn verdict(&self, whole: bool) -> Result<()> {
        let Self { slips, noticed, argued, not_built, .. } = *self;
        ensure!(not_built == 0, "{not_built} slips do not compile, which proves nothing");
        let not = slips - noticed - argued;
        ensure!(not == 0, "{not} of {slips} slips were not noticed as they have to be");
        ensure!(!whole || noticed * 100 >= slips * ENOUGH, "fewer than {ENOUGH} % were noticed");
        Ok(())
    }

    pub(super) fn markdown(&self) -> String {
        let head = "# What happens when the driver errs\n\n\
            Each row is the driver with one slip: a release, a completion or an unwinding step that it forgets, or a status, a\n\
            count, a flag, an order or a condition that is wrong. `cargo xtask mutants --table docs/mutants.md` makes this\n\
            table; the slips are in `xtask/mutants.toml`. First come the stories of `tests/src/set.rs`, then the own tests of\n\
            the file's crate, then the test programs of `tests/`, the quickest first, until something notices.\n\n\
            `leak` is memory or a handle left over, `session` a session without a PADT, `stopped` a crash, a deadlock or no\n\
            end, `assertion` one of the story's own, `test` a test that fails; all else are ids of rules.\n\n";
        let columns = "| Slip | In | Noticed by | First in |\n|---|---|---|---|\n";
        let argued = if self.argued_rows.is_empty() {
            String::new()
        } else {
            let columns = "| Slip | In | Why nothing notices |\n|---|---|---|\n";
            format!("\n## Not noticed\n\n{columns}{}", self.argued_rows)
        };
        format!("{head}{columns}{}{argued}", self.rows)
    }
}

/// A cell must not end its row.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::super::list::tests::mutant;
    use super::*;

    fn found(rule: &str) -> Caught {
        Caught::by_test(rule, "a story")
    }

    fn argued(rule: &str) -> Mutant {
        Mutant { argued: Some("it has no effect".to_owned()), ..mutant("a", rule) }
    }

    #[test]
    fn what_is_not_noticed_fails() {
        let mut table = Table::default();
        table.add(&mutant("a", "R"), &found("R"));
        table.add(&mutant("a", "any"), &found("S"));
        assert!(table.verdict(true).is_ok());
        table.add(&mutant("a", "R"), &found("S"));
        table.add(&mutant("a", "any"), &Caught::default());
        let error = table.verdict(false).unwrap_err().to_string();
        assert!(error.starts_with("2 of 4"), "{error}");
        assert!(table.text.contains("NOT NOTICED") && table.text.contains("S (not by R)"));
    }

    #[test]
    fn an_argument_does_for_a_few() {
        let mut table = Table::default();
        table.add(&argued("any"), &Caught::default());
        assert!(table.verdict(false).is_ok() && table.verdict(true).is_err());
        for _ in 0..19 {
            table.add(&mutant("a", "any"), &found("S"));
        }
        assert!(table.verdict(true).is_ok(), "{}", table.summary());
        assert!(table.markdown().contains("## Not noticed") && table.text.contains("it has no effect"));
        let mut table = Table::default();
        table.add(&argued("any"), &found("S"));
        assert_eq!((table.noticed, table.argued), (1, 0));
        assert!(table.text.contains("out of date") && !table.markdown().contains("## Not noticed"));
    }

    #[test]
    fn no_argument_does_for_what_does_not_compile() {
        let mut table = Table::default();
        table.add(&argued("any"), &Caught::not_built());
        assert!(table.verdict(false).is_err());
    }

    #[test]
    fn a_cell_stays_in_its_row() {
        assert_eq!(cell("a || b\nc"), "a \\|\\| b c");
    }
}
