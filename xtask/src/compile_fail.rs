//! `cargo xtask compile-fail`: what the types of crate `ndis` are there to refuse is refused.
//!
//! The cases are the examples of the crate, below `crates/ndis/compile-fail`. A line that must not compile ends in `//~` and
//! the code of the error. A file must have exactly the errors that it announces; one without any must compile.

use crate::build::{DriverBuild, Options};
use crate::command::{line, progress};
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use cargo_metadata::Message;
use cargo_metadata::diagnostic::{Diagnostic, DiagnosticLevel};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::BufReader;
use std::process::Stdio;

/// Lines of a file and the errors there.
type Errors = BTreeSet<(usize, String)>;

/// Compiles the cases and compares; how many there are.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<usize> {
    let expected = cases(workspace)?;
    let driver = DriverBuild::prepare(workspace, options)?;
    let mut command = driver.cargo("check");
    command.args(["--package", "ndis", "--examples", "--keep-going", "--message-format=json", "--quiet"]);
    progress("Refusing", line(&command));
    // On standard error cargo only says that there are errors.
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().context("starting cargo")?;
    let output = child.stdout.take().context("no output of cargo")?;
    let mut found: BTreeMap<String, Errors> = BTreeMap::new();
    let mut said: BTreeMap<String, String> = BTreeMap::new();
    for message in Message::parse_stream(BufReader::new(output)) {
        match message.context("reading what cargo says")? {
            Message::CompilerArtifact(artifact) => {
                found.entry(artifact.target.name).or_default();
            }
            Message::CompilerMessage(message) => {
                let said = said.entry(message.target.name.clone()).or_default();
                said.push_str(message.message.rendered.as_deref().unwrap_or_default());
                found.entry(message.target.name).or_default().extend(error(&message.message));
            }
            _ => {}
        }
    }
    child.wait()?;
    for (name, errors) in &expected {
        let found = found.get(name).with_context(|| format!("{said:?}: cargo did not compile {name}"))?;
        let said = said.get(name).map_or("", String::as_str);
        ensure!(
            found == errors,
            "{said}crates/ndis/compile-fail/{name}.rs: the compiler says {found:?}, expected is {errors:?}"
        );
    }
    let cases = expected.values().map(BTreeSet::len).sum();
    progress("Refused", format_args!("{cases} cases in {} files", expected.len()));
    Ok(cases)
}

/// What the files announce.
fn cases(workspace: &Workspace) -> Result<BTreeMap<String, Errors>> {
    let directory = workspace.root.join("crates/ndis/compile-fail");
    let mut cases = BTreeMap::new();
    for entry in fs::read_dir(&directory).with_context(|| format!("reading {}", directory.display()))? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        cases.insert(name, announced(&text));
    }
    Ok(cases)
}

/// The errors that a file announces.
fn announced(text: &str) -> Errors {
    let lines = text.lines().zip(1..);
    lines.filter_map(|(line, number)| Some((number, line.split_once("//~")?.1.trim().to_owned()))).collect()
}

/// Where an error is, and which it is; its end, which only counts the others, is none.
fn error(message: &Diagnostic) -> Option<(usize, String)> {
    let span = message.spans.iter().find(|span| span.is_primary)?;
    let code = message.code.as_ref().map_or("without a code", |code| &code.code);
    matches!(message.level, DiagnosticLevel::Error).then(|| (span.line_start, code.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_announced_by_line() {
        let text = "fn a() {\n    b(); //~ E0061\n}\nfn c() {} //~ E0277\n";
        assert_eq!(announced(text), Errors::from([(2, "E0061".to_owned()), (4, "E0277".to_owned())]));
        assert!(announced("// nothing\n").is_empty());
    }

    #[test]
    fn every_case_is_an_example_of_the_crate() {
        let workspace = Workspace::find().unwrap();
        let manifest = fs::read_to_string(workspace.root.join("crates/ndis/Cargo.toml")).unwrap();
        for name in cases(&workspace).unwrap().keys() {
            assert!(manifest.contains(&format!("path = \"compile-fail/{name}.rs\"")), "{name}");
        }
    }
}
