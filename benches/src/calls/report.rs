//! The results as text.

use std::io::{self, Write};
use std::path::Path;

use super::row::{Case, Flood, Row, Scale};
use super::{Peers, Profile, Results};

/// Writes everything.
pub(super) fn write(out: &mut impl Write, results: &Results, plot: Option<&Path>) -> io::Result<()> {
    let tsc_hz = results.tsc_hz;
    writeln!(
        out,
        "Cost of one call. Time stamp counter: {:.0} MHz. Cycles are means of the middle half of all turns.\n",
        tsc_hz / 1e6
    )?;
    rows(out, &results.driver.rows, tsc_hz)?;
    steps(out, &results.driver.rows)?;
    results.driver.floods.iter().try_for_each(|it| flood(out, it, tsc_hz))?;
    results.driver.scales.iter().try_for_each(|it| scale(out, it, tsc_hz))?;
    if let Some(it) = &results.rp_pppoe {
        peers(out, it, &results.driver.rows, tsc_hz)?;
    }
    if let Some(reason) = &results.no_rp_pppoe {
        writeln!(out, "\nrp-pppoe was not measured: {reason}")?;
    }
    writeln!(out)?;
    results.targets.iter().try_for_each(|target| writeln!(out, "{target}"))?;
    results.driver.profiles.iter().try_for_each(|it| profile(out, it))?;
    if let Some(path) = plot {
        writeln!(out, "\nPlot: {}", path.display())?;
    }
    Ok(())
}

/// A row's name in the tables.
fn name(case: &Case) -> String {
    let which = if case.oldest { ", the oldest for a new one" } else { "" };
    format!("{}, {} at once beside {}{which}", case.direction, case.at_once, case.others)
}

fn rows(out: &mut impl Write, rows: &[Row], tsc_hz: f64) -> io::Result<()> {
    writeln!(
        out,
        "{:<56}{:>13} {:>9}  {:>13} {:>9}  {:>9}",
        "", "instructions", "cycles", "instructions", "cycles", "calls/s of"
    )?;
    writeln!(out, "{:<56}{:>23}  {:>23}  {:>10}", "calls", "set up", "taken down", "driver time")?;
    for row in rows {
        writeln!(
            out,
            "{:<56}{:>13.0} {:>9.0}  {:>13.0} {:>9.0}  {:>10.0}",
            name(&row.case),
            row.set_up.instructions,
            row.set_up.cycles,
            row.take_down.instructions,
            row.take_down.cycles,
            tsc_hz / row.both().cycles,
        )?;
    }
    Ok(())
}

fn steps(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    for row in rows {
        writeln!(out, "\n{}", name(&row.case))?;
        for step in &row.steps {
            let price = step.price;
            writeln!(out, "  {:<24}{:>9.0} {:>9.0}", step.step, price.instructions, price.cycles)?;
        }
    }
    Ok(())
}

fn flood(out: &mut impl Write, flood: &Flood, tsc_hz: f64) -> io::Result<()> {
    writeln!(
        out,
        "\nPADIs of many stations, {} at once: instructions, cycles, PADIs/s of driver time",
        flood.at_once
    )?;
    for (what, price) in [("answered", flood.answered), ("too many", flood.ignored)] {
        let rate = tsc_hz / price.cycles;
        writeln!(out, "  {what:<24}{:>9.0} {:>9.0} {rate:>11.0}", price.instructions, price.cycles)?;
    }
    Ok(())
}

fn scale(out: &mut impl Write, scale: &Scale, tsc_hz: f64) -> io::Result<()> {
    let Scale { direction, calls, at_once, .. } = scale;
    let milliseconds = |cycles: f64| cycles / tsc_hz * 1e3;
    writeln!(out, "\n{calls} {direction} calls, {at_once} at once")?;
    writeln!(
        out,
        "  up in {:.3} s of driver time, the longest batch {:.2} ms; down in {:.3} s, the longest {:.2} ms",
        scale.seconds_up,
        milliseconds(scale.worst_batch_up),
        scale.seconds_down,
        milliseconds(scale.worst_batch_down),
    )?;
    writeln!(
        out,
        "  non-paged pool for each: {:.2} blocks, {:.0} bytes asked for, {:.0} bytes spent; {} bytes kept",
        scale.blocks_each, scale.bytes_each, scale.pool_bytes_each, scale.bytes_kept
    )
}

fn peers(out: &mut impl Write, peers: &Peers, rows: &[Row], tsc_hz: f64) -> io::Result<()> {
    writeln!(out, "\nrp-pppoe, processor time of its processes")?;
    let cycles = |nanoseconds: f64| nanoseconds * tsc_hz / 1e9;
    for (what, rate) in [("offers", peers.server_offers), ("calls", peers.server_calls)] {
        writeln!(
            out,
            "  pppoe-server, {what:<28}{:>10.0}/s {:>12.0} ns each {:>12.0} cycles",
            rate.per_second,
            rate.nanoseconds,
            cycles(rate.nanoseconds),
        )?;
    }
    for client in &peers.clients {
        writeln!(
            out,
            "  {:<42}{:>10.1}/s {:>12.0} ns each {:>12.0} cycles",
            client.command,
            1.0 / client.seconds,
            client.nanoseconds,
            cycles(client.nanoseconds),
        )?;
    }
    for row in rows.iter().filter(|row| row.case.others == 0 && row.case.at_once == 1) {
        let times = cycles(peers.server_calls.nanoseconds) / row.both().cycles;
        writeln!(out, "  a call of pppoe-server / {}: {times:.1}", name(&row.case))?;
    }
    Ok(())
}

fn profile(out: &mut impl Write, profile: &Profile) -> io::Result<()> {
    writeln!(out, "\nInstructions of a call, {}, 1 at once, set up and taken down:", profile.direction)?;
    for (name, count) in profile.functions.iter().filter(|(_, count)| *count >= 1.0) {
        writeln!(out, "{count:9.1}  {name}")?;
    }
    Ok(())
}
