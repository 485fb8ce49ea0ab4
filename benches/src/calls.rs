//! `calls`: what a call costs in `mcm.sys`, in instructions and cycles, beside none and beside all the calls that an adapter
//! can have, and what rp-pppoe spends on one.
//!
//! The driver is booted in the simulator and comes to rest. Then its imports are bound to the least that is right
//! (`services`, `arena`), its registers become plain memory, a few lines play the card (`card`), and calls are
//! made and ended through the driver's handlers and interrupts (`station`). At last everything is given back to the
//! simulator, which takes the driver down and reports what it finds.

mod arena;
mod client;
mod measure;
mod meter;
mod packet;
mod plot;
mod report;
mod row;
mod server;
mod services;
mod station;
mod targets;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use serde::Serialize;

use self::measure::{Bench, COUNTED};
use self::row::{Direction, Flood, Row, Scale};
use self::server::{Ask, Rate, Server};
use crate::boot::Load;
use crate::clock::ticks_to_f64;
use crate::command::{self, make_directory_of, progress};
use crate::targets::Target;
use crate::{boot, clock, profile};

/// Measures calls of mcm.sys.
#[derive(Debug, Parser)]
#[command(name = "calls")]
struct Arguments {
    /// Driver image to measure
    #[arg(long, value_name = "FILE")]
    sys: PathBuf,
    /// Calls that are set up and taken down at the same time
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 32],
        value_parser = clap::value_parser!(u32).range(1..=128))]
    at_once: Vec<u32>,
    /// Most calls that are up, with the one more that is measured
    #[arg(long, value_name = "N", default_value_t = 65_534, value_parser = clap::value_parser!(u32).range(2..=65_534))]
    calls: u32,
    /// Leave rp-pppoe out
    #[arg(long)]
    no_peers: bool,
    /// Show where the instructions of a call are spent
    #[arg(long)]
    profile: bool,
    /// Where the picture goes
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Print one JSON object and nothing else
    #[arg(long)]
    json: bool,
}

/// Instructions by function of a call that is set up and taken down.
#[derive(Clone, Debug, Serialize)]
struct Profile {
    direction: Direction,
    /// Functions and their instructions a call.
    functions: Vec<(String, f64)>,
}

/// What rp-pppoe spends.
#[derive(Debug, Serialize)]
struct Peers {
    /// `pppoe-server`: PADOs under a flood of PADIs, and whole calls.
    server_offers: Rate,
    server_calls: Rate,
    clients: Vec<client::Spent>,
}

/// What was measured in the driver.
#[derive(Debug, Default, Serialize)]
struct Driver {
    rows: Vec<Row>,
    floods: Vec<Flood>,
    scales: Vec<Scale>,
    profiles: Vec<Profile>,
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
struct Results {
    tsc_hz: f64,
    #[serde(flatten)]
    driver: Driver,
    rp_pppoe: Option<Peers>,
    /// Why rp-pppoe was not measured.
    no_rp_pppoe: Option<String>,
    targets: Vec<Target>,
}

/// Measures the driver.
fn measure_driver(arguments: &Arguments, tsc_hz: f64) -> Result<Driver> {
    let (sys, wanted) = (arguments.sys.clone(), arguments.profile);
    let at_once = arguments.at_once.iter().map(|&it| usize::try_from(it)).collect::<Result<Vec<_>, _>>()?;
    let others = usize::try_from(arguments.calls)? - 1;
    boot::with_driver(&arguments.sys, Load::Idle, move |booted| {
        let mut bench = Bench::new(booted)?;
        let mut driver = Driver::default();
        for direction in Direction::ALL {
            for &at_once in &at_once {
                progress(&format!("{direction}, {at_once} at once"));
                driver.rows.push(bench.row(direction, at_once, false)?);
                if wanted && at_once == 1 {
                    let each = |(name, count)| (name, count / ticks_to_f64(COUNTED as u64));
                    let functions = profile::by_function(&sys, &booted.image, bench.hits())?;
                    let functions = functions.into_iter().map(each).collect();
                    driver.profiles.push(Profile { direction, functions });
                }
            }
            progress(&format!("{direction}, {others} calls"));
            let rows = &mut driver.rows;
            driver.scales.push(bench.scale(direction, others, tsc_hz, |bench| {
                for oldest in [false, true] {
                    rows.push(bench.row(direction, 1, oldest)?);
                }
                Ok(())
            })?);
        }
        for &at_once in &at_once {
            progress(&format!("PADIs, {at_once} at once"));
            driver.floods.push(bench.flood(at_once)?);
        }
        bench.finish()?;
        Ok(driver)
    })
}

/// Measures rp-pppoe.
fn measure_peers() -> Result<Peers> {
    progress("pppoe-server");
    let mut server = Server::start()?;
    let server_offers = server.rate(Ask::Offers)?;
    let server_calls = server.rate(Ask::Calls)?;
    drop(server);
    progress("pppoe-discovery and pppoe");
    Ok(Peers { server_offers, server_calls, clients: client::measure()? })
}

fn run(arguments: &Arguments) -> Result<()> {
    let tsc_hz = clock::frequency();
    let driver = measure_driver(arguments, tsc_hz)?;
    let (rp_pppoe, no_rp_pppoe) = if arguments.no_peers {
        (None, Some("left out".to_owned()))
    } else {
        match measure_peers() {
            Ok(peers) => (Some(peers), None),
            Err(error) => (None, Some(format!("{error:#}"))),
        }
    };
    let targets = targets::judge(&driver, rp_pppoe.as_ref(), tsc_hz);
    let results = Results { tsc_hz, driver, rp_pppoe, no_rp_pppoe, targets };
    if let Some(path) = &arguments.plot {
        make_directory_of(path)?;
        plot::draw(path, &results.driver.scales)?;
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&results)?);
    } else {
        // A reader that went away has seen what it wanted.
        let _ = report::write(&mut io::stdout().lock(), &results, arguments.plot.as_deref());
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
            Arguments::try_parse_from(["calls", "--sys", "x", "--at-once", "1,8"]).expect("valid");
        assert_eq!((arguments.at_once, arguments.calls), (vec![1, 8], 65_534));
        assert!(Arguments::try_parse_from(["calls", "--sys", "x", "--calls", "65535"]).is_err());
    }
}
