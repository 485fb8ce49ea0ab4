//! `cargo xtask mutants`: shows that slips of the driver are noticed: a release, a completion or an unwinding step that
//! it forgets, a status, a count, a flag, an order or a condition that is wrong.
//!
//! Each slip of `xtask/mutants.toml` is made in a copy of the tree below `target/`, one copy for each worker. The driver
//! is built there and given to the stories of the program `scenarios`, to the tests of the file's own crate, and to the
//! test programs of the scenarios, until something notices. Results are kept: a run that was interrupted goes on, and
//! after a change everything is judged again.

mod board;
mod caught;
mod copy;
mod kept;
mod list;
mod suite;
mod table;
mod watched;

use crate::build;
use crate::command::progress;
use crate::files::write_if_changed;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail, ensure};
use board::Board;
use caught::Caught;
use clap::Args;
use copy::Copy;
use kept::Kept;
use list::{LIST, Mutant};
use std::fs::{self, File, TryLockError};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use suite::{Suite, Times};
use table::Table;

/// Options of `cargo xtask mutants`.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct Options {
    #[command(flatten)]
    build: build::Options,
    /// Only slips whose description or file contains this text
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Judge the slips of these files [default: xtask/mutants.toml]
    #[arg(long, value_name = "FILE")]
    list: Vec<PathBuf>,
    /// Of the test programs run only those whose name contains this text; such results are kept apart
    #[arg(long, value_name = "TEXT")]
    tests: Option<String>,
    /// Write the table to this file too, as Markdown
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    /// Judge so many slips at a time [default: one for each processor]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Take what earlier runs found with the same sources (the default)
    #[arg(long, conflicts_with = "fresh")]
    resume: bool,
    /// Judge everything again
    #[arg(long)]
    fresh: bool,
}

impl Options {
    /// How many slips are judged at a time, and with how many threads each.
    fn workers(&self) -> (usize, usize) {
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let workers = self.jobs.map_or(processors, NonZeroUsize::get);
        (workers, (processors / workers).max(1))
    }

    fn chosen(&self, root: &Path) -> Result<Vec<Mutant>> {
        let default = [root.join(LIST)];
        let lists = if self.list.is_empty() { &default[..] } else { &self.list };
        let mut all = Vec::new();
        for path in lists {
            all.extend(list::read(path, root)?);
        }
        all.retain(|it| it.is_chosen(self.only.as_deref()));
        ensure!(!all.is_empty(), "no slip is chosen");
        Ok(all)
    }
}

/// Where everything of this command is.
fn base(workspace: &Workspace) -> PathBuf {
    workspace.target.join("mutants")
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

/// `cargo xtask mutants`.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let mutants = options.chosen(&workspace.root)?;
    let _lock = lock(workspace)?;
    let kept = Kept::open(workspace, &options.build, options.tests.as_deref())?;
    let known = |mutant: &&Mutant| kept.result(mutant).is_some();
    let pending: Vec<_> = mutants.iter().filter(|it| options.fresh || !known(it)).collect();
    if !pending.is_empty() {
        let (workers, threads) = options.workers();
        let mut suite = Suite::build(workspace, threads, options.tests.as_deref())?;
        suite.order_by(sound(workspace, options, &kept, &suite, &pending)?);
        progress("Judging", format_args!("{} slips, {} known", pending.len(), mutants.len() - pending.len()));
        let board = Board::new(pending.len(), workers);
        let start = |worker| Copy::make(workspace, worker);
        let all = in_parallel(workers, pending.len(), start, |copy, worker, tasks| {
            let driver = copy.driver(&options.build)?;
            for mutant in tasks.filter_map(|task| pending.get(task)) {
                board.begins(worker, mutant);
                let caught = driver.with(mutant, |driver| match driver.image() {
                    Ok(image) => suite.judge(mutant, driver.copy, &image),
                    Err(_) => Ok(Caught::not_built()),
                })?;
                kept.keep(mutant, &caught)?;
                board.ends(worker, mutant, &caught);
            }
            Ok(())
        });
        board.wipe();
        all?;
    }
    let mut table = Table::default();
    for mutant in &mutants {
        table.add(mutant, &kept.result(mutant).context("a result is gone")?);
    }
    println!("{}", table.text());
    if let Some(path) = &options.table {
        write_if_changed(path, table.markdown())?;
    }
    println!("{}", table.summary());
    table.verdict(options.only.is_none())
}

/// One run at a time: the copies of the tree are theirs.
fn lock(workspace: &Workspace) -> Result<File> {
    let path = base(workspace).join("lock");
    fs::create_dir_all(base(workspace)).with_context(|| format!("creating {}", base(workspace).display()))?;
    let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("another `cargo xtask mutants` is running here"),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
    }
}

/// Sees that the driver without a slip is clean, and how long everything takes then.
fn sound(
    workspace: &Workspace,
    options: &Options,
    kept: &Kept,
    suite: &Suite,
    pending: &[&Mutant],
) -> Result<Times> {
    let mut times = kept.times().filter(|_| !options.fresh).unwrap_or_default();
    let mut crates: Vec<_> = pending.iter().filter_map(|it| it.native_crate()).collect();
    crates.sort_unstable();
    crates.dedup();
    let names = suite.names().into_iter().chain(crates.iter().map(|&name| own_tests(name)));
    let missing: Vec<_> = names.filter(|name| !times.0.contains_key(name)).collect();
    if missing.is_empty() {
        return Ok(times);
    }
    progress("Testing", "the driver as it is");
    let copy = Copy::make(workspace, 0)?;
    let image = copy.driver(&options.build)?.image()?;
    let taken = Mutex::new(&mut times);
    let (workers, _) = options.workers();
    in_parallel(workers, missing.len(), Ok, |_, _, tasks| {
        for name in tasks.filter_map(|task| missing.get(task)) {
            let seconds = match crates.iter().find(|it| own_tests(it) == *name) {
                Some(name) => native_is_sound(name, &copy)?,
                None => suite.time(name, &image)?,
            };
            progress("Clean", format_args!("{name} in {seconds:.1} s"));
            let mut times = taken.lock().ok().context("a worker has panicked")?;
            times.0.insert(name.clone(), seconds);
            // Also when the run does not get any further.
            kept.keep_times(&times)?;
        }
        Ok(())
    })?;
    Ok(times)
}

/// What the tests of a crate of its own are called among the programs.
fn own_tests(name: &str) -> String {
    format!("tests of {name}")
}

fn native_is_sound(name: &str, copy: &Copy) -> Result<f64> {
    let begun = std::time::Instant::now();
    let caught = suite::native(name, copy)?;
    let clean = caught.is_built() && caught.is_empty();
    ensure!(clean, "the tests of {name} without a slip: {} in {}", caught.rules(None), caught.story(None));
    Ok(begun.elapsed().as_secs_f64())
}

/// Does `count` tasks with so many workers, each of which has something of its own. The first error ends them all.
fn in_parallel<S: Send>(
    workers: usize,
    count: usize,
    start: impl Fn(usize) -> Result<S>,
    work: impl Fn(&S, usize, &mut dyn Iterator<Item = usize>) -> Result<()> + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let workers = workers.min(count);
    let own = (0..workers).map(start).collect::<Result<Vec<_>>>()?;
    thread::scope(|scope| {
        let (next, work) = (&next, &work);
        let threads: Vec<_> = own
            .into_iter()
            .enumerate()
            .map(|(worker, own)| {
                scope.spawn(move || {
                    let mut tasks = std::iter::from_fn(|| {
                        let task = next.fetch_add(1, Ordering::Relaxed);
                        (task < count).then_some(task)
                    });
                    let result = work(&own, worker, &mut tasks);
                    if result.is_err() {
                        next.store(count, Ordering::Relaxed);
                    }
                    result
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().ok().context("a worker has panicked")?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_done_once() {
        let done = Mutex::new(Vec::new());
        in_parallel(3, 20, Ok, |_, _, tasks| {
            tasks.for_each(|task| done.lock().unwrap().push(task));
            Ok(())
        })
        .unwrap();
        let mut done = done.into_inner().unwrap();
        done.sort_unstable();
        assert_eq!(done, (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn an_error_ends_all_workers() {
        let error = in_parallel(2, 1000, Ok, |_, _, tasks| {
            for task in tasks {
                ensure!(task != 3, "task three");
            }
            Ok(())
        });
        assert_eq!(error.unwrap_err().to_string(), "task three");
        assert!(in_parallel(2, 4, |_| bail!("no copy"), |(), _, _| Ok(())).is_err());
    }
}
