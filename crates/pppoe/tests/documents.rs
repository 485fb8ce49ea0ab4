//! The documents name tests that exist.

use std::path::{Path, PathBuf};

/// Directories with tests that documents speak of.
const SOURCES: [&str; 6] = [
    "crates/pppoe/src",
    "crates/pppoe/src/concentrator",
    "crates/pppoe/tests",
    "tests/tests",
    "tests/tests/nic",
    "tests/tests/credits",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_documents_name_tests_that_exist() {
    let mut sources = String::new();
    for directory in SOURCES {
        for entry in std::fs::read_dir(root().join(directory)).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                sources += &std::fs::read_to_string(path).expect("a source file");
            }
        }
    }
    let mut count = 0;
    for document in ["docs/pppoe.md", "docs/statuses.md"] {
        let text = std::fs::read_to_string(root().join(document)).expect("a document");
        // Names of tests have several words; those of files and of statuses have not, or are capitals.
        let quoted = text
            .lines()
            .filter(|line| line.starts_with('|'))
            .flat_map(|line| line.split('`').skip(1).step_by(2));
        let is_test = |name: &&str| {
            name.matches('_').count() >= 2
                && name.chars().all(|c| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit())
        };
        for name in quoted.filter(is_test) {
            assert!(
                sources.contains(&format!("fn {name}(")),
                "{document} names the test {name}, which is not there"
            );
            count += 1;
        }
    }
    assert!(count > 50, "the documents name {count} tests");
}
