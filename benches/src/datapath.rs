//! `datapath`: what a frame costs in `mcm.sys`, in instructions and cycles, beside a bare loop and beside rp-pppoe.
//!
//! The driver is booted in the simulator, makes its calls and comes to rest. Then its imports are bound to the least that
//! is right (`services`), its registers become plain memory, a few lines play the card (`card`), and batches of frames
//! are timed (`clock`) and, in other passes, counted instruction by instruction (`trace`). At last everything is given
//! back to the simulator, which takes the driver down and reports what it finds.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use ndis_sim::image::Image;
use serde::Serialize;

use crate::boot::Load;
use crate::command::{self, make_directory_of, progress};
use crate::relay::Relay;
use crate::row::{Direction, Row, Spread};
use crate::{boot, clock, measure, plot, profile, targets};

/// Measures the data path of mcm.sys.
#[derive(Debug, Parser)]
#[command(name = "datapath")]
struct Arguments {
    /// Driver image to measure
    #[arg(long, value_name = "FILE")]
    sys: PathBuf,
    /// Bytes of the frames, from the PPP protocol field on
    #[arg(long, value_name = "BYTES", value_delimiter = ',', default_values_t = [64, 512, 1492],
        value_parser = sizes)]
    sizes: Vec<usize>,
    /// Frames of the batches
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 8, 32, 256], value_parser = batches)]
    batches: Vec<usize>,
    /// Calls in the runs with many VCs; 1 leaves these runs out
    #[arg(long, value_name = "N", default_value_t = 65_534, value_parser = clap::value_parser!(u32).range(1..=65_534))]
    vcs: u32,
    /// Leave rp-pppoe out
    #[arg(long)]
    no_relay: bool,
    /// Show where the instructions of a batch of 32 frames of 64 bytes are spent
    #[arg(long)]
    profile: bool,
    /// Where the picture goes
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Print one JSON object and nothing else
    #[arg(long)]
    json: bool,
}

fn sizes(text: &str) -> Result<usize, String> {
    let size = text.parse().map_err(|_| "not a number of bytes".to_owned())?;
    if (40..=1494).contains(&size) { Ok(size) } else { Err("a frame has 40 to 1494 bytes".to_owned()) }
}

fn batches(text: &str) -> Result<usize, String> {
    let batch = text.parse().map_err(|_| "not a number of frames".to_owned())?;
    if (1..=256).contains(&batch) { Ok(batch) } else { Err("a batch has 1 to 256 frames".to_owned()) }
}

/// Instructions by function of a batch.
#[derive(Clone, Debug, Serialize)]
struct Profile {
    direction: Direction,
    /// Functions and their instructions a frame.
    functions: Vec<(String, f64)>,
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
struct Results {
    tsc_hz: f64,
    rows: Vec<Row>,
    profiles: Vec<Profile>,
    /// Why there is no relay beside the driver.
    relay: Option<String>,
}

/// The batch and the frame that are profiled.
const PROFILED: (usize, usize) = (32, 64);

type Measured = (Vec<Row>, Vec<Profile>);

/// Measures with so many calls up.
fn measure(arguments: &Arguments, calls: usize, spreads: &'static [Spread]) -> Result<Measured> {
    let (sizes, batches) = (arguments.sizes.clone(), arguments.batches.clone());
    let (sys, wanted) = (arguments.sys.clone(), arguments.profile);
    boot::with_driver(&arguments.sys, Load::Calls(calls), move |booted| {
        let mut path = measure::Path::new(booted)?;
        let (mut rows, mut profiles) = (Vec::new(), Vec::new());
        for direction in [Direction::Send, Direction::Receive] {
            for &size in &sizes {
                for &batch in &batches {
                    for &spread in spreads {
                        progress(&format!("{direction}, {size} bytes, batch {batch}, {calls} VCs"));
                        rows.push(path.row(direction, size, batch, spread)?);
                        if wanted && (batch, size, spread) == (PROFILED.0, PROFILED.1, Spread::One) {
                            profiles.push(profile(direction, &sys, &booted.image, path.hits())?);
                        }
                    }
                }
            }
        }
        path.finish()?;
        Ok((rows, profiles))
    })
}

fn profile(
    direction: Direction,
    sys: &Path,
    image: &Image,
    hits: impl Iterator<Item = (usize, u32)>,
) -> Result<Profile> {
    let frames = clock::ticks_to_f64((measure::COUNTED.div_ceil(PROFILED.0) * PROFILED.0) as u64);
    let each = |(name, count)| (name, count / frames);
    let functions = profile::by_function(sys, image, hits)?.into_iter().map(each).collect();
    Ok(Profile { direction, functions })
}

/// Measures the relay beside the driver's rows.
fn measure_relay(rows: &mut [Row], sizes: &[usize], tsc_hz: f64) -> Result<()> {
    let mut relay = Relay::start()?;
    for direction in [Direction::Send, Direction::Receive] {
        for &size in sizes {
            let cycles = relay.nanoseconds(direction, size)? * tsc_hz / 1e9;
            for row in rows.iter_mut().filter(|row| (row.direction, row.size) == (direction, size)) {
                row.relay_cycles = Some(cycles);
            }
        }
    }
    Ok(())
}

fn run(arguments: &Arguments) -> Result<()> {
    let tsc_hz = clock::frequency();
    let (mut rows, profiles) = measure(arguments, 1, &[Spread::One])?;
    let calls = usize::try_from(arguments.vcs)?;
    if calls > 1 {
        rows.extend(measure(arguments, calls, &[Spread::Batch, Spread::Frame])?.0);
    }
    rows.sort_by_key(|row| {
        (row.direction == Direction::Receive, row.size, row.batch, row.vcs, row.spread == Spread::Frame)
    });
    let relay = if arguments.no_relay {
        Some("left out".to_owned())
    } else {
        measure_relay(&mut rows, &arguments.sizes, tsc_hz).err().map(|error| format!("{error:#}"))
    };
    let results = Results { tsc_hz, rows, profiles, relay };
    if let Some(path) = &arguments.plot {
        make_directory_of(path)?;
        plot::draw(path, &results.rows, &arguments.sizes)?;
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&results)?);
    } else {
        // A reader that went away has seen what it wanted.
        let _ = report(&mut io::stdout().lock(), &results, arguments);
    }
    Ok(())
}

fn report(out: &mut impl io::Write, results: &Results, arguments: &Arguments) -> io::Result<()> {
    writeln!(
        out,
        "Cost of one frame. Time stamp counter: {:.0} MHz. Cycles are means of the middle half of all batches.\n",
        results.tsc_hz / 1e6
    )?;
    writeln!(
        out,
        "{:9}{:>5} {:>5} {:>6} {:>8} {:>13} {:>8} {:>6} {:>9} {:>8} {:>6} {:>9} {:>7}",
        "direction",
        "size",
        "batch",
        "VCs",
        "VC per",
        "instructions",
        "floor",
        "ratio",
        "cycles",
        "floor",
        "ratio",
        "rp-pppoe",
        "ratio"
    )?;
    for row in &results.rows {
        let per = match row.spread {
            Spread::One => "-",
            Spread::Batch => "batch",
            Spread::Frame => "frame",
        };
        let relay = row.relay_cycles.map_or_else(
            || format!("{:>9} {:>7}", "-", "-"),
            |relay| format!("{relay:>9.0} {:>7.1}", relay / row.cycles),
        );
        writeln!(
            out,
            "{:9}{:>5} {:>5} {:>6} {per:>8} {:>13.1} {:>8.1} {:>6.2} {:>9.1} {:>8.1} {:>6.2} {relay}",
            row.direction,
            row.size,
            row.batch,
            row.vcs,
            row.instructions,
            row.floor_instructions,
            row.instructions / row.floor_instructions,
            row.cycles,
            row.floor_cycles,
            row.cycles / row.floor_cycles,
        )?;
    }
    writeln!(out)?;
    for target in targets::judge(&results.rows) {
        writeln!(out, "{target}")?;
    }
    if let Some(reason) = &results.relay {
        writeln!(out, "\nrp-pppoe was not measured: {reason}")?;
    }
    results.profiles.iter().try_for_each(|profile| report_profile(out, profile))?;
    if let Some(path) = &arguments.plot {
        writeln!(out, "\nPlot: {}", path.display())?;
    }
    Ok(())
}

fn report_profile(out: &mut impl io::Write, profile: &Profile) -> io::Result<()> {
    writeln!(
        out,
        "\nInstructions of a frame, {}, {} bytes, batch {}:",
        profile.direction, PROFILED.1, PROFILED.0
    )?;
    for (name, count) in profile.functions.iter().filter(|(_, count)| *count >= 0.5) {
        writeln!(out, "{count:9.1}  {name}")?;
    }
    Ok(())
}

/// The command.
pub fn main() -> ExitCode {
    command::run(|| run(&Arguments::parse()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
        let arguments =
            Arguments::try_parse_from(["datapath", "--sys", "x", "--batches", "1,32"]).expect("valid");
        assert_eq!(
            (arguments.batches, arguments.sizes, arguments.vcs),
            (vec![1, 32], vec![64, 512, 1492], 65_534)
        );
        assert!(Arguments::try_parse_from(["datapath", "--sys", "x", "--sizes", "1500"]).is_err());
    }
}
