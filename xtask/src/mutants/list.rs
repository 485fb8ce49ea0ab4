//! The list of slips, `xtask/mutants.toml`.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::fs;
use std::path::Path;

/// The list, from the workspace's root.
pub(super) const LIST: &str = "xtask/mutants.toml";
/// The `rule` of a slip that anything may notice.
const ANY: &str = "any";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    mutant: Vec<Mutant>,
}

/// One slip.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mutant {
    /// What it is: what it removes, or what is wrong then.
    pub(super) what: String,
    /// The file, from the workspace's root.
    pub(super) file: String,
    /// Text that occurs there exactly once.
    pub(super) find: String,
    /// Its replacement.
    pub(super) with: String,
    /// What has to notice it, or [`ANY`].
    pub(super) rule: String,
    /// Why nothing can notice it.
    #[serde(default)]
    pub(super) argued: Option<String>,
}

impl Mutant {
    /// The file's text with the slip.
    pub(super) fn apply(&self, text: &str) -> Result<String> {
        let found = text.matches(&self.find).count();
        ensure!(found == 1, "the text of {:?} occurs {found} times in {}", self.what, self.file);
        ensure!(self.find != self.with, "{:?} changes nothing in {}", self.what, self.file);
        Ok(text.replacen(&self.find, &self.with, 1))
    }

    /// The rule that has to notice it, if not any will do.
    pub(super) fn wanted(&self) -> Option<&str> {
        (self.rule != ANY).then_some(self.rule.as_str())
    }

    /// The crate that the file is of, if that has tests of its own.
    pub(super) fn native_crate(&self) -> Option<&str> {
        let name = self.file.strip_prefix("crates/")?.split('/').next()?;
        ["condis", "e1000", "pppoe"].contains(&name).then_some(name)
    }

    pub(super) fn is_chosen(&self, only: Option<&str>) -> bool {
        only.is_none_or(|text| self.what.contains(text) || self.file.contains(text))
    }
}

/// Reads a list and sees that each of its slips applies to the tree at `root`.
pub(super) fn read(path: &Path, root: &Path) -> Result<Vec<Mutant>> {
    let text = super::read(path)?;
    let list: List = toml::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
    for mutant in &list.mutant {
        let name = root.join(&mutant.file);
        let text = fs::read_to_string(&name).with_context(|| format!("reading {}", name.display()))?;
        mutant.apply(&text).with_context(|| path.display().to_string())?;
    }
    Ok(list.mutant)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::workspace::Workspace;

    pub(in crate::mutants) fn mutant(find: &str, rule: &str) -> Mutant {
        let text = |text: &str| text.to_owned();
        Mutant {
            what: text("x"),
            file: text("f"),
            find: text(find),
            with: text("b"),
            rule: text(rule),
            argued: None,
        }
    }

    #[test]
    fn the_list_is_up_to_date() {
        let root = Workspace::find().unwrap().root;
        assert!(read(&root.join(LIST), &root).unwrap().len() >= 24);
    }

    #[test]
    fn text_has_to_occur_once_and_to_change() {
        assert_eq!(mutant("a", ANY).apply("xay").unwrap(), "xby");
        for (find, text) in [("a", "xy"), ("a", "aa"), ("b", "xby")] {
            assert!(mutant(find, ANY).apply(text).is_err(), "{find} in {text}");
        }
    }

    #[test]
    fn a_slip_may_be_anybodys_to_notice() {
        assert_eq!(mutant("a", ANY).wanted(), None);
        assert_eq!(mutant("a", "CO-1").wanted(), Some("CO-1"));
    }

    #[test]
    fn only_native_crates_have_tests_of_their_own() {
        let of = |file: &str| Mutant { file: file.to_owned(), ..mutant("a", ANY) };
        assert_eq!(of("crates/pppoe/src/tags.rs").native_crate(), Some("pppoe"));
        assert_eq!(of("crates/ndis/src/vc.rs").native_crate(), None);
        assert_eq!(of("src/lib.rs").native_crate(), None);
    }
}
