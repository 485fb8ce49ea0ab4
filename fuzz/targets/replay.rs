//! What a target has collected, judged again without a fuzzer: for the tests of the crates.

use std::path::Path;

/// Runs every input in a target's corpus.
pub(crate) fn replay(target: &str, run: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(directory).expect("a corpus") {
        run(&std::fs::read(entry.expect("an entry").path()).expect("an input"));
        count += 1;
    }
    assert!(count > 1, "the corpus is empty");
}
