//! `cargo xtask coverage`: the table of what the contract asks for and which test exercises it.
//!
//! `xtask/coverage.toml` lists what there is to exercise: entry points, requests, sequences, clauses. A test says what it
//! exercises in a comment directly before it; a file, for all of its tests, in `// all cover: …`:
//!
//! ```text
//! // covers: CmMakeCall, SEQ:outgoing-call, RFC2516:5.1
//! #[test]
//! ```
//!
//! `docs/coverage.md` is made from both. An item without a test is an error, and so is a test of something unlisted.

use crate::files::write_if_changed;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// What there is to exercise, from the workspace's root.
const LIST: &str = "xtask/coverage.toml";
/// The table, from the workspace's root.
const TABLE: &str = "docs/coverage.md";
/// Where tests are.
const ROOTS: [&str; 6] = ["tests", "crates", "sim", "benches", "fuzz", "xtask"];
/// Begins an annotation of the test that follows.
const MARK: &str = "// covers: ";
/// The same for all tests of the file.
const FILE_MARK: &str = "// all cover: ";
/// Tests that a cell names; of more it tells the number.
const NAMED: usize = 4;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    section: Vec<Section>,
}

/// A table of the document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    title: String,
    /// What the items are, and where they come from.
    about: String,
    /// Name and meaning of each.
    items: Vec<(String, String)>,
}

/// A test: its file from the workspace's root, and its name; without a name, all tests of the file.
type Test = (String, Option<String>);

/// For each item, the tests that exercise it.
type Covered = BTreeMap<String, BTreeSet<Test>>;

/// Writes the table.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let root = &workspace.root;
    write_if_changed(&root.join(TABLE), document(root)?)
}

/// The table as it should be.
fn document(root: &Path) -> Result<String> {
    let text = fs::read_to_string(root.join(LIST)).with_context(|| format!("reading {LIST}"))?;
    let list: List = toml::from_str(&text).with_context(|| format!("in {LIST}"))?;
    let covered = scan(root)?;
    check(&list, &covered)?;
    Ok(render(&list, &covered))
}

/// Every listed item has a test, and every annotation names a listed item.
fn check(list: &List, covered: &Covered) -> Result<()> {
    let mut listed = BTreeSet::new();
    for (id, _) in list.section.iter().flat_map(|section| &section.items) {
        ensure!(listed.insert(id.as_str()), "{LIST} lists {id} twice");
    }
    let bare: Vec<_> = listed.iter().filter(|id| !covered.contains_key(**id)).copied().collect();
    ensure!(bare.is_empty(), "no test says that it covers {}", bare.join(", "));
    for (id, tests) in covered {
        let Some((file, _)) = tests.first() else { continue };
        ensure!(listed.contains(id.as_str()), "{file} covers {id}, which {LIST} does not list");
    }
    Ok(())
}

/// Reads the annotations of all tests.
fn scan(root: &Path) -> Result<Covered> {
    let mut covered = Covered::new();
    for top in ROOTS {
        for path in sources(&root.join(top))? {
            let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            let file = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            for (id, test) in annotations(&text).with_context(|| format!("in {file}"))? {
                covered.entry(id).or_default().insert((file.clone(), test));
            }
        }
    }
    Ok(covered)
}

/// The Rust files below a directory, in order.
fn sources(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut entries = fs::read_dir(dir)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>())
        .with_context(|| format!("reading {}", dir.display()))?;
    entries.sort();
    for path in entries {
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            found.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(found)
}

/// What the tests of a file say that they exercise.
fn annotations(text: &str) -> Result<Vec<(String, Option<String>)>> {
    let mut found = Vec::new();
    let mut waiting = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if let Some(ids) = line.strip_prefix(FILE_MARK) {
            found.extend(names(ids).map(|id| (id, None)));
        } else if let Some(ids) = line.strip_prefix(MARK) {
            waiting.extend(names(ids));
        } else if line.starts_with("#[test]") {
            is_test = true;
        } else if let Some(name) = line.strip_prefix("fn ").and_then(|rest| rest.split('(').next()) {
            ensure!(waiting.is_empty() || is_test, "{name} is no test, but is said to cover something");
            found.extend(waiting.drain(..).map(|id| (id, Some(name.to_owned()))));
            is_test = false;
        }
    }
    if let Some(id) = waiting.first() {
        bail!("no test follows what is said to cover {id}");
    }
    Ok(found)
}

fn names(ids: &str) -> impl Iterator<Item = String> {
    ids.split(',').map(|id| id.trim().to_owned()).filter(|id| !id.is_empty())
}

fn render(list: &List, covered: &Covered) -> String {
    let mut text = "# Coverage

What the contract of connection-oriented NDIS, the requests and the protocols ask for, and the tests that exercise it.
`cargo xtask coverage` makes this table from `xtask/coverage.toml` and from the comments `covers:` beside the tests.
Scenarios are in `tests/` and run the shipped `mcm.sys` in the simulator; tests in `crates/` run natively.
"
    .to_owned();
    for Section { title, about, items } in &list.section {
        let _ = write!(text, "\n## {title}\n\n{about}\n\n| | | Tests |\n|---|---|---|\n");
        for (id, meaning) in items {
            let tests = covered.get(id).map_or_else(String::new, cell);
            let _ = writeln!(text, "| `{id}` | {meaning} | {tests} |");
        }
    }
    text
}

/// Names of tests, with links to their files.
fn cell(tests: &BTreeSet<Test>) -> String {
    let mut links: Vec<String> = tests.iter().take(NAMED).map(link).collect();
    if tests.len() > NAMED {
        links.push(format!("and {} more", tests.len() - NAMED));
    }
    links.join("<br>")
}

fn link((file, test): &Test) -> String {
    let shown = test.as_deref().unwrap_or("all tests");
    let crate_or_file =
        file.strip_prefix("tests/tests/").or_else(|| file.strip_prefix("crates/")).unwrap_or(file);
    format!("[{}: {shown}](../{file})", crate_or_file.trim_end_matches(".rs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_belong_to_the_test_that_follows() {
        let text =
            "// all cover: A\n\n// covers: B, C\n// covers: D\n#[test]\nfn one() {}\n\nfn helper() {}\n";
        let found = annotations(text).unwrap();
        let one = || Some("one".to_owned());
        assert_eq!(
            found,
            [("A", None), ("B", one()), ("C", one()), ("D", one())].map(|(id, test)| (id.to_owned(), test))
        );
    }

    #[test]
    fn what_is_no_test_covers_nothing() {
        assert!(annotations("// covers: A\nfn helper() {}\n").is_err());
        assert!(annotations("// covers: A\n").is_err());
    }

    #[test]
    fn items_without_a_test_and_tests_of_nothing_are_errors() {
        let section = |ids: &[&str]| Section {
            title: String::new(),
            about: String::new(),
            items: ids.iter().map(|id| ((*id).to_owned(), String::new())).collect(),
        };
        let covered = Covered::from([("A".to_owned(), BTreeSet::from([("a.rs".to_owned(), None)]))]);
        let of = |ids: &[&str]| check(&List { section: vec![section(ids)] }, &covered);
        of(&["A"]).unwrap();
        assert!(of(&["A", "B"]).unwrap_err().to_string().contains('B'));
        assert!(of(&[]).unwrap_err().to_string().contains("a.rs"));
        assert!(of(&["A", "A"]).unwrap_err().to_string().contains("twice"));
    }

    #[test]
    fn the_table_is_up_to_date() {
        let workspace = Workspace::find().unwrap();
        let current = document(&workspace.root).unwrap();
        let path = workspace.root.join(TABLE);
        if fs::read_to_string(&path).is_ok_and(|text| text == current) {
            return;
        }
        fs::write(&path, current).unwrap();
        panic!("{TABLE} was not up to date; it is now: commit it");
    }
}
