//! Each rule has a case that trips it, and the document lists the rules there are.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::{fs, thread};

use super::catalogue::{Rule, catalogue, find};
use crate::{image, machine, ndis, nic, nt, pci, scenario, traffic};

/// A rule's id and a test in which it is found broken.
pub(crate) type Trip = (&'static str, fn());

/// Tests that trip rules. Those of NDIS and of its clients are tables in which each case names its rule; see
/// [`ndis::tests::tripped`].
const TRIPS: &[&[Trip]] = &[
    machine::tests::TRIPS,
    nt::tests::TRIPS,
    ndis::tests::rest::TRIPS,
    image::tests::TRIPS,
    nic::tests::TRIPS,
    pci::tests::TRIPS,
    scenario::tests::TRIPS,
    traffic::tests::TRIPS,
    ndis::TRIPS,
];

/// Rules that cannot be tripped everywhere, and why.
const UNTRIPPED: &[(&str, &str)] = &[
    ("QEMU.Gone", "needs QEMU; where it is installed, `qemu::tests` trips it"),
    ("QEMU.StrayDma", "needs QEMU; where it is installed, `qemu::tests` trips it"),
];

/// The rules found broken by any test of this process.
static FOUND: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A rule was found broken.
pub(crate) fn found(rule: &str) {
    let rule = id(rule);
    FOUND.lock().unwrap_or_else(PoisonError::into_inner).insert(rule.to_owned());
}

/// The id in the catalogue: all routines have one rule for their IRQL.
fn id(rule: &str) -> &str {
    find(rule).map_or(rule, |rule| rule.id)
}

fn was_found(rule: &str) -> bool {
    FOUND.lock().unwrap_or_else(PoisonError::into_inner).contains(rule)
}

fn trips() -> impl Iterator<Item = Trip> {
    TRIPS.iter().copied().flatten().copied()
}

#[test]
fn each_rule_stands_in_the_catalogue_once() {
    let rules = catalogue();
    let twice: Vec<&str> =
        rules.windows(2).filter(|two| two[0].id == two[1].id).map(|two| two[0].id).collect();
    assert_eq!(twice, [""; 0]);
    assert!(rules.iter().all(|rule| rule.statement.ends_with('.')), "statements are sentences");
}

#[test]
fn each_rule_has_a_case_that_trips_it() {
    let tripped = trips().map(|(rule, _)| rule).chain(ndis::tests::tripped());
    let tripped: BTreeSet<&str> = tripped.map(id).collect();
    let excused: BTreeSet<&str> = UNTRIPPED.iter().map(|&(rule, _)| rule).collect();
    let known: BTreeSet<&str> = catalogue().iter().map(|rule| rule.id).collect();
    let with_case: BTreeSet<&str> = tripped.union(&excused).copied().collect();
    assert_eq!(known.difference(&with_case).collect::<Vec<_>>(), [&""; 0], "rules without a case");
    assert_eq!(with_case.difference(&known).collect::<Vec<_>>(), [&""; 0], "cases without a rule");
    assert_eq!(tripped.intersection(&excused).collect::<Vec<_>>(), [&""; 0], "excused and tripped");
}

#[test]
fn each_test_trips_the_rule_it_is_listed_for() {
    for (rule, test) in trips() {
        thread::spawn(test).join().expect("the test passes");
        assert!(was_found(rule), "{rule}");
    }
}

/// The catalogue as a document.
fn document() -> String {
    let mut text = "\
# Rules

What `ndis-sim` holds a driver to. A finding names the rule by its id. The table is made from the catalogue in
`sim/src/verifier` and in the parts beside it by the test `the_document_lists_the_rules`.

The first letters of an id tell where a rule comes from: `BC` what the kernel stops with a bug check, `CO` the contract
of connection-oriented NDIS, `DDI` and `SDV` the checks of DDI compliance and of Static Driver Verifier, `DV` Driver
Verifier, `IRQL` the page of a routine, `NDIS` what NDIS stops, `NV` NDIS verification, `NIC` the card's datasheet, `PCI`
the bus, `WIRE` what the wire has seen; `TIME` are bounds of the project's own where the documents say \"immediately\" or
nothing; `QEMU` and `SIM` are about the simulation itself.

| Severity | Means |
|---|---|
| S0 | Windows would stop, hang or be corrupted |
| S1 | a documented obligation is violated; Windows would often survive |
| S2 | a recommendation is not followed |
| S3 | information |

| Id | Severity | Rule |
|---|---|---|
"
    .to_owned();
    for Rule { id, severity, statement } in catalogue() {
        writeln!(text, "| `{id}` | {severity} | {} |", statement.replace('|', "\\|")).expect("a string");
    }
    text
}

#[test]
fn the_document_lists_the_rules() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rules.md");
    let current = document();
    if fs::read_to_string(&path).is_ok_and(|text| text == current) {
        return;
    }
    fs::create_dir_all(path.with_file_name("")).expect("the directory can be made");
    fs::write(&path, current).expect("the document can be written");
    panic!("docs/rules.md was not up to date; it is now: commit it");
}
