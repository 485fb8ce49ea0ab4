//! `cargo xtask mutants`: shows that the simulator notices when the driver forgets to release, to complete or to undo
//! something.
//!
//! Each mutation of `xtask/mutants.toml` is applied to a copy of the tree below `target/`, the driver is built there,
//! and the stories of the program `scenarios` are told to it. A mutation that no story notices survives, and the
//! command fails.

use crate::build::{self, Image};
use crate::command::{progress, run_quiet_stdout};
use crate::files::write_if_changed;
use crate::workspace::{self, Workspace};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The mutations, from the workspace's root.
const LIST: &str = "xtask/mutants.toml";
/// How long the stories may take with one driver. Without a mutation they take some seconds.
const PATIENCE: Duration = Duration::from_mins(1);
/// What of the tree the driver's build does not read.
const SKIPPED: [&str; 3] = ["target", ".git", "docs"];

/// Options of `cargo xtask mutants`.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct Options {
    #[command(flatten)]
    build: build::Options,
    /// Only mutations whose description or file contains this text
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Write the table to this file too, as Markdown
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct List {
    mutant: Vec<Mutant>,
}

/// One mutation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutant {
    /// What it removes.
    what: String,
    /// The file, from the workspace's root.
    file: String,
    /// Text that occurs there exactly once.
    find: String,
    /// Its replacement.
    with: String,
    /// What has to catch it.
    rule: String,
}

impl Mutant {
    /// The file's text with the mutation.
    fn apply(&self, text: &str) -> Result<String> {
        let found = text.matches(&self.find).count();
        ensure!(found == 1, "{}: the text of {:?} occurs {found} times in {}", LIST, self.what, self.file);
        Ok(text.replacen(&self.find, &self.with, 1))
    }

    fn is_wanted(&self, only: Option<&str>) -> bool {
        only.is_none_or(|text| self.what.contains(text) || self.file.contains(text))
    }
}

/// What the stories found, by rule: the stories that found it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Caught(BTreeMap<String, Vec<String>>);

impl Caught {
    /// Reads the lines of the program `scenarios`: story, rule and detail, separated by tabs. What became of the
    /// program itself, if it did not end by itself, concerns the last story.
    fn read(output: &str, end: Option<&str>) -> Self {
        let mut caught = Self::default();
        let mut last = "";
        for line in output.lines() {
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

    /// A mutation that does not compile proves nothing: no rule is called so.
    fn not_built() -> Self {
        let mut caught = Self::default();
        caught.add("DOES NOT COMPILE", "");
        caught
    }

    fn add(&mut self, rule: &str, story: &str) {
        let stories = self.0.entry(rule.to_owned()).or_default();
        if !stories.iter().any(|known| known == story) {
            stories.push(story.to_owned());
        }
    }

    /// The rules, the wanted one first; at most six.
    fn rules(&self, first: &str) -> String {
        const MOST: usize = 6;
        let mut rules: Vec<_> = self.0.keys().map(String::as_str).collect();
        rules.sort_by_key(|rule| *rule != first);
        let rest = rules.len().saturating_sub(MOST);
        rules.truncate(MOST);
        let mut text = rules.join(", ");
        if rest != 0 {
            let _ = write!(text, " and {rest} more");
        }
        text
    }

    /// A story that found the rule, or else any.
    fn story(&self, rule: &str) -> &str {
        let stories = self.0.get(rule).or_else(|| self.0.values().next());
        stories.and_then(|stories| stories.first()).map_or("", String::as_str)
    }
}

/// `cargo xtask mutants`.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let list = fs::read_to_string(workspace.root.join(LIST)).with_context(|| format!("reading {LIST}"))?;
    let list: List = toml::from_str(&list).with_context(|| format!("reading {LIST}"))?;
    let mutants: Vec<_> = list.mutant.iter().filter(|it| it.is_wanted(options.only.as_deref())).collect();
    for mutant in &mutants {
        mutant.apply(&read(&workspace.root.join(&mutant.file))?)?;
    }
    let scenarios = build_scenarios(workspace)?;
    let copy = Copy::make(workspace)?;
    let image = build::run(&copy.workspace, &options.build)?;
    let sound = tell(&scenarios, &image)?;
    ensure!(sound.0.is_empty(), "the driver without a mutation is not clean: {sound:?}");

    let mut table = Table::default();
    for (number, mutant) in mutants.iter().enumerate() {
        progress("Mutating", format_args!("{} of {}: without {}", number + 1, mutants.len(), mutant.what));
        let judged = copy.with(mutant, || {
            let image = build::run(&copy.workspace, &options.build);
            image.map_or_else(|_| Ok(Caught::not_built()), |image| tell(&scenarios, &image))
        });
        let caught = judged?;
        progress("Caught", format_args!("by {}", caught.rules(&mutant.rule)));
        table.add(mutant, &caught);
    }
    println!("{}", table.text);
    if let Some(path) = &options.table {
        write_if_changed(path, table.markdown())?;
    }
    if table.survivors != 0 {
        bail!("{} of {} mutations were not caught as they have to be", table.survivors, mutants.len());
    }
    println!("all {} mutations were caught", mutants.len());
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

fn build_scenarios(workspace: &Workspace) -> Result<PathBuf> {
    let mut command = workspace.host_cargo("build");
    run_quiet_stdout(command.args(["--profile", workspace::SIM_PROFILE, "--package", "scenarios"]))?;
    let name = format!("scenarios{}", std::env::consts::EXE_SUFFIX);
    Ok(workspace.target.join(workspace::SIM_PROFILE).join(name))
}

/// Tells the stories to a driver.
fn tell(scenarios: &Path, image: &Image) -> Result<Caught> {
    let mut command = Command::new(scenarios);
    command.env("MCM_SYS", &image.sys).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().with_context(|| format!("starting {}", scenarios.display()))?;
    let mut pipe = child.stdout.take().context("no output of the stories")?;
    let reader = std::thread::spawn(move || {
        let mut output = Vec::new();
        let result = pipe.read_to_end(&mut output);
        result.map(|_| String::from_utf8_lossy(&output).into_owned())
    });
    let begun = Instant::now();
    let status = loop {
        match child.try_wait()? {
            Some(status) => break Some(status),
            None if begun.elapsed() > PATIENCE => {
                child.kill()?;
                child.wait()?;
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let output = reader.join().ok().context("reading the stories' output")??;
    let end = match status {
        None => Some("timeout"),
        // A signal: no mutation of the driver may bring the simulator down.
        Some(status) if status.code().is_none() => Some("CRASH OF THE SIMULATOR"),
        Some(_) => None,
    };
    Ok(Caught::read(&output, end))
}

/// A copy of the tree, with a target directory of its own.
struct Copy {
    workspace: Workspace,
}

impl Copy {
    fn make(workspace: &Workspace) -> Result<Self> {
        let base = workspace.target.join("mutants");
        let root = base.join("tree");
        copy_tree(&workspace.root, &root)?;
        Ok(Self { workspace: Workspace { root, target: base.join("target") } })
    }

    /// Does something with a mutation applied.
    fn with<T>(&self, mutant: &Mutant, action: impl FnOnce() -> Result<T>) -> Result<T> {
        let path = self.workspace.root.join(&mutant.file);
        let sound = read(&path)?;
        fs::write(&path, mutant.apply(&sound)?)?;
        let result = action();
        fs::write(&path, sound)?;
        result.with_context(|| format!("the mutation {:?} of {}", mutant.what, mutant.file))
    }
}

/// Copies a directory, leaving alone what is equal and removing what is no longer there.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("creating {}", to.display()))?;
    let mut names = Vec::new();
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if SKIPPED.iter().any(|skipped| name == *skipped) {
            continue;
        }
        let target = to.join(&name);
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            write_if_changed(&target, fs::read(entry.path())?)?;
        }
        names.push(name);
    }
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if !names.contains(&entry.file_name()) && !entry.file_type()?.is_dir() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The result.
#[derive(Debug, Default)]
struct Table {
    text: String,
    rows: String,
    survivors: usize,
    mutants: usize,
}

impl Table {
    fn add(&mut self, mutant: &Mutant, caught: &Caught) {
        let rules = if caught.0.is_empty() { "NOT CAUGHT".to_owned() } else { caught.rules(&mutant.rule) };
        let as_it_has_to_be = caught.0.contains_key(&mutant.rule);
        self.mutants += 1;
        self.survivors += usize::from(!as_it_has_to_be);
        let note = if as_it_has_to_be { String::new() } else { format!(" (not by {})", mutant.rule) };
        let _ = writeln!(self.text, "{:<75} {rules}{note}", mutant.what);
        let story = caught.story(&mutant.rule);
        let _ = writeln!(self.rows, "| {} | `{}` | {rules}{note} | {story} |", mutant.what, mutant.file);
    }

    fn markdown(&self) -> String {
        let head = "# What happens when the driver forgets something\n\n\
            Each row is the driver with one release, completion or unwinding step removed, and what the simulator said to\n\
            that. `cargo xtask mutants --table docs/mutants.md` makes this table; the mutations are in\n\
            `xtask/mutants.toml`, the stories in `tests/src/set.rs`.\n\n\
            `leak` is memory or a handle left over, `session` a session without a PADT, `stopped` a crash, a deadlock or no\n\
            end, `assertion` one of the story's own; all else are ids of rules.\n\n";
        let columns = "| Removed | From | Caught by | First in the story |\n|---|---|---|---|\n";
        format!("{head}{columns}{}", self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::TempDir;

    fn mutant(find: &str) -> Mutant {
        let text = |text: &str| text.to_owned();
        Mutant { what: text("x"), file: text("f"), find: text(find), with: text("b"), rule: text("R") }
    }

    #[test]
    fn the_list_is_up_to_date() {
        let workspace = Workspace::find().unwrap();
        let list: List = toml::from_str(&read(&workspace.root.join(LIST)).unwrap()).unwrap();
        assert!(list.mutant.len() >= 24);
        for mutant in &list.mutant {
            mutant.apply(&read(&workspace.root.join(&mutant.file)).unwrap()).unwrap();
        }
    }

    #[test]
    fn text_has_to_occur_once() {
        assert_eq!(mutant("a").apply("xay").unwrap(), "xby");
        assert!(mutant("a").apply("xy").is_err());
        assert!(mutant("a").apply("aa").is_err());
    }

    #[test]
    fn what_was_found_is_gathered_by_rule() {
        let output = "calls\tbegins\t\ncalls\tleak\tpool\ncalls\tCO-1\tx\ncalls\tCO-1\ty\nsaps\tbegins\t\n";
        let caught = Caught::read(output, None);
        assert_eq!((caught.rules("leak"), caught.story("leak")), ("leak, CO-1".to_owned(), "calls"));
        let caught = Caught::read(output, Some("timeout"));
        assert_eq!(caught.0["timeout"], ["saps"]);
        assert!(Caught::read("calls\tbegins\t\n", None).0.is_empty());
    }

    #[test]
    fn survivors_are_counted() {
        let mut table = Table::default();
        table.add(&mutant("a"), &Caught::default());
        table.add(&mutant("a"), &Caught::read("s\tR\td\n", None));
        table.add(&mutant("a"), &Caught::read("s\tS\td\n", None));
        assert_eq!((table.mutants, table.survivors), (3, 2));
        assert!(table.text.contains("NOT CAUGHT") && table.text.contains("S (not by R)"));
    }

    #[test]
    fn a_copy_follows_its_original() {
        let dir = TempDir::new("copy");
        let (from, to) = (dir.0.join("a"), dir.0.join("b"));
        for name in ["x/one", "two", "target/three"] {
            write_if_changed(&from.join(name), name).unwrap();
        }
        copy_tree(&from, &to).unwrap();
        assert!(to.join("x/one").exists() && !to.join("target").exists());
        fs::remove_file(from.join("two")).unwrap();
        copy_tree(&from, &to).unwrap();
        assert!(!to.join("two").exists());
    }
}
