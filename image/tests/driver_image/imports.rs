//! The table of first versions, and what it says of an image.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::common::Builder;
use driver_image::imports::FirstVersions;
use driver_image::windows::Version;

const TABLE: &str = "[\"ntoskrnl.exe\"]\n__chkstk = { first = \"5.2\", source = 's' }\n\
    NdisMSleep = { first = \"10.0...19041\", source = 's' }\n";

fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

#[test]
fn imports_that_a_windows_lacks_are_named() {
    let mut builder = Builder::new();
    let entry = builder.leaf("entry", &[0xc3]);
    let image = builder.image(entry);
    let table = FirstVersions::parse(TABLE).unwrap();
    assert!(table.missing(&image, version("10.0...19041")).is_empty());
    assert_eq!(
        table.missing(&image, version("10.0...16299")),
        ["ntoskrnl.exe!NdisMSleep: since 10.0...19041 only"]
    );
    let less = FirstVersions::parse("[\"NTOSKRNL.EXE\"]\nNdisMSleep = { first = \"6.0\", source = '' }\n");
    assert_eq!(
        less.unwrap().missing(&image, version("10.0")),
        ["ntoskrnl.exe!__chkstk: nobody says since when"]
    );
}

#[test]
fn a_table_must_have_versions() {
    assert!(FirstVersions::parse("[\"a.sys\"]\nA = { first = \"ten\", source = '' }\n").is_err());
    assert!(FirstVersions::parse("[\"a.sys\"]\nA = { first = \"6.0\" }\n").is_err());
}

/// Whatever the driver can be linked against is in the table, with a source.
#[test]
fn the_table_has_what_the_import_libraries_have() {
    let table = FirstVersions::known().unwrap();
    let known: BTreeSet<_> = table.exports().map(|(module, name, _)| format!("{module}!{name}")).collect();
    let mut linked = BTreeSet::new();
    for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../wdk/lib")).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.starts_with(';')).collect();
        let module = lines.iter().find_map(|line| line.strip_prefix("LIBRARY ")).unwrap();
        let names = lines.iter().skip_while(|line| **line != "EXPORTS").skip(1);
        linked.extend(names.filter(|name| !name.is_empty()).map(|name| format!("{module}!{name}")));
    }
    assert_eq!(known, linked);
    assert!(table.exports().all(|(_, _, export)| !export.source.is_empty()));
}
