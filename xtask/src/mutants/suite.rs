//! What judges a slip: the stories, the tests of the file's own crate, the test programs of the scenarios.

use super::caught::Caught;
use super::copy::Copy;
use super::list::Mutant;
use super::watched::{End, watch};
use crate::build::Image;
use crate::referees;
use crate::workspace::{self, Workspace};
use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::Message;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The package of the scenarios.
const SCENARIOS: &str = "scenarios";
/// How a program that found nothing wrong is called in [`Times`], for the stories.
pub(super) const STORIES: &str = "stories";
/// How long a crate's own tests may take, with their compilation.
const NATIVE: Duration = Duration::from_mins(20);

/// How long each program takes with the driver as it is, in seconds.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct Times(pub(super) BTreeMap<String, f64>);

impl Times {
    fn of(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// How long the program may take with a slip: a busy machine must not look like a driver that hangs.
    fn patience(&self, name: &str) -> Duration {
        self.0
            .get(name)
            .map_or(Duration::from_hours(1), |seconds| Duration::from_secs_f64(120.0 + 10.0 * seconds))
    }
}

/// One test program.
#[derive(Debug, Clone)]
struct Program {
    name: String,
    path: PathBuf,
}

/// The programs, built.
#[derive(Debug)]
pub(super) struct Suite {
    stories: PathBuf,
    programs: Vec<Program>,
    /// Where the tests expect to be started.
    directory: PathBuf,
    search_path: OsString,
    /// Threads of each program.
    threads: usize,
    times: Times,
}

impl Suite {
    /// Builds them; of the test programs only those whose name contains `only` are run.
    pub(super) fn build(workspace: &Workspace, threads: usize, only: Option<&str>) -> Result<Self> {
        let mut command = workspace.host_cargo("test");
        command.args(["--no-run", "--profile", workspace::SIM_PROFILE, "--package", SCENARIOS]);
        command.arg("--message-format=json-render-diagnostics").stdout(Stdio::piped());
        let mut child = command.spawn().context("starting cargo test")?;
        let messages = BufReader::new(child.stdout.take().context("no output of cargo test")?);
        let (mut stories, mut programs) = (None, Vec::new());
        for message in Message::parse_stream(messages) {
            let Message::CompilerArtifact(artifact) = message? else { continue };
            let Some(path) = artifact.executable.map(cargo_metadata::camino::Utf8PathBuf::into_std_path_buf)
            else {
                continue;
            };
            if artifact.profile.test {
                if only.is_some_and(|text| !artifact.target.name.contains(text)) {
                    continue;
                }
                programs.push(Program { name: artifact.target.name, path });
            } else if artifact.target.name == SCENARIOS {
                stories = Some(path);
            }
        }
        ensure!(child.wait()?.success(), "the scenarios do not build");
        ensure!(!programs.is_empty(), "no test program of the scenarios is chosen");
        Ok(Self {
            stories: stories.context("the program of the stories was not built")?,
            programs,
            directory: workspace.root.join("tests"),
            search_path: referees::search_path(workspace),
            threads,
            times: Times::default(),
        })
    }

    /// The names of what has to be timed.
    pub(super) fn names(&self) -> Vec<String> {
        std::iter::once(STORIES.to_owned()).chain(self.programs.iter().map(|it| it.name.clone())).collect()
    }

    /// Runs one of [`Self::names`] with the driver as it is and says how long it took.
    pub(super) fn time(&self, name: &str, image: &Image) -> Result<f64> {
        let begun = Instant::now();
        let caught = match self.programs.iter().find(|program| program.name == name) {
            None => self.tell(image)?,
            Some(program) => self.run(program, image)?,
        };
        let (rules, place) = (caught.rules(None), caught.story(None));
        ensure!(caught.is_empty(), "the driver without a slip is not clean: {rules} in {name}: {place}");
        Ok(begun.elapsed().as_secs_f64())
    }

    /// Takes the times; the quickest program comes first from now on.
    pub(super) fn order_by(&mut self, times: Times) {
        self.programs.sort_by(|a, b| times.of(&a.name).total_cmp(&times.of(&b.name)));
        self.times = times;
    }

    /// Judges an image with a slip, until something notices. The stories are told to the end, as they say by which
    /// rule.
    pub(super) fn judge(&self, mutant: &Mutant, copy: &Copy, image: &Image) -> Result<Caught> {
        let mut caught = self.tell(image)?;
        if let Some(name) = mutant.native_crate().filter(|_| caught.is_empty()) {
            caught = native(name, copy)?;
        }
        for program in &self.programs {
            if !caught.is_empty() || !caught.is_built() {
                break;
            }
            caught = self.run(program, image)?;
        }
        Ok(caught)
    }

    /// A program with an image.
    fn command(&self, program: &PathBuf, image: &Image) -> Command {
        let mut command = Command::new(program);
        workspace::without_package_variables(&mut command);
        command.current_dir(&self.directory).env("PATH", &self.search_path);
        command.env("MCM_SYS", &image.sys).env("MCM_CARDS", "in-process");
        command
    }

    /// Tells the stories.
    fn tell(&self, image: &Image) -> Result<Caught> {
        let mut lines = Vec::new();
        let end = watch(&mut self.command(&self.stories, image), self.times.patience(STORIES), |line| {
            lines.push(line.to_owned());
            ControlFlow::Continue(())
        })?;
        Ok(Caught::read(lines.iter().map(String::as_str), end.abnormal()))
    }

    /// Runs a test program until a test fails, and does so again when that is asked alone: a test with real peers
    /// can fail on a busy machine.
    fn run(&self, program: &Program, image: &Image) -> Result<Caught> {
        let mut unsteady: Vec<String> = Vec::new();
        loop {
            let mut command = self.command(&program.path, image);
            command.arg("--exact").args(["--test-threads", &self.threads.to_string()]);
            command.args(unsteady.iter().flat_map(|name| ["--skip", name]));
            let failed = match self.failure(&mut command, &program.name)? {
                Ok(failed) => failed,
                Err(caught) => return Ok(caught),
            };
            let mut alone = self.command(&program.path, image);
            alone.args(["--exact", &failed]);
            let again = self.failure(&mut alone, &program.name)?;
            if !matches!(&again, Err(caught) if caught.is_empty()) {
                return Ok(Caught::by_test("test", &format!("{}: {failed}", program.name)));
            }
            unsteady.push(failed);
        }
    }

    /// The first test that fails, or else what became of the program.
    fn failure(&self, command: &mut Command, name: &str) -> Result<Result<String, Caught>> {
        let mut failed = None;
        let end = watch(command, self.times.patience(name), |line| hear(line, &mut failed))?;
        if let Some(failed) = failed {
            return Ok(Ok(failed));
        }
        Ok(Err(match end.abnormal() {
            Some(rule) => Caught::by_test(rule, name),
            None if end.is_success() => Caught::default(),
            // It ended itself, and no test had failed.
            None => Caught::by_test("stopped", name),
        }))
    }
}

/// The tests of a crate of its own, in the copy with the slip.
pub(super) fn native(name: &str, copy: &Copy) -> Result<Caught> {
    let cargo = || {
        let mut command = copy.workspace.host_cargo("test");
        command.args(["--profile", workspace::SIM_PROFILE, "--package", name]);
        command.env("CARGO_TARGET_DIR", &copy.workspace.target);
        command
    };
    let built = watch(cargo().arg("--no-run"), NATIVE, |_| ControlFlow::Continue(()))?;
    if built == End::TimedOut {
        bail!("the tests of {name} do not compile within {} minutes", NATIVE.as_secs() / 60);
    }
    if !built.is_success() {
        return Ok(Caught::not_built());
    }
    let mut failed = None;
    let mut command = cargo();
    let end = watch(&mut command, NATIVE, |line| hear(line, &mut failed))?;
    Ok(match (failed, end) {
        (Some(test), _) => Caught::by_test("test", &format!("{name}: {test}")),
        (None, End::TimedOut) => Caught::by_test("timeout", name),
        (None, end) if end.is_success() => Caught::default(),
        (None, _) => Caught::by_test("stopped", name),
    })
}

/// Listens for the first test that fails.
fn hear(line: &str, failed: &mut Option<String>) -> ControlFlow<()> {
    let name = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED"));
    // A test that should have panicked has a remark after its name.
    let name = name.map(|name| name.split(" - should panic").next().unwrap_or(name));
    if let Some(name) = name {
        *failed = Some(name.to_owned());
        return ControlFlow::Break(());
    }
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_heard() {
        let mut failed = None;
        assert!(hear("test a::b ... ok", &mut failed).is_continue());
        assert!(hear("test result: FAILED. 1 passed", &mut failed).is_continue());
        assert!(hear("test a::c - should panic ... FAILED", &mut failed).is_break());
        assert_eq!(failed.as_deref(), Some("a::c"));
    }

    #[test]
    fn patience_grows_with_what_is_usual() {
        let times = Times([("nic".to_owned(), 30.0)].into());
        assert_eq!(times.patience("nic"), Duration::from_mins(7));
        assert!(times.patience("new") > times.patience("nic"), "before anything is known");
    }
}
