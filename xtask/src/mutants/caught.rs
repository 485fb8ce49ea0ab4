//! What noticed a slip.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// By rule: the stories or tests that found it.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Caught {
    /// The slip does not compile, which proves nothing.
    not_built: bool,
    rules: BTreeMap<String, Vec<String>>,
}

impl Caught {
    /// Reads the lines of the program `scenarios`: story, rule and detail, separated by tabs. What became of the
    /// program itself, if it did not end by itself, concerns the last story.
    pub(super) fn read<'a>(lines: impl IntoIterator<Item = &'a str>, end: Option<&str>) -> Self {
        let mut caught = Self::default();
        let mut last = "";
        for line in lines {
            let mut fields = line.split('\t');
            let (Some(story), Some(rule)) = (fields.next(), fields.next()) else { continue };
            last = story;
            if rule != "begins" {
                caught.add(rule, story);
            }
        }
        if let Some(end) = end {
            caught.add(end, last);
        }
        caught
    }

    pub(super) fn not_built() -> Self {
        Self { not_built: true, ..Self::default() }
    }

    /// What one test found.
    pub(super) fn by_test(rule: &str, name: &str) -> Self {
        let mut caught = Self::default();
        caught.add(rule, name);
        caught
    }

    fn add(&mut self, rule: &str, story: &str) {
        let stories = self.rules.entry(rule.to_owned()).or_default();
        if !stories.iter().any(|known| known == story) {
            stories.push(story.to_owned());
        }
    }

    pub(super) fn is_built(&self) -> bool {
        !self.not_built
    }

    /// Nothing was noticed.
    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The wanted rule was found, or anything at all if none is wanted.
    pub(super) fn is_as_wanted(&self, wanted: Option<&str>) -> bool {
        wanted.map_or(!self.is_empty(), |rule| self.rules.contains_key(rule))
    }

    /// The rules, the wanted one first; at most six.
    pub(super) fn rules(&self, wanted: Option<&str>) -> String {
        const MOST: usize = 6;
        if self.not_built {
            return "DOES NOT COMPILE".to_owned();
        }
        if self.is_empty() {
            return "NOT NOTICED".to_owned();
        }
        let mut rules: Vec<_> = self.rules.keys().map(String::as_str).collect();
        rules.sort_by_key(|rule| Some(*rule) != wanted);
        let rest = rules.len().saturating_sub(MOST);
        rules.truncate(MOST);
        let mut text = rules.join(", ");
        if rest != 0 {
            let _ = write!(text, " and {rest} more");
        }
        text
    }

    /// The first story or test that found the wanted rule, or else any.
    pub(super) fn story(&self, wanted: Option<&str>) -> &str {
        let stories = wanted.and_then(|rule| self.rules.get(rule)).or_else(|| self.rules.values().next());
        stories.and_then(|stories| stories.first()).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_gathered_by_rule() {
        let lines =
            ["calls\tbegins\t", "calls\tleak\tpool", "calls\tCO-1\tx", "calls\tCO-1\ty", "saps\tbegins\t"];
        let caught = Caught::read(lines, None);
        assert_eq!(
            (caught.rules(Some("leak")), caught.story(Some("leak"))),
            ("leak, CO-1".to_owned(), "calls")
        );
        let caught = Caught::read(lines, Some("timeout"));
        assert_eq!(caught.rules["timeout"], ["saps"]);
        assert!(Caught::read(["calls\tbegins\t"], None).is_empty());
    }

    #[test]
    fn what_is_wanted_has_to_be_there() {
        let caught = Caught::by_test("test", "nic: power::wakes");
        assert!(
            caught.is_as_wanted(None)
                && caught.is_as_wanted(Some("test"))
                && !caught.is_as_wanted(Some("leak"))
        );
        assert!(!Caught::default().is_as_wanted(None) && !Caught::not_built().is_as_wanted(None));
        assert_eq!(Caught::not_built().rules(None), "DOES NOT COMPILE");
    }

    #[test]
    fn it_is_kept_as_text() {
        let caught = Caught::read(["calls\tCO-1\tx", "saps\tCO-1\tx", "saps\tleak\tx"], None);
        let text = toml::to_string(&caught).unwrap();
        assert_eq!(toml::from_str::<Caught>(&text).unwrap(), caught);
    }
}
