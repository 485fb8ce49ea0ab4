//! The results as a picture: cycles of a frame over the size of the batch, a panel for each direction and size of frame.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use crate::row::{Direction, Row, Spread};

/// Pixels of a panel.
const PANEL: (u32, u32) = (420, 330);

/// One line of a panel.
struct Line {
    name: String,
    colour: RGBColor,
    points: Vec<(f64, f64)>,
}

/// The place of a batch on the axis.
fn place(batch: usize) -> f64 {
    crate::clock::ticks_to_f64(batch as u64).log2()
}

fn lines(rows: &[&Row]) -> Vec<Line> {
    let line = |name: String, colour, chosen: &dyn Fn(&Row) -> bool, value: &dyn Fn(&Row) -> Option<f64>| {
        let points =
            rows.iter().filter(|row| chosen(row)).filter_map(|row| Some((place(row.batch), value(row)?)));
        Line { name, colour, points: points.collect() }
    };
    let many = rows.iter().map(|row| row.vcs).max().unwrap_or(1);
    let one = |row: &Row| row.spread == Spread::One;
    [
        line("rp-pppoe".to_owned(), RGBColor(150, 150, 150), &one, &|row| row.relay_cycles),
        line(
            format!("{many} VCs, one a frame"),
            RGBColor(204, 121, 167),
            &|row| row.spread == Spread::Frame,
            &|row| Some(row.cycles),
        ),
        line(
            format!("{many} VCs, one a batch"),
            RGBColor(213, 94, 0),
            &|row| row.spread == Spread::Batch,
            &|row| Some(row.cycles),
        ),
        line("1 VC".to_owned(), RGBColor(0, 114, 178), &one, &|row| Some(row.cycles)),
        line("floor".to_owned(), RGBColor(0, 158, 115), &one, &|row| Some(row.floor_cycles)),
    ]
    .into_iter()
    .filter(|line| !line.points.is_empty())
    .collect()
}

/// Draws all rows into an SVG file.
pub(crate) fn draw(path: &Path, rows: &[Row], sizes: &[usize]) -> Result<()> {
    let directions = [Direction::Send, Direction::Receive];
    let columns = u32::try_from(sizes.len())?;
    let area = SVGBackend::new(path, (PANEL.0 * columns, PANEL.1 * 2)).into_drawing_area();
    let failed = |error: &dyn std::fmt::Display| anyhow!("drawing {}: {error}", path.display());
    area.fill(&WHITE).map_err(|error| failed(&error))?;
    let cases = directions.iter().flat_map(|direction| sizes.iter().map(move |size| (*direction, *size)));
    for (panel, (direction, size)) in area.split_evenly((2, sizes.len())).iter().zip(cases) {
        let chosen: Vec<_> =
            rows.iter().filter(|row| (row.direction, row.size) == (direction, size)).collect();
        draw_panel(panel, &format!("{direction}, {size} bytes: cycles a frame"), &chosen)
            .map_err(|error| failed(&error))?;
    }
    area.present().map_err(|error| failed(&error))
}

fn draw_panel<B: DrawingBackend>(
    panel: &DrawingArea<B, plotters::coord::Shift>,
    title: &str,
    rows: &[&Row],
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    let batches: Vec<_> = rows.iter().map(|row| row.batch).collect();
    let last = place(batches.iter().copied().max().unwrap_or(1));
    let mut chart = ChartBuilder::on(panel)
        .caption(title, ("sans-serif", 15))
        .margin(8)
        .x_label_area_size(30)
        .y_label_area_size(46)
        .build_cartesian_2d(-0.3..last + 0.3, (2.0..400_000.0).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc("frames in a batch")
        .x_labels(9)
        .y_label_formatter(&|cycles| format!("{cycles}"))
        .x_label_formatter(&|at| format!("{}", at.exp2().round()))
        .draw()?;
    for Line { name, colour, points } in lines(rows) {
        let path = PathElement::new(points.clone(), colour.stroke_width(2));
        chart
            .draw_series(std::iter::once(path))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 14, y)], colour.stroke_width(2)));
        chart.draw_series(points.into_iter().map(|point| Circle::new(point, 3, colour.filled())))?;
    }
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.8))
        .position(SeriesLabelPosition::UpperRight)
        .label_font(("sans-serif", 11))
        .draw()
}
